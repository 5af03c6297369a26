//! A cluster, a repository to push to, and the service that follows it.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use api::{App, AppSource, AppSpec, AppStatus, Automated, Push, Retry, SyncOptions};
use axum::Router;
use cluster::{Cluster, Token, TokenError, TokenRequest, Tokens};
use gitops::{Breadth, Config, GitOps, Nodes, Pace};
use identity::Seal;
use names::{CommitId, Timestamp};
use objects::KubeApi;
use repo::Repositories;
use serde_json::Value;
use store::{Blobs, MemoryBlobs, MemoryRecords, Records};

use crate::faults::{Faults, FrailRecords};

struct NoTokens;

impl Tokens for NoTokens {
    fn mint(&self, request: &TokenRequest) -> Result<Token, TokenError> {
        Err(TokenError { account: request.account.clone(), why: "this test has none".to_owned() })
    }

    fn principal(&self, _: &str) -> Option<access::Principal> {
        None
    }
}

/// A cluster and a folder for repositories.
pub struct Ground {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

impl Ground {
    pub fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let cluster = Cluster::open(cluster::Config {
            path: folder.path().join("cluster.db"),
            service_cidr: "10.96.0.0/16".parse().expect("a range"),
            server_address: "10.0.0.1:6443".parse().expect("an address"),
            dns_ip: "10.96.0.10".parse().expect("an address"),
            ca_pem: "certificate".to_owned(),
            kubelets: Arc::new(|_: &str| None),
            tokens: Arc::new(NoTokens),
        })
        .expect("a cluster");
        Self { cluster, folder }
    }
}

/// One project with everything that it needs.
pub struct World {
    pub name: String,
    pub records: Arc<dyn Records>,
    /// The cluster as its owner sees it.
    pub kube: KubeApi,
    blobs: Arc<dyn Blobs>,
    cluster: Cluster,
    folder: PathBuf,
    pushes: AtomicU64,
}

