//! Looks into a stack of layer folders as overlayfs would, without mounting anything.
//!
//! Every path is walked name by name and symbolic links are resolved against
//! the root of the view, so nothing can lead out of it.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{Mode, OFlags, ResolveFlags};

/// As many links as Linux follows.
const LINKS_MAX: usize = 40;

/// A stack of folders, the topmost first.
#[derive(Clone, Debug)]
pub(crate) struct View {
    layers: Vec<PathBuf>,
}

/// A file or folder of a [`View`].
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// From the root of the view, without a slash at its front.
    pub path: PathBuf,
    /// The layers it is made of: one, or for folders several.
    layers: Vec<usize>,
    pub meta: Metadata,
}

/// Whether a link at the end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Followed,
    Kept,
}

impl Node {
    pub fn is_dir(&self) -> bool {
        self.meta.is_dir()
    }

    pub fn is_link(&self) -> bool {
        self.meta.file_type().is_symlink()
    }

    pub fn is_file(&self) -> bool {
        self.meta.is_file()
    }

    pub fn is_socket(&self) -> bool {
        self.meta.file_type().is_socket()
    }
}

impl View {
    pub fn new(layers: Vec<PathBuf>) -> Self {
        Self { layers }
    }

    /// This view with one more folder on top.
    pub fn under(&self, top: &Path) -> Self {
        let layers = std::iter::once(top.to_owned()).chain(self.layers.iter().cloned());
        Self { layers: layers.collect() }
    }

    /// Where the node really lies.
    pub fn real(&self, node: &Node) -> PathBuf {
        let layer = node.layers.first().copied().unwrap_or(0);
        self.layers[layer].join(&node.path)
    }

    pub fn root(&self) -> io::Result<Node> {
        let first = self.layers.first().ok_or_else(|| io::Error::other("a view without folders"))?;
        Ok(Node { path: PathBuf::new(), layers: (0..self.layers.len()).collect(), meta: fs::metadata(first)? })
    }

    /// Opens a file for reading.
    pub fn open(&self, node: &Node) -> io::Result<File> {
        let layer = node.layers.first().copied().unwrap_or(0);
        let root = File::open(&self.layers[layer])?;
        // The context may belong to somebody who swaps folders for links meanwhile.
        let flags = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let file = rustix::fs::openat2(&root, &node.path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty(), flags)?;
        Ok(File::from(file))
    }

    pub fn read_link(&self, node: &Node) -> io::Result<PathBuf> {
        fs::read_link(self.real(node))
    }

    /// Finds `path`; `None` if there is nothing.
    pub fn lookup(&self, path: &Path, last: Last) -> io::Result<Option<Node>> {
        let mut stack = vec![self.root()?];
        let mut names: VecDeque<OsString> = VecDeque::new();
        push_front(&mut names, path);
        let mut links = 0;
        while let Some(name) = names.pop_front() {
            if name == ".." {
                if stack.len() > 1 {
                    stack.pop();
                }
                continue;
            }
            let Some(parent) = stack.last().filter(|it| it.is_dir()) else { return Ok(None) };
            let Some(child) = self.child(parent, &name)? else { return Ok(None) };
            if child.is_link() && (!names.is_empty() || last == Last::Followed) {
                links += 1;
                if links > LINKS_MAX {
                    return Err(io::Error::other(format!("too many symbolic links in `{}`", path.display())));
                }
                let target = self.read_link(&child)?;
                if target.is_absolute() {
                    stack.truncate(1);
                }
                push_front(&mut names, &target);
                continue;
            }
            stack.push(child);
        }
        Ok(stack.pop())
    }

