//! Finds report files in the folders of a job, without following what the job planted.

use std::{io, os::fd::OwnedFd, path::Path};

use rustix::fs::{Dir, FileType, Mode, OFlags};
use testreport::glob::Globs;

use crate::beneath;

/// A folder with more entries than this is not searched for reports.
const ENTRIES_MAX: usize = 500_000;
/// More reports of one step are not read.
pub const FILES_MAX: usize = 2000;

/// A folder of a job that is open.
pub struct Root(OwnedFd);

impl Root {
    pub fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self(beneath::open_root(folder)?))
    }

    fn below(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        beneath::open(&self.0, Path::new(path), flags, Mode::empty())
    }

    /// The paths of files that are meant, sorted.
    pub fn find(&self, globs: &Globs) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        if globs.is_empty() {
            return Ok(found);
        }
        let mut seen = 0;
        let mut open = vec![String::new()];
        while let Some(folder) = open.pop() {
            let listed = match self.below(&folder, OFlags::RDONLY | OFlags::DIRECTORY) {
                Ok(listed) => Dir::new(listed)?,
                // It went while we looked, or is a link now.
                Err(_) if !folder.is_empty() => continue,
                Err(error) => return Err(error),
            };
            for entry in listed {
                let entry = entry?;
                let Ok(name) = entry.file_name().to_str() else { continue };
                if matches!(name, "." | ".." | ".git") {
                    continue;
                }
                seen += 1;
                if seen > ENTRIES_MAX {
                    return Err(io::Error::other(format!("more than {ENTRIES_MAX} files; name the folder of the reports")));
                }
                let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                match entry.file_type() {
                    // Reports of packages are not those of the project.
                    FileType::Directory if name != "node_modules" && globs.enters(&path) => open.push(path),
                    FileType::RegularFile if globs.matches(&path) => found.push(path),
                    _ => {}
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// The bytes of a file of at most `limit_bytes`.
    pub fn read(&self, path: &str, limit_bytes: u64) -> io::Result<Vec<u8>> {
        let path = if path.is_empty() { "." } else { path };
        beneath::read_bytes(&self.0, Path::new(path), limit_bytes)
    }

    /// Whether there is a file at this path.
    pub fn has(&self, path: &str) -> bool {
        !path.is_empty()
            && self.below(path, OFlags::PATH).is_ok_and(|it| {
                rustix::fs::fstat(&it).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_found_and_links_lead_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |path: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, "x").expect("write");
        };
        ["in/a/r.xml", "in/r.xml", "in/node_modules/p/r.xml", "out/r.xml"].into_iter().for_each(write);
        std::os::unix::fs::symlink(folder.path().join("out"), folder.path().join("in/link")).expect("a link");
        std::os::unix::fs::symlink(folder.path().join("out/r.xml"), folder.path().join("in/l.xml")).expect("a link");
        let root = Root::open(&folder.path().join("in")).expect("the folder");
        let globs = Globs::parse("**/*.xml", &|path| Some(path.to_owned()));
        assert_eq!(root.find(&globs).expect("a search"), ["a/r.xml", "r.xml"]);
        assert!(root.read("link/r.xml", 10).is_err());
        assert!(root.read("l.xml", 10).is_err());
        assert!(root.read("../out/r.xml", 10).is_err());
        assert_eq!(root.read("r.xml", 10).expect("a file"), b"x");
        assert!(root.has("a/r.xml") && !root.has("a") && !root.has("l.xml") && !root.has("none"));
    }
}
