//! What a COPY takes: sources and wildcards resolved, ignored files left out.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Read as _},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use buildgraph::{
    content::{Entry, EntryKind, tree_digest},
    ignore::{Ignore, clean},
    wildcard,
};
use names::Digest;
use sha2::Digest as _;

use crate::{
    error::Failure,
    view::{Last, Node, View},
};

/// One source after wildcards: a file, or a folder whose contents are meant.
#[derive(Debug)]
pub(crate) struct Root {
    /// The name a file gets in a destination folder.
    pub name: OsString,
    /// With `--parents`: where it goes below the destination.
    pub parents: Option<PathBuf>,
    pub node: Node,
    /// What is in the folder, parents before children; empty for files.
    pub items: Vec<Item>,
}

/// Something inside a source folder.
#[derive(Debug)]
pub(crate) struct Item {
    /// Relative to the source folder.
    pub path: PathBuf,
    pub node: Node,
}

/// Whether the owners of the source count, or everything belongs to root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owners {
    Kept,
    Root,
}

pub(crate) struct Selector<'a> {
    pub view: &'a View,
    /// `.dockerignore`, for sources from the context.
    pub ignore: &'a Ignore,
    /// `--exclude`.
    pub exclude: &'a Ignore,
}

impl Selector<'_> {
    /// Resolves one source.
    pub fn source(&self, source: &str, with_parents: bool) -> Result<Vec<Root>, Failure> {
        let path = clean(&format!("/{source}"));
        let matched = if wildcard::is_pattern(&path) { self.matching(&path)? } else { vec![PathBuf::from(&path)] };
        let pivot = source.find("/./").map(|at| clean(&format!("/{}", &source[..at])));
        let mut roots = Vec::new();
        for path in matched {
            let relative = path.strip_prefix("/").unwrap_or(&path);
            let missing = |help: &str| Failure::new(format!("`{}` not found", path.display())).with_help(help);
            if self.ignored(relative) && !self.ignore.has_exceptions() {
                return Err(missing("`.dockerignore` keeps it out of the context"));
            }
            let node = self.view.lookup(&path, Last::Followed).map_err(Failure::io(path.display()))?;
            let Some(node) = node else { return Err(missing(&self.hint(&path))) };
            if self.exclude.ignores(&relative.to_string_lossy()) {
                continue;
            }
            let mut items = Vec::new();
            if node.is_dir() {
                self.walk(&node, Path::new(""), &mut items).map_err(Failure::io(path.display()))?;
                if items.is_empty() && self.ignored(relative) {
                    return Err(missing("`.dockerignore` keeps it out of the context"));
                }
            } else if self.ignored(relative) {
                return Err(missing("`.dockerignore` keeps it out of the context"));
            }
            let below_pivot = match &pivot {
                Some(pivot) => path.strip_prefix(pivot).unwrap_or(relative).to_owned(),
                None => relative.to_owned(),
            };
            roots.push(Root {
                name: path.file_name().map(ToOwned::to_owned).unwrap_or_default(),
                parents: with_parents.then_some(below_pivot),
                node,
                items,
            });
        }
        Ok(roots)
    }

    fn ignored(&self, path: &Path) -> bool {
        !path.as_os_str().is_empty() && self.ignore.ignores(&path.to_string_lossy())
    }

    /// Names what is near a missing file.
    fn hint(&self, path: &Path) -> String {
        let parent = path.parent().unwrap_or(Path::new("/"));
        let names = match self.view.lookup(parent, Last::Followed) {
            Ok(Some(node)) if node.is_dir() => self.view.children(&node).unwrap_or_default(),
            _ => return format!("there is no folder `{}` either", parent.display()),
        };
        let names: Vec<String> = names.keys().take(8).map(|it| it.to_string_lossy().into_owned()).collect();
        if names.is_empty() { "the folder is empty".to_owned() } else { format!("there are: {}", names.join(", ")) }
    }

    /// Paths that a pattern names; no match is no error.
    fn matching(&self, pattern: &str) -> Result<Vec<PathBuf>, Failure> {
        let mut reached = vec![PathBuf::from("/")];
        for part in pattern.split('/').filter(|it| !it.is_empty()) {
            let mut next = Vec::new();
            for folder in reached {
                if !wildcard::is_pattern(part) && part != "**" {
                    next.push(folder.join(part));
                    continue;
                }
                let node = self.view.lookup(&folder, Last::Followed).map_err(Failure::io(folder.display()))?;
                let Some(node) = node.filter(Node::is_dir) else { continue };
                for name in self.view.children(&node).map_err(Failure::io(folder.display()))?.into_keys() {
                    let path = folder.join(&name);
                    let fits = wildcard::matches(part, &name.to_string_lossy())
                        .ok_or_else(|| Failure::new(format!("`{part}` is a malformed pattern")))?;
                    if fits && !self.ignored(path.strip_prefix("/").unwrap_or(&path)) {
                        next.push(path);
                    }
                }
            }
            reached = next;
        }
        reached.retain(|path| matches!(self.view.lookup(path, Last::Followed), Ok(Some(_))));
        Ok(reached)
    }

    fn walk(&self, folder: &Node, inside: &Path, items: &mut Vec<Item>) -> io::Result<()> {
        for (name, node) in self.view.children(folder)? {
            let path = inside.join(&name);
            let full = node.path.to_string_lossy().into_owned();
            let ignored = self.ignore.ignores(&full) || self.exclude.ignores(&path.to_string_lossy());
            if node.is_socket() {
                continue;
            }
            if !node.is_dir() {
                if !ignored {
                    items.push(Item { path, node });
                }
                continue;
            }
            if ignored && !self.ignore.has_exceptions() && !self.exclude.has_exceptions() {
                continue;
            }
            let at = items.len();
            items.push(Item { path: path.clone(), node: node.clone() });
            self.walk(&node, &path, items)?;
            if ignored && items.len() == at + 1 {
                items.pop();
            }
        }
        Ok(())
    }
}

