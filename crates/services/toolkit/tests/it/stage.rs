//! A server on a free port, and jobs as `node` processes with the environment that a job gets.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use access::Principal;
use api::{JobGrant, Permission, Trust};
use identity::{Seal, Tokens};
use names::{CommitId, EnvironmentName};
use serde_json::Value;
use store::{DiskBlobs, MemoryRecords, Records};
use tokio::{net::TcpListener, process::Command};
use toolkit::{Config, Toolkit};

/// No script here takes longer, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Stage {
    pub toolkit: Arc<Toolkit>,
    pub records: Arc<dyn Records>,
    pub repositories: repo::Repositories,
    pub url: String,
    pub folder: tempfile::TempDir,
    tokens: Tokens,
    server: tokio::task::JoinHandle<()>,
}

impl Stage {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let records: Arc<dyn Records> = Arc::new(MemoryRecords::default());
        let blobs = Arc::new(DiskBlobs::open(folder.path().join("blobs")).expect("blobs"));
        let repositories = repo::Repositories::open(folder.path().join("git")).expect("repositories");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let url = format!("http://127.0.0.1:{port}");
        let config = Config {
            folder: folder.path().join("toolkit"),
            url: url.clone(),
            server_url: format!("http://landfall.localhost:{port}"),
        };
        let toolkit = Toolkit::open(config, records.clone(), blobs, repositories.clone()).expect("open");
        let toolkit = Arc::new(toolkit);
        let seal = Seal::open(&folder.path().join("seal")).expect("a seal");
        let tokens = Tokens::open(records.clone(), &folder.path().join("token"), seal).expect("tokens");
        let authenticate = axum::middleware::from_fn_with_state(tokens.clone(), identity::authenticate);
        let router = toolkit.router().layer(authenticate);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("serve") });
        Self { toolkit, records, repositories, url, folder, tokens, server }
    }

    /// The grant of a job of `shop#1` on the branch `main`; `change` makes it another one.
    pub async fn grant(&self, change: impl FnOnce(&mut JobGrant)) -> JobGrant {
        let facts = [
            ("repository", "landfall/shop"),
            ("repository_owner", "landfall"),
            ("ref", "refs/heads/main"),
            ("sha", "1111111111111111111111111111111111111111"),
            ("event_name", "push"),
            ("workflow", "CI"),
            ("workflow_ref", "landfall/shop/.github/workflows/ci.yml@refs/heads/main"),
            ("run_id", "1"),
            ("run_number", "1"),
            ("run_attempt", "1"),
            ("actor", "admin"),
        ];
        let mut grant = JobGrant {
            run: "shop#1".parse().expect("a run"),
            job: "build".to_owned(),
            attempt: 1,
            trust: Trust::Own,
            outside: None,
            permissions: BTreeMap::from([("contents".to_owned(), Permission::Read)]),
            github: facts.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            default_branch: "main".to_owned(),
            environment: None,
            job_workflow_ref: None,
            job_workflow_sha: None,
            expires: store::now() + Duration::from_secs(3600),
        };
        change(&mut grant);
        store::put(&*self.records, &grant).await.expect("put");
        grant
    }

    /// What the job of `grant` gets as `GITHUB_TOKEN`.
    async fn token(&self, grant: &JobGrant) -> String {
        let principal = Principal::Job {
            run: grant.run.clone(),
            job: grant.job.clone(),
            commit: CommitId::ZERO,
            project: grant.run.project.clone(),
            environment: EnvironmentName::production(),
        };
        let token = self.tokens.issue(principal, Duration::from_secs(600)).await.expect("a token");
        token.reveal().to_owned()
    }

    /// Runs a script of `tests/it/scripts` as the job of `grant`; returns what it tells.
    pub async fn run(&self, grant: &JobGrant, script: &str, more: &[(&str, &str)]) -> Value {
        let (told, output) = self.try_run(grant, script, more).await;
        told.unwrap_or_else(|| panic!("`{script}` failed:\n{output}"))
    }

    pub async fn try_run(&self, grant: &JobGrant, script: &str, more: &[(&str, &str)]) -> (Option<Value>, String) {
        let job = tempfile::tempdir_in(self.folder.path()).expect("a folder");
        let place = |name: &str| job.path().join(name);
        for name in ["work", "temp"] {
            std::fs::create_dir(place(name)).expect("make");
        }
        // Modules are looked for beside the script, so the script goes to where they are shown.
        std::os::unix::fs::symlink(npm().join("node_modules"), place("node_modules")).expect("link");
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/scripts").join(script);
        std::fs::copy(source, place(script)).expect("copy");

        let environment = self.toolkit.job_environment(grant, store::now());
        let mut command = Command::new("node");
        command.arg(place(script)).current_dir(place("work")).env_clear().kill_on_drop(true);
        command.env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", job.path());
        command.env("GITHUB_WORKSPACE", place("work")).env("RUNNER_TEMP", place("temp"));
        command.env("GITHUB_SERVER_URL", self.url.replace("127.0.0.1", "landfall.localhost"));
        command.env("GITHUB_API_URL", format!("{}/api/v3", self.url));
        command.env("GITHUB_REPOSITORY", grant.fact("repository")).env("GITHUB_RUN_ID", grant.fact("run_id"));
        command.env("GITHUB_TOKEN", self.token(grant).await);
        command.env("RESULT", place("result")).env("NO_PROXY", "*");
        command.envs(environment.for_all.into_iter().chain(environment.for_actions));
        command.envs(more.iter().copied());
        let output = command.stdin(Stdio::null()).output();
        let output = tokio::time::timeout(PATIENCE, output).await.expect("the script ends").expect("node runs");
        let shown = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let told = std::fs::read(place("result")).ok().filter(|_| output.status.success());
        (told.map(|text| serde_json::from_slice(&text).expect("JSON")), shown)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Where GitHub's packages are: `cargo xtask test` installs them.
fn npm() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../target/npm");
    let folder = std::env::var_os("LANDFALL_NPM").map_or(target, PathBuf::from);
    let package = folder.join("node_modules/@actions/cache/package.json");
    assert!(
        package.is_file(),
        "no `{}`: `cargo xtask test` installs it, `LANDFALL_NPM` names another folder",
        package.display()
    );
    folder.canonicalize().expect("a folder")
}
