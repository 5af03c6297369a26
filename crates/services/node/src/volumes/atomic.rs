//! Writes the files of a projected volume so that readers see all of the old or all of the new.
//!
//! The files lie in a folder with a name of its own, `..data` points to it, and each
//! visible name points through `..data`. Renaming a new `..data` over the old one is the switch.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::{PermissionsExt as _, lchown, symlink},
    path::Path,
};

use super::payload::{File, Payload};

const DATA: &str = "..data";
const NEXT: &str = "..data_tmp";

/// Who besides the owner may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group(pub Option<u32>);

/// Makes `dir` hold exactly `payload`; says whether anything changed.
pub fn write(dir: &Path, payload: &Payload, group: Group, version: &str) -> io::Result<bool> {
    fs::create_dir_all(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    let old = fs::read_link(dir.join(DATA)).ok();
    if old
        .as_ref()
        .is_some_and(|old| holds(&dir.join(old), payload))
    {
        return Ok(false);
    }
    let fresh = format!("..{version}");
    let folder = dir.join(&fresh);
    remove(&folder)?;
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
    for (path, file) in payload {
        write_file(&folder, path, file, group)?;
    }
    remove(&dir.join(NEXT))?;
    symlink(&fresh, dir.join(NEXT))?;
    fs::rename(dir.join(NEXT), dir.join(DATA))?;
    link_names(dir, payload)?;
    if let Some(old) = old.filter(|old| old != Path::new(&fresh)) {
        remove(&dir.join(old))?;
    }
    Ok(true)
}

fn holds(folder: &Path, payload: &Payload) -> bool {
    let same = |(path, file): (&String, &File)| {
        fs::read(folder.join(path)).is_ok_and(|bytes| bytes == file.bytes)
    };
    payload.iter().all(same) && count(folder) == payload.len()
}

fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    entries
        .map(|entry| {
            if entry.path().is_dir() {
                count(&entry.path())
            } else {
                1
            }
        })
        .sum()
}

fn write_file(folder: &Path, path: &str, file: &File, Group(group): Group) -> io::Result<()> {
    let target = folder.join(path);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&target, &file.bytes)?;
    let mode = match group {
        Some(_) => file.mode | 0o440,
        None => file.mode,
    };
    lchown(&target, None, group)?;
    fs::set_permissions(&target, fs::Permissions::from_mode(mode))
}

/// Lets each first path component point through `..data`, and drops names that are gone.
fn link_names(dir: &Path, payload: &Payload) -> io::Result<()> {
    let first = |path: &String| path.split('/').next().unwrap_or_default().to_owned();
    let names: BTreeSet<_> = payload.keys().map(first).collect();
    for name in &names {
        let link = dir.join(name);
        if fs::read_link(&link).is_err() {
            symlink(Path::new(DATA).join(name), &link)?;
        }
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") && !names.contains(&name) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_switched_at_once_and_equal_content_changes_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path().join("v");
        let write = |files: &[(&str, &str)], version: &str| {
            let file = |(path, text): &(&str, &str)| {
                (
                    path.to_string(),
                    File {
                        bytes: text.as_bytes().to_vec(),
                        mode: 0o640,
                    },
                )
            };
            super::write(
                &dir,
                &files.iter().map(file).collect(),
                Group(None),
                version,
            )
            .expect("written")
        };
        let read = |name: &str| fs::read_to_string(dir.join(name)).ok();
        assert!(write(&[("a", "1"), ("d/e", "2")], "v1"));
        assert!(!write(&[("a", "1"), ("d/e", "2")], "v2"));
        assert_eq!(
            (read("a").as_deref(), read("d/e").as_deref()),
            (Some("1"), Some("2"))
        );
        assert!(write(&[("a", "3")], "v3"));
        assert_eq!((read("a").as_deref(), read("d/e")), (Some("3"), None));
        let mut names: Vec<_> = fs::read_dir(&dir)
            .expect("a folder")
            .map(|e| e.expect("an entry").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["..data", "..v3", "a"]);
        assert_eq!(
            fs::metadata(dir.join("a"))
                .expect("a file")
                .permissions()
                .mode()
                & 0o777,
            0o640
        );
    }
}
