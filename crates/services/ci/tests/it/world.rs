//! An installation in a folder: stores, a real sandbox, a server on loopback, and one project.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use api::{Conclusion, Push, Record as _, Run, Status};
use axum::{Router, middleware};
use ci::{ActionSources, Ci, Config, Stores};
use futures_util::StreamExt as _;
use identity::{Seal, Tokens};
use names::{CommitId, ProjectName, RunId};
use oci::Images;
use repo::Repositories;
use sandbox::{Local, Running};
use store::{Blobs, DiskBlobs, LogName, Logs, MemoryRecords, Records, Revision};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Nothing here takes longer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a test may change before the world begins.
#[derive(Default)]
pub struct Plan {
    pub actions: BTreeMap<String, String>,
}

pub struct World {
    pub folder: TempDir,
    pub records: Arc<dyn Records>,
    pub blobs: Arc<dyn Blobs>,
    pub logs: Logs,
    pub images: Arc<Images>,
    pub tokens: Tokens,
    pub url: String,
    pub project: ProjectName,
    repositories: Repositories,
    sandbox: Local,
    seal: Seal,
    actions: BTreeMap<String, String>,
    port: u16,
    tasks: Vec<JoinHandle<()>>,
    bridge: String,
    pushes: Mutex<u64>,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    pub async fn with(plan: Plan) -> Self {
        // Whoever was first may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        assert!(rustix::process::geteuid().is_root(), "these tests make sandboxes and need root");
        // Sandboxes hide `/tmp`, and overlays need a file system that is none itself.
        let folder = tempfile::Builder::new().prefix("landfall-ci-").tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let records: Arc<dyn Records> = Arc::new(MemoryRecords::default());
        let blobs: Arc<dyn Blobs> = Arc::new(DiskBlobs::open(path("blobs")).expect("blobs"));
        let logs = Logs::open(path("logs"), blobs.clone());
        let repositories = Repositories::open(path("git")).expect("repositories");
        let seal = Seal::open(&path("seal.key")).expect("a key");
        let tokens = Tokens::open(records.clone(), &path("token"), seal.clone()).expect("tokens");
        let sandbox = Local::start(&path("sandboxes")).await.expect("a sandbox");
        let images = Images::open(records.clone(), blobs.clone(), path("images"), Vec::new()).expect("images");
        let images = Arc::new(images);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mut world = Self {
            records,
            blobs,
            logs,
            images,
            tokens,
            url: format!("http://127.0.0.1:{port}"),
            project: "shop".parse().expect("a name"),
            repositories,
            sandbox,
            seal,
            actions: plan.actions,
            port,
            tasks: Vec::new(),
            bridge: format!("lfci{port}"),
            pushes: Mutex::new(0),
            folder,
        };
        world.serve(listener);
        world
    }

    /// Starts the pipeline and the server.
    fn serve(&mut self, listener: tokio::net::TcpListener) {
        let second = u8::try_from(self.port % 250).expect("a byte");
        let base = std::net::Ipv4Addr::new(10, 243, second, 0);
        let networks = ci::JobNetworks::new(Arc::new(self.sandbox.clone()), base, 24, &self.bridge);
        let (records, repositories) = (self.records.clone(), self.repositories.clone());
        let toolkit = crate::toolkit::open(&self.path("toolkit"), &self.url, &records, &self.path("kept"), &repositories);
        let services = toolkit.clone();
        let config = Config {
            folder: self.path("jobs"),
            url: self.url.clone(),
            server_url: format!("http://landfall.localhost:{}", self.port),
            program: std::env::current_exe().expect("this program"),
            tools: Vec::new(),
            hidden: vec![self.path("seal.key")],
            home: "/root".into(),
            shown_home: Vec::new(),
            env: vec![("PATH".to_owned(), std::env::var("PATH").unwrap_or_default())],
            kubeconfig: Box::new(|_, _| "{}".to_owned()),
            actions: ActionSources { map: self.actions.clone(), server: "http://127.0.0.1:1".to_owned() },
            job_services: Box::new(move |grant| services.variables(grant)),
            images: Some(self.images.clone()),
            networks: Some(networks),
            build_image: None,
        };
        let (blobs, logs) = (self.blobs.clone(), self.logs.clone());
        let stores = Stores { records: records.clone(), blobs, logs, repositories: repositories.clone() };
        let sandbox = Arc::new(self.sandbox.clone());
        let mounted = ci::MountedCaches::new(toolkit.caches(), sandbox.clone());
        let ci = Ci::new(config, stores, sandbox, self.tokens.clone(), self.seal.clone()).with_mounted_caches(mounted);
        let git = git::Git::new(repositories, records);
        let router: Router = ci.router().merge(git.router()).merge(toolkit.router());
        let router = router.layer(middleware::from_fn_with_state(self.tokens.clone(), identity::authenticate));
        self.tasks = vec![
            tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") }),
            tokio::spawn(async move { ci.run().await.expect("the pipeline") }),
        ];
    }

