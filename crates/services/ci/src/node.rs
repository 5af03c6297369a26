//! Finds the machine's Node for JavaScript actions.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// A Node that is installed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub program: PathBuf,
    pub major: u32,
    /// As it tells it, e.g. `v20.20.2`.
    pub version: String,
}

/// All that were found, looked for once in the life of the server.
static FOUND: OnceLock<Vec<Node>> = OnceLock::new();

/// The Node for an action that wants `wanted`: the same, else a newer, else any.
pub fn choose(env: &[(String, String)], wanted: u32) -> Result<Node, String> {
    let found = FOUND.get_or_init(|| find(env));
    pick(found, wanted).cloned().ok_or_else(|| {
        format!("this action needs Node {wanted}, and there is no `node` on this machine; install Node 20 or newer")
    })
}

fn pick(found: &[Node], wanted: u32) -> Option<&Node> {
    let exact = found.iter().find(|it| it.major == wanted);
    let newer = || found.iter().filter(|it| it.major > wanted).min_by_key(|it| it.major);
    exact.or_else(newer).or_else(|| found.iter().max_by_key(|it| it.major))
}

fn find(env: &[(String, String)]) -> Vec<Node> {
    let path = env.iter().find(|(name, _)| name == "PATH").map_or("/usr/local/bin:/usr/bin:/bin", |(_, value)| value);
    let mut programs: Vec<PathBuf> = std::env::split_paths(path).map(|folder| folder.join("node")).collect();
    for cache in ["/opt/hostedtoolcache/node", "/usr/local/n/versions/node"] {
        programs.extend(versions_in(Path::new(cache)));
    }
    let mut found: Vec<Node> = Vec::new();
    for program in programs {
        if let Some(node) = ask(&program)
            && !found.iter().any(|it| it.major == node.major)
        {
            found.push(node);
        }
    }
    found
}

/// `20.1.0/x64/bin/node` and `20.1.0/bin/node` below a folder of versions.
fn versions_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.flat_map(|entry| ["x64/bin/node", "arm64/bin/node", "bin/node"].map(|below| entry.path().join(below))).collect()
}

fn ask(program: &Path) -> Option<Node> {
    let output = program.is_file().then(|| Command::new(program).arg("--version").output())?.ok()?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let major = version.strip_prefix('v')?.split('.').next()?.parse().ok()?;
    Some(Node { program: program.to_owned(), major, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(installed: &[u32], wanted: u32, expected: Option<u32>) {
        let node = |major: &u32| Node { program: PathBuf::new(), major: *major, version: String::new() };
        let found: Vec<_> = installed.iter().map(node).collect();
        assert_eq!(pick(&found, wanted).map(|it| it.major), expected);
    }

    #[test]
    fn the_nearest_newer_node_is_taken() {
        check(&[18, 20, 24], 20, Some(20));
        check(&[18, 22, 24], 20, Some(22));
        check(&[18, 20], 24, Some(20));
        check(&[], 20, None);
    }
}
