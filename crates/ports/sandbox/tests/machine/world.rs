//! A state folder with a spawner of its own, a small root, and words to tell what happened.

use std::{fs, path::PathBuf, time::Duration};

use sandbox::{
    Local, Main, Process, ProcessName, Root, Running, Sandbox, SandboxId, Spec, Streams, Target,
    log::Followed,
};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

pub struct World {
    pub folder: TempDir,
    pub local: Local,
}

impl World {
    /// `None` on machines where this cannot be tested.
    pub async fn new() -> Option<Self> {
        if !rustix_is_root() || !PathBuf::from("/bin/busybox").exists() {
            eprintln!("skipped: needs root and /bin/busybox");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let local = Local::start(&folder.path().join("state")).await.expect("start");
        let base = folder.path().join("base");
        for name in ["bin", "etc", "tmp", "root"] {
            fs::create_dir_all(base.join(name)).expect("a folder");
        }
        fs::copy("/bin/busybox", base.join("bin/busybox")).expect("busybox");
        for name in ["sh", "cat", "echo", "id", "sleep", "kill", "ls", "true", "dd", "mknod", "mount", "ping", "wget", "nc", "hostname", "head", "chmod", "ln", "grep", "tr", "stty", "ip", "ps", "touch", "rm", "mkdir", "env", "pwd", "seq", "setsid", "readlink", "unshare", "chroot", "yes", "test", "stat", "date"] {
            std::os::unix::fs::symlink("busybox", base.join("bin").join(name)).expect("a link");
        }
        fs::write(base.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:100:101::/srv:/bin/sh\n").expect("passwd");
        fs::write(base.join("etc/group"), "root:x:0:\nweb:x:101:\nlog:x:7:web\n").expect("group");
        Some(Self { folder, local })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The busybox root, with a scratch folder of this name.
    pub fn layers(&self, scratch: &str) -> Root {
        Root::Layers { lower: vec![self.path("base")], scratch: self.path(scratch) }
    }

    pub fn idle(&self, name: &str) -> Spec {
        Spec::new(self.layers(&format!("scratch-{name}")), Main::Idle)
    }

    pub fn shell(&self, name: &str, script: &str) -> Spec {
        Spec::new(self.layers(&format!("scratch-{name}")), Main::Process(shell(script)))
    }

    /// Runs to the end and tells output lines and exit: `one|two=0`.
    pub async fn told(&self, name: &str, spec: &Spec) -> String {
        match self.local.run(&id(name), spec).await {
            Ok(_) => self.output(name, "main").await,
            Err(error) => format!("error: {error}"),
        }
    }

    /// Executes to the end.
    pub async fn exec(&self, name: &str, process: &str, what: &Process) -> String {
        match self.local.exec(&id(name), &process_name(process), what).await {
            Ok(_) => self.output(name, process).await,
            Err(error) => format!("error: {error}"),
        }
    }

    pub async fn output(&self, name: &str, process: &str) -> String {
        let attached = self.local.attach(&id(name), &process_name(process)).await.expect("attach");
        let mut output = attached.follow(0);
        let mut lines = Vec::new();
        loop {
            let next = tokio::time::timeout(Duration::from_secs(60), output.next()).await.expect("in time");
            match next.expect("follow").expect("an exit") {
                Followed::Line(line) => lines.push(line.text()),
                Followed::Exit(exit) => {
                    let oom = if exit.oom_killed { " oom" } else { "" };
                    let lost = if exit.lost { " lost" } else { "" };
                    return format!("{}={}{oom}{lost}", lines.join("|"), exit.code);
                }
            }
        }
    }

    pub async fn remove(&self, name: &str) {
        self.local.stop(&id(name), Target::Remove).await.expect("remove");
    }

    pub async fn end(self) {
        self.local.shutdown_spawner(Running::Kill).await.expect("shutdown");
        let log = fs::read_to_string(self.path("state/spawner.log")).unwrap_or_default();
        assert_eq!(log, "", "the spawner complained");
    }
}

impl Drop for World {
    /// A test that failed leaves its spawner.
    fn drop(&mut self) {
        let state = self.path("state").display().to_string();
        for (pid, arguments) in crate::adoption::processes() {
            if arguments.first().is_some_and(|it| it == "landfall-spawner") && arguments.get(1) == Some(&state) {
                let _ = std::process::Command::new("kill").args(["-9", &pid]).status();
            }
        }
    }
}

pub fn id(name: &str) -> SandboxId {
    name.parse().expect("a name")
}

pub fn process_name(name: &str) -> ProcessName {
    name.parse().expect("a name")
}

pub fn shell(script: &str) -> Process {
    Process::new(["/bin/sh", "-c", script])
}

pub async fn read_all(streams: &mut Streams) -> String {
    let mut text = String::new();
    streams.stdout.read_to_string(&mut text).await.expect("read");
    text
}

fn rustix_is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
}
