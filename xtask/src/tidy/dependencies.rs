//! Which foreign crates come in, and how many.

use super::{Finding, sources::Sources};
use crate::workspace::Workspace;

/// Crates that bring a second C library for what `ring` does already.
const BANNED: [&str; 5] = ["aws-lc-sys", "aws-lc-rs", "openssl-sys", "native-tls", "cmake"];

/// A newcomer builds all of them before anything happens.
const CRATES_MAX: usize = 560;

/// Names banned crates, and says when there are too many.
pub fn budget(workspace: &Workspace, _: &Sources) -> anyhow::Result<Vec<Finding>> {
    let banned = workspace.packages.iter().filter(|package| BANNED.contains(&package.name.as_str()));
    let cure = "find who brings it with `cargo tree -i` and switch that feature off";
    let mut findings: Vec<_> =
        banned.map(|package| Finding::new("Cargo.lock", None, format!("`{}` is banned", package.name), cure)).collect();
    let foreign = workspace.packages.iter().filter(|package| !workspace.is_member(package)).count();
    if foreign > CRATES_MAX {
        let message = format!("{foreign} foreign crates, more than {CRATES_MAX}");
        findings.push(Finding::new("Cargo.lock", None, message, "drop a feature or a dependency"));
    }
    Ok(findings)
}
