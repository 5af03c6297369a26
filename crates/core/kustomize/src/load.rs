//! Reading the files of a source: from which folder, how far out, and never twice.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
    sync::Arc,
};

use files::Files;

use crate::{
    error::BuildError,
    kustomization::{FILE_NAMES, Kustomization},
    node::Node,
    read,
};

/// How many folders may stand one in another; the deepest public kustomizations have nine.
const FOLDERS_DEPTH_MAX: usize = 64;

/// What was read and parsed before, by path; used only while the bytes are the same.
#[derive(Debug, Default)]
pub struct Parsed {
    kustomizations: RefCell<ByPath<Arc<Kustomization>>>,
    objects: RefCell<ByPath<Objects>>,
}

/// What was made of a file, and the bytes it was made of.
type ByPath<T> = HashMap<String, (Arc<[u8]>, T)>;

/// The objects of one file.
pub type Objects = Arc<Vec<Arc<Node>>>;

/// One folder of a build, and those that led to it.
#[derive(Clone)]
pub struct Folder<'a> {
    files: &'a dyn Files,
    parsed: &'a Parsed,
    remotes: &'a BTreeMap<String, String>,
    /// From the root of the tree, without slash at the end.
    pub path: String,
    /// Folders that led here, the first one first, this one included.
    chain: Rc<Vec<String>>,
}

impl<'a> Folder<'a> {
    /// The folder that a build starts in.
    ///
    /// # Errors
    ///
    /// When there is no such folder.
    pub fn open(
        files: &'a dyn Files,
        parsed: &'a Parsed,
        remotes: &'a BTreeMap<String, String>,
        path: &str,
    ) -> Result<Self, BuildError> {
        let path = files::join("", path).map_err(|error| BuildError::new(error.to_string()))?;
        if files.list(&path)?.is_none() {
            return Err(BuildError::new(format!("there is no folder `{path}`")));
        }
        Ok(Self {
            files,
            parsed,
            remotes,
            chain: Rc::new(vec![path.clone()]),
            path,
        })
    }

    /// A base or component, written relative to this folder.
    ///
    /// # Errors
    ///
    /// A folder that does not exist, lies outside the source, or leads back here.
    pub fn enter(&self, path: &str) -> Result<Self, BuildError> {
        let target = match self.remotes.get(path) {
            Some(local) => local.clone(),
            None if is_remote(path) => return Err(remote_refused(path)),
            None if path.starts_with('/') => {
                return Err(BuildError::new(format!(
                    "new root `{path}` cannot be absolute"
                )));
            }
            None => {
                files::join(&self.path, path).map_err(|error| BuildError::new(error.to_string()))?
            }
        };
        if self.files.list(&target)?.is_none() {
            return Err(BuildError::new(format!(
                "`{path}` is neither a file nor a folder (looked for `{target}`)"
            )));
        }
        if let Some(seen) = self.chain.iter().find(|it| contains(&target, it)) {
            let mut chain: Vec<&str> = self.chain.iter().map(String::as_str).collect();
            chain.push(&target);
            return Err(BuildError::new(format!(
                "cycle detected: candidate root `{target}` contains visited root `{seen}` ({})",
                chain.join(" → ")
            )));
        }
        if self.chain.len() >= FOLDERS_DEPTH_MAX {
            return Err(BuildError::new(format!(
                "bases stand deeper than {FOLDERS_DEPTH_MAX} levels"
            )));
        }
        let mut chain = (*self.chain).clone();
        chain.push(target.clone());
        Ok(Self {
            path: target,
            chain: Rc::new(chain),
            ..self.clone()
        })
    }

    /// Whether `path` names a folder.
    ///
    /// # Errors
    ///
    /// What holds the tree failed.
    pub fn is_folder(&self, path: &str) -> Result<bool, BuildError> {
        let target = match self.remotes.get(path) {
            Some(local) => local.clone(),
            None => match files::join(&self.path, path) {
                Ok(it) => it,
                Err(_) => return Ok(false),
            },
        };
        Ok(self.files.read(&target)?.is_none() && self.files.list(&target)?.is_some())
    }

    /// The path from the root of the tree, for diagnostics.
    pub fn path_of(&self, path: &str) -> String {
        match self.remotes.get(path) {
            Some(local) => local.clone(),
            None => files::join(&self.path, path).unwrap_or_else(|_| path.to_owned()),
        }
    }

