//! What a test builds with: a store, images, a sandbox, a context folder.

use std::{
    collections::BTreeMap,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use builder::{BuildError, BuildRequest, BuildResult, Builder, Config, Progress, Surroundings};
use oci::{Images, StoredImage};
use store::{Blobs, DiskBlobs, MemoryRecords, Records};
use tokio::sync::mpsc;

/// The applets of the small base image.
const APPLETS: [&str; 22] = [
    "sh", "ls", "cat", "echo", "mkdir", "rm", "touch", "chmod", "id", "pwd", "env", "sleep", "test", "true", "false",
    "ln", "mv", "stat", "printf", "head", "grep", "sort",
];

pub struct Ground {
    pub folder: tempfile::TempDir,
    pub images: Arc<Images>,
    pub builder: Arc<Builder>,
    pub sandbox: Arc<sandbox::Local>,
}

/// A finished build: its result and all it told.
pub struct Finished {
    pub result: Result<BuildResult, BuildError>,
    pub progress: Vec<Progress>,
}

impl Ground {
    pub async fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("landfall-build-").tempdir().expect("a folder");
        let path = folder.path();
        let records: Arc<dyn Records> = Arc::new(MemoryRecords::default());
        let blobs: Arc<dyn Blobs> = Arc::new(DiskBlobs::open(path.join("blobs")).expect("blobs"));
        let images = Images::open(records.clone(), blobs.clone(), path.join("images"), Vec::new()).expect("images");
        let images = Arc::new(images);
        let sandbox = Arc::new(sandbox::Local::start(&path.join("sandbox")).await.expect("a sandbox"));
        let builder = Builder::new(Config {
            records,
            blobs,
            images: images.clone(),
            sandbox: sandbox.clone(),
            dir: path.join("builder"),
            surroundings: Surroundings::of_machine(&path.join("settings")),
            parallel_steps: 4,
        })
        .expect("a builder");
        std::fs::create_dir(path.join("context")).expect("a folder");
        Self { folder, images, builder: Arc::new(builder), sandbox }
    }

    pub async fn close(self) {
        self.sandbox.shutdown_spawner(sandbox::Running::Kill).await.expect("the spawner ends");
    }

    pub fn context(&self) -> PathBuf {
        self.folder.path().join("context")
    }

    /// Writes a file of the context; the mode is 0644.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.context().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    }

    pub fn chmod(&self, path: &str, mode: u32) {
        std::fs::set_permissions(self.context().join(path), std::fs::Permissions::from_mode(mode)).expect("a mode");
    }

    pub fn link(&self, target: &str, path: &str) {
        symlink(target, self.context().join(path)).expect("a link");
    }

    /// Puts `rootfs.tar` with busybox, users and groups into the context.
    pub fn base(&self) {
        let root = self.folder.path().join("rootfs");
        for folder in ["bin", "etc", "tmp", "root"] {
            std::fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        std::fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox");
        for applet in APPLETS {
            symlink("busybox", root.join("bin").join(applet)).expect("a link");
        }
        std::fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:77:88::/home/app:/bin/sh\n").expect("a file");
        std::fs::write(root.join("etc/group"), "root:x:0:\napp:x:88:\nother:x:99:\n").expect("a file");
        std::fs::set_permissions(root.join("tmp"), std::fs::Permissions::from_mode(0o1777)).expect("a mode");
        let tar = self.context().join("rootfs.tar");
        let done = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).args(["--numeric-owner", "."]).status();
        assert!(done.expect("tar").success());
    }

    pub async fn build(&self) -> Finished {
        self.build_with(|_| {}).await
    }

    pub async fn build_with(&self, change: impl FnOnce(&mut BuildRequest)) -> Finished {
        let mut request = BuildRequest::new(self.context());
        change(&mut request);
        let (sender, mut receiver) = mpsc::channel(16);
        let listen = async {
            let mut all = Vec::new();
            while let Some(progress) = receiver.recv().await {
                all.push(progress);
            }
            all
        };
        let (result, progress) = tokio::join!(self.builder.build(request, sender), listen);
        Finished { result, progress }
    }

    /// Builds a Dockerfile that must succeed.
    pub async fn image(&self, dockerfile: &str) -> StoredImage {
        self.write("Dockerfile", dockerfile);
        let finished = self.build().await;
        let result = finished.result.unwrap_or_else(|error| panic!("{error}"));
        self.images.image(result.image).await.expect("the image")
    }

    /// Lists the files of an image.
    pub async fn files(&self, image: &StoredImage) -> BTreeMap<String, String> {
        let mut lower = self.images.lower_dirs(image).await.expect("unpacked");
        if lower.len() == 1 {
            return list(&lower.remove(0));
        }
        let joined = lower.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(":");
        let mounted = tempfile::tempdir().expect("a folder");
        let options = format!("lowerdir={joined}");
        let done = Command::new("mount").args(["-t", "overlay", "overlay", "-o", &options]).arg(mounted.path()).status();
        assert!(done.expect("mount").success());
        let listed = std::panic::catch_unwind(|| list(mounted.path()));
        assert!(Command::new("umount").arg(mounted.path()).status().expect("umount").success());
        listed.expect("a list")
    }

    /// Nothing of a build is left: no work folder, no sandbox, no mount.
    pub async fn assert_clean(&self) {
        let work = std::fs::read_dir(self.folder.path().join("builder/work")).expect("a folder");
        let left: Vec<_> = work.map(|it| it.expect("an entry").file_name()).collect();
        assert!(left.is_empty(), "left in the work folder: {left:?}");
        let sandboxes = sandbox::Sandbox::list(&*self.sandbox).await.expect("a list");
        assert!(sandboxes.is_empty(), "left running: {sandboxes:?}");
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
        let folder = self.folder.path().display().to_string();
        assert!(!mounts.contains(&folder), "left mounted:\n{mounts}");
    }
}

impl Finished {
    pub fn cached(&self) -> usize {
        self.result.as_ref().map(|it| it.cached).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn output(&self) -> Vec<&str> {
        self.progress.iter().filter_map(|it| if let Progress::Output { line, .. } = it { Some(line.as_str()) } else { None }).collect()
    }
}

/// Every path below `root` with type, mode, owner and content.
pub fn list(root: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    walk(root, root, &mut all);
    all
}

fn walk(root: &Path, folder: &Path, all: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let meta = std::fs::symlink_metadata(&path).expect("metadata");
        let kind = if meta.is_dir() {
            "dir".to_owned()
        } else if meta.file_type().is_symlink() {
            format!("link {}", std::fs::read_link(&path).expect("a link").display())
        } else {
            format!("file {}", names::Digest::of(&std::fs::read(&path).expect("a file")).short())
        };
        let mode = if meta.file_type().is_symlink() { 0 } else { meta.mode() & 0o7777 };
        let name = path.strip_prefix(root).expect("below").display().to_string();
        all.insert(name, format!("{kind} {mode:o} {}:{}", meta.uid(), meta.gid()));
        if meta.is_dir() {
            walk(root, &path, all);
        }
    }
}
