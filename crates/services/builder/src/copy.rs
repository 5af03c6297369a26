//! Carries out COPY, ADD and WORKDIR in the folder of a new layer.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use buildgraph::{
    ignore::Ignore,
    mode::Mode,
    op::{Copy, CopySource, Unpack, Workdir},
};
use names::Digest;

use crate::{
    error::Failure,
    place::{Attributes, Existing, Layer},
    select::{self, Owners, Root, Selector},
    unpack, users,
    view::View,
};

/// What a COPY reads: where from, and what of it is left out.
pub(crate) struct Origin {
    pub view: View,
    pub ignore: Ignore,
    pub owners: Owners,
}

/// A COPY with its sources found.
pub(crate) struct Selected {
    /// One list per source; empty for here-documents.
    roots: Vec<Vec<Root>>,
}

/// Finds the sources.
pub(crate) fn select(op: &Copy, origin: &Origin) -> Result<Selected, Failure> {
    let exclude = Ignore::from_patterns(&op.exclude).map_err(|it| Failure::new(format!("--exclude: {it}")))?;
    let selector = Selector { view: &origin.view, ignore: &origin.ignore, exclude: &exclude };
    let roots = op.sources.iter().map(|source| match source {
        CopySource::Path(path) => selector.source(path, op.parents),
        CopySource::Inline { .. } => Ok(Vec::new()),
    });
    Ok(Selected { roots: roots.collect::<Result<_, _>>()? })
}

/// The digest of what was found, for the cache.
pub(crate) fn digest(origin: &Origin, selected: &Selected) -> Result<Digest, Failure> {
    let mut all = buildgraph::content::Framed::default();
    for roots in &selected.roots {
        let digest = select::digest(&origin.view, roots, origin.owners).map_err(Failure::io("reading the sources"))?;
        all.field(digest.hex());
    }
    Ok(all.finish())
}

/// Copies what was found over `below` into the empty folder `upper`.
pub(crate) fn copy(op: &Copy, origin: &Origin, selected: &Selected, below: &View, upper: &Path, scratch: &Path) -> Result<(), Failure> {
    let mode = op.mode.as_deref().map(str::parse::<Mode>).transpose().map_err(|it| Failure::new(it.to_string()))?;
    let attributes = Attributes {
        owner: op.owner.as_ref().map(|owner| users::owner(below, owner)),
        mode,
        owners: origin.owners,
    };
    let nothing = scratch.join("nothing");
    let under = if op.link {
        std::fs::create_dir_all(&nothing).map_err(Failure::io("making a folder"))?;
        View::new(vec![nothing])
    } else {
        below.clone()
    };
    let mut copier = Copier { op, origin, attributes, layer: Layer::new(upper, &under), scratch };
    for (source, roots) in op.sources.iter().zip(&selected.roots) {
        match source {
            CopySource::Inline { name, content } => copier.inline(name, content)?,
            CopySource::Path(_) => {
                for root in roots {
                    copier.root(root)?;
                }
            }
        }
    }
    copier.layer.finish()
}

/// Makes a working directory; nothing happens if it exists.
pub(crate) fn workdir(op: &Workdir, below: &View, upper: &Path) -> Result<(), Failure> {
    let found = below.lookup(Path::new(&op.path), crate::view::Last::Followed).map_err(Failure::io(&op.path))?;
    match found {
        Some(node) if node.is_dir() => return Ok(()),
        Some(_) => return Err(Failure::new(format!("`{}` is a file, not a folder", op.path))),
        None => {}
    }
    let owner = users::user(below, &op.user);
    let mut layer = Layer::new(upper, below);
    layer.folder(Path::new(&op.path), 0o755, owner)?;
    layer.finish()
}

struct Copier<'a> {
    op: &'a Copy,
    origin: &'a Origin,
    attributes: Attributes,
    layer: Layer,
    scratch: &'a Path,
}

