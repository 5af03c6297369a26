//! Measures how long a cache of 20,000 files takes to save and to restore: as a mounted tree, and with tar and zstd.
//!
//! Run it as root, or in a user namespace that may mount: `cargo run --release -p keep --example cache_restore`.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use keep::Trees;

const FILES: usize = 20_000;
/// Together 215 MB.
const FILE_BYTES: usize = 11_270;

fn main() {
    let folder = std::env::temp_dir().join(format!("cache-restore-{}", std::process::id()));
    let place = |name: &str| folder.join(name);
    for name in ["source", "archive", "unpacked", "upper", "work", "merged"] {
        fs::create_dir_all(place(name)).expect("make");
    }
    fill(&place("source"));

    let trees = Trees::open(place("store")).expect("open");
    let began = Instant::now();
    let saved = trees.save_tree(&place("source"), u64::MAX).expect("save");
    tell("save as a tree", began.elapsed());
    let began = Instant::now();
    trees.save_tree(&place("source"), u64::MAX).expect("save");
    tell("save the same tree again", began.elapsed());

    let archive = place("archive").join("cache.tzst").display().to_string();
    let source = place("source").display().to_string();
    tell("save with tar and zstd", shell(&format!("tar --use-compress-program 'zstd -T0' -cf {archive} -C {source} .")));
    let unpacked = place("unpacked").display().to_string();
    tell("restore with tar and zstd", shell(&format!("tar --use-compress-program zstd -xf {archive} -C {unpacked}")));

    let began = Instant::now();
    let lower = trees.lower_dir(saved.digest).expect("a tree");
    let options =
        format!("lowerdir={},upperdir={},workdir={}", lower.display(), place("upper").display(), place("work").display());
    let options = std::ffi::CString::new(options).expect("no zero byte");
    rustix::mount::mount("overlay", place("merged"), "overlay", rustix::mount::MountFlags::empty(), options.as_c_str())
        .expect("an overlay; this needs the right to mount");
    tell("restore by mount", began.elapsed());

    let began = Instant::now();
    let (files, bytes) = read(&place("merged"));
    tell("read all files of the mount", began.elapsed());
    assert_eq!((files, bytes), (FILES, FILES * FILE_BYTES), "the mount has everything");
    rustix::mount::unmount(place("merged"), rustix::mount::UnmountFlags::empty()).expect("unmount");
    fs::remove_dir_all(&folder).expect("remove");
}

/// Files as a package manager leaves them: small, in many folders, and nothing that shrinks to nothing.
fn fill(folder: &Path) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for number in 0..FILES {
        let below = folder.join(format!("package-{}/lib", number / 40));
        fs::create_dir_all(&below).expect("make");
        let mut bytes = Vec::with_capacity(FILE_BYTES);
        while bytes.len() < FILE_BYTES {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(format!("{state:x}\n").as_bytes());
        }
        bytes.truncate(FILE_BYTES);
        fs::write(below.join(format!("file-{number}.js")), bytes).expect("write");
    }
}

fn read(folder: &Path) -> (usize, usize) {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder).expect("list") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            let (below, size) = read(&path);
            (files, bytes) = (files + below, bytes + size);
        } else {
            (files, bytes) = (files + 1, bytes + fs::read(&path).expect("read").len());
        }
    }
    (files, bytes)
}

fn shell(command: &str) -> Duration {
    let began = Instant::now();
    let status = Command::new("sh").args(["-c", command]).status().expect("a shell");
    assert!(status.success(), "{command}");
    began.elapsed()
}

fn tell(what: &str, took: Duration) {
    println!("{what}: {:.1} ms", took.as_secs_f64() * 1000.0);
}
