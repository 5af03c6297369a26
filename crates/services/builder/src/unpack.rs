//! Unpacks archives into a folder: contexts that come over the network, and what ADD finds.
//!
//! Every path is opened by the kernel with the folder as its root, so neither
//! `..` nor a link that the archive itself brings can lead out of it.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Component, Path, PathBuf},
};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid};

/// How much an archive may unpack to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub bytes: u64,
    pub entries: u64,
}

impl Limits {
    /// What one image layer may hold; larger ones are mistakes or attacks.
    pub const IMAGE: Self = Self { bytes: 64 << 30, entries: 4_000_000 };
    /// A build context is source code, not a data set.
    pub const CONTEXT: Self = Self { bytes: 16 << 30, entries: 1_000_000 };
}

/// Why an archive could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    #[error("the archive is broken: {0}")]
    Broken(io::Error),
    #[error("`{0}` leads out of the folder")]
    Outside(String),
    #[error("more than {0} bytes")]
    TooLarge(u64),
    #[error("more than {0} entries")]
    TooMany(u64),
    #[error("{0} archives cannot be unpacked; use gzip or zstd, or unpack it with a RUN")]
    Unsupported(&'static str),
    #[error("`{path}`: {source}")]
    Write { path: String, source: io::Error },
}

/// Unpacks `file` if it is an archive (plain, gzip or zstd); tells whether it was.
pub(crate) fn archive(mut file: File, folder: &Path, limits: Limits) -> Result<bool, UnpackError> {
    let mut head = vec![0; 512];
    let length = read_up_to(&mut file, &mut head).map_err(UnpackError::Broken)?;
    head.truncate(length);
    let start = io::Cursor::new(head.clone()).chain(file);
    if head.starts_with(&[0x1f, 0x8b]) {
        // A compressed file that holds no tar is copied as it is.
        let mut inner = flate2::read::MultiGzDecoder::new(BufReader::new(start));
        return decoded(&mut inner, folder, limits);
    }
    if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut inner = ruzstd::decoding::StreamingDecoder::new(BufReader::new(start))
            .map_err(|error| UnpackError::Broken(io::Error::other(error.to_string())))?;
        return decoded(&mut inner, folder, limits);
    }
    if head.starts_with(b"BZh") {
        return Err(UnpackError::Unsupported("bzip2"));
    }
    if head.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        return Err(UnpackError::Unsupported("xz"));
    }
    if !is_tar(&head) {
        return Ok(false);
    }
    tar_stream(start, folder, limits)?;
    Ok(true)
}

fn decoded(inner: &mut impl Read, folder: &Path, limits: Limits) -> Result<bool, UnpackError> {
    let mut head = vec![0; 512];
    let length = read_up_to(inner, &mut head).map_err(UnpackError::Broken)?;
    head.truncate(length);
    if !is_tar(&head) {
        return Ok(false);
    }
    tar_stream(io::Cursor::new(head).chain(inner), folder, limits)?;
    Ok(true)
}

