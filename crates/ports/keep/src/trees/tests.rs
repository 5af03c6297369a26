//! Trees on a real disk: saved, compared with their source, limited and swept.

use std::{
    collections::BTreeSet,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    time::SystemTime,
};

use super::*;

const LIMIT: u64 = 1 << 30;

struct Stage {
    folder: tempfile::TempDir,
    trees: Trees,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("source")).expect("make");
        let trees = Trees::open(folder.path().join("store")).expect("open");
        Self { folder, trees }
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    fn write(&self, path: &str, bytes: &[u8], mode: u32) {
        let path = self.source().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("make");
        fs::write(&path, bytes).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("mode");
        let file = fs::File::options().write(true).open(&path);
        // Read-only files keep the time of their making.
        if let Ok(file) = file {
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).expect("time");
        }
    }

    fn save(&self) -> SavedTree {
        self.trees.save_tree(&self.source(), LIMIT).expect("save")
    }
}

/// Every entry with mode, time and content, one a line.
fn shown(root: &Path) -> String {
    let mut lines = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("list") {
            let path = entry.expect("an entry").path();
            let metadata = fs::symlink_metadata(&path).expect("metadata");
            let content = if metadata.is_symlink() {
                format!("-> {}", fs::read_link(&path).expect("a link").display())
            } else if metadata.is_dir() {
                waiting.push(path.clone());
                String::new()
            } else {
                names::Digest::of(&fs::read(&path).expect("read")).short()
            };
            let shown = path.strip_prefix(root).expect("below").display().to_string();
            lines.push(format!("{shown} {:o} {} {content}", metadata.mode(), metadata.mtime()));
        }
    }
    lines.sort();
    lines.join("\n")
}

#[test]
fn a_tree_is_the_folder_again() {
    let stage = Stage::new();
    stage.write("bin/tool", b"#!/bin/sh\n", 0o755);
    stage.write("lib/a.txt", b"same", 0o644);
    stage.write("lib/b.txt", b"same", 0o644);
    stage.write("lib/large", &vec![7; 3 * 1024 * 1024], 0o600);
    stage.write("empty", b"", 0o444);
    symlink("../lib/a.txt", stage.source().join("bin/link")).expect("link");
    symlink("/nowhere", stage.source().join("dangling")).expect("link");
    let _listener = std::os::unix::net::UnixListener::bind(stage.source().join("socket")).expect("bind");
    let saved = stage.save();
    assert_eq!((saved.files, saved.new_files), (5, 4));
    assert_eq!(saved.size_bytes, 10 + 4 + 4 + 3 * 1024 * 1024);

    let root = stage.trees.lower_dir(saved.digest).expect("a tree");
    fs::remove_file(stage.source().join("socket")).expect("remove");
    // The socket's end changed the folder's time, which `shown` leaves out for the top.
    assert_eq!(shown(&root), shown(&stage.source()));
    let inode = |path: &str| fs::metadata(root.join(path)).expect("metadata").ino();
    assert_ne!(inode("lib/a.txt"), inode("lib/b.txt"));
}

#[test]
fn a_second_save_copies_only_what_changed() {
    let stage = Stage::new();
    for name in 0..50 {
        stage.write(&format!("f{name}"), format!("{name}").as_bytes(), 0o644);
    }
    let first = stage.save();
    assert_eq!((first.files, first.new_files), (50, 50));
    assert_eq!(stage.save(), SavedTree { new_files: 0, ..first.clone() });
    stage.write("f7", b"changed", 0o644);
    let second = stage.save();
    assert_eq!((second.files, second.new_files), (50, 1));
    assert_ne!(first.digest, second.digest);
}

#[test]
fn limits_are_kept() {
    let stage = Stage::new();
    stage.write("a", &[1; 600], 0o644);
    stage.write("b", &[2; 600], 0o644);
    let refused = stage.trees.save_tree(&stage.source(), 1000).expect_err("too large");
    assert_eq!(refused.to_string(), "a tree has at most 1000 bytes");
    let refused = stage.trees.save_tree(&stage.source().join("none"), 1000).expect_err("not there");
    assert_eq!(refused.to_string(), format!("`{}` cannot be saved", stage.source().join("none").display()));
}

#[test]
fn a_sweep_removes_what_no_tree_has() {
    let stage = Stage::new();
    stage.write("shared", b"both", 0o644);
    stage.write("old", b"old", 0o644);
    let old = stage.save().digest;
    fs::remove_file(stage.source().join("old")).expect("remove");
    stage.write("new", b"new", 0o644);
    let new = stage.save().digest;
    let files = || {
        let folders = fs::read_dir(stage.folder.path().join("store/files")).expect("list");
        folders.map(|it| fs::read_dir(it.expect("an entry").path()).expect("list").count()).sum::<usize>()
    };
    let kept = BTreeSet::from([new]);
    stage.trees.sweep(&kept, SystemTime::now()).expect("sweep");
    assert!(stage.trees.tree(old).exists(), "a job may still have it mounted");
    let later = SystemTime::now() + IN_USE * 2;
    stage.trees.sweep(&kept, later).expect("sweep");
    assert_eq!((stage.trees.lower_dir(old), files()), (None, 2));
    assert!(stage.trees.lower_dir(new).expect("a tree").join("shared").exists());
}