impl World {
    pub async fn new(ground: &Ground, name: &str) -> Self {
        let name = name.to_owned();
        let folder = ground.folder.path().join(&name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let repositories = Repositories::open(folder.join("git")).expect("a folder of repositories");
        repositories.create(&name.parse().expect("a name")).await.expect("a repository");
        git(&folder, &["init", "--quiet", "--initial-branch=main", "work"]);
        Self {
            records: Arc::new(MemoryRecords::default()),
            blobs: Arc::new(MemoryBlobs::default()),
            kube: KubeApi::new(ground.cluster.client("test")),
            cluster: ground.cluster.clone(),
            folder,
            pushes: AtomicU64::new(0),
            name,
        }
    }

    /// The service where nothing fails.
    pub fn service(&self) -> GitOps {
        self.service_with(self.records.clone(), self.cluster.router(), Breadth::Cluster, Pace::default())
    }

    /// The service on another way to the cluster, with little patience.
    pub fn service_by(&self, way: impl FnOnce(Router) -> Router, pace: Pace) -> GitOps {
        self.service_with(self.records.clone(), way(self.cluster.router()), Breadth::Cluster, pace)
    }

    /// The service among faults, with little patience.
    pub fn frail(&self, faults: &Faults, pace: Pace) -> GitOps {
        let records = Arc::new(FrailRecords { inner: self.records.clone(), faults: faults.clone() });
        let service = self.service_with(records, faults.before(self.cluster.router()), Breadth::Namespaces, pace);
        // Requests of this cluster seem to pass a proxy, which nobody asks.
        service.with_counters(Arc::new(|_, _| delivery::rollout::Counted::default()))
    }

    fn service_with(&self, records: Arc<dyn Records>, router: Router, breadth: Breadth, pace: Pace) -> GitOps {
        let (folder, seal) = (self.folder.clone(), Seal::open(&self.folder.join("seal.key")).expect("a seal"));
        let repositories = Repositories::open(folder.join("git")).expect("a folder of repositories");
        let images = oci::Images::open(self.records.clone(), self.blobs.clone(), folder.join("images"), Vec::new()).expect("an image store");
        let git = folder.join("git");
        let config = Config {
            mirrors: folder.join("mirrors"),
            render_key: [7; 32],
            push_url: Box::new(move |project| git.join(format!("{project}.git")).to_string_lossy().into_owned()),
            node_registry: None,
            nodes: Nodes::PullThemselves,
            breadth,
            pace,
        };
        let client = cluster::client(router, "gitops");
        GitOps::new(config, records, self.blobs.clone(), repositories, Arc::new(images), client, seal).expect("a service")
    }

    /// Commits these files, and no others, and pushes them.
    pub async fn push(&self, files: &[(&str, String)]) -> CommitId {
        let deploy = self.folder.join("work/deploy");
        if deploy.exists() {
            std::fs::remove_dir_all(&deploy).expect("removed");
        }
        std::fs::create_dir_all(&deploy).expect("a folder");
        for (path, text) in files {
            std::fs::write(deploy.join(path), text).expect("written");
        }
        self.commit().await
    }

    /// Changes one file and pushes it.
    pub async fn push_file(&self, path: &str, text: &str) -> CommitId {
        self.write(path, text);
        self.commit().await
    }

    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.folder.join("work").join(path)).expect("removed");
    }

    /// Changes one file, to be pushed with the next one.
    pub fn write(&self, path: &str, text: &str) {
        let file = self.folder.join("work").join(path);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, text).expect("written");
    }

    async fn commit(&self) -> CommitId {
        let (work, bare) = (self.folder.join("work"), self.bare().to_string_lossy().into_owned());
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "--allow-empty", "--message", "A change"]);
        git(&work, &["push", "--quiet", "--force", &bare, "main"]);
        let commit = git(&work, &["rev-parse", "HEAD"]).trim().parse().expect("a commit");
        self.tell(commit).await;
        commit
    }

    fn bare(&self) -> PathBuf {
        self.folder.join(format!("git/{}.git", self.name))
    }

    /// The repository refuses so many pushes from now on.
    pub fn refuse_pushes(&self, count: u64) {
        let left = self.folder.join("refusals");
        std::fs::write(&left, "x".repeat(usize::try_from(count).expect("few"))).expect("written");
        let script = format!("#!/bin/sh\nleft=$(cat '{0}')\n[ -n \"$left\" ] || exit 0\nprintf %s \"${{left#x}}\" > '{0}'\nexit 1\n", left.display());
        let hook = self.bare().join("hooks/pre-receive");
        std::fs::create_dir_all(self.bare().join("hooks")).expect("a folder");
        std::fs::write(&hook, script).expect("written");
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("executable");
    }

    /// What the Git host says of a push.
    pub async fn tell(&self, commit: CommitId) {
        let number = self.pushes.fetch_add(1, Ordering::Relaxed) + 1;
        let push = Push {
            project: self.name.parse().expect("a name"),
            number,
            git_ref: "refs/heads/main".to_owned(),
            before: CommitId::ZERO,
            after: commit,
            subject: "A change".to_owned(),
            author: "Ada".to_owned(),
            at: Timestamp::default(),
            pusher: "admin".to_owned(),
            errors: Vec::new(),
            notes: Vec::new(),
            runs: None,
        };
        store::put(&*self.records, &push).await.expect("put");
    }

    /// One more repository with the same commits.
    pub async fn repeat_repository(&self, name: &str) -> PathBuf {
        let repositories = Repositories::open(self.folder.join("git")).expect("a folder of repositories");
        repositories.create(&name.parse().expect("a name")).await.expect("a repository");
        let bare = self.folder.join(format!("git/{name}.git"));
        git(&self.folder.join("work"), &["push", "--quiet", &bare.to_string_lossy(), "main"]);
        bare
    }

    /// Follows the folder `deploy` from now on.
    pub async fn follow(&self) {
        self.follow_as(&self.name, &self.name, "deploy").await;
    }

    /// Follows a folder of a repository from now on; the app's namespace is called like the app.
    pub async fn follow_as(&self, name: &str, repository: &str, path: &str) {
        let source = AppSource { repository: repository.to_owned(), revision: "main".to_owned(), path: path.to_owned(), ..AppSource::default() };
        let spec = AppSpec {
            project: "default".to_owned(),
            sources: vec![source],
            namespace: name.to_owned(),
            automated: Some(Automated { prune: true, self_heal: true, allow_empty: false }),
            options: SyncOptions { create_namespace: true, ..SyncOptions::default() },
            retry: Retry { limit: 1, seconds: 1, factor: 1, seconds_max: 1 },
            history: 10,
            deadline_seconds: 600,
            ..AppSpec::default()
        };
        let app = App { name: name.to_owned(), spec, generation: 1, request: None, status: AppStatus::default() };
        store::put(&*self.records, &app).await.expect("put");
    }

    pub async fn app(&self) -> App {
        self.app_called(&self.name).await
    }

    pub async fn app_called(&self, name: &str) -> App {
        store::find::<App>(&*self.records, name).await.expect("readable").expect("an app")
    }

    /// Everything of these kinds in the namespace, as its author wrote it.
    pub async fn objects(&self, collections: &[&str]) -> Vec<Value> {
        let mut all = Vec::new();
        for collection in collections {
            let (root, plural) = collection.rsplit_once('/').expect("a group and a plural");
            for mut object in self.kube.list(&format!("/{root}/namespaces/{}/{plural}", self.name)).await.expect("a list") {
                // The list leaves out what all its items share.
                object["kind"] = plural.into();
                all.push(delivery::kept(&object));
            }
        }
        all
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Tester").env(format!("GIT_{role}_EMAIL"), "tester@example.org");
    }
    let output = command.output().expect("git starts");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
