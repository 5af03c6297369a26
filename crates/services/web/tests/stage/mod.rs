//! A server with a few hand-made records: the projects `shop` and `bank`, a
//! good and a bad commit, and a run that goes on.

#![allow(dead_code, reason = "each test file uses its part of the stage")]

pub mod app;
pub mod tests;

use std::sync::Arc;

use access::Principal;
use api::{
    Cause, Change, Conclusion, ImageTag, Job, ObjectRef, Project, Push, Release, ReleaseState,
    ReleasedImage, Run, ServiceAddress, Status, Step, WorkloadStatus,
};
use axum::{
    Extension, Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use http_body_util::BodyExt as _;
use identity::{Seal, Tokens};
use names::{CommitId, Digest, Timestamp};
use store::{Blobs, LogLine, LogName, LogWriter, Logs, MemoryBlobs, MemoryRecords, OutputStream, Records};
use tower::ServiceExt as _;
use web::Web;

/// 2026-11-22T10:00:00Z.
const START_MICROS: i64 = 1_795_341_600_000_000;

pub const GOOD: &str = "0ab43f1c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a";
pub const BAD: &str = "0ab5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub const GOING: &str = "f00dffffffffffffffffffffffffffffffffffff";

pub struct Stage {
    pub records: Arc<dyn Records>,
    pub blobs: Arc<dyn Blobs>,
    pub logs: Logs,
    pub tokens: Tokens,
    pub web: Web,
    _folder: tempfile::TempDir,
}

/// `seconds` after the stage's beginning.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(START_MICROS + seconds * 1_000_000)
}

pub fn commit(text: &str) -> CommitId {
    text.parse().expect("a commit")
}

pub fn image() -> Digest {
    Digest::of(b"image")
}

impl Stage {
    /// No records at all.
    pub fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let records: Arc<dyn Records> = Arc::new(MemoryRecords::default());
        let blobs: Arc<dyn Blobs> = Arc::new(MemoryBlobs::default());
        let logs = Logs::open(folder.path().join("logs"), blobs.clone());
        let seal = Seal::open(&folder.path().join("key")).expect("a seal");
        let tokens =
            Tokens::open(records.clone(), &folder.path().join("token"), seal).expect("tokens");
        let web = Web::new(records.clone(), logs.clone(), tokens.clone()).with_blobs(blobs.clone());
        Self { records, blobs, logs, tokens, web, _folder: folder }
    }

    pub async fn new() -> Self {
        let stage = Self::empty();
        stage.put(&project("bank", 0)).await;
        stage.put(&project("shop", 1)).await;
        stage.put(&push("shop", 1, GOOD, "greet politely", 10)).await;
        stage.put(&push("shop", 2, BAD, "greet in a hurry", 20)).await;
        stage.put(&push("bank", 1, GOING, "count the money", 30)).await;
        stage.put(&good_run()).await;
        stage.put(&bad_run()).await;
        stage.put(&going_run()).await;
        stage.put(&image_tag()).await;
        stage.put(&good_release()).await;
        stage.put(&bad_release()).await;
        stage
    }

    pub async fn put<T: api::Record>(&self, record: &T) {
        store::put(&*self.records, record).await.expect("put");
    }

    /// Writes lines of a job's first step into its log.
    pub async fn log(&self, run: &str, job: &str, lines: &[&str]) -> LogWriter {
        self.log_of_step(run, job, 0, lines).await
    }

    pub async fn log_of_step(&self, run: &str, job: &str, step: u32, lines: &[&str]) -> LogWriter {
        let name = LogName::new(&run.parse().expect("a run"), job);
        let mut writer = self.logs.writer(&name).await.expect("writer");
        let lines: Vec<_> = lines.iter().map(|text| log_line(step, text)).collect();
        writer.append(&lines).await.expect("append");
        writer
    }

    /// The routes as the owner sees them.
    pub fn router(&self) -> Router {
        self.web.router().layer(Extension(Principal::Admin))
    }

    /// What the owner gets: the status and the whole body.
    pub async fn get(&self, path: &str) -> (StatusCode, String) {
        send(self.router(), get(path)).await
    }

    /// What somebody without a token gets.
    pub async fn get_as_nobody(&self, path: &str) -> (StatusCode, String) {
        send(self.web.router(), get(path)).await
    }
}

pub fn get(path: &str) -> Request<Body> {
    Request::get(path).header(header::HOST, "127.0.0.1:5000").body(Body::empty()).expect("a request")
}

pub async fn send(router: Router, request: Request<Body>) -> (StatusCode, String) {
    let response = router.oneshot(request).await.expect("an answer");
    let status = response.status();
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(bytes.to_vec()).expect("text"))
}

pub fn log_line(step: u32, text: &str) -> LogLine {
    let stream = OutputStream::Stdout;
    LogLine { at: at(40), attempt: 1, step, stream, text: text.to_owned(), source_end_bytes: 0 }
}

pub fn project(name: &str, seconds: i64) -> Project {
    Project { name: name.parse().expect("a name"), created: at(seconds) }
}

pub fn push(project: &str, number: u64, after: &str, subject: &str, seconds: i64) -> Push {
    Push {
        project: project.parse().expect("a name"),
        number,
        git_ref: "refs/heads/main".to_owned(),
        before: CommitId::ZERO,
        after: commit(after),
        subject: subject.to_owned(),
        author: "Ada".to_owned(),
        at: at(seconds),
        pusher: "admin".to_owned(),
        errors: Vec::new(),
        notes: Vec::new(),
        runs: Some(vec![number]),
    }
}

