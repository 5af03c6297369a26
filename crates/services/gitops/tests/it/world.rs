//! A cluster, a repository to push to, and the service that follows it.

use std::{path::Path, process::Command, sync::Arc};

use api::Push;
use cluster::{Cluster, Token, TokenError, TokenRequest, Tokens};
use gitops::{Breadth, Config, GitOps, Nodes};
use identity::Seal;
use names::{CommitId, Timestamp};
use repo::Repositories;
use store::{Blobs, MemoryBlobs, MemoryRecords, Records};

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
    name: String,
    pub records: Arc<dyn Records>,
    blobs: Arc<dyn Blobs>,
    client: kube::Client,
    folder: std::path::PathBuf,
    pushes: u64,
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
            client: ground.cluster.client("gitops"),
            folder,
            pushes: 0,
            name,
        }
    }

    pub fn service(&self) -> GitOps {
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
            breadth: Breadth::Cluster,
        };
        let service = GitOps::new(config, self.records.clone(), self.blobs.clone(), repositories, Arc::new(images), self.client.clone(), seal);
        service.expect("a service")
    }

    /// Changes one file and pushes it.
    pub async fn push_file(&mut self, path: &str, text: &str) -> CommitId {
        std::fs::write(self.folder.join("work").join(path), text).expect("written");
        self.commit().await
    }

    async fn commit(&mut self) -> CommitId {
        let work = self.folder.join("work");
        let bare = self.folder.join(format!("git/{}.git", self.name)).to_string_lossy().into_owned();
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "--allow-empty", "--message", "A change"]);
        git(&work, &["push", "--quiet", "--force", &bare, "main"]);
        let commit = git(&work, &["rev-parse", "HEAD"]).trim().parse().expect("a commit");
        self.pushes += 1;
        self.tell(commit).await;
        commit
    }

    /// What the Git host says of a push.
    async fn tell(&self, commit: CommitId) {
        let push = Push {
            project: self.name.parse().expect("a name"),
            number: self.pushes,
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
