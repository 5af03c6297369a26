//! A saved tree as the lower folder of an overlay: a job changes its own view and nothing else.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use keep::Trees;

#[test]
fn a_job_changes_a_mounted_tree_for_itself_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    for name in ["source/bin", "upper", "work", "merged"] {
        fs::create_dir_all(place(name)).expect("make");
    }
    fs::write(place("source/a.txt"), "one").expect("write");
    fs::write(place("source/same.txt"), "one").expect("write");
    fs::write(place("source/bin/tool"), "#!/bin/sh\necho hello\n").expect("write");
    fs::set_permissions(place("source/bin/tool"), fs::Permissions::from_mode(0o755)).expect("mode");
    let trees = Trees::open(place("store")).expect("open");
    let saved = trees.save_tree(&place("source"), 1 << 20).expect("save");
    let lower = trees.lower_dir(saved.digest).expect("a tree");

    // A mount namespace of its own, so that nothing stays mounted; with a user namespace for those who are not root.
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        place("upper").display(),
        place("work").display()
    );
    let script = "set -e; mount -t overlay overlay -o \"$1\" \"$2\"; cd \"$2\"; cat a.txt; bin/tool; \
                  echo changed >> a.txt; rm bin/tool; mkdir new; echo x > new/file; cat a.txt same.txt; ls; umount -l \"$2\"";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", &options])
        .arg(place("merged"))
        .output()
        .expect("`unshare` runs");
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(told, "onehello\nonechanged\nonea.txt\nbin\nnew\nsame.txt\n");

    let again = trees.save_tree(&place("source"), 1 << 20).expect("save");
    assert_eq!((again.digest, again.new_files), (saved.digest, 0));
    assert_eq!(fs::read_to_string(lower.join("a.txt")).expect("read"), "one");
    assert!(lower.join("bin/tool").exists() && !lower.join("new").exists());
}