pub fn run(id: &str, commit_text: &str, subject: &str, seconds: i64, jobs: Vec<Job>) -> Run {
    let id: names::RunId = id.parse().expect("a run");
    Run {
        push: id.number,
        id,
        workflow: ".github/workflows/ci.yml".to_owned(),
        name: "ci".to_owned(),
        event: "push".to_owned(),
        git_ref: "refs/heads/main".to_owned(),
        commit: commit(commit_text),
        subject: subject.to_owned(),
        author: "Ada".to_owned(),
        status: Status::Completed,
        conclusion: Some(Conclusion::Success),
        reason: None,
        jobs,
        created: at(seconds),
        started: Some(at(seconds)),
        finished: Some(at(seconds + 5)),
        cancel: false,
        cancel_jobs: Vec::new(),
        again: Vec::new(),
        concurrency: None,
        attempt: 1,
        cause: None,
        machine: serde_json::json!({"opaque": true}),
    }
}

pub fn job(id: &str, conclusion: Option<Conclusion>, seconds: i64, steps: Vec<Step>) -> Job {
    Job {
        id: id.to_owned(),
        name: id.to_owned(),
        status: if conclusion.is_some() { Status::Completed } else { Status::Running },
        conclusion,
        reason: None,
        environment: None,
        needs: Vec::new(),
        started: Some(at(seconds)),
        finished: conclusion.map(|_| at(seconds + 4)),
        steps,
        annotations: Vec::new(),
        log: None,
    }
}

pub fn step(name: &str, conclusion: Option<Conclusion>, seconds: i64) -> Step {
    Step {
        name: name.to_owned(),
        section: None,
        depth: 0,
        status: if conclusion.is_some() { Status::Completed } else { Status::Running },
        conclusion,
        reason: None,
        exit_code: None,
        annotations: Vec::new(),
        summary: None,
        started: Some(at(seconds)),
        finished: conclusion.map(|_| at(seconds + 2)),
    }
}

fn good_run() -> Run {
    let steps = vec![step("make test", Some(Conclusion::Success), 11)];
    run("shop#1", GOOD, "greet politely", 11, vec![job("test", Some(Conclusion::Success), 11, steps)])
}

fn bad_run() -> Run {
    let checkout = step("actions/checkout@v4", Some(Conclusion::Success), 21);
    let mut failed = step("kubectl rollout status", Some(Conclusion::Failure), 23);
    failed.reason = Some("exit code 1".to_owned());
    failed.exit_code = Some(1);
    let mut deploy = job("deploy", Some(Conclusion::Failure), 21, vec![checkout, failed]);
    deploy.reason = Some("step `kubectl rollout status` failed".to_owned());
    deploy.environment = Some(names::EnvironmentName::production());
    let mut run = run("shop#2", BAD, "greet in a hurry", 21, vec![deploy]);
    run.conclusion = Some(Conclusion::Failure);
    run.reason = Some("job `deploy` failed".to_owned());
    run
}

fn going_run() -> Run {
    let steps = vec![step("make count", None, 31), Step {
        status: Status::Queued,
        started: None,
        ..step("make report", None, 0)
    }];
    let mut run = run("bank#1", GOING, "count the money", 31, vec![job("count", None, 31, steps)]);
    (run.status, run.conclusion, run.finished) = (Status::Running, None, None);
    run
}

fn image_tag() -> ImageTag {
    ImageTag {
        repository: "shop".to_owned(),
        tag: "sha-0ab43f1c9d8e".parse().expect("a tag"),
        digest: image(),
        pushed: at(13),
        run: Some("shop#1".parse().expect("a run")),
        commit: Some(commit(GOOD)),
    }
}

fn deployment() -> ObjectRef {
    ObjectRef {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        plural: "deployments".to_owned(),
        namespace: Some("shop".to_owned()),
        name: "shop".to_owned(),
    }
}

pub fn good_release() -> Release {
    Release {
        id: "shop/production@1".parse().expect("a release"),
        run: "shop#1".parse().expect("a run"),
        commit: commit(GOOD),
        jobs: vec!["test".to_owned()],
        state: ReleaseState::Healthy,
        changes: vec![Change { object: deployment(), before: None, after: Some(Digest::of(b"v1")) }],
        images: vec![ReleasedImage { reference: "shop:latest".to_owned(), digest: image() }],
        workloads: vec![WorkloadStatus {
            object: deployment(),
            desired: 3,
            updated: 3,
            ready: 3,
            message: "3 of 3 ready".to_owned(),
        }],
        addresses: vec![ServiceAddress {
            service: "shop".to_owned(),
            url: "http://10.96.0.14:80".to_owned(),
        }],
        cause: None,
        rolled_back_to: None,
        leftovers: Vec::new(),
        created: at(14),
        applied: at(14),
        finished: Some(at(15)),
    }
}

fn bad_release() -> Release {
    let good = good_release();
    Release {
        id: "shop/production@2".parse().expect("a release"),
        run: "shop#2".parse().expect("a run"),
        commit: commit(BAD),
        jobs: vec!["deploy".to_owned()],
        state: ReleaseState::RolledBack,
        changes: vec![Change {
            object: deployment(),
            before: Some(Digest::of(b"v1")),
            after: Some(Digest::of(b"v2")),
        }],
        images: vec![ReleasedImage {
            reference: "shop:latest".to_owned(),
            digest: Digest::of(b"bad image"),
        }],
        cause: Some(Cause {
            code: "LF-D0103".to_owned(),
            summary: "the readiness probe of container `shop` fails".to_owned(),
            evidence: vec!["GET /healthz answered 500, 12 times".to_owned()],
            help: vec!["landfall logs shop#2 --job deploy".to_owned()],
        }),
        rolled_back_to: Some(good.id.clone()),
        created: at(24),
        applied: at(24),
        finished: Some(at(26)),
        ..good
    }
}
