//! A server with builder and registry, and a job's folder and environment.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use access::Principal;
use axum::{
    extract::Request,
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use builder::{Builder, Config, ImagesState, Surroundings};
use names::{CommitId, EnvironmentName};
use oci::Images;
use store::{Blobs, DiskBlobs, MemoryRecords, Records};
use tools::Console;

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

pub struct Ground {
    pub folder: tempfile::TempDir,
    pub images: Arc<Images>,
    pub host: String,
    sandbox: Arc<sandbox::Local>,
}

/// What a command said and how it ended.
pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Heard {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no writer panics")).into_owned()
    }
}

/// The job's token, as Bearer or as a password.
async fn authenticate(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    // `landfall:job-token` in base64.
    if !matches!(given, Some("Bearer job-token" | "Basic bGFuZGZhbGw6am9iLXRva2Vu")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let principal = Principal::Job {
        run: "shop#7".parse().expect("a run"),
        job: "build".to_owned(),
        commit: COMMIT.parse::<CommitId>().expect("a commit"),
        project: "shop".parse().expect("a project"),
        environment: EnvironmentName::production(),
    };
    request.extensions_mut().insert(principal);
    next.run(request).await
}

impl Ground {
    pub async fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("landfall-docker-").tempdir().expect("a folder");
        let path = folder.path();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        let records: Arc<dyn Records> = Arc::new(MemoryRecords::default());
        let blobs: Arc<dyn Blobs> = Arc::new(DiskBlobs::open(path.join("blobs")).expect("blobs"));
        let images = Images::open(records.clone(), blobs.clone(), path.join("images"), vec![host.clone()]);
        let images = Arc::new(images.expect("images"));
        let sandbox = Arc::new(sandbox::Local::start(&path.join("sandbox")).await.expect("a sandbox"));
        let built = Builder::new(Config {
            records: records.clone(),
            blobs: blobs.clone(),
            images: images.clone(),
            sandbox: sandbox.clone(),
            dir: path.join("builder"),
            surroundings: Surroundings::of_machine(&path.join("settings")),
            parallel_steps: 2,
        });
        let registry = registry::Registry::open(records.clone(), blobs, path.join("uploads")).expect("a registry");
        let router = builder::router(builder::State { builder: Arc::new(built.expect("a builder")) })
            .merge(builder::images_router(ImagesState { images: images.clone(), records }))
            .merge(registry::router(Arc::new(registry)))
            .layer(middleware::from_fn(authenticate));
        tokio::spawn(async move { axum::serve(listener, router).await });
        std::fs::create_dir(path.join("work")).expect("a folder");
        Self { folder, images, host, sandbox }
    }

    pub async fn close(self) {
        self.sandbox.shutdown_spawner(sandbox::Running::Kill).await.expect("the spawner ends");
    }

    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Writes a file of the job's folder.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    }

    /// Lets the store know a base image `small` with busybox.
    pub async fn base(&self) {
        let root = self.folder.path().join("rootfs");
        std::fs::create_dir_all(root.join("bin")).expect("a folder");
        std::fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox");
        for applet in ["sh", "echo", "false", "cat"] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).expect("a link");
        }
        let name = "small".parse().expect("a name");
        let origin = oci::Origin::default();
        self.images.import(&root, &name, &origin, Arc::new(|_| {})).await.expect("an image");
    }

    pub async fn run(&self, line: &str) -> Ran {
        self.run_with(line, "", &[]).await
    }

    /// Runs docker with words separated by spaces.
    pub async fn run_with(&self, line: &str, input: &str, env: &[(&str, &str)]) -> Ran {
        let words: Vec<String> = line.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let mut all: BTreeMap<String, String> = [
            ("LANDFALL_URL", format!("http://{}", self.host)),
            ("LANDFALL_TOKEN", "job-token".to_owned()),
            ("HOME", self.folder.path().join("home").display().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let (out, err) = (Heard::default(), Heard::default());
        let input = Box::new(io::Cursor::new(input.as_bytes().to_vec()));
        let mut console = Console::new(Box::new(out.clone()), Box::new(err.clone()), input, all, self.work());
        let code = tools::main("docker", &words, &mut console).await;
        Ran { code, out: out.text(), err: err.text() }
    }

    /// Runs docker and compares all it says; digests, sizes and times are masked.
    pub async fn check(&self, line: &str, code: u8, out: &str, err: &str) {
        let ran = self.run(line).await;
        let found = (ran.code, self.masked(&ran.out), self.masked(&ran.err));
        assert_eq!(found, (code, out.to_owned(), err.to_owned()), "docker {line}");
    }

    pub fn masked(&self, text: &str) -> String {
        let text = text.replace(&self.host, "HOST").replace(&self.folder.path().display().to_string(), "DIR");
        let mut masked = String::new();
        let mut run = String::new();
        for symbol in text.chars().chain(['\0']) {
            if symbol.is_ascii_hexdigit() && !symbol.is_ascii_uppercase() {
                run.push(symbol);
                continue;
            }
            let is_commit = COMMIT.starts_with(run.as_str());
            match run.len() {
                64 => masked.push_str("DIGEST"),
                12 if !is_commit => masked.push_str("ID"),
                _ => masked.push_str(&run),
            }
            run.clear();
            masked.push(symbol);
        }
        masked.pop();
        let lines = masked.lines().map(|line| match line.split_once(" size: ") {
            Some((before, _)) => format!("{before} size: N\n"),
            None => format!("{}\n", timeless(line)),
        });
        lines.collect()
    }
}

/// `#5 0.123 text` and `#5 DONE 0.2s` without their times.
fn timeless(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let number = word.strip_suffix('s').unwrap_or(word);
        let is_time = line.starts_with('#') && number.contains('.') && number.bytes().all(|it| it.is_ascii_digit() || it == b'.');
        if is_time { "TIME" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}