impl Copier<'_> {
    fn destination(&self) -> &Path {
        Path::new(&self.op.destination)
    }

    /// A folder on the way to the destination: new ones get `--chown` and `--chmod`, else root and 0755.
    fn folder(&mut self, path: &Path) -> Result<(PathBuf, Existing), Failure> {
        let mode = self.attributes.mode.as_ref().map_or(0o755, |it| it.apply(0o755, buildgraph::mode::Target::Folder));
        self.layer.folder(path, mode, self.attributes.owner.unwrap_or((0, 0)))
    }

    /// Where a file called `name` goes: its folder and the name it gets.
    fn file_place(&mut self, name: &OsStr) -> Result<(PathBuf, PathBuf), Failure> {
        let destination = self.destination().to_owned();
        let exists_as_folder = self.layer.find(&destination)?.is_some_and(|it| it.is_dir());
        let (folder, name) = if self.op.into_folder || exists_as_folder || destination == Path::new("/") {
            (destination, PathBuf::from(name))
        } else {
            let parent = destination.parent().unwrap_or(Path::new("/")).to_owned();
            (parent, destination.file_name().map(PathBuf::from).unwrap_or_default())
        };
        Ok((self.folder(&folder)?.0, name))
    }

    fn inline(&mut self, name: &str, content: &str) -> Result<(), Failure> {
        let (folder, name) = self.file_place(OsStr::new(name))?;
        self.layer.write(content.as_bytes(), &folder, name.as_os_str(), &self.attributes.clone())
    }

    fn root(&mut self, root: &Root) -> Result<(), Failure> {
        if self.op.unpack == Unpack::Archives && root.node.is_file() && self.archive(root)? {
            return Ok(());
        }
        let view = self.origin.view.clone();
        if let Some(parents) = &root.parents {
            return self.with_parents(&view, root, parents);
        }
        if !root.node.is_dir() {
            let (folder, name) = self.file_place(&root.name)?;
            return self.layer.put(&view, &root.node, &folder, name.as_os_str(), &self.attributes.clone());
        }
        self.contents(&view, root)
    }

    /// Copies what is in a folder into the destination.
    fn contents(&mut self, view: &View, root: &Root) -> Result<(), Failure> {
        let destination = self.destination().to_owned();
        let (folder, existing) = self.folder(&destination)?;
        if existing == Existing::No {
            self.layer.keep_time(&folder, &root.node.meta);
        }
        self.items(view, root, &folder)
    }

    fn items(&mut self, view: &View, root: &Root, destination: &Path) -> Result<(), Failure> {
        let attributes = self.attributes.clone();
        for item in &root.items {
            let path = destination.join(&item.path);
            if item.node.is_dir() {
                let (folder, existing) = self.layer.folder(&path, 0o755, (0, 0))?;
                if existing == Existing::No || self.op.link {
                    self.layer.dress(&folder, &item.node.meta, &attributes)?;
                }
                continue;
            }
            // The folder above may be a link in the layers below, so it is found again.
            let parent = path.parent().unwrap_or(destination);
            let (folder, _) = self.folder(parent)?;
            let name = path.file_name().unwrap_or_default();
            self.layer.put(view, &item.node, &folder, name, &attributes)?;
        }
        Ok(())
    }

    fn with_parents(&mut self, view: &View, root: &Root, parents: &Path) -> Result<(), Failure> {
        let below = if root.node.is_dir() { parents } else { parents.parent().unwrap_or(Path::new("")) };
        let source_prefix = root.node.path.ancestors().nth(parents.components().count()).unwrap_or(Path::new("")).to_owned();
        let mut target = self.destination().to_owned();
        self.folder(&target)?;
        let mut source = source_prefix;
        for name in below.components() {
            target.push(name);
            source.push(name);
            let node = view.lookup(&source, crate::view::Last::Followed).map_err(Failure::io(source.display()))?;
            let mode = node.map_or(0o755, |it| std::os::unix::fs::MetadataExt::mode(&it.meta) & 0o7777);
            let mode = self.attributes.mode.as_ref().map_or(mode, |it| it.apply(mode, buildgraph::mode::Target::Folder));
            self.layer.folder(&target, mode, self.attributes.owner.unwrap_or((0, 0)))?;
        }
        let (folder, _) = self.folder(&target)?;
        if root.node.is_dir() {
            return self.items(view, root, &folder);
        }
        self.layer.put(view, &root.node, &folder, &root.name, &self.attributes.clone())
    }

    /// Unpacks an archive into the destination; false if the file is none.
    fn archive(&mut self, root: &Root) -> Result<bool, Failure> {
        let file = self.origin.view.open(&root.node).map_err(Failure::io(root.name.display()))?;
        let folder = self.scratch.join("archive");
        std::fs::create_dir_all(&folder).map_err(Failure::io("making a folder"))?;
        let unpacked = unpack::archive(file, &folder, unpack::Limits::IMAGE).map_err(|it| Failure::new(format!("`{}`: {it}", root.name.display())))?;
        if !unpacked {
            return Ok(false);
        }
        let view = View::new(vec![folder.clone()]);
        let none = Ignore::default();
        let selector = Selector { view: &view, ignore: &none, exclude: &none };
        let owners = std::mem::replace(&mut self.attributes.owners, Owners::Kept);
        for found in selector.source("/", false)? {
            let destination = self.destination().to_owned();
            let (target, _) = self.folder(&destination)?;
            self.items(&view, &found, &target)?;
        }
        self.attributes.owners = owners;
        std::fs::remove_dir_all(&folder).map_err(Failure::io("removing a folder"))?;
        Ok(true)
    }
}
