//! A root file system with nothing but busybox.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

const APPLETS: [&str; 10] = ["cat", "echo", "false", "httpd", "mkdir", "sh", "sleep", "touch", "true", "wget"];

/// The static busybox of this machine.
pub fn file() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let own = std::env::split_paths(&path).map(|folder| folder.join("busybox"));
    own.chain(["/bin/busybox".into()]).find(|file| file.is_file())
}

/// Fills a folder with a root file system.
pub fn make_root(root: &Path) {
    for folder in ["bin", "etc", "tmp", "root"] {
        fs::create_dir_all(root.join(folder)).expect("a folder can be made");
    }
    fs::copy(file().expect("busybox is there"), root.join("bin/busybox")).expect("busybox can be copied");
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).expect("a link can be made");
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").expect("a file can be written");
    fs::write(root.join("etc/group"), "root:x:0:\n").expect("a file can be written");
}
