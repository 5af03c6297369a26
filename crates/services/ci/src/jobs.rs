//! Makes the place where a job runs, finds it again after a restart, and removes it.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use access::Principal;
use api::Run;
use names::{Digest, RunId};
use sandbox::{Access, HostView, Limits, Main, Mount, Root, SandboxId, Signal, Spec, Target};
use store::{LogName, LogWriter};
use tokio::sync::{Mutex, mpsc};
use workflow::{Event, JobEnd, JobKey, JobStart, Place, Secrets};

use crate::{Ci, JOB_PROCESSES_MAX, drive::Report, view};

/// Where a job finds Landfall's own tools.
const TOOLS: &str = "/opt/landfall";

/// Labels of `runs-on` that mean this machine.
const LABELS: [&str; 5] = ["self-hosted", "linux", "x64", "arm64", "landfall"];

/// Tokens live longer than any job may run.
const TOKEN_LIFETIME: Duration = Duration::from_hours(24 * 6);

/// Where a job runs.
#[derive(Clone)]
pub struct JobPlace {
    pub sandbox: SandboxId,
    pub key: JobKey,
    /// Counts from 1.
    pub attempt: u32,
    /// On this machine: `work`, `temp`, `tools`, `scratch`, `steps`.
    pub folder: PathBuf,
    pub place: Place,
    pub secrets: Secrets,
    pub token: identity::Secret,
    pub log: Arc<Mutex<LogWriter>>,
    /// What a checkout without inputs takes.
    pub run: Arc<RunFacts>,
}

/// What steps must know of their run.
#[derive(Debug)]
pub struct RunFacts {
    pub id: RunId,
    pub git_ref: String,
    pub commit: names::CommitId,
}

impl std::fmt::Debug for JobPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobPlace").field("sandbox", &self.sandbox).finish_non_exhaustive()
    }
}

impl JobPlace {
    pub fn workspace(&self) -> PathBuf {
        self.folder.join("work")
    }

    /// The folder on this machine and the rest of a path as the job sees it.
    pub fn on_host(&self, path: &str) -> Option<(PathBuf, PathBuf)> {
        let within = |root: &str, folder: &str| {
            let rest = path.strip_prefix(root)?.strip_prefix('/')?;
            Some((self.folder.join(folder), PathBuf::from(rest)))
        };
        within(&self.place.temp, "temp").or_else(|| within(&self.place.workspace, "work"))
    }
}

/// The sandbox of one attempt at a job always has the same name.
fn sandbox_id(run: &RunId, job: &JobKey, attempt: u32) -> SandboxId {
    let digest = Digest::of(format!("{run}/{job}/{attempt}").as_bytes());
    // Sixteen hex digits keep all jobs of a machine apart.
    format!("job-{}", digest.hex().chars().take(16).collect::<String>())
        .parse()
        .expect("letters, digits and a dash name a sandbox")
}

fn place_of(ci: &Ci, run: &Run) -> Place {
    let project = &run.id.project;
    let mut env = ci.config.env.clone();
    let path = env.iter_mut().find(|(name, _)| name == "PATH");
    match path {
        Some((_, path)) => *path = format!("{TOOLS}/bin:{path}"),
        None => env.push(("PATH".to_owned(), format!("{TOOLS}/bin:/usr/local/bin:/usr/bin:/bin"))),
    }
    env.push(("HOME".to_owned(), ci.config.home.display().to_string()));
    env.push(("KUBECONFIG".to_owned(), format!("{TOOLS}/kubeconfig")));
    env.push(("LANDFALL_URL".to_owned(), ci.config.url.clone()));
    Place {
        workspace: format!("/home/runner/work/{project}/{project}"),
        temp: "/home/runner/work/_temp".to_owned(),
        tool_cache: "/opt/hostedtoolcache".to_owned(),
        runner: "landfall".to_owned(),
        os: "Linux".to_owned(),
        arch: if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" }.to_owned(),
        bash: Path::new("/bin/bash").exists() || Path::new("/usr/bin/bash").exists(),
        env,
    }
}

/// Makes the sandbox of a job, and reports that it is there or why not.
pub async fn start(ci: &Ci, run: &Run, start: JobStart, out: &mpsc::Sender<Report>) {
    let (job, attempt) = (start.job.clone(), start.attempt);
    let event = match unsuitable(&start.labels) {
        Some(reason) => Event::JobRefused { job, attempt, reason },
        None => match open(ci, run, &start).await {
            Ok(place) => {
                let seen = place.place.clone();
                // The receiver lives as long as the driver, here and below.
                let _ = out.send(Report::Opened(job.clone(), place)).await;
                Event::JobStarted { job, attempt, place: seen }
            }
            Err(OpenError::Refused(reason)) => Event::JobRefused { job, attempt, reason },
            Err(OpenError::Lost(reason)) => Event::JobLost { job, attempt, reason },
        },
    };
    let _ = out.send(Report::Event(event)).await;
}

