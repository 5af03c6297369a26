//! The working tree as it is now, as a commit in a bare repository.
//!
//! The user's repository is read and never written: the index is a copy, and new
//! objects go to the bare repository, which borrows all others.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use names::CommitId;

/// A folder and what git knows of it.
#[derive(Debug)]
pub struct Source {
    folder: PathBuf,
    /// The folder of the user's own repository, if `folder` is its top.
    git_dir: Option<PathBuf>,
}

/// A commit of everything in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub commit: CommitId,
    /// The commit below it; none is the first one.
    pub before: CommitId,
    pub message: String,
}

impl Source {
    pub fn of(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("there is no folder `{}`", folder.display()))?;
        let top = told(git(&folder).args(["rev-parse", "--show-toplevel"]));
        let is_top = top.is_ok_and(|top| Path::new(&top).canonicalize().is_ok_and(|top| top == folder));
        let git_dir = match is_top {
            true => Some(PathBuf::from(told(git(&folder).args(["rev-parse", "--absolute-git-dir"]))?)),
            false => None,
        };
        Ok(Self { folder, git_dir })
    }

    /// Makes the commit in the bare repository `bare`, and points `refs` to it; `index` is for one use.
    pub fn commit(&self, bare: &Path, index: &Path, refs: &[&str]) -> anyhow::Result<Snapshot> {
        let tree = self.tree(bare, index).context("the files here cannot be read as a commit")?;
        let head = self.head();
        let snapshot = match head {
            Some(head) if self.text(bare, &["rev-parse", &format!("{head}^{{tree}}")])? == tree => {
                let message = self.text(bare, &["show", "--no-patch", "--format=%B", &head])?;
                let parent = self.text(bare, &["rev-parse", "--verify", "--quiet", &format!("{head}^")]);
                let before = parent.ok().and_then(|it| it.parse().ok()).unwrap_or(CommitId::ZERO);
                Snapshot { commit: head.parse()?, before, message }
            }
            head => self.on_top(bare, &tree, head.as_deref())?,
        };
        self.copy_refs(bare)?;
        for name in refs {
            told(git(bare).arg("--git-dir=.").args(["update-ref", name, &snapshot.commit.to_string()]))
                .with_context(|| format!("`{name}` is no ref"))?;
        }
        Ok(snapshot)
    }

    fn on_top(&self, bare: &Path, tree: &str, head: Option<&str>) -> anyhow::Result<Snapshot> {
        let message = match head {
            Some(head) => format!("Uncommitted changes on {}", head.get(..7).unwrap_or(head)),
            None => "The files of the folder".to_owned(),
        };
        let mut command = self.git_in(bare);
        command.args(["commit-tree", tree, "-m", &message]);
        if let Some(head) = head {
            command.args(["-p", head]);
        }
        for (variable, key, usual) in
            [("NAME", "user.name", "landfall run"), ("EMAIL", "user.email", "landfall@localhost")]
        {
            let known = told(git(&self.folder).args(["config", key])).ok().filter(|it| !it.is_empty());
            let value = known.unwrap_or_else(|| usual.to_owned());
            command.env(format!("GIT_AUTHOR_{variable}"), &value).env(format!("GIT_COMMITTER_{variable}"), &value);
        }
        let commit = told(&mut command)?.parse()?;
        let before = head.map(str::parse).transpose()?.unwrap_or(CommitId::ZERO);
        Ok(Snapshot { commit, before, message })
    }

    /// Reads all files that a commit of everything would hold.
    fn tree(&self, bare: &Path, index: &Path) -> anyhow::Result<String> {
        if let Some(git_dir) = &self.git_dir {
            let objects = self.path_of("objects")?;
            fs::create_dir_all(bare.join("objects/info"))?;
            fs::write(bare.join("objects/info/alternates"), format!("{}\n", objects.display()))?;
            // With it unchanged files need not be read, and ignored ones that are tracked are not lost.
            copy(&self.path_of("index")?, index)?;
            copy(&git_dir.join("shallow"), &bare.join("shallow"))?;
        }
        told(self.git_in(bare).env("GIT_INDEX_FILE", index).args(["add", "--all", "."]))?;
        told(self.git_in(bare).env("GIT_INDEX_FILE", index).arg("write-tree"))
    }

    fn head(&self) -> Option<String> {
        self.git_dir.as_ref()?;
        told(git(&self.folder).args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])).ok()
    }

    /// Branches and tags, for those who fetch them all.
    fn copy_refs(&self, bare: &Path) -> anyhow::Result<()> {
        if self.git_dir.is_none() {
            return Ok(());
        }
        let format = "--format=update %(refname) %(objectname)";
        let refs = told(git(&self.folder).args(["for-each-ref", format, "refs/heads", "refs/tags"]))?;
        if refs.is_empty() {
            return Ok(());
        }
        let mut command = git(bare);
        let mut child = command.arg("--git-dir=.").args(["update-ref", "--stdin"]).stdin(Stdio::piped()).spawn()?;
        if let Some(mut input) = child.stdin.take() {
            io::Write::write_all(&mut input, refs.as_bytes())?;
            io::Write::write_all(&mut input, b"\n")?;
        }
        if !child.wait()?.success() {
            bail!("the branches and tags cannot be read");
        }
        Ok(())
    }

    fn path_of(&self, name: &str) -> anyhow::Result<PathBuf> {
        Ok(self.folder.join(told(git(&self.folder).args(["rev-parse", "--git-path", name]))?))
    }

    fn text(&self, bare: &Path, arguments: &[&str]) -> anyhow::Result<String> {
        told(self.git_in(bare).args(arguments))
    }

    /// A git that reads the files here and writes objects to `bare` alone.
    fn git_in(&self, bare: &Path) -> Command {
        let mut command = git(&self.folder);
        match &self.git_dir {
            Some(git_dir) => {
                command.env("GIT_DIR", git_dir);
                command.env("GIT_OBJECT_DIRECTORY", bare.join("objects"));
            }
            None => drop(command.env("GIT_DIR", bare)),
        }
        command.env("GIT_WORK_TREE", &self.folder);
        command
    }
}