    /// What a folder has under `name`.
    pub fn child(&self, parent: &Node, name: &OsStr) -> io::Result<Option<Node>> {
        let path = parent.path.join(name);
        let mut found: Option<Node> = None;
        for &layer in &parent.layers {
            let real = self.layers[layer].join(&path);
            let meta = match fs::symlink_metadata(&real) {
                Ok(meta) => meta,
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
                Err(error) => return Err(error),
            };
            if meta.file_type().is_char_device() && meta.rdev() == 0 {
                break;
            }
            let is_dir = meta.is_dir();
            match &mut found {
                Some(node) if is_dir => node.layers.push(layer),
                Some(_) => break,
                None => found = Some(Node { path: path.clone(), layers: vec![layer], meta }),
            }
            if !is_dir || is_opaque(&real) {
                break;
            }
        }
        Ok(found)
    }

    /// What is in a folder, sorted by name.
    pub fn children(&self, parent: &Node) -> io::Result<BTreeMap<OsString, Node>> {
        let mut names = std::collections::BTreeSet::new();
        for &layer in &parent.layers {
            for entry in fs::read_dir(self.layers[layer].join(&parent.path))? {
                names.insert(entry?.file_name());
            }
        }
        let mut children = BTreeMap::new();
        for name in names {
            if let Some(node) = self.child(parent, &name)? {
                children.insert(name, node);
            }
        }
        Ok(children)
    }

    /// Resolves as much of `path` as there is: the last folder and the names that are missing below it.
    ///
    /// # Errors
    ///
    /// When a name in the middle is a file.
    pub fn reach(&self, path: &Path) -> io::Result<(Node, Vec<OsString>)> {
        let names: Vec<OsString> = path.components().filter_map(normal).collect();
        for known in (0..=names.len()).rev() {
            let prefix: PathBuf = names[..known].iter().collect();
            if let Some(node) = self.lookup(&prefix, Last::Followed)? {
                if !node.is_dir() && known < names.len() {
                    return Err(io::Error::other(format!("`/{}` is no folder", prefix.display())));
                }
                return Ok((node, names[known..].to_vec()));
            }
        }
        Ok((self.root()?, names))
    }
}

fn normal(component: Component) -> Option<OsString> {
    match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    }
}

fn push_front(names: &mut VecDeque<OsString>, path: &Path) {
    for name in path.components().rev().filter_map(normal) {
        names.push_front(name);
    }
}

fn is_opaque(folder: &Path) -> bool {
    let mut value = [0u8; 1];
    ["trusted.overlay.opaque", "user.overlay.opaque"]
        .iter()
        .any(|name| matches!(rustix::fs::lgetxattr(folder, *name, &mut value[..]), Ok(1)) && value == *b"y")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn upper_folders_hide_and_join_lower_ones() {
        let (top, low) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        fs::create_dir_all(low.path().join("d/e")).expect("folders");
        fs::write(low.path().join("d/low"), "low").expect("a file");
        fs::write(low.path().join("d/both"), "low").expect("a file");
        fs::create_dir_all(top.path().join("d")).expect("a folder");
        fs::write(top.path().join("d/both"), "top!").expect("a file");
        symlink("/d/../../d", top.path().join("link")).expect("a link");
        symlink("loop", top.path().join("loop")).expect("a link");
        let view = View::new(vec![top.path().to_owned(), low.path().to_owned()]);

        let folder = view.lookup(Path::new("/link"), Last::Followed).expect("no error").expect("found");
        let names: Vec<_> = view.children(&folder).expect("children").into_keys().collect();
        assert_eq!(names, ["both", "e", "low"]);
        let both = view.lookup(Path::new("link/both"), Last::Kept).expect("no error").expect("found");
        assert_eq!(both.meta.len(), 4);
        assert!(view.lookup(Path::new("/loop"), Last::Followed).is_err());
        assert!(view.lookup(Path::new("/../../etc/passwd"), Last::Followed).expect("no error").is_none());
        let (known, missing) = view.reach(Path::new("/link/e/x/y")).expect("no error");
        assert_eq!((known.path, missing), (PathBuf::from("d/e"), vec!["x".into(), "y".into()]));
    }
}
