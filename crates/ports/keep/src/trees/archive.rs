//! Trees as an archive, in the form that GitHub's cache client unpacks.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
};

use api::{CachedTree, Packing};
use tar::{Builder, EntryType, Header};

use super::Trees;

/// What fits into the name field of a header.
const NAME_BYTES: usize = 100;

impl Trees {
    /// Writes trees as one archive; a tree that is gone is an error.
    pub fn pack(&self, trees: &[CachedTree], packing: Packing, out: impl Write) -> io::Result<()> {
        match packing {
            Packing::Gzip => {
                let encoder = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
                self.write(trees, encoder)?.finish()?.flush()
            }
            Packing::Zstd => self.write(trees, Frame::begin(out)?)?.finish(),
        }
    }

    fn write<W: Write>(&self, trees: &[CachedTree], out: W) -> io::Result<W> {
        let mut archive = Builder::new(out);
        for tree in trees {
            let root = self.lower_dir(tree.tree).ok_or_else(|| io::Error::other(format!("the tree of `{}` is gone", tree.path)))?;
            append(&mut archive, &root, tree.path.as_bytes())?;
        }
        archive.into_inner()
    }
}

/// Adds a file or folder under a name, with all that is below; names may lead up, as GitHub's client has them.
fn append<W: Write>(archive: &mut Builder<W>, path: &Path, name: &[u8]) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let mut header = Header::new_gnu();
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or_default());
    header.set_size(0);
    if metadata.is_dir() {
        header.set_entry_type(EntryType::Directory);
        entry(archive, header, &[name, b"/"].concat(), io::empty())?;
        let mut below: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
        below.sort_by_key(fs::DirEntry::file_name);
        for one in below {
            append(archive, &one.path(), &[name, b"/", one.file_name().as_bytes()].concat())?;
        }
        return Ok(());
    }
    if metadata.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        let target = fs::read_link(path)?;
        let target = target.as_os_str().as_bytes();
        if target.len() >= NAME_BYTES {
            long(archive, EntryType::GNULongLink, target)?;
        }
        header.set_link_name_literal(&target[..target.len().min(NAME_BYTES)])?;
        return entry(archive, header, name, io::empty());
    }
    header.set_entry_type(EntryType::Regular);
    header.set_size(metadata.len());
    entry(archive, header, name, File::open(path)?.take(metadata.len()))
}

fn entry<W: Write>(archive: &mut Builder<W>, mut header: Header, name: &[u8], content: impl Read) -> io::Result<()> {
    if name.len() >= NAME_BYTES {
        long(archive, EntryType::GNULongName, name)?;
    }
    set_name(&mut header, name);
    header.set_cksum();
    archive.append(&header, content)
}

/// A name of its own entry, for those that do not fit into a header.
fn long<W: Write>(archive: &mut Builder<W>, kind: EntryType, name: &[u8]) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(name.len() as u64 + 1);
    set_name(&mut header, b"././@LongLink");
    header.set_cksum();
    archive.append(&header, [name, b"\0"].concat().as_slice())
}

/// As it is: the setters of the header refuse names that lead up.
fn set_name(header: &mut Header, name: &[u8]) {
    let length = name.len().min(NAME_BYTES);
    header.as_old_mut().name[..length].copy_from_slice(&name[..length]);
}

/// A zstd frame of stored blocks: it is written for one machine's own disk, where packing costs more than it saves.
struct Frame<W: Write> {
    out: W,
    block: Vec<u8>,
}

/// The largest block of a frame.
const BLOCK_BYTES: usize = 128 * 1024;

impl<W: Write> Frame<W> {
    fn begin(mut out: W) -> io::Result<Self> {
        // The magic number; no checksum, no size; a window of 1 MiB.
        out.write_all(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50])?;
        Ok(Self { out, block: Vec::with_capacity(BLOCK_BYTES) })
    }

    fn put(&mut self, last: u32) -> io::Result<()> {
        let length = u32::try_from(self.block.len()).unwrap_or(u32::MAX);
        self.out.write_all(&(length << 3 | last).to_le_bytes()[..3])?;
        self.out.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.put(1)?;
        self.out.flush()
    }
}

impl<W: Write> Write for Frame<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(BLOCK_BYTES - self.block.len());
        self.block.extend_from_slice(&bytes[..taken]);
        if self.block.len() == BLOCK_BYTES {
            self.put(0)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
