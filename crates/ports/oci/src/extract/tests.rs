//! Layers that strangers might send.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _};

use super::*;
use crate::archive::{Header, Writer};

/// `kind path` or `kind path -> link`, one a line; `file` contains its own path.
fn tar(lines: &str) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (kind, rest) = line.split_once(' ').expect("a kind");
        let (path, link) = rest.split_once(" -> ").unwrap_or((rest, ""));
        let kind = match kind {
            "file" => EntryKind::File,
            "dir" => EntryKind::Directory,
            "symlink" => EntryKind::Symlink,
            "hardlink" => EntryKind::Hardlink,
            "fifo" => EntryKind::Fifo,
            "whiteout" => EntryKind::CharDevice { major: 0, minor: 0 },
            other => panic!("no kind {other}"),
        };
        let content = if kind == EntryKind::File { path } else { "" };
        let header = Header {
            path: path.as_bytes().to_vec(),
            kind,
            link: link.as_bytes().to_vec(),
            mode: if kind == EntryKind::Directory { 0o755 } else { 0o644 },
            uid: 0,
            gid: 0,
            mtime_seconds: 1,
            size: content.len() as u64,
            xattrs: BTreeMap::from([("trusted.overlay.redirect".to_owned(), b"/etc".to_vec())]),
        };
        writer.entry(&header, content.as_bytes()).expect("write");
    }
    writer.finish().expect("finish")
}

/// Unpacks below `<tmp>/in/root`, and shows what is there, or the error.
fn unpacked(lines: &str) -> String {
    let outer = tempfile::tempdir().expect("a folder");
    let root = outer.path().join("in/root");
    fs::create_dir_all(&root).expect("a folder");
    fs::write(outer.path().join("in/secret"), "secret").expect("a file");
    let result = extract(tar(lines).as_slice(), &root, Marks::User);
    assert_eq!(fs::read_to_string(outer.path().join("in/secret")).expect("read"), "secret");
    assert_eq!(fs::read_dir(outer.path().join("in")).expect("a folder").count(), 2, "something was written outside");
    if let Err(error) = result {
        return error.to_string();
    }
    let mut shown = Vec::new();
    show(&root, Path::new(""), &mut shown);
    shown.sort();
    shown.join("\n")
}

fn show(root: &Path, folder: &Path, shown: &mut Vec<String>) {
    for entry in fs::read_dir(root.join(folder)).expect("a folder") {
        let path = folder.join(entry.expect("an entry").file_name());
        let place = root.join(&path);
        let stat = fs::symlink_metadata(&place).expect("stat");
        assert_eq!(crate::overlay::private_xattr(&place, "redirect").expect("xattr"), None);
        let opaque = crate::overlay::private_xattr(&place, "opaque").expect("xattr").is_some();
        shown.push(match FileType::from_raw_mode(stat.mode()) {
            FileType::Directory if opaque => format!("opaque {}", path.display()),
            FileType::Directory => format!("dir {}", path.display()),
            FileType::Symlink => format!("symlink {} -> {}", path.display(), fs::read_link(&place).expect("a link").display()),
            FileType::CharacterDevice => format!("whiteout {}", path.display()),
            FileType::RegularFile => format!("file {} = {}", path.display(), fs::read_to_string(&place).expect("read")),
            other => format!("{other:?} {}", path.display()),
        });
        if stat.is_dir() {
            show(root, &path, shown);
        }
    }
}

#[track_caller]
fn check(lines: &str, expected: &str) {
    let expected: Vec<_> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(unpacked(lines), expected.join("\n"));
}

#[test]
fn paths_stay_inside() {
    check("file ../secret", "`../secret` leads out of the root file system");
    check("file a/../../secret", "`a/../../secret` leads out of the root file system");
    check("file /etc//./x", "dir etc\nfile etc/x = /etc//./x");
}

#[test]
fn links_are_followed_inside_only() {
    // As in a container, `/` is the root of the image, and `..` ends there.
    check(
        "symlink up -> ../..\nsymlink abs -> /data\ndir data\nfile up/secret\nfile abs/x",
        "dir data\nfile data/x = abs/x\nfile secret = up/secret\nsymlink abs -> /data\nsymlink up -> ../..",
    );
    check("symlink x -> ../secret\nfile x", "file x = x");
    check("symlink x -> ../secret\ndir x", "dir x");
    check("symlink x -> nowhere\nfile x/y", "could not unpack `x/y`: Not a directory (os error 20)");
}

#[test]
fn hard_links_need_their_target_in_the_layer() {
    check("file a\nhardlink b -> a\nhardlink a -> b", "file a = a\nfile b = a");
    check("hardlink b -> ../secret", "`../secret` leads out of the root file system");
    check("symlink up -> ..\nhardlink b -> up/secret", "`b` links to `up/secret`, which is not in the same layer");
    check("symlink s -> ../secret\nhardlink b -> s\nfile b", "file b = b\nsymlink s -> ../secret");
}

#[test]
fn removals_become_marks() {
    check("file a/.wh.b", "dir a\nwhiteout a/b");
    check("dir a\nfile a/x\nfile a/.wh..wh..opq", "file a/x = a/x\nopaque a");
    // What the same layer adds, a removal does not hide; the order does not matter.
    check("file .wh.a\nfile a/x", "file a/x = a/x\nopaque a");
    check("file a/x\nfile .wh.a", "file a/x = a/x\nopaque a");
    check("file .wh.a\nfile a", "file a = a");
    check("file .wh..wh.aufs", "");
    check("file .wh.", "`.wh.` removes nothing");
    check("whiteout etc", "`etc` is a device number 0/0, which only marks removals");
}

#[test]
fn later_entries_replace_earlier_ones() {
    check("dir a\nfile a/x\nfile a", "file a = a");
    check("file a\ndir a\nfile a/x", "dir a\nfile a/x = a/x");
    check("dir a\nfile a/x\ndir a", "dir a\nfile a/x = a/x");
    check("dir a\nfile a/x\nsymlink a -> b\ndir b\nfile a/y", "dir b\nfile b/y = a/y\nsymlink a -> b");
}

#[test]
fn a_torn_layer_is_refused() {
    let whole = tar("file a");
    let root = tempfile::tempdir().expect("a folder");
    let error = extract(&whole[..3 * 512], root.path(), Marks::User).expect_err("torn");
    assert_eq!(error.to_string(), "could not unpack `a`: the archive ends in the middle of a file");
    let error = extract(&b"no tar at all".repeat(60)[..], root.path(), Marks::User).expect_err("no tar");
    assert_eq!(error.to_string(), "this is no tar archive: the checksum of a header does not fit");
}
