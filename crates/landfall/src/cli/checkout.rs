//! What git knows about a folder, as the `github` context tells it.

use std::{path::Path, process::Command};

use serde_json::{Map, Value};

/// The state of a working tree; empty outside of a repository.
#[derive(Clone, Debug, Default)]
pub struct Checkout {
    /// `refs/heads/main`
    pub git_ref: String,
    pub sha: String,
    /// Owner and name, from the address of `origin`.
    pub repository: String,
    pub author: String,
    pub default_branch: String,
    /// The message of the commit.
    pub message: String,
}

impl Checkout {
    pub fn of(folder: &Path) -> Self {
        let git = |arguments: &[&str]| {
            let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| text.trim().to_owned())
        };
        let head = git(&["symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"]);
        let head = head.and_then(|it| it.strip_prefix("refs/remotes/origin/").map(str::to_owned));
        let known = |name: &&str| git(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{name}")]).is_some();
        let usual = || ["main", "master"].into_iter().find(known).map(str::to_owned);
        let origin = git(&["remote", "get-url", "origin"]).unwrap_or_default();
        Self {
            git_ref: git(&["symbolic-ref", "HEAD"]).unwrap_or_else(|| "refs/heads/main".to_owned()),
            sha: git(&["rev-parse", "HEAD"]).unwrap_or_else(|| "0".repeat(40)),
            repository: repository(&origin).unwrap_or_else(|| named(folder)),
            author: git(&["config", "user.name"]).unwrap_or_default(),
            default_branch: head.or_else(usual).unwrap_or_else(|| "main".to_owned()),
            message: git(&["show", "--no-patch", "--format=%B", "HEAD"]).unwrap_or_default(),
        }
    }

    /// The `github` context without what an event brings.
    pub fn github(&self) -> Map<String, Value> {
        let name = self.git_ref.strip_prefix("refs/heads/").unwrap_or(&self.git_ref);
        let owner = self.repository.split('/').next().unwrap_or_default();
        let fields = [
            ("ref", self.git_ref.as_str()),
            ("ref_name", name),
            ("ref_type", "branch"),
            ("sha", &self.sha),
            ("repository", &self.repository),
            ("repository_owner", owner),
            ("actor", &self.author),
            ("triggering_actor", &self.author),
            ("run_id", "1"),
            ("run_number", "1"),
            ("run_attempt", "1"),
            ("server_url", "https://github.com"),
            ("api_url", "https://api.github.com"),
            ("graphql_url", "https://api.github.com/graphql"),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    }
}

/// `git@host:owner/name.git` and `https://host/owner/name` both end in what is wanted.
fn repository(origin: &str) -> Option<String> {
    let path = origin.strip_suffix(".git").unwrap_or(origin);
    let mut parts = path.rsplit(['/', ':']);
    let (name, owner) = (parts.next()?, parts.next()?);
    (!name.is_empty() && !owner.is_empty()).then(|| format!("{owner}/{name}"))
}

/// A folder without an origin goes by its own name.
fn named(folder: &Path) -> String {
    let name = folder.file_name().map(|it| it.to_string_lossy().into_owned());
    format!("local/{}", name.unwrap_or_else(|| "repository".to_owned()))
}
