//! Writes a folder as a layer: sorted, with whiteouts, the same bytes for the same tree.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use image::whiteout;

use crate::{
    archive::{EntryKind, Header, Writer},
    overlay, xattr,
};

/// What the folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The upper folder of an overlay: devices 0/0 and opaque marks say what was removed.
    OverlayUpper,
    /// A whole root file system.
    RootFs,
}

/// Why a folder could not be written as a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    #[error("`{path}` has a name that is reserved for removals in a layer")]
    ReservedName { path: PathBuf },
    #[error("`{path}` was moved by overlayfs and has no content of its own: mount with redirect_dir=off,metacopy=off")]
    Redirected { path: PathBuf },
    #[error("could not read `{path}`: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("could not write the layer: {0}")]
    Write(#[source] io::Error),
}

/// Writes everything in `root`, which itself has no entry.
pub fn write<W: Write>(root: &Path, source: Source, sink: W) -> Result<W, LayerError> {
    let mut layer = Layer { root, source, writer: Writer::new(sink), first_names: HashMap::new() };
    layer.folder(Path::new(""))?;
    layer.writer.finish().map_err(LayerError::Write)
}

struct Layer<'a, W> {
    root: &'a Path,
    source: Source,
    writer: Writer<W>,
    /// Where a file with several names was first written.
    first_names: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Layer<'_, W> {
    /// The content of a folder: removals first, so that whoever applies them sees no sibling yet.
    fn folder(&mut self, folder: &Path) -> Result<(), LayerError> {
        let place = self.root.join(folder);
        let failed = |source| LayerError::Read { path: place.clone(), source };
        let mut names: Vec<OsString> = Vec::new();
        for entry in fs::read_dir(&place).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name());
        }
        names.sort_unstable_by(|one, other| one.as_bytes().cmp(other.as_bytes()));

        let mut kept = Vec::with_capacity(names.len());
        let mut removed = Vec::new();
        for name in names {
            let path = folder.join(&name);
            if name.as_bytes().starts_with(b".wh.") {
                return Err(LayerError::ReservedName { path });
            }
            let metadata = fs::symlink_metadata(self.root.join(&path)).map_err(failed)?;
            if self.source == Source::OverlayUpper && metadata.file_type().is_char_device() && metadata.rdev() == 0 {
                removed.push(name);
            } else {
                kept.push((path, metadata));
            }
        }
        if self.source == Source::OverlayUpper && overlay::private_xattr(&place, "opaque").map_err(failed)?.as_deref() == Some(b"y") {
            self.marker(folder, whiteout::opaque().to_vec())?;
        }
        for name in removed {
            self.marker(folder, whiteout::whiteout_of(name.as_bytes()))?;
        }
        kept.into_iter().try_for_each(|(path, metadata)| self.entry(path, &metadata))
    }

    fn marker(&mut self, folder: &Path, name: Vec<u8>) -> Result<(), LayerError> {
        let path = folder.join(OsString::from_vec(name));
        // The time of a removal says nothing, and would make equal layers differ.
        let header = Header::marker(path.into_os_string().into_vec(), 0);
        self.writer.entry(&header, io::empty()).map_err(LayerError::Write)
    }

    fn entry(&mut self, path: PathBuf, metadata: &fs::Metadata) -> Result<(), LayerError> {
        let place = self.root.join(&path);
        let failed = |source| LayerError::Read { path: place.clone(), source };
        let Some(kind) = kind_of(metadata) else {
            // A socket lives only as long as its process.
            return Ok(());
        };
        if self.source == Source::OverlayUpper {
            for mark in ["redirect", "metacopy"] {
                if overlay::private_xattr(&place, mark).map_err(failed)?.is_some() {
                    return Err(LayerError::Redirected { path });
                }
            }
        }
        let mut header = Header {
            path: path.as_os_str().as_bytes().to_vec(),
            kind,
            link: Vec::new(),
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
            gid: metadata.gid(),
            mtime_seconds: metadata.mtime(),
            size: 0,
            xattrs: xattr::portable(&place).map_err(failed)?,
        };
        if kind != EntryKind::Directory && metadata.nlink() > 1 {
            if let Some(first) = self.first_names.get(&(metadata.dev(), metadata.ino())) {
                header.kind = EntryKind::Hardlink;
                header.link = first.as_os_str().as_bytes().to_vec();
                header.xattrs.clear();
                return self.writer.entry(&header, io::empty()).map_err(LayerError::Write);
            }
            self.first_names.insert((metadata.dev(), metadata.ino()), path.clone());
        }
        match kind {
            EntryKind::Directory => {
                header.path.push(b'/');
                self.writer.entry(&header, io::empty()).map_err(LayerError::Write)?;
                self.folder(&path)
            }
            EntryKind::File => {
                let mut options = File::options();
                options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC);
                let file = options.open(&place).map_err(failed)?;
                header.size = metadata.len();
                self.writer.entry(&header, file).map_err(LayerError::Write)
            }
            EntryKind::Symlink => {
                header.link = fs::read_link(&place).map_err(failed)?.into_os_string().into_vec();
                self.writer.entry(&header, io::empty()).map_err(LayerError::Write)
            }
            EntryKind::Hardlink | EntryKind::CharDevice { .. } | EntryKind::BlockDevice { .. } | EntryKind::Fifo => {
                self.writer.entry(&header, io::empty()).map_err(LayerError::Write)
            }
        }
    }
}

fn kind_of(metadata: &fs::Metadata) -> Option<EntryKind> {
    let kind = metadata.file_type();
    let (major, minor) = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    Some(if kind.is_dir() {
        EntryKind::Directory
    } else if kind.is_file() {
        EntryKind::File
    } else if kind.is_symlink() {
        EntryKind::Symlink
    } else if kind.is_char_device() {
        EntryKind::CharDevice { major, minor }
    } else if kind.is_block_device() {
        EntryKind::BlockDevice { major, minor }
    } else if kind.is_fifo() {
        EntryKind::Fifo
    } else {
        return None;
    })
}
