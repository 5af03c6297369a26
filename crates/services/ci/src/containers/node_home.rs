//! Lends the machine's Node to job containers whose image has none.
//!
//! The program and the libraries it is linked with lie in one folder, and a script starts it
//! with the loader beside it, so the image's own C library does not matter.

use std::{
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Ci, node};

/// Where a job container sees the folder.
pub const TARGET: &str = "/__e";

/// Node as job containers start it.
pub const NODE: &str = "/__e/bin/node";

/// The folder to mount, made once for each version; none where the machine has no Node.
pub async fn open(ci: &Ci) -> Option<PathBuf> {
    let node = node::choose(&ci.config.env, 24).ok()?;
    let folder = ci.config.folder.join(format!("node-{}", node.version));
    let made = tokio::task::spawn_blocking(move || make(&folder, &node.program).map(|()| folder)).await;
    match made.map_err(io::Error::other).and_then(|it| it) {
        Ok(folder) => Some(folder),
        Err(error) => {
            tracing::warn!(%error, "Node cannot be lent to job containers");
            None
        }
    }
}

fn make(folder: &Path, program: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let draft = folder.with_extension("draft");
    let _ = std::fs::remove_dir_all(&draft);
    for name in ["bin", "lib"] {
        std::fs::create_dir_all(draft.join(name))?;
    }
    std::fs::copy(std::fs::canonicalize(program)?, draft.join("bin/node.real"))?;
    let output = Command::new("ldd").arg(program).output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    let mut loader = None;
    for path in told.lines().filter_map(library) {
        let source = std::fs::canonicalize(&path)?;
        let name = Path::new(&path).file_name().unwrap_or_default();
        std::fs::copy(source, draft.join("lib").join(name))?;
        if name.to_string_lossy().starts_with("ld-linux") {
            loader = Some(name.to_string_lossy().into_owned());
        }
    }
    let start = match loader {
        Some(loader) => format!("exec {TARGET}/lib/{loader} --library-path {TARGET}/lib {TARGET}/bin/node.real \"$@\""),
        None => format!("exec {TARGET}/bin/node.real \"$@\""),
    };
    let script = draft.join("bin/node");
    std::fs::write(&script, format!("#!/bin/sh\n{start}\n"))?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    std::fs::rename(&draft, folder)
}

/// The file of one line of `ldd`.
fn library(line: &str) -> Option<String> {
    let line = line.trim();
    let path = line.split_once("=>").map_or(line, |(_, path)| path).trim();
    let path = path.split(" (").next().unwrap_or(path);
    path.starts_with('/').then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_told_by_their_paths() {
        assert_eq!(library("\tlibdl.so.2 => /lib/libdl.so.2 (0x1)").as_deref(), Some("/lib/libdl.so.2"));
        assert_eq!(library("\t/lib64/ld-linux-x86-64.so.2 (0x1)").as_deref(), Some("/lib64/ld-linux-x86-64.so.2"));
        assert_eq!(library("\tlinux-vdso.so.1 (0x1)"), None);
    }
}