fn read_up_to(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Whether a block is a tar header: its checksum says so.
fn is_tar(block: &[u8]) -> bool {
    if block.len() < 512 {
        return false;
    }
    let sum: u32 = block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
    let text = String::from_utf8_lossy(&block[148..156]);
    let text = text.trim_matches(|c: char| c == '\0' || c == ' ');
    u32::from_str_radix(text, 8) == Ok(sum) && block.iter().any(|byte| *byte != 0)
}

/// Unpacks a tar stream, plain or gzip.
pub(crate) fn context(source: impl Read, folder: &Path, limits: Limits) -> Result<(), UnpackError> {
    let mut source = BufReader::new(source);
    let head = io::BufRead::fill_buf(&mut source).map_err(UnpackError::Broken)?;
    if head.starts_with(&[0x1f, 0x8b]) {
        return tar_stream(flate2::read::MultiGzDecoder::new(source), folder, limits);
    }
    tar_stream(source, folder, limits)
}

/// Unpacks a tar stream.
fn tar_stream(source: impl Read, folder: &Path, limits: Limits) -> Result<(), UnpackError> {
    let root = File::open(folder).map_err(|source| UnpackError::Write { path: "/".to_owned(), source })?;
    let mut unpacker = Unpacker { root: root.into(), times: Vec::new() };
    let mut archive = tar::Archive::new(source);
    let (mut bytes, mut count) = (0u64, 0u64);
    for entry in archive.entries().map_err(UnpackError::Broken)? {
        let mut entry = entry.map_err(UnpackError::Broken)?;
        count += 1;
        bytes = bytes.saturating_add(entry.size());
        if count > limits.entries {
            return Err(UnpackError::TooMany(limits.entries));
        }
        if bytes > limits.bytes {
            return Err(UnpackError::TooLarge(limits.bytes));
        }
        unpacker.entry(&mut entry)?;
    }
    unpacker.finish()
}

struct Unpacker {
    root: OwnedFd,
    times: Vec<(PathBuf, Timestamps)>,
}

impl Unpacker {
    fn entry<R: Read>(&mut self, entry: &mut tar::Entry<R>) -> Result<(), UnpackError> {
        let path = clean(&entry.path().map_err(UnpackError::Broken)?)?;
        let shown = path.display().to_string();
        let failed = |source: io::Error| UnpackError::Write { path: shown.clone(), source };
        let Some(name) = path.file_name() else { return Ok(()) };
        let header = entry.header();
        let mode = Mode::from_raw_mode(header.mode().map_err(UnpackError::Broken)? & 0o7777);
        let owner = (id(header.uid()), id(header.gid()));
        let seconds = i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0);
        let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        let kind = header.entry_type();
        let parent = self.folder(path.parent().unwrap_or(Path::new(""))).map_err(failed)?;
        let existing = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).ok();
        let is_folder = existing.is_some_and(|it| FileType::from_raw_mode(it.st_mode) == FileType::Directory);
        if kind.is_dir() {
            if existing.is_some() && !is_folder {
                rustix::fs::unlinkat(&parent, name, AtFlags::empty()).map_err(|it| failed(it.into()))?;
            }
            if !is_folder {
                rustix::fs::mkdirat(&parent, name, Mode::RWXU).map_err(|it| failed(it.into()))?;
            }
            own(&parent, name, owner, Some(mode)).map_err(failed)?;
            self.times.push((path, times));
            return Ok(());
        }
        if matches!(kind, tar::EntryType::XGlobalHeader | tar::EntryType::XHeader) {
            return Ok(());
        }
        if existing.is_some() {
            let flags = if is_folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            rustix::fs::unlinkat(&parent, name, flags).map_err(|it| failed(it.into()))?;
        }
        if kind.is_symlink() {
            let target = entry.link_name_bytes().ok_or_else(|| UnpackError::Broken(io::Error::other("a link without a target")))?;
            rustix::fs::symlinkat(std::ffi::OsStr::from_bytes(&target), &parent, name).map_err(|it| failed(it.into()))?;
            own(&parent, name, owner, None).map_err(failed)?;
        } else if kind.is_hard_link() {
            let target = entry.link_name().map_err(UnpackError::Broken)?;
            let target = clean(&target.ok_or_else(|| UnpackError::Broken(io::Error::other("a link without a target")))?)?;
            let from = self.folder(target.parent().unwrap_or(Path::new(""))).map_err(failed)?;
            let target_name = target.file_name().ok_or_else(|| UnpackError::Outside(shown.clone()))?;
            rustix::fs::linkat(&from, target_name, &parent, name, AtFlags::empty()).map_err(|it| failed(it.into()))?;
            return Ok(());
        } else if kind.is_fifo() {
            rustix::fs::mknodat(&parent, name, FileType::Fifo, mode, 0).map_err(|it| failed(it.into()))?;
            own(&parent, name, owner, Some(mode)).map_err(failed)?;
        } else if kind.is_block_special() || kind.is_character_special() {
            // Devices have no place in a context or an image that runs without privileges.
            return Ok(());
        } else {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = rustix::fs::openat(&parent, name, flags, Mode::RUSR | Mode::WUSR).map_err(|it| failed(it.into()))?;
            let mut file = File::from(file);
            io::copy(entry, &mut file).map_err(failed)?;
            own(&parent, name, owner, Some(mode)).map_err(failed)?;
        }
        rustix::fs::utimensat(&parent, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(|it| failed(it.into()))
    }

    /// Opens a folder below the root, making what is missing.
    fn folder(&self, path: &Path) -> io::Result<OwnedFd> {
        let open = |path: &Path| {
            let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            rustix::fs::openat2(&self.root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
        };
        match open(path) {
            Err(rustix::io::Errno::NOENT) => {
                let Some(name) = path.file_name() else { return Err(io::ErrorKind::NotFound.into()) };
                let parent = self.folder(path.parent().unwrap_or(Path::new("")))?;
                rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755))?;
                Ok(open(path)?)
            }
            other => Ok(other?),
        }
    }

    fn finish(self) -> Result<(), UnpackError> {
        for (path, times) in self.times.iter().rev() {
            let failed = |source: io::Error| UnpackError::Write { path: path.display().to_string(), source };
            let folder = self.folder(path).map_err(failed)?;
            rustix::fs::futimens(&folder, times).map_err(|it| failed(it.into()))?;
        }
        Ok(())
    }
}

fn id(found: io::Result<u64>) -> u32 {
    found.ok().and_then(|it| u32::try_from(it).ok()).unwrap_or(0)
}

fn own(parent: impl AsFd, name: &std::ffi::OsStr, (uid, gid): (u32, u32), mode: Option<Mode>) -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        rustix::fs::chownat(&parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    if let Some(mode) = mode {
        rustix::fs::chmodat(&parent, name, mode, AtFlags::empty())?;
    }
    Ok(())
}

/// A relative path without `.`; `..` is refused rather than guessed at.
fn clean(path: &Path) -> Result<PathBuf, UnpackError> {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => cleaned.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(UnpackError::Outside(path.display().to_string())),
        }
    }
    Ok(cleaned)
}

/// A folder that goes away with its owner.
#[derive(Debug)]
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn new(parent: &Path, prefix: &str) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        Ok(Self(tempfile::Builder::new().prefix(prefix).tempdir_in(parent)?))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_the_folder() {
        let parent = tempfile::tempdir().expect("a folder");
        let root = parent.path().join("root");
        fs::create_dir(&root).expect("a folder");
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        tar.append_link(&mut header, "out", "../..").expect("a link");
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        header.set_mode(0o644);
        tar.append_data(&mut header, "out/x", &b"y"[..]).expect("a file");
        let bytes = tar.into_inner().expect("a tar");
        context(&bytes[..], &root, Limits::CONTEXT).expect("unpacked");
        assert!(root.join("x").exists() && !parent.path().join("x").exists());
        let small = Limits { bytes: 0, entries: 10 };
        assert!(matches!(context(&bytes[..], &root, small), Err(UnpackError::TooLarge(0))));
    }
}