/// Why no runner here fits the labels of a job.
fn unsuitable(labels: &[String]) -> Option<String> {
    let fits = |label: &String| {
        let label = label.to_lowercase();
        LABELS.contains(&label.as_str()) || label.starts_with("ubuntu-") || label.starts_with("debian")
    };
    let wrong = labels.iter().find(|label| !fits(label))?;
    Some(format!("no runner here has the label `{wrong}`; use `ubuntu-latest` or `self-hosted`"))
}

enum OpenError {
    Refused(String),
    Lost(String),
}

async fn open(ci: &Ci, run: &Run, start: &JobStart) -> Result<JobPlace, OpenError> {
    let id = sandbox_id(&run.id, &start.job, start.attempt);
    let lost = |what: &str, error: &dyn std::fmt::Display| OpenError::Lost(format!("{what}: {error}"));
    let folder = ci.config.folder.join(id.to_string());
    for lost in 1..start.attempt {
        let id = sandbox_id(&run.id, &start.job, lost);
        remove_sandbox(ci, &id).await;
        remove_folder(ci, &id).await;
    }
    let environment = start.environment.as_deref().map_or_else(names::EnvironmentName::production, view::environment);
    let principal = Principal::Job {
        run: run.id.clone(),
        job: start.job.to_string(),
        commit: run.commit,
        project: run.id.project.clone(),
        environment,
    };
    let token = ci.tokens.issue(principal, TOKEN_LIFETIME).await.map_err(|e| lost("no token", &e))?;
    lay_out(ci, run, &folder, &token).map_err(|e| lost("no folder", &e))?;
    // Steps that outlive this server still print this token, when the next one has another.
    keep_mask(&folder, token.reveal()).map_err(|e| lost("no folder", &e))?;
    let attempt = (start.job.clone(), start.attempt);
    let place = attach(ci, run, attempt, id, folder, token).await.map_err(|e| lost("no log", &e))?;
    let spec = spec(ci, run, &place);
    match ci.sandbox.run(&place.sandbox, &spec).await {
        Ok(_) | Err(sandbox::Error::Exists(_)) => Ok(place),
        Err(sandbox::Error::CannotStart(why)) => Err(OpenError::Refused(format!("no sandbox: {why}"))),
        Err(error) => Err(lost("no sandbox", &error)),
    }
}

async fn attach(
    ci: &Ci,
    run: &Run,
    (key, attempt): (JobKey, u32),
    sandbox: SandboxId,
    folder: PathBuf,
    token: identity::Secret,
) -> Result<JobPlace, store::LogError> {
    let mut secrets = Secrets::new([("GITHUB_TOKEN".to_owned(), token.reveal().to_owned())]);
    for mask in std::fs::read_to_string(folder.join("masks")).unwrap_or_default().lines() {
        if let Ok(mask) = serde_json::from_str::<String>(mask) {
            secrets.add_mask(&mask);
        }
    }
    let name = LogName::new(&run.id, &key.to_string());
    let log = ci.logs.writer(&name).await?;
    let facts = RunFacts { id: run.id.clone(), git_ref: run.git_ref.clone(), commit: run.commit };
    Ok(JobPlace {
        sandbox,
        key,
        attempt,
        folder,
        place: place_of(ci, run),
        secrets,
        token,
        log: Arc::new(Mutex::new(log)),
        run: Arc::new(facts),
    })
}

/// The folders of a job; what is there already stays.
fn lay_out(ci: &Ci, run: &Run, folder: &Path, token: &identity::Secret) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)?;
    for name in ["scratch", "work", "temp", "steps", "tools/bin"] {
        std::fs::create_dir_all(folder.join(name))?;
    }
    std::fs::write(folder.join("tools/landfall"), "")?;
    for tool in &ci.config.tools {
        match std::os::unix::fs::symlink("../landfall", folder.join("tools/bin").join(tool)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let kubeconfig = folder.join("tools/kubeconfig");
    std::fs::write(&kubeconfig, (ci.config.kubeconfig)(token.reveal(), &run.id.project))?;
    std::fs::set_permissions(&kubeconfig, std::fs::Permissions::from_mode(0o600))
}

/// Keeps a value to hide beside the job for a restart; it goes with the job's folder.
pub fn keep_mask(folder: &Path, value: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("masks"))?;
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    io::Write::write_all(&mut file, &line)
}

