//! What jobs find on this machine: tools, toolchains, settings, and nothing secret.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use sandbox::{Local, ShownAccess, ShownFolder, netlink::Cidr};

use crate::data::{DataFolder, Settings};

/// Bits of the range that services of jobs get: 253 at the same time.
const SERVICE_PREFIX: u8 = 24;

/// Folders of the owner's home that hold toolchains and caches, and no credentials.
const TOOLCHAINS: [&str; 22] = [
    ".asdf",
    ".bun",
    ".cache/go-build",
    ".cache/pip",
    ".cargo/bin",
    ".cargo/git",
    ".cargo/registry",
    ".deno",
    ".goenv",
    ".local/bin",
    ".local/lib",
    ".local/share/pnpm",
    ".m2/repository",
    ".npm/_cacache",
    ".nvm",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".sdkman",
    ".volta",
    "go/bin",
    "go/pkg",
];

/// Settings that tools need to reach package registries; none of them holds a credential by habit.
const PASSED: [&str; 24] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "PIP_INDEX_URL",
    "NPM_CONFIG_REGISTRY",
    "GOPROXY",
    "GOSUMDB",
    "GOFLAGS",
    "JAVA_HOME",
    "RUSTUP_TOOLCHAIN",
];

/// The environment of every job, below what the workflow sets.
pub fn environment() -> Vec<(String, String)> {
    let passed = PASSED.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    // A proxy or an index may carry a password in its address; then it stays here.
    passed.filter(|(name, value)| name == "PATH" || !value.contains('@')).collect()
}

/// The owner's home folder.
pub fn home() -> PathBuf {
    std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute()).unwrap_or_else(|| "/root".into())
}

/// What jobs see of the owner's home.
pub fn shown_home() -> Vec<ShownFolder> {
    let shown = |path: &&str| ShownFolder { path: path.into(), access: ShownAccess::CopyOnWrite };
    TOOLCHAINS.iter().map(|path| shown(&path)).collect()
}

/// What jobs must not see besides what no sandbox shows.
pub fn hidden(data: &DataFolder) -> Vec<PathBuf> {
    vec![data.path().to_owned()]
}

/// The tools that Landfall answers to: `docker` and `landfall` always, `kubectl`, `helm` and `sudo` where the machine has none.
pub fn tools() -> Vec<String> {
    let missing = ["kubectl", "helm", "sudo"].into_iter().filter(|tool| find(tool).is_none());
    ["docker", "landfall"].into_iter().chain(missing).map(str::to_owned).collect()
}

/// The program of this name on the search path.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// Where actions come from: the map in `actions.json` of the data folder, else GitHub.
pub fn actions(data: &DataFolder) -> anyhow::Result<ci::ActionSources> {
    let file = data.join("actions.json");
    let map = match std::fs::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .with_context(|| format!("`{}` is no map of names to folders and addresses", file.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Default::default(),
        Err(error) => return Err(error).with_context(|| format!("`{}` cannot be read", file.display())),
    };
    Ok(ci::ActionSources { map, ..ci::ActionSources::default() })
}

/// The addresses of services of jobs: beside those of pods, so that installations stay apart.
pub fn networks(settings: &Settings, sandbox: &Local) -> Option<ci::JobNetworks> {
    let network = settings.network.as_ref()?;
    let pods: Cidr = network.pods.parse().ok()?;
    let [_, _, number, _] = pods.address.octets();
    let base = std::net::Ipv4Addr::new(10, 243, number, 0);
    Some(ci::JobNetworks::new(Arc::new(sandbox.clone()), base, SERVICE_PREFIX, super::addresses::job_bridge(network)))
}

/// Builds the images of actions that bring a Dockerfile.
pub fn build_image(builder: Arc<builder::Builder>) -> Box<ci::BuildImage> {
    Box::new(move |context, dockerfile, run, view| {
        let builder = builder.clone();
        Box::pin(async move {
            let mut request = builder::BuildRequest::new(context);
            request.dockerfile = builder::DockerfileSource::InContext(dockerfile);
            request.origin = oci::Origin { run: Some(run), commit: None };
            request.view = view;
            let (progress, mut told) = tokio::sync::mpsc::channel(64);
            let drain = async { while told.recv().await.is_some() {} };
            let (built, ()) = tokio::join!(builder.build(request, progress), drain);
            built.map(|built| built.image).map_err(|error| error.to_string())
        })
    })
}
