//! Who may import whom.

use super::{Finding, sources::Sources};
use crate::workspace::{Dependency, Layer, Package, Workspace};

/// Core crates that stand at the bottom and know nothing of ours but each other.
const BOTTOM: [&str; 3] = ["loglines", "names", "yaml"];

/// Dependencies that only their home may name, as the word in a path and the crates it lives in.
/// Who wants to replace one then has one place to look at.
const HOMES: [(&str, &[&str]); 9] = [
    ("granit_parser", &["crates/core/yaml"]),
    ("rusqlite", &["crates/ports/store", "crates/services/cluster"]),
    ("k8s_openapi", &["crates/services/node"]),
    ("seccompiler", &["crates/ports/sandbox"]),
    ("simple_dns", &["crates/services/network"]),
    ("askama", &["crates/services/web"]),
    ("parse_dockerfile", &["crates/core/buildgraph"]),
    ("json_patch", &["crates/core/resource"]),
    ("rcgen", &["crates/landfall", "crates/ports/identity"]),
];

/// Nothing imports upwards, no service imports another, and only programs know the command line.
pub fn imports(workspace: &Workspace, _: &Sources) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in workspace.members() {
        let layer = workspace.layer(package);
        for dependency in package.dependencies.iter().filter(|it| it.kind.as_deref() != Some("dev")) {
            if let Some(message) = objection(workspace, package, layer, dependency) {
                let cure = "move the shared type down to `api` or `names`, or talk through a record";
                findings.push(Finding::new(workspace.relative(&package.manifest_path), None, message, cure));
            }
        }
    }
    Ok(findings)
}

fn objection(workspace: &Workspace, package: &Package, layer: Layer, dependency: &Dependency) -> Option<String> {
    let name = &dependency.name;
    let Some(path) = &dependency.path else {
        let acts = ["tokio", "hyper", "reqwest", "axum", "kube", "rusqlite", "getrandom", "async-trait"].contains(&name.as_str());
        let cli = name == "clap";
        return match layer {
            Layer::Core if acts || cli => Some(format!("core crate `{}` imports `{name}`", package.name)),
            Layer::Port | Layer::Service if cli => Some(format!("`{}` imports `clap`, which belongs to programs", package.name)),
            Layer::Core | Layer::Port | Layer::Service | Layer::Program => None,
        };
    };
    let other = workspace.layer_of(path);
    let allowed = match layer {
        Layer::Core => other == Layer::Core && (BOTTOM.contains(&name.as_str()) || !BOTTOM.contains(&package.name.as_str())),
        // A port may stand on another: tokens are records, images are blobs.
        Layer::Port => matches!(other, Layer::Core | Layer::Port),
        Layer::Service => matches!(other, Layer::Core | Layer::Port),
        Layer::Program => true,
    };
    (!allowed).then(|| format!("`{}` ({layer:?}) imports `{name}` ({other:?})", package.name))
}

/// A heavy dependency is named in its home alone.
pub fn homes(_: &Workspace, sources: &Sources) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in sources.below("crates") {
        for (word, homes) in HOMES {
            if homes.iter().any(|home| file.path.starts_with(home)) {
                continue;
            }
            let used = format!("{word}::");
            for (line, code) in file.product_lines().filter(|(_, code)| code.contains(&used)) {
                let message = format!("`{word}` is named outside {}: {}", homes.join(" and "), code.trim());
                findings.push(Finding::new(&file.path, line, message, "let its home offer what is needed, in our own types"));
            }
        }
    }
    Ok(findings)
}