fn spec(ci: &Ci, run: &Run, place: &JobPlace) -> Spec {
    let view = HostView {
        scratch: place.folder.join("scratch"),
        home: ci.config.home.clone(),
        shown_home: ci.config.shown_home.clone(),
        hidden: ci.config.hidden.clone(),
    };
    let bind = |source: PathBuf, target: &str, access| Mount::Bind { source, target: target.into(), access };
    let mut spec = Spec::new(Root::Host(view), Main::Idle);
    spec.mounts = vec![
        bind(place.workspace(), &place.place.workspace, Access::ReadWrite),
        bind(place.folder.join("temp"), &place.place.temp, Access::ReadWrite),
        bind(place.folder.join("tools"), TOOLS, Access::ReadOnly),
        bind(ci.config.program.clone(), &format!("{TOOLS}/landfall"), Access::ReadOnly),
    ];
    spec.hostname = Some("landfall-job".to_owned());
    spec.limits = Limits { pids: Some(JOB_PROCESSES_MAX), ..Limits::default() };
    spec.labels = BTreeMap::from([
        ("landfall.run".to_owned(), run.id.to_string()),
        ("landfall.job".to_owned(), place.key.id.clone()),
        ("landfall.leg".to_owned(), place.key.leg.to_string()),
        ("landfall.attempt".to_owned(), place.attempt.to_string()),
    ]);
    spec
}

/// The jobs of a run whose sandboxes still are there.
pub async fn adopt_all(ci: &Ci, run: &Run) -> HashMap<JobKey, JobPlace> {
    let mut places = HashMap::new();
    let listed = match ci.sandbox.list().await {
        Ok(listed) => listed,
        Err(error) => {
            tracing::error!(%error, "the sandboxes could not be listed");
            return places;
        }
    };
    for status in listed.into_iter().filter(|status| status.exit.is_none()) {
        let label = |name: &str| status.labels.get(name).cloned().unwrap_or_default();
        if label("landfall.run") != run.id.to_string() {
            continue;
        }
        let leg = label("landfall.leg").parse().unwrap_or_default();
        let attempt = label("landfall.attempt").parse().unwrap_or(1);
        let key = JobKey { id: label("landfall.job"), leg };
        // What an earlier attempt left is removed by the next one.
        if places.get(&key).is_some_and(|known: &JobPlace| known.attempt > attempt) {
            continue;
        }
        let environment = run.jobs.iter().find(|job| job.id == key.to_string());
        let environment = environment.and_then(|job| job.environment.clone());
        let principal = Principal::Job {
            run: run.id.clone(),
            job: key.to_string(),
            commit: run.commit,
            project: run.id.project.clone(),
            environment: environment.unwrap_or_else(names::EnvironmentName::production),
        };
        let folder = ci.config.folder.join(status.id.to_string());
        // Steps that run keep their old token, which is valid until the job is over.
        let token = match ci.tokens.issue(principal, TOKEN_LIFETIME).await {
            Ok(token) => token,
            Err(error) => {
                tracing::error!(%error, "no token for an adopted job");
                continue;
            }
        };
        match attach(ci, run, (key.clone(), attempt), status.id, folder, token).await {
            Ok(place) => drop(places.insert(key, place)),
            Err(error) => tracing::error!(%error, "the log of an adopted job could not be opened"),
        }
    }
    places
}

/// Removes what a job leaves, keeps its log, and reports that all is done.
pub async fn finish(ci: &Ci, run: &RunId, place: Option<JobPlace>, end: JobEnd, out: &mpsc::Sender<Report>) {
    let id = sandbox_id(run, &end.job, end.attempt);
    remove_sandbox(ci, &id).await;
    let job = end.job.to_string();
    if let Err(error) = ci.tokens.revoke_job(run, &job).await {
        tracing::error!(%error, "the token of a job could not be ended");
    }
    let log = seal(ci, run, &job, place).await;
    remove_folder(ci, &id).await;
    // The receiver lives as long as the driver.
    let _ = out.send(Report::Closed { job: end.job, attempt: end.attempt, log }).await;
}

async fn remove_sandbox(ci: &Ci, id: &SandboxId) {
    let all = Target::All { signal: Signal::KILL, grace: Duration::ZERO };
    for target in [all, Target::Remove] {
        match ci.sandbox.stop(id, target).await {
            Ok(()) | Err(sandbox::Error::NoSandbox(_) | sandbox::Error::NotRunning(_)) => {}
            Err(error) => tracing::error!(%error, "the sandbox of a job could not be removed"),
        }
    }
}

async fn remove_folder(ci: &Ci, id: &SandboxId) {
    let folder = ci.config.folder.join(id.to_string());
    match tokio::fs::remove_dir_all(&folder).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::error!(%error, "the folder of a job could not be removed");
        }
        _ => {}
    }
}

async fn seal(ci: &Ci, run: &RunId, job: &str, place: Option<JobPlace>) -> Option<Digest> {
    let sealed = async {
        match place {
            Some(place) => place.log.lock().await.seal().await,
            None => ci.logs.writer(&LogName::new(run, job)).await?.seal().await,
        }
    };
    match sealed.await {
        Ok(digest) => Some(digest),
        Err(error) => {
            tracing::error!(%error, "the log of a job could not be kept");
            None
        }
    }
}