/// The digest of everything that was selected.
pub(crate) fn digest(view: &View, roots: &[Root], owners: Owners) -> io::Result<Digest> {
    let mut entries = BTreeMap::new();
    for (index, root) in roots.iter().enumerate() {
        let mut prefix = format!("{index}/").into_bytes();
        if let Some(parents) = &root.parents {
            prefix.extend_from_slice(parents.as_os_str().as_bytes());
        }
        if root.node.is_dir() {
            // A source folder's own mode and owner are not copied.
            entries.insert(prefix.clone(), folder_entry());
        } else {
            let mut path = prefix.clone();
            path.extend_from_slice(root.name.as_bytes());
            entries.insert(path, entry(view, &root.node, owners)?);
        }
        prefix.push(b'/');
        for item in &root.items {
            let mut path = prefix.clone();
            path.extend_from_slice(item.path.as_os_str().as_bytes());
            entries.insert(path, entry(view, &item.node, owners)?);
        }
    }
    Ok(tree_digest(&entries))
}

fn folder_entry() -> Entry {
    Entry { kind: EntryKind::Folder, mode: 0, uid: 0, gid: 0, xattrs: BTreeMap::new() }
}

fn entry(view: &View, node: &Node, owners: Owners) -> io::Result<Entry> {
    let kind = if node.is_dir() {
        EntryKind::Folder
    } else if node.is_link() {
        EntryKind::Link { target: view.read_link(node)?.into_os_string().as_bytes().to_vec() }
    } else if node.is_file() {
        EntryKind::File { size: node.meta.len(), content: file_digest(view, node)? }
    } else {
        EntryKind::Special { file_type: node.meta.mode() & 0o170_000, device: node.meta.rdev() }
    };
    let (uid, gid) = match owners {
        Owners::Kept => (node.meta.uid(), node.meta.gid()),
        Owners::Root => (0, 0),
    };
    Ok(Entry { kind, mode: node.meta.mode() & 0o7777, uid, gid, xattrs: BTreeMap::new() })
}

fn file_digest(view: &View, node: &Node) -> io::Result<Digest> {
    let mut file = view.open(node)?;
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest::from_bytes(hash.finalize().into())),
            read => hash.update(&buffer[..read]),
        }
    }
}