/// The user's own git in `folder`, but with none of the ways in which it changes anything by itself.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|it| it.to_string_lossy().starts_with("GIT_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).stdin(Stdio::null()).stderr(Stdio::piped()).env("LC_ALL", "C");
    for setting in [
        // Landfall runs as root, and the folder is somebody's.
        "safe.directory=*",
        "core.fsmonitor=false",
        "core.splitIndex=false",
        "core.hooksPath=/dev/null",
        "core.safecrlf=false",
        "advice.addEmbeddedRepo=false",
        "gc.auto=0",
    ] {
        command.arg("-c").arg(setting);
    }
    command
}

fn told(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdout(Stdio::piped()).output().map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            return anyhow::anyhow!("there is no `git` on this machine; install it, e.g. `apt-get install git`");
        }
        anyhow::Error::from(error).context("git could not be run")
    })?;
    if !output.status.success() {
        let verb = command.get_args().map(OsStr::to_string_lossy).find(|it| !it.starts_with('-') && !it.contains('='));
        bail!("git {}: {}", verb.unwrap_or_default(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What is not there need not be copied.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::copy(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, arguments: &[&str]) -> String {
        let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
        told(git(folder).args(who).args(arguments)).expect("git")
    }

    /// The files of a snapshot of `folder`.
    fn files(folder: &Path) -> (Snapshot, String) {
        let place = tempfile::tempdir().expect("a folder");
        let bare = place.path().join("bare.git");
        run(place.path(), &["init", "--quiet", "--bare", "bare.git"]);
        let source = Source::of(folder).expect("a source");
        let snapshot = source.commit(&bare, &place.path().join("index"), &["refs/heads/main"]).expect("a snapshot");
        let files = run(&bare, &["--git-dir=.", "ls-tree", "-r", "--name-only", "refs/heads/main"]);
        (snapshot, files.replace('\n', " "))
    }

    #[test]
    fn a_folder_without_git_becomes_a_commit() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a"), "1").expect("write");
        fs::write(folder.path().join(".gitignore"), "b\n").expect("write");
        fs::write(folder.path().join("b"), "1").expect("write");
        let (snapshot, files) = files(folder.path());
        assert_eq!((files.as_str(), snapshot.before), (".gitignore a", CommitId::ZERO));
    }

    #[test]
    fn a_clean_tree_is_its_own_commit() {
        let folder = tempfile::tempdir().expect("a folder");
        run(folder.path(), &["init", "--quiet"]);
        fs::write(folder.path().join("a"), "1").expect("write");
        run(folder.path(), &["add", "."]);
        run(folder.path(), &["commit", "--quiet", "-m", "First"]);
        let (snapshot, files) = files(folder.path());
        assert_eq!(snapshot.commit.to_string(), run(folder.path(), &["rev-parse", "HEAD"]));
        assert_eq!((files.as_str(), snapshot.message.as_str()), ("a", "First"));
    }

    #[test]
    fn changes_lie_on_top_and_the_repository_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        run(folder.path(), &["init", "--quiet"]);
        fs::write(folder.path().join(".gitignore"), "kept\nignored\n").expect("write");
        fs::write(folder.path().join("kept"), "1").expect("write");
        run(folder.path(), &["add", "--force", "."]);
        run(folder.path(), &["commit", "--quiet", "-m", "First"]);
        fs::write(folder.path().join("new"), "1").expect("write");
        fs::write(folder.path().join("ignored"), "1").expect("write");
        let before = run(folder.path(), &["status", "--porcelain"]);
        let (snapshot, files) = files(folder.path());
        assert_eq!(files, ".gitignore kept new");
        assert_eq!(snapshot.before.to_string(), run(folder.path(), &["rev-parse", "HEAD"]));
        assert_eq!(run(folder.path(), &["status", "--porcelain"]), before);
        let made = told(git(folder.path()).args(["cat-file", "-e", &snapshot.commit.to_string()]));
        assert!(made.is_err(), "the user's repository holds the snapshot");
    }
}
