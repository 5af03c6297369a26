//! Looks into the workspace of a job for commits that its project does not have.
//!
//! The Git host sees what is fetched from it; what a script fetches from elsewhere shows in
//! what it leaves in the workspace. The files are read as plain files: git would obey what
//! the job wrote into them.

use std::path::Path;

use api::JobGrant;
use names::CommitId;
use repo::Repository;

use crate::{beneath, place::JobPlace};

/// References and settings of a repository are short; longer ones are somebody's trick.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Folders of the workspace that are looked into; a checkout of a pull request lies among the first.
const FOLDERS_MAX: usize = 256;

/// Why the workspace holds code from outside; `None` if nothing there says so.
pub async fn found(place: &JobPlace, grant: &JobGrant, why: &str, project: Option<&Repository>) -> Option<String> {
    let workspace = place.workspace();
    let names_fork = fork(why);
    let (folder, fork) = (workspace.clone(), names_fork.clone());
    let read = tokio::task::spawn_blocking(move || (commits(&folder), fork.and_then(|it| beside(&folder, &it)))).await;
    // A reader that fell over saw something that it was not made for.
    let Ok((commits, beside)) = read else { return Some("its workspace cannot be read".to_owned()) };
    if let Some(folder) = beside {
        return Some(format!("`{folder}` in its workspace comes from `{}`", names_fork.unwrap_or_default()));
    }
    for commit in commits {
        if commit.to_string() == grant.fact("sha") {
            continue;
        }
        let is_known = match project {
            Some(project) => project.leads_to(commit).await.unwrap_or(false),
            None => false,
        };
        if !is_known {
            return Some(format!("its workspace has the commit `{}`, to which no branch or tag of the project leads", commit.short()));
        }
    }
    None
}

/// The repository that the event's code comes from, where the event tells.
fn fork(why: &str) -> Option<String> {
    let (_, rest) = why.split_once('`')?;
    let (name, _) = rest.split_once('`')?;
    name.contains('/').then(|| name.to_lowercase())
}

/// What the checkout of the workspace, and those that share its repository, stand at, and what was fetched last.
fn commits(workspace: &Path) -> Vec<CommitId> {
    let read = |path: &str| beneath::read(workspace, Path::new(path), FILE_BYTES_MAX).unwrap_or_default();
    let packed = read(".git/packed-refs");
    let resolve = |head: &str| match head.trim().strip_prefix("ref: ") {
        None => head.trim().parse().ok(),
        Some(name) if name.split('/').any(|part| part == "..") => None,
        Some(name) => {
            let loose = read(&format!(".git/{name}"));
            let packed = packed.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' '));
            loose.trim().parse().ok().or_else(|| packed?.parse().ok())
        }
    };
    let mut found: Vec<CommitId> = resolve(&read(".git/HEAD")).into_iter().collect();
    for name in folders(&workspace.join(".git/worktrees")) {
        found.extend(resolve(&read(&format!(".git/worktrees/{name}/HEAD"))));
    }
    let fetched = read(".git/FETCH_HEAD");
    found.extend(fetched.lines().filter_map(|line| line.split('\t').next()?.parse::<CommitId>().ok()));
    found.sort();
    found.dedup();
    found
}

/// The folder of the workspace that is a clone of `fork`.
fn beside(workspace: &Path, fork: &str) -> Option<String> {
    let mut all = folders(workspace);
    all.insert(0, String::new());
    all.into_iter().find(|folder| {
        let git = Path::new(folder).join(".git");
        ["config", "FETCH_HEAD"].iter().any(|file| {
            let text = beneath::read(workspace, &git.join(file), FILE_BYTES_MAX).unwrap_or_default();
            names(&text.to_lowercase(), fork)
        })
    })
}

/// Whether an address in the text is that of the repository.
fn names(text: &str, repository: &str) -> bool {
    text.match_indices(repository).any(|(at, _)| {
        let before = text.get(..at).and_then(|it| it.chars().next_back());
        let after = text.get(at + repository.len()..).unwrap_or_default();
        let ends = |it: char| !it.is_ascii_alphanumeric() && !"-_".contains(it);
        matches!(before, Some('/' | ':')) && (after.starts_with(".git") || after.chars().next().is_none_or(|it| ends(it) && it != '.'))
    })
}

fn folders(path: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let folders = entries.filter_map(Result::ok).filter(|it| it.file_type().is_ok_and(|it| it.is_dir()));
    let names = folders.filter_map(|it| it.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|it| it != ".git").take(FOLDERS_MAX).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_repository_stands_at_is_read_without_git() {
        let folder = tempfile::tempdir().expect("a folder");
        let commit = |digit: char| digit.to_string().repeat(40);
        for (path, text) in [
            (".git/HEAD", "ref: refs/heads/main\n".to_owned()),
            (".git/packed-refs", format!("# pack-refs with: peeled\n{} refs/heads/main\n{} refs/heads/other\n", commit('1'), commit('9'))),
            (".git/worktrees/pr/HEAD", commit('2') + "\n"),
            (".git/FETCH_HEAD", format!("{}\tnot-for-merge\tbranch 'x' of https://example.org/a/b\n", commit('3'))),
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(path, text).expect("a file");
        }
        let found: Vec<_> = commits(folder.path()).iter().map(ToString::to_string).collect();
        assert_eq!(found, [commit('1'), commit('2'), commit('3')]);
    }

    #[test]
    fn a_clone_of_the_fork_is_known_by_its_address() {
        for (text, expected) in [
            ("url = https://example.org/eve/shop.git", true),
            ("url = git@example.org:eve/shop", true),
            ("url = https://example.org/eve/shop2", false),
            ("url = https://example.org/eve/shop.tools", false),
            ("url = https://example.org/steve/shop", false),
            ("x\tbranch 'main' of https://example.org/eve/shop\n", true),
        ] {
            assert_eq!(names(text, "eve/shop"), expected, "{text}");
        }
        assert_eq!(fork("it comes from the fork `Eve/Shop`").as_deref(), Some("eve/shop"));
        assert_eq!(fork("anybody may have written it"), None);
    }
}