    /// The bytes of a file in or below this folder.
    ///
    /// # Errors
    ///
    /// A file that does not exist, or lies outside.
    pub fn load(&self, path: &str) -> Result<Arc<[u8]>, BuildError> {
        if let Some(local) = self.remotes.get(path) {
            return self
                .files
                .read(local)?
                .ok_or_else(|| BuildError::new(format!("there is no file `{local}`")));
        }
        if is_remote(path) {
            return Err(remote_refused(path));
        }
        let target = files::join(&self.path, path)
            .map_err(|error| BuildError::new(format!("security: {error}")))?;
        if !contains(&self.path, &target) {
            return Err(BuildError::new(format!(
                "security: file `{target}` is not in or below `{}`",
                self.path
            ))
            .hint("files of other folders are reached through a base"));
        }
        match self.files.read(&target)? {
            Some(content) => Ok(content),
            None if self.files.list(&target)?.is_some() => Err(BuildError::new(format!(
                "`{target}` is a folder, expected a file"
            ))),
            None => Err(BuildError::new(format!("there is no file `{target}`"))),
        }
    }

    /// A file in or below this folder as text.
    ///
    /// # Errors
    ///
    /// As [`Folder::load`], or bytes that are no text.
    pub fn load_text(&self, path: &str) -> Result<Text, BuildError> {
        let bytes = self.load(path)?;
        if std::str::from_utf8(&bytes).is_err() {
            return Err(BuildError::new("the file is not UTF-8").in_file(&self.path_of(path)));
        }
        Ok(Text(bytes))
    }

    /// The kustomization of this folder and the name of its file.
    ///
    /// # Errors
    ///
    /// No such file, more than one, or what is wrong in it.
    pub fn kustomization(&self) -> Result<(Arc<Kustomization>, &'static str), BuildError> {
        let mut found = None;
        for name in FILE_NAMES {
            let path = files::join(&self.path, name).unwrap_or_default();
            if let Some(content) = self.files.read(&path)? {
                if found.is_some() {
                    return Err(BuildError::new(format!(
                        "found multiple kustomization files under `{}`",
                        self.path
                    )));
                }
                found = Some((name, path, content));
            }
        }
        let Some((name, path, content)) = found else {
            return Err(BuildError::new(format!(
                "unable to find one of `kustomization.yaml`, `kustomization.yml` or `Kustomization` in `{}`",
                self.path
            )));
        };
        if let Some((bytes, it)) = self.parsed.kustomizations.borrow().get(&path)
            && *bytes == content
        {
            return Ok((Arc::clone(it), name));
        }
        let text = std::str::from_utf8(&content)
            .map_err(|_| BuildError::new("the file is not UTF-8").in_file(&path))?;
        let it = Arc::new(Kustomization::parse(text, &path)?);
        self.parsed
            .kustomizations
            .borrow_mut()
            .insert(path, (Arc::clone(&content), Arc::clone(&it)));
        Ok((it, name))
    }

    /// The objects of a file.
    ///
    /// # Errors
    ///
    /// As [`Folder::load`], or what is wrong in it.
    pub fn objects(&self, path: &str) -> Result<Objects, BuildError> {
        let content = self.load(path)?;
        let key = self.path_of(path);
        if let Some((bytes, it)) = self.parsed.objects.borrow().get(&key)
            && (Arc::ptr_eq(bytes, &content) || *bytes == content)
        {
            return Ok(Arc::clone(it));
        }
        let text = std::str::from_utf8(&content)
            .map_err(|_| BuildError::new("the file is not UTF-8").in_file(&key))?;
        let found: Objects = Arc::new(
            read::objects(text, &key)?
                .into_iter()
                .map(Arc::new)
                .collect(),
        );
        self.parsed
            .objects
            .borrow_mut()
            .insert(key, (content, Arc::clone(&found)));
        Ok(found)
    }
}

/// Bytes that are known to be text.
pub struct Text(Arc<[u8]>);

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Whether `inner` is `outer` or lies below it.
fn contains(outer: &str, inner: &str) -> bool {
    outer.is_empty()
        || inner == outer
        || inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a path means something on the network.
pub fn is_remote(path: &str) -> bool {
    path.contains("://")
        || path.starts_with("git@")
        || path.starts_with("git::")
        || path.starts_with("github.com/")
        || path.starts_with("gh:")
        || path.contains(".git?")
        || path.contains("?ref=")
        || path.ends_with(".git")
}

fn remote_refused(path: &str) -> BuildError {
    BuildError::new(format!(
        "`{path}` lies on the network, which is not reached from here"
    ))
    .hint("fetch it and hand it in with the source")
}
