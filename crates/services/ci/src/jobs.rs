//! Makes the place where a job runs, and finds it again after a restart.

use std::{
    collections::HashMap,
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use access::Principal;
use api::{JobGrant, Run};
use names::{Digest, EnvironmentName, RunId};
use sandbox::SandboxId;
use store::LogName;
use tokio::sync::{Mutex, mpsc};
use workflow::{Event, JobKey, JobStart, Place, Secrets};

use crate::{
    Ci,
    containers::{self, Kept},
    drive::Report,
    ending,
    grants::{self, TOKEN_LIFETIME},
    job_log::JobLog,
    matchers, output,
    place::{Debug, JobPlace, Layout, RunFacts, SET_UP, TOOLS},
    secrets, set_up, spec, tests, view,
};

/// Labels of `runs-on` that mean this machine.
const LABELS: [&str; 5] = ["self-hosted", "linux", "x64", "arm64", "landfall"];

/// The sandbox of one attempt at a job always has the same name.
pub fn sandbox_id(run: &RunId, job: &JobKey, attempt: u32) -> SandboxId {
    sandbox_name(run, &job.to_string(), attempt)
}

/// The same by the id of the job as records have it.
pub fn sandbox_name(run: &RunId, job: &str, attempt: u32) -> SandboxId {
    let digest = Digest::of(format!("{run}/{job}/{attempt}").as_bytes());
    // Sixteen hex digits keep all jobs of a machine apart.
    format!("job-{}", digest.hex().chars().take(16).collect::<String>())
        .parse()
        .expect("letters, digits and a dash name a sandbox")
}

/// Makes the sandbox of a job, and reports that it is there or why not.
pub async fn start(ci: &Ci, run: &Run, github: &serde_json::Value, start: JobStart, out: &mpsc::Sender<Report>) {
    let (job, attempt) = (start.job.clone(), start.attempt);
    let event = match unsuitable(&start) {
        Some(reason) => Event::JobRefused { job, attempt, reason },
        None => match tests::claim(ci, run, &start).await {
            tests::Claimed { reused: Some(tests::Reused { reason, outputs }), .. } => {
                tell(ci, run, &start, &reason).await;
                Event::JobReused { job, attempt, reason, outputs }
            }
            tests::Claimed { reused: None, told } => begin(ci, run, github, &start, told, out).await,
        },
    };
    // The receiver lives as long as the driver, here and below.
    let _ = out.send(Report::Event(event)).await;
}

/// Makes the place of a job; what became of that.
async fn begin(
    ci: &Ci,
    run: &Run,
    github: &serde_json::Value,
    start: &JobStart,
    told: Vec<String>,
    out: &mpsc::Sender<Report>,
) -> Event {
    let (job, attempt) = (start.job.clone(), start.attempt);
    match open(ci, run, github, start, told).await {
        Ok(place) => {
            let seen = place.place.clone();
            let _ = out.send(Report::Opened(job.clone(), Box::new(place))).await;
            Event::JobStarted { job, attempt, place: seen }
        }
        Err(OpenError::Refused(reason)) => {
            tell(ci, run, start, &format!("##[error]{reason}")).await;
            Event::JobRefused { job, attempt, reason }
        }
        Err(OpenError::Lost(reason)) => Event::JobLost { job, attempt, reason },
    }
}

/// Why no runner here fits the labels of a job.
fn unsuitable(start: &JobStart) -> Option<String> {
    let fits = |label: &String| {
        let label = label.to_lowercase();
        LABELS.contains(&label.as_str()) || label.starts_with("ubuntu-") || label.starts_with("debian")
    };
    let wrong = start.labels.iter().find(|label| !fits(label))?;
    Some(format!("no runner here has the label `{wrong}`; use `ubuntu-latest` or `self-hosted`"))
}

/// Says something in the log of a job that has no place.
async fn tell(ci: &Ci, run: &Run, start: &JobStart, text: &str) {
    let name = LogName::new(&run.id, &start.job.to_string());
    if let Ok(mut log) = JobLog::open(&ci.logs, &name, start.attempt).await {
        log.say(SET_UP, [text.to_owned()]).await;
    }
}

/// Why a job has no place.
pub enum OpenError {
    Refused(String),
    Lost(String),
}

async fn open(
    ci: &Ci,
    run: &Run,
    github: &serde_json::Value,
    start: &JobStart,
    told: Vec<String>,
) -> Result<JobPlace, OpenError> {
    let id = sandbox_id(&run.id, &start.job, start.attempt);
    let lost = |what: &str, error: &dyn std::fmt::Display| OpenError::Lost(format!("{what}: {error}"));
    let folder = ci.config.folder.join(id.to_string());
    for lost in 1..start.attempt {
        let id = sandbox_id(&run.id, &start.job, lost);
        ending::remove(ci, &id).await;
    }
    let environment = start.environment.as_deref().map(view::environment);
    let principal = principal(run, &start.job, environment.as_ref());
    let grant = grants::grant(run, github, start, environment.clone());
    let token = identity::Secret::draw().map_err(|e| lost("no token", &e))?;
    // Written together, they cost one sync of the disk. No step starts before, but the place may be made.
    let entered = async { ci.tokens.enter(&token, principal, TOKEN_LIFETIME).await.map_err(|e| lost("no token", &e)) };
    let granted = async { store::put(&*ci.records, &grant).await.map_err(|e| lost("no grant", &e)) };
    let made = make(ci, run, start, (id, folder), grant.clone(), token.clone(), told);
    let (entered, granted, place) = tokio::join!(entered, granted, made);
    entered.and(granted).and(place)
}

/// Makes the folders, the containers and the sandbox of a job.
async fn make(
    ci: &Ci,
    run: &Run,
    start: &JobStart,
    (id, folder): (SandboxId, PathBuf),
    grant: JobGrant,
    token: identity::Secret,
    mut told: Vec<String>,
) -> Result<JobPlace, OpenError> {
    let lost = |what: &str, error: &dyn std::fmt::Display| OpenError::Lost(format!("{what}: {error}"));
    lay_out(ci, run, &folder, &token).map_err(|e| lost("no folder", &e))?;
    // Steps that outlive this server still print this token, when the next one has another.
    keep_mask(&folder, token.reveal()).map_err(|e| lost("no folder", &e))?;
    match tests::prepare_failed(ci, run, &start.job, start.attempt, &folder).await {
        Ok(line) => told.extend(line),
        Err(error) => told.push(format!("##[warning]The tests that failed before cannot be told, so all run: {error}")),
    }
    let containers = containers::prepare(ci, &id, &folder, start).await?;
    let found = Found { key: start.job.clone(), attempt: start.attempt, sandbox: id, folder, grant, kept: containers.kept() };
    let place = attach(ci, run, found, token).await.map_err(|e| lost("no log", &e))?;
    let started = async {
        containers.start(ci, &place).await?;
        let spec = match containers.job() {
            Some(job) => spec::in_image(ci, run, &place, job),
            None => spec::on_machine(ci, run, &place, &place.sandbox),
        };
        spec::start(ci, &place.sandbox, &spec).await?;
        if let Some(companion) = &place.companion {
            spec::start(ci, companion, &spec::on_machine(ci, run, &place, companion)).await?;
        }
        Ok(())
    };
    let started = if start.container.is_none() && start.services.is_empty() {
        tokio::join!(set_up::tell_start(ci, &place, start), started).1
    } else {
        // Containers have something to say themselves, after this.
        set_up::tell_start(ci, &place, start).await;
        started.await
    };
    match started {
        Ok(()) => {
            if !told.is_empty() {
                output::say(&place, SET_UP, told).await;
            }
            Ok(place)
        }
        Err(error) => {
            containers::tell_logs(ci, &place, SET_UP).await;
            Err(error)
        }
    }
}

fn principal(run: &Run, job: &JobKey, environment: Option<&EnvironmentName>) -> Principal {
    Principal::Job {
        run: run.id.clone(),
        job: job.to_string(),
        commit: run.commit,
        project: run.id.project.clone(),
        environment: environment.cloned().unwrap_or_else(EnvironmentName::production),
    }
}

/// What is known of a job's place before its log is opened.
struct Found {
    key: JobKey,
    attempt: u32,
    sandbox: SandboxId,
    folder: PathBuf,
    grant: JobGrant,
    kept: Kept,
}

async fn attach(ci: &Ci, run: &Run, found: Found, token: identity::Secret) -> Result<JobPlace, store::LogError> {
    let Found { key, attempt, sandbox, folder, grant, kept } = found;
    let secrets::Opened { project: mut values, environment } = secrets::of_job(ci, &grant).await;
    let of_environment = Secrets::new(environment.iter().cloned());
    // Of two with one name the later wins.
    values.extend(environment);
    let debug = values.iter().any(|(name, value)| name == "ACTIONS_STEP_DEBUG" && value == "true");
    let services = (ci.config.job_services)(&grant);
    values.push(("GITHUB_TOKEN".to_owned(), token.reveal().to_owned()));
    let mut secrets = Secrets::new(values);
    services.secrets.iter().for_each(|secret| secrets.add_mask(secret));
    for mask in std::fs::read_to_string(folder.join("masks")).unwrap_or_default().lines() {
        if let Ok(mask) = serde_json::from_str::<String>(mask) {
            secrets.add_mask(&mask);
        }
    }
    let name = LogName::new(&run.id, &key.to_string());
    let log = JobLog::open(&ci.logs, &name, attempt).await?;
    let facts = RunFacts {
        id: run.id.clone(),
        clone_url: ci.clone_url(&run.id.project),
    };
    let layout = layout(run, &kept);
    let mut seen = seen(ci, &layout, &kept);
    seen.env.extend(tests::variables(&folder, &layout.temp));
    let companion = kept.in_image.then(|| containers::companion(&sandbox));
    let vars = secrets::variables_of_environment(ci, &grant).await;
    Ok(JobPlace {
        sandbox,
        companion,
        key,
        attempt,
        place: Place { vars, ..seen },
        kept: Arc::new(kept),
        actions: layout.actions,
        of_environment,
        masks: Arc::new(RwLock::new(secrets.masker().clone())),
        secrets,
        token,
        log: Arc::new(Mutex::new(log)),
        run: Arc::new(facts),
        grant: Arc::new(grant),
        insides: ci.mounted.as_ref().map(|it| it.insides()),
        matchers: matchers::read(&folder),
        debug: if debug { Debug::Shown } else { Debug::Hidden },
        folder,
    })
}

fn layout(run: &Run, kept: &Kept) -> Layout {
    let project = run.id.project.as_str();
    if kept.in_image { Layout::in_container(project) } else { Layout::on_machine(project) }
}

fn seen(ci: &Ci, layout: &Layout, kept: &Kept) -> Place {
    let mut env = if kept.in_image { kept.image_env.clone() } else { ci.config.env.clone() };
    let tools = format!("{TOOLS}/bin");
    match env.iter_mut().find(|(name, _)| name == "PATH") {
        // An image's own tools win.
        Some((_, path)) if kept.in_image => *path = format!("{path}:{tools}"),
        Some((_, path)) => *path = format!("{tools}:{path}"),
        None => env.push(("PATH".to_owned(), format!("{tools}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))),
    }
    let home = layout.home.clone().unwrap_or_else(|| ci.config.home.display().to_string());
    env.push(("HOME".to_owned(), home));
    if !kept.in_image {
        // Whoever owns the job on this machine is root inside.
        env.extend(["USER", "LOGNAME"].map(|name| (name.to_owned(), "root".to_owned())));
    }
    env.push(("KUBECONFIG".to_owned(), format!("{TOOLS}/kubeconfig")));
    env.push(("LANDFALL_URL".to_owned(), ci.config.url.clone()));
    Place {
        workspace: layout.workspace.clone(),
        temp: layout.temp.clone(),
        tool_cache: layout.tool_cache.clone(),
        runner: "landfall".to_owned(),
        os: "Linux".to_owned(),
        arch: if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" }.to_owned(),
        bash: !kept.in_image && ["/bin/bash", "/usr/bin/bash"].iter().any(|it| Path::new(it).exists()),
        env,
        container: kept.container.clone(),
        services: kept.services.clone(),
        vars: Vec::new(),
    }
}

/// Makes the folder of all jobs.
pub fn make_folder(folder: &Path) {
    let mut builder = std::fs::DirBuilder::new();
    if let Err(error) = builder.recursive(true).mode(0o700).create(folder) {
        // Each job tries again, and tells people.
        tracing::error!(%error, "the folder of jobs could not be made");
    }
    sandbox::spread(folder);
}

/// The folders of a job; what is there already stays.
fn lay_out(ci: &Ci, run: &Run, folder: &Path, token: &identity::Secret) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)?;
    for name in ["scratch", "work", "temp", "actions", "home", "tool_cache", "steps", "tools/bin"] {
        std::fs::create_dir_all(folder.join(name))?;
    }
    std::fs::write(folder.join("tools/landfall"), "")?;
    let own = std::iter::once(crate::native::PROGRAM);
    for tool in ci.config.tools.iter().map(String::as_str).chain(own) {
        match std::os::unix::fs::symlink("../landfall", folder.join("tools/bin").join(tool)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let kubeconfig = (ci.config.kubeconfig)(token.reveal(), &run.id.project);
    write_private(&folder.join("tools/kubeconfig"), kubeconfig.as_bytes())
}

/// Writes a file that only the owner can read.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, bytes)
}

/// Keeps a value to hide beside the job for a restart; it goes with the job's folder.
pub fn keep_mask(folder: &Path, value: &str) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).append(true).mode(0o600).open(folder.join("masks"))?;
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    io::Write::write_all(&mut file, &line)
}

/// The jobs of a run whose sandboxes still are there.
pub async fn adopt_all(ci: &Ci, run: &Run) -> HashMap<JobKey, JobPlace> {
    let mut places = HashMap::new();
    if run.started.is_none() {
        return places;
    }
    let listed = match ci.sandbox.list().await {
        Ok(listed) => listed,
        Err(error) => {
            tracing::error!(%error, "the sandboxes could not be listed");
            return places;
        }
    };
    for status in listed.into_iter().filter(|status| status.exit.is_none()) {
        let label = |name: &str| status.labels.get(name).cloned().unwrap_or_default();
        if label("landfall.run") != run.id.to_string() || label("landfall.part") != "job" {
            continue;
        }
        let leg = label("landfall.leg").parse().unwrap_or_default();
        let attempt = label("landfall.attempt").parse().unwrap_or(1);
        let key = JobKey { id: label("landfall.job"), leg };
        // What an earlier attempt left is removed by the next one.
        if places.get(&key).is_some_and(|known: &JobPlace| known.attempt > attempt) {
            continue;
        }
        match adopt(ci, run, key.clone(), attempt, status.id).await {
            Ok(place) => drop(places.insert(key, place)),
            Err(reason) => tracing::error!(reason, "a job could not be adopted"),
        }
    }
    places
}

async fn adopt(ci: &Ci, run: &Run, key: JobKey, attempt: u32, sandbox: SandboxId) -> Result<JobPlace, String> {
    let grant_key = JobGrant::key_of(&run.id, &key.to_string());
    let grant = store::find::<JobGrant>(&*ci.records, &grant_key).await.map_err(|error| error.to_string())?;
    let grant = grant.ok_or("its grant is gone")?;
    // Steps that run keep their old token, which is valid until the job is over.
    let token = ci.tokens.issue(principal(run, &key, grant.environment.as_ref()), TOKEN_LIFETIME).await;
    let token = token.map_err(|error| error.to_string())?;
    let folder = ci.config.folder.join(sandbox.to_string());
    let kept = Kept::read(&folder).map_err(|error| error.to_string())?;
    let found = Found { key, attempt, sandbox, folder, grant, kept };
    let place = attach(ci, run, found, token).await.map_err(|error| error.to_string())?;
    containers::adopt(ci, &place).await;
    Ok(place)
}