    /// Ends pipeline and server without a word, as `kill -9` does, and starts them anew on the same stores.
    pub async fn restart(&mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
            // It was aborted; there is nothing else to learn.
            let _ = task.await;
        }
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", self.port)).await.expect("the same port");
        self.serve(listener);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Commits files to `main` of the project and tells the pipeline; gives the number of the push and the commit.
    pub async fn push(&self, files: &[(&str, &str)]) -> (u64, CommitId) {
        let repository = self.repositories.create(&self.project).await.expect("a repository");
        let work = self.path("work");
        if !work.join(".git").exists() {
            fs::create_dir_all(&work).expect("a folder");
            git(&work, &["init", "--quiet", "--initial-branch=main"]);
        }
        write_all(&work, files);
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "--allow-empty", "-m", "a change"]);
        let target = repository.path().display().to_string();
        git(&work, &["push", "--quiet", "--force", &target, "main", "--tags"]);
        let commit: CommitId = git(&work, &["rev-parse", "HEAD"]).parse().expect("a commit");
        let number = {
            let mut pushes = self.pushes.lock().expect("a lock");
            *pushes += 1;
            *pushes
        };
        let push = Push {
            project: self.project.clone(),
            number,
            git_ref: "refs/heads/main".to_owned(),
            before: CommitId::ZERO,
            after: commit,
            subject: "a change".to_owned(),
            author: "Ada".to_owned(),
            at: store::now(),
            pusher: "ada".to_owned(),
            errors: Vec::new(),
            notes: Vec::new(),
            runs: None,
        };
        store::put(&*self.records, &push).await.expect("a push");
        (number, commit)
    }

    /// Pushes one workflow with files beside it, and waits until its run is over.
    pub async fn run(&self, workflow: &str, files: &[(&str, &str)]) -> Run {
        let mut all = vec![(".github/workflows/ci.yml", workflow)];
        all.extend(files);
        let (number, _) = self.push(&all).await;
        let push = self.taken_up(number).await;
        let run = push.runs.as_ref().and_then(|runs| runs.first());
        let run = run.unwrap_or_else(|| panic!("no run starts: {:?} {:?}", push.errors, push.notes));
        self.over(*run).await
    }

    /// Waits until a push was taken up.
    pub async fn taken_up(&self, number: u64) -> Push {
        let key = Push::key_of(&self.project, number);
        self.until(Push::KIND, || async {
            store::find::<Push>(&*self.records, &key).await.expect("a push").filter(|push| push.runs.is_some())
        })
        .await
    }

    /// Waits until a run is over.
    pub async fn over(&self, number: u64) -> Run {
        self.is(number, |run| run.status == Status::Completed).await
    }

    /// Waits until a run is as wanted.
    pub async fn is(&self, number: u64, wanted: impl Fn(&Run) -> bool) -> Run {
        let key = Run::key_of(&RunId { project: self.project.clone(), number });
        self.until(Run::KIND, || async {
            store::find::<Run>(&*self.records, &key).await.expect("a run").filter(|run| wanted(run))
        })
        .await
    }

    /// Asks again after each change of records of a kind, until there is an answer.
    pub async fn until<T, F: Future<Output = Option<T>>>(&self, kind: &str, ask: impl Fn() -> F) -> T {
        let mut changes = self.records.watch(kind, Revision::LATEST).await.expect("a watch");
        let waiting = async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                changes.next().await.expect("a change");
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(answer) => answer,
            Err(_) => {
                let runs = store::list::<Run>(&*self.records, "").await.expect("runs");
                for run in &runs {
                    println!("{}", self.told(run).await);
                }
                panic!("what is waited for does not happen within {PATIENCE:?}");
            }
        }
    }

    /// The lines of a job's log that are not Landfall's own, without their times.
    pub async fn printed(&self, run: &Run, job: &str) -> Vec<String> {
        let lines = self.lines(run, job).await;
        let own = |line: &&store::LogLine| line.stream != store::OutputStream::Landfall;
        lines.iter().filter(own).map(|line| line.text.clone()).collect()
    }

    pub async fn lines(&self, run: &Run, job: &str) -> Vec<store::LogLine> {
        let found = run.jobs.iter().find(|it| it.id == job).unwrap_or_else(|| panic!("no job `{job}`: {run:#?}"));
        let name = LogName::new(&run.id, job);
        let lines = self.logs.so_far(&name, found.log).await.expect("a log");
        lines.map(|line| line.expect("a line")).collect().await
    }

    /// A run as people see it: jobs, steps, what went wrong, and the whole log.
    pub async fn told(&self, run: &Run) -> String {
        let mut text = format!("{} {:?} {:?}\n", run.id, run.status, run.conclusion);
        for job in &run.jobs {
            let _ = writeln!(text, "job {} {:?} {:?}", job.id, job.conclusion, job.reason);
            for step in &job.steps {
                let _ = writeln!(text, "  {} {:?} {:?}", step.name, step.conclusion, step.reason);
            }
            for line in self.lines(run, &job.id).await {
                let _ = writeln!(text, "    {:>10} {}", line.step, line.text);
            }
        }
        text
    }

    /// Checks that a run succeeded, and gives what its job `test` printed.
    pub async fn succeeded(&self, run: &Run) -> String {
        assert_eq!(run.conclusion, Some(Conclusion::Success), "{}", self.told(run).await);
        self.printed(run, "test").await.join("\n")
    }

    /// Makes an image of busybox under a name, with a config of its own.
    pub async fn image(&self, name: &str, change: impl FnOnce(&mut image::RunConfig), files: &[(&str, &str)]) {
        let root = self.path(&format!("root-{}", names::Digest::of(name.as_bytes()).hex()));
        for folder in ["bin", "etc", "tmp", "root"] {
            fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].iter().find(|it| Path::new(it).exists());
        let busybox = busybox.expect("a static busybox is needed: apt-get install busybox-static");
        fs::copy(busybox, root.join("bin/busybox")).expect("busybox");
        for applet in ["cat", "echo", "env", "false", "grep", "httpd", "id", "ls", "mkdir", "nc", "pwd", "sh", "sleep", "touch", "true", "wget"] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).expect("a link");
        }
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").expect("a file");
        fs::write(root.join("etc/group"), "root:x:0:\n").expect("a file");
        write_all(&root, files);
        let layer = self.images.commit_layer(&root).await.expect("a layer");
        let mut config = image::Config::scratch(&image::Platform::of_machine(std::env::consts::ARCH));
        config.config.env = vec!["PATH=/usr/local/bin:/usr/bin:/bin".to_owned()];
        change(&mut config.config);
        let digest = self.images.put_image(&config, &[layer]).await.expect("an image");
        let name: names::ImageRef = name.parse().expect("a name");
        self.images.tag(&name, digest, &oci::Origin::default()).await.expect("a tag");
    }

    /// Ends the pipeline and everything in its sandboxes.
    pub async fn end(mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
        self.sandbox.shutdown_spawner(Running::Kill).await.expect("shutdown");
    }
}

