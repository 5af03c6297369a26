//! Builds the same context with buildah, where the machine has it, and lists what came out.

use std::{collections::BTreeMap, path::Path, process::Command};

use crate::ground::list;

/// An image as buildah built it.
pub struct Other {
    pub files: BTreeMap<String, String>,
    /// The `config` part of the image's config.
    pub config: serde_json::Value,
}

/// `None` without buildah.
pub fn build(context: &Path, scratch: &Path) -> Option<Other> {
    Command::new("buildah").arg("--version").output().ok().filter(|it| it.status.success())?;
    let root = scratch.join("buildah-root");
    let run_root = scratch.join("buildah-run");
    let buildah = || {
        let mut command = Command::new("buildah");
        command.arg("--storage-driver").arg("vfs").arg("--root").arg(&root).arg("--runroot").arg(&run_root);
        command
    };
    let run = |command: &mut Command| {
        let output = command.output().expect("buildah runs");
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    run(buildah().args(["bud", "--isolation", "chroot", "--format", "docker", "-q", "-t", "other"]).arg(context));
    let container = run(buildah().args(["from", "--pull-never", "other"]));
    let mounted = run(buildah().args(["mount", &container]));
    let files = list(Path::new(&mounted));
    let inspected = run(buildah().args(["inspect", "--type", "image", "other"]));
    let inspected: serde_json::Value = serde_json::from_str(&inspected).expect("JSON");
    run(buildah().args(["umount", &container]));
    run(buildah().args(["rm", &container]));
    run(buildah().args(["rmi", "-a", "-f"]));
    Some(Other { files, config: inspected["Docker"]["config"].clone() })
}
