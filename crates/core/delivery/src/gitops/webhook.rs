//! What a webhook of a Git host tells: which repository changed, and which of its branches and tags.

use serde_json::Value;

/// A push, as any host tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The repository without scheme, user, port and ending: `git.example/shop/web`.
    pub repositories: Vec<String>,
    /// Full names such as `refs/heads/main`; empty when the host does not say.
    pub refs: Vec<String>,
}

/// Where the hosts put the addresses of a repository.
const ADDRESSES: [&str; 13] = [
    "/repository/clone_url",
    "/repository/ssh_url",
    "/repository/git_url",
    "/repository/html_url",
    "/repository/git_http_url",
    "/repository/git_ssh_url",
    "/repository/homepage",
    "/project/git_http_url",
    "/project/git_ssh_url",
    "/project/web_url",
    "/project/http_url",
    "/project/ssh_url",
    "/repository/links/html/href",
];

/// Reads the payload of a push of GitHub, GitLab, Gitea, Forgejo or Bitbucket.
pub fn told(payload: &Value) -> Told {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    let mut repositories: Vec<_> = ADDRESSES.iter().filter_map(|it| text(it)).filter_map(plain_address).collect();
    // Bitbucket's own servers list the ways to clone.
    let clones = payload.pointer("/repository/links/clone").and_then(Value::as_array).into_iter().flatten();
    repositories.extend(clones.filter_map(|it| it["href"].as_str()).filter_map(plain_address));
    repositories.sort();
    repositories.dedup();
    let mut refs: Vec<String> = text("/ref").map(full_name).into_iter().collect();
    let cloud = payload.pointer("/push/changes").and_then(Value::as_array).into_iter().flatten();
    for change in cloud {
        let of = change.get("new").filter(|it| !it.is_null()).or_else(|| change.get("old"));
        let Some((kind, name)) = of.and_then(|it| Some((it["type"].as_str()?, it["name"].as_str()?))) else { continue };
        refs.push(if kind == "tag" { format!("refs/tags/{name}") } else { format!("refs/heads/{name}") });
    }
    let server = payload.pointer("/changes").and_then(Value::as_array).into_iter().flatten();
    refs.extend(server.filter_map(|it| it.pointer("/ref/id").and_then(Value::as_str)).map(full_name));
    Told { repositories, refs }
}

fn full_name(name: &str) -> String {
    if name.starts_with("refs/") { name.to_owned() } else { format!("refs/heads/{name}") }
}

/// An address without what differs between the ways to the same repository.
pub fn plain_address(address: &str) -> Option<String> {
    let rest = match address.split_once("://") {
        Some((_, rest)) => rest.to_owned(),
        // `git@host:path`
        None => address.replacen(':', "/", 1),
    };
    let (host, path) = rest.split_once('/')?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split(':').next().unwrap_or(host).to_lowercase();
    // Bitbucket's own servers put this before the path of HTTP addresses.
    let path = path.trim_matches('/').trim_end_matches(".git");
    let path = path.strip_prefix("scm/").unwrap_or(path);
    // An SSH address with a port: `ssh://git@host:7999/path` has lost it above.
    (!host.is_empty() && !path.is_empty()).then(|| format!("{host}/{}", path.to_lowercase()))
}

impl Told {
    /// Whether a source that follows `revision` of `repository` may have changed.
    pub fn concerns(&self, repository: &str, revision: &str) -> bool {
        let is_it = plain_address(repository).is_some_and(|it| self.repositories.contains(&it));
        is_it && (self.refs.is_empty() || self.refs.iter().any(|it| follows(revision, it)))
    }
}

fn follows(revision: &str, git_ref: &str) -> bool {
    if revision == git_ref {
        return true;
    }
    let (branch, tag) = (git_ref.strip_prefix("refs/heads/"), git_ref.strip_prefix("refs/tags/"));
    // Which branch `HEAD` means, and which tag is in a range, is known after asking.
    let may_be_range = revision.contains(['*', '^', '~', '<', '>', '=', '!', '|', ',', ' ']) || revision.to_lowercase().contains(".x");
    match (branch, tag) {
        (Some(branch), _) => revision == branch || revision == "HEAD",
        (_, Some(tag)) => revision == tag || may_be_range,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_ways_to_a_repository_are_one() {
        for address in [
            "https://Git.Example/Shop/web.git",
            "https://user:secret@git.example:8443/shop/web",
            "git@git.example:shop/web.git",
            "ssh://git@git.example:7999/shop/web.git",
            "https://git.example/scm/shop/web.git",
        ] {
            assert_eq!(plain_address(address).as_deref(), Some("git.example/shop/web"), "{address}");
        }
        assert_eq!(plain_address("shop"), None);
    }

    #[track_caller]
    fn check(payload: Value, refs: &[&str]) {
        let told = told(&payload);
        assert!(told.repositories.contains(&"git.example/shop/web".to_owned()), "{told:?}");
        assert_eq!(told.refs, refs);
    }

    #[test]
    fn the_payload_of_every_host_is_read() {
        check(json!({"ref": "refs/heads/main", "repository": {"clone_url": "https://git.example/shop/web.git", "ssh_url": "git@git.example:shop/web.git"}}), &["refs/heads/main"]);
        check(json!({"object_kind": "push", "ref": "refs/tags/v1", "project": {"git_http_url": "https://git.example/shop/web.git"}}), &["refs/tags/v1"]);
        check(
            json!({"repository": {"links": {"html": {"href": "https://git.example/shop/web"}}}, "push": {"changes": [{"new": {"type": "branch", "name": "main"}}, {"new": null, "old": {"type": "tag", "name": "v1"}}]}}),
            &["refs/heads/main", "refs/tags/v1"],
        );
        check(
            json!({"repository": {"links": {"clone": [{"href": "ssh://git@git.example:7999/shop/web.git", "name": "ssh"}]}}, "changes": [{"ref": {"id": "refs/heads/main"}}]}),
            &["refs/heads/main"],
        );
        assert_eq!(told(&json!({"zen": "x"})), Told::default());
    }

    #[test]
    fn only_what_follows_the_branch_is_asked_again() {
        let told = Told { repositories: vec!["git.example/shop/web".to_owned()], refs: vec!["refs/heads/main".to_owned()] };
        let tag = Told { refs: vec!["refs/tags/v1.2.0".to_owned()], ..told.clone() };
        let address = "https://git.example/shop/web";
        let found: Vec<_> = ["main", "HEAD", "next", "^1.0.0", "v1.2.0", "refs/heads/main"]
            .into_iter()
            .map(|revision| (told.concerns(address, revision), tag.concerns(address, revision)))
            .collect();
        assert_eq!(found, [(true, false), (true, false), (false, false), (false, true), (false, true), (true, false)]);
        assert!(!told.concerns("https://git.example/shop/other", "main"));
    }
}