impl Drop for World {
    /// A test that failed leaves its spawner and its bridge.
    fn drop(&mut self) {
        let state = self.path("sandboxes").display().to_string();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let mut words = line.split(|byte| *byte == 0);
            let is_own = words.next() == Some(b"landfall-spawner") && words.next() == Some(state.as_bytes());
            let pid = entry.file_name().to_string_lossy().parse().ok().and_then(rustix::process::Pid::from_raw);
            if let Some(pid) = pid.filter(|_| is_own) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        // Most tests make none.
        let _ = sandbox::remove_bridge(&self.bridge);
    }
}

/// Files below a folder, folders made as needed; `.sh` files can be executed.
pub fn write_all(root: &Path, files: &[(&str, &str)]) {
    use std::os::unix::fs::PermissionsExt as _;
    for (path, text) in files {
        let file = root.join(path);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        fs::write(&file, text).expect("a file");
        if path.ends_with(".sh") {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
        }
    }
}

/// Runs git and gives what it prints.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null");
    for (name, value) in [("AUTHOR", "Ada"), ("COMMITTER", "Ada")] {
        command.env(format!("GIT_{name}_NAME"), value).env(format!("GIT_{name}_EMAIL"), "ada@example.org");
    }
    let output = command.args(arguments).output().expect("git can be run");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Speaks to the routes as the owner.
pub struct Client {
    url: String,
    token: String,
    http: reqwest::Client,
}

impl World {
    pub fn client(&self) -> Client {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Client { url: self.url.clone(), token: self.tokens.admin().reveal().to_owned(), http }
    }
}

impl Client {
    pub async fn put(&self, path: &str, body: &str) {
        let (status, text) = self.send(reqwest::Method::PUT, path, body).await;
        assert!(status < 300, "{path}: {status} {text}");
    }

    pub async fn post(&self, path: &str, body: &str) -> String {
        let (status, text) = self.try_post(path, body).await;
        assert!(status < 300, "{path}: {status} {text}");
        text
    }

    pub async fn try_post(&self, path: &str, body: &str) -> (u16, String) {
        self.send(reqwest::Method::POST, path, body).await
    }

    async fn send(&self, method: reqwest::Method, path: &str, body: &str) -> (u16, String) {
        let request = self.http.request(method, format!("{}/landfall/v1/{path}", self.url)).bearer_auth(&self.token);
        let request = match body {
            "" => request,
            body => request.header("content-type", "application/json").body(body.to_owned()),
        };
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    }
}

impl Client {
    /// Delivers a webhook that is signed with `secret`; gives the status of the answer.
    pub async fn hook(&self, path: &str, event: &str, secret: &str, body: &str) -> u16 {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let tag = ring::hmac::sign(&key, body.as_bytes());
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let request = self.http.post(format!("{}/landfall/v1/{path}", self.url)).body(body.to_owned());
        let request = request.header("x-github-event", event).header("x-github-delivery", "one");
        let answer = request.header("x-hub-signature-256", format!("sha256={hex}")).send().await.expect("an answer");
        answer.status().as_u16()
    }
}
