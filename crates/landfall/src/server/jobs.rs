//! What jobs find on this machine: tools, toolchains, settings, and nothing secret.

use std::path::{Path, PathBuf};

use sandbox::{ShownAccess, ShownFolder};

use crate::data::DataFolder;

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

/// The tools that Landfall answers to: `docker` always, `kubectl` where the machine has none.
pub fn tools() -> Vec<String> {
    let mut tools = vec!["docker".to_owned()];
    if find("kubectl").is_none() {
        tools.push("kubectl".to_owned());
    }
    tools
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
