//! Files in folders that a job can write to, reached without following what the job planted.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{Mode, OFlags, ResolveFlags};

/// Never leave the folder, never follow a link: a job may have made any.
const RESOLVE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// Opens what is at `path` beneath an open folder.
pub fn open(folder: impl AsFd, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat2(folder, path, flags | OFlags::CLOEXEC, mode, RESOLVE)?)
}

/// Opens the folder itself, to go on from.
pub fn open_root(folder: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Writes `bytes` to `path` beneath `folder`, making folders as needed.
pub fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    Writer::default().write(folder, path, bytes)
}

/// Writes several files; those that lie side by side cost one way to their folder.
#[derive(Default)]
pub struct Writer {
    /// The folder of the last file, by its two names.
    last: Option<(PathBuf, PathBuf, OwnedFd)>,
}

impl Writer {
    /// As [`write`].
    pub fn write(&mut self, folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let no_file = || io::Error::new(io::ErrorKind::InvalidInput, "no file name");
        let Some(Component::Normal(name)) = path.components().next_back() else { return Err(no_file()) };
        let parent = path.parent().unwrap_or(Path::new(""));
        let known = self.last.take().filter(|(root, inner, _)| root == folder && inner == parent);
        let place = match known {
            Some((_, _, place)) => place,
            None => make_folder(folder, parent)?,
        };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        let file = open(&place, Path::new(name), flags, Mode::from_raw_mode(0o755))?;
        self.last = Some((folder.to_owned(), parent.to_owned(), place));
        File::from(file).write_all(bytes)
    }
}

fn make_folder(folder: &Path, path: &Path) -> io::Result<OwnedFd> {
    let mut place = open_root(folder)?;
    for part in path.components() {
        let Component::Normal(part) = part else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no plain path"));
        };
        match rustix::fs::mkdirat(&place, part, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        place = open(&place, Path::new(part), OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
    }
    Ok(place)
}

/// The real path of a folder beneath `folder`, checked to be reached without a link; `folder` itself if `path` is empty.
pub fn folder(folder: &Path, path: &Path) -> io::Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Ok(folder.to_owned());
    }
    let place = open_root(folder)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    match open(&place, path, flags, Mode::empty()) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Made part by part, so that no link is followed on the way.
            write(folder, &path.join(".landfall"), b"")?;
            std::fs::remove_file(folder.join(path).join(".landfall"))?;
        }
        Err(error) => return Err(error),
    }
    Ok(folder.join(path))
}

/// The text of `path` beneath `folder`, at most `limit_bytes`; empty if it is not there.
pub fn read(folder: &Path, path: &Path, limit_bytes: u64) -> io::Result<String> {
    match read_bytes(open_root(folder)?, path, limit_bytes) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// The bytes of the file at `path` beneath an open folder, at most `limit_bytes`.
pub fn read_bytes(folder: impl AsFd, path: &Path, limit_bytes: u64) -> io::Result<Vec<u8>> {
    // A pipe that the job made must not block the server.
    let file = File::from(open(folder, path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    let mut bytes = Vec::new();
    file.take(limit_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {limit_bytes} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_a_job_lead_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let (inside, outside) = (folder.path().join("in"), folder.path().join("secret"));
        std::fs::create_dir(&inside).expect("a folder");
        std::fs::write(&outside, "secret").expect("write");
        std::os::unix::fs::symlink(&outside, inside.join("link")).expect("link");
        std::os::unix::fs::symlink(folder.path(), inside.join("up")).expect("link");
        assert!(read(&inside, Path::new("link"), 100).is_err());
        assert!(read(&inside, Path::new("up/secret"), 100).is_err());
        assert!(read(&inside, Path::new("../secret"), 100).is_err());
        assert!(write(&inside, Path::new("up/new"), b"x").is_err());
        assert!(write(&inside, Path::new("link"), b"x").is_err());
        write(&inside, Path::new("a/b"), b"text").expect("write");
        assert_eq!(read(&inside, Path::new("a/b"), 100).expect("read"), "text");
        assert_eq!(read(&inside, Path::new("none"), 100).expect("read"), "");
        assert!(read(&inside, Path::new("a/b"), 3).is_err());
    }
}
