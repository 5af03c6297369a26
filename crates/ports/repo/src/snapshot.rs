//! A whole commit in memory, as rendering needs it.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    sync::Arc,
};

use files::MemoryFiles;
use names::CommitId;

use crate::{GitError, Repository, command};

/// More than this is no tree of manifests; a folder of its own repository is the way out.
const TREE_BYTES_MAX: u64 = 128 * 1024 * 1024;

const FILES_MAX: usize = 50_000;

/// A link may lead to another link so often.
const LINKS_MAX: usize = 8;

impl Repository {
    /// All files of a commit below `folder` (the whole commit when it is empty); links inside are followed.
    ///
    /// # Errors
    ///
    /// When there are too many or too large files, or a link leads out of the repository.
    pub async fn snapshot(&self, commit: CommitId, folder: &str) -> Result<MemoryFiles, GitError> {
        let id = commit.to_string();
        let mut arguments = vec!["archive", "--format=tar", &id];
        if !folder.is_empty() {
            arguments.extend(["--", folder]);
        }
        let tar = command::output(self.path(), arguments).await?;
        let unpacked = tokio::task::spawn_blocking(move || unpack(&tar)).await;
        unpacked.map_err(|error| GitError::Io(io::Error::other(error)))?
    }
}

fn unpack(tar: &[u8]) -> Result<MemoryFiles, GitError> {
    let too_large = || GitError::TooLarge { path: "the commit".to_owned(), limit_bytes: TREE_BYTES_MAX };
    let (mut found, mut links) = (BTreeMap::<String, Arc<[u8]>>::new(), BTreeMap::new());
    let mut total = 0;
    for entry in tar::Archive::new(tar).entries().map_err(GitError::Io)? {
        let mut entry = entry.map_err(GitError::Io)?;
        let path = entry.path().map_err(GitError::Io)?.to_string_lossy().into_owned();
        match entry.header().entry_type() {
            tar::EntryType::Regular => {
                total += entry.size();
                if total > TREE_BYTES_MAX || found.len() >= FILES_MAX {
                    return Err(too_large());
                }
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(GitError::Io)?;
                found.insert(path, bytes.into());
            }
            tar::EntryType::Symlink => {
                let target = entry.link_name().map_err(GitError::Io)?;
                let target = target.map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
                links.insert(path, target);
            }
            _ => {}
        }
    }
    follow(&mut found, links)?;
    let mut files = MemoryFiles::default();
    for (path, bytes) in found {
        files.insert(path, bytes).map_err(|error| GitError::Io(io::Error::other(error.to_string())))?;
    }
    Ok(files)
}

/// Puts the files that links lead to in their places.
fn follow(found: &mut BTreeMap<String, Arc<[u8]>>, links: BTreeMap<String, String>) -> Result<(), GitError> {
    for _ in 0..LINKS_MAX {
        let mut grew = false;
        for (path, target) in &links {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let goal = files::join(folder, target).map_err(|_| {
                GitError::Io(io::Error::other(format!("the link `{path}` leads out of the repository")))
            })?;
            let inside = format!("{goal}/");
            let copied: Vec<_> = found
                .iter()
                .filter_map(|(name, bytes)| {
                    let rest = if *name == goal { "" } else { name.strip_prefix(&inside)? };
                    let name = if rest.is_empty() { path.clone() } else { format!("{path}/{rest}") };
                    Some((name, bytes.clone()))
                })
                .collect();
            for (name, bytes) in copied {
                if found.len() >= FILES_MAX {
                    return Err(GitError::TooLarge { path: path.clone(), limit_bytes: TREE_BYTES_MAX });
                }
                grew |= found.insert(name, bytes).is_none();
            }
        }
        if !grew {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_inside_are_followed_and_others_refused() {
        let tree = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), Arc::from(name.as_bytes()))).collect::<BTreeMap<_, _>>();
        let links = |pairs: &[(&str, &str)]| pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        let mut found = tree(&["base/a.yaml", "base/deep/b.yaml"]);
        follow(&mut found, links(&[("prod", "base"), ("one.yaml", "base/a.yaml"), ("prod/none", "../nothing")])).expect("inside");
        let names: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["base/a.yaml", "base/deep/b.yaml", "one.yaml", "prod/a.yaml", "prod/deep/b.yaml"]);
        assert!(follow(&mut found, links(&[("x", "../../etc")])).is_err());
    }
}
