//! Carries runs out: asks the state machine what to do, does it, and tells it what happened.

mod effects;
mod writing;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use api::{Conclusion, Record as _, Run, Status};
use names::{Digest, RunId};
use serde::Deserialize;
use store::{Change, RecordsError, Revision, TypedError};
use tokio::{sync::mpsc, task::JoinSet};
use tracing::Instrument as _;
use workflow::{Effect, Event, JobKey, Outside, Secrets, StepKey};

use self::{
    effects::When,
    writing::{UNWRITTEN, Writing},
};
use crate::{
    Ci, approvals, caches, groups, hash_files, intake, jobs, node,
    place::JobPlace,
    saved::{self, LoadError},
    secrets, view,
};

/// A run that could not be carried out (the store failed, say) is taken up again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// More reports than this wait: a job may have ten background steps.
const REPORTS: usize = 1024;

/// Why the pipeline service ended.
#[derive(Debug, thiserror::Error)]
pub enum CiError {
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error("the state of the run is not readable")]
    Unreadable(#[from] serde_json::Error),
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// What the tasks of a run tell its driver.
#[derive(Debug)]
pub enum Report {
    Event(Event),
    /// The sandbox of a job is there; its first report follows as an event.
    Opened(JobKey, Box<JobPlace>),
    /// A step asked to hide a value.
    Mask(JobKey, String),
    /// What a step wrote for people.
    Summary { step: StepKey, summary: Digest },
    /// Something about a job that no step says, for its annotations.
    Warning { job: JobKey, message: String },
    /// Nothing of a job is left but its log, if that could be kept.
    Closed { job: JobKey, attempt: u32, log: Option<Digest> },
    /// Somebody wants the run or some of its jobs to end.
    Changed,
}

/// As much of a run as must be known of one that changed.
#[derive(Deserialize)]
struct Glance {
    id: RunId,
    status: Status,
    #[serde(default)]
    cancel: bool,
    #[serde(default)]
    cancel_jobs: Vec<api::JobCancel>,
    #[serde(default)]
    again: Vec<api::JobsAgain>,
}

/// Drives every run that is not over.
pub async fn run(ci: Ci) -> Result<(), CiError> {
    // Asking each Node for its version takes a while, and the first job should not wait for it.
    let env = ci.config.clone();
    let mut looking = JoinSet::new();
    looking.spawn_blocking(move || drop(node::choose(&env.env, 0)));
    jobs::make_folder(&ci.config.folder);
    let mut changes = ci.records.watch(Run::KIND, Revision(0)).await?;
    let mut drivers: HashMap<RunId, mpsc::Sender<Report>> = HashMap::new();
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            change = changes.next() => {
                let Change::Put(stored) = change? else { continue };
                let Ok(run) = serde_json::from_slice::<Glance>(&stored.value) else {
                    tracing::error!(key = stored.key, "a run is not readable");
                    continue;
                };
                if run.status == Status::Completed {
                    continue;
                }
                if let Some(driver) = drivers.get(&run.id) {
                    if run.cancel || !run.cancel_jobs.is_empty() || !run.again.is_empty() {
                        // A full queue will look at the record soon anyway.
                        let _ = driver.try_send(Report::Changed);
                    }
                    continue;
                }
                let (sender, reports) = mpsc::channel(REPORTS);
                drivers.insert(run.id.clone(), sender.clone());
                let (ci, id, span) = (ci.clone(), run.id.clone(), crate::span(&run.id));
                tasks.spawn(async move {
                    let driven = drive(ci, id.clone(), sender, reports).await;
                    if let Err(error) = &driven {
                        tracing::error!(%error, "a run is taken up again");
                        tokio::time::sleep(AGAIN).await;
                    }
                    (id, driven.is_ok())
                }.instrument(span));
            }
            Some(ended) = tasks.join_next() => {
                let Ok((id, well)) = ended else { continue };
                drivers.remove(&id);
                if !well {
                    changes = ci.records.watch(Run::KIND, Revision(0)).await?;
                }
            }
        }
    }
}

/// The secrets and files that the state machine asks for.
#[derive(Default)]
struct Places {
    jobs: HashMap<JobKey, JobPlace>,
    /// Of jobs that have no place yet: for their containers, and for workflows that they call.
    project: Secrets,
}

impl Outside for Places {
    fn secrets(&self, job: &JobKey) -> &Secrets {
        self.jobs.get(job).map_or(&self.project, |place| &place.secrets)
    }

    fn environment_secrets(&self, job: &JobKey) -> Option<&Secrets> {
        self.jobs.get(job).map(|place| &place.of_environment)
    }

    fn hash_files(&self, job: &JobKey, patterns: &[String]) -> Result<String, String> {
        let place = self.jobs.get(job).ok_or("the job has no workspace yet")?;
        let seen = caches::seen(place).map_err(|error| format!("the workspace cannot be read: {error}"))?;
        hash_files::hash_files(&seen.path, patterns)
    }
}

struct Driver {
    ci: Ci,
    id: RunId,
    machine: workflow::Run,
    github: Arc<serde_json::Value>,
    places: Places,
    out: mpsc::Sender<Report>,
    tasks: JoinSet<()>,
    /// Jobs that are over and whose sandbox is being removed.
    closing: HashSet<JobKey>,
    told: view::Told,
    conclusion: Option<Conclusion>,
    cancelled: bool,
    cancelled_jobs: usize,
    again: usize,
    /// As it was last written or read.
    record: Run,
    revision: Revision,
    /// What the stored ground of the run holds, as the state machine counts it.
    ground: Option<(usize, usize, u32)>,
    /// Whether the record says less than the state machine, and since when.
    unwritten: Option<Instant>,
    /// How long the record may lag: writing a large one must not take all the time there is.
    lag: Duration,
    /// A write of the record that is on its way.
    writing: Option<Writing>,
    /// What is carried out once the present state is written.
    after: Vec<Effect>,
    /// Whether the record must be looked at.
    look: bool,
}

async fn drive(
    ci: Ci,
    id: RunId,
    out: mpsc::Sender<Report>,
    mut reports: mpsc::Receiver<Report>,
) -> Result<(), CiError> {
    approvals::leave_to_run(&ci, &id).await?;
    let key = Run::key_of(&id);
    let Some(stored) = ci.records.get(Run::KIND, &key).await? else { return Ok(()) };
    let record: Run = serde_json::from_slice(&stored.value)?;
    if record.status == Status::Completed {
        return Ok(());
    }
    let whole = record.machine.get("files").is_some();
    let mut machine = saved::load(&*ci.records, &id, record.machine.clone()).await?;
    machine.resume();
    // The places of jobs are found again before anything is asked of them.
    let opened = secrets::of_project(&ci, &id.project, None).await;
    let places = Places { jobs: jobs::adopt_all(&ci, &record).await, project: Secrets::new(opened.project) };
    let mut driver = Driver {
        github: Arc::new(machine.ground().github().clone()),
        ground: (!whole).then(|| machine.ground_version()),
        ci,
        id,
        machine,
        places,
        out,
        tasks: JoinSet::new(),
        closing: HashSet::new(),
        told: view::Told::default(),
        conclusion: None,
        cancelled: false,
        cancelled_jobs: 0,
        again: 0,
        record,
        revision: stored.revision,
        unwritten: Some(Instant::now()),
        lag: UNWRITTEN,
        writing: None,
        after: Vec::new(),
        look: false,
    };
    // Who was refused before the run began gets nothing started.
    driver.obey();
    loop {
        let effects: Vec<_> =
            std::iter::from_fn(|| driver.machine.next_effect(&driver.places)).collect();
        let news = effects.iter().any(effects::is_news);
        let (at_once, after): (Vec<_>, Vec<_>) = effects.into_iter().partition(|it| effects::when(it) == When::AtOnce);
        for effect in at_once.iter().chain(&after) {
            driver.foresee(effect);
        }
        driver.after.extend(after);
        for effect in at_once {
            driver.carry_out(effect);
        }
        if driver.look {
            driver.look_at_wishes(&key).await?;
        }
        if driver.is_over() {
            driver.write_last(&key).await?;
        } else if driver.writing.is_none() && (news || !driver.after.is_empty() || driver.is_due()) {
            driver.begin_to_write(&key).await?;
        }
        if driver.is_over() {
            groups::release_all(&driver.ci, &driver.id).await;
            return Ok(());
        }
        // A wish has effects of its own, at once.
        if !driver.obey() {
            driver.wait(&mut reports).await?;
        }
    }
}

impl Driver {
    fn is_over(&self) -> bool {
        self.conclusion.is_some() && self.closing.is_empty()
    }

    fn handle(&mut self, event: Event) {
        self.unwritten.get_or_insert_with(Instant::now);
        self.machine.handle(event, &self.places, store::now());
    }

    /// Tells the state machine what people want to end or to start again; says whether there is anything new.
    fn obey(&mut self) -> bool {
        let record = &self.record;
        let cancels = record.cancel && !self.cancelled;
        let jobs: Vec<_> = record.cancel_jobs.iter().skip(self.cancelled_jobs).cloned().collect();
        let again: Vec<_> = record.again.iter().skip(self.again).cloned().collect();
        if cancels {
            self.cancelled = true;
            let reason = record.reason.clone().unwrap_or_else(|| "cancelled by a person".to_owned());
            self.handle(Event::CancelRun { reason });
        }
        self.cancelled_jobs += jobs.len();
        for cancel in &jobs {
            let key = self.machine.jobs().into_iter().map(|job| job.key).find(|key| key.to_string() == cancel.job);
            if let Some(job) = key {
                self.handle(Event::CancelJob { job, reason: cancel.reason.clone() });
            }
        }
        self.again += again.len();
        for wanted in &again {
            self.unwritten.get_or_insert_with(Instant::now);
            match intake::again(&mut self.machine, wanted) {
                Ok(()) => self.conclusion = None,
                Err(error) => tracing::info!(%error, "jobs do not run again"),
            }
        }
        cancels || !jobs.is_empty() || !again.is_empty()
    }

    /// Waits until something happens, and tells it to the state machine.
    async fn wait(&mut self, reports: &mut mpsc::Receiver<Report>) -> Result<(), CiError> {
        let timeout = async {
            match self.machine.deadline() {
                Some(deadline) => tokio::time::sleep(deadline.since(store::now())).await,
                None => std::future::pending().await,
            }
        };
        let (lag, unwritten) = (self.lag, self.unwritten.filter(|_| self.writing.is_none()));
        let due = async {
            match unwritten {
                Some(since) => tokio::time::sleep(lag.saturating_sub(since.elapsed())).await,
                None => std::future::pending().await,
            }
        };
        let written = async {
            match &mut self.writing {
                Some(writing) => writing.wait().await,
                None => std::future::pending().await,
            }
        };
        let report = tokio::select! {
            report = reports.recv() => report,
            written = written => return self.written(written).await,
            () = due => return Ok(()),
            () = timeout => {
                self.unwritten.get_or_insert_with(Instant::now);
                self.machine.handle_timeout(&self.places, store::now());
                return Ok(());
            }
        };
        self.take(report);
        while let Ok(report) = reports.try_recv() {
            self.take(Some(report));
        }
        while self.tasks.try_join_next().is_some() {}
        Ok(())
    }

    fn take(&mut self, report: Option<Report>) {
        match report {
            Some(Report::Event(event)) => {
                if let Event::JobLost { job, attempt, .. } = &event
                    && self.places.jobs.get(job).is_some_and(|place| place.attempt == *attempt)
                {
                    self.places.jobs.remove(job);
                }
                self.handle(event);
            }
            Some(Report::Opened(job, place)) => {
                self.places.jobs.insert(job, *place);
            }
            Some(Report::Mask(job, value)) => {
                if let Some(place) = self.places.jobs.get_mut(&job) {
                    place.secrets.add_mask(&value);
                }
            }
            Some(Report::Summary { step, summary }) => {
                self.told.summaries.push((step, summary));
            }
            Some(Report::Warning { job, message }) => {
                self.unwritten.get_or_insert_with(Instant::now);
                self.told.warnings.push((job, message));
            }
            Some(Report::Closed { job, attempt, log }) => {
                // Together, because a job that is not closed is closed again, and its file may be gone by then.
                self.told.logs.extend(log.map(|log| (job.clone(), log)));
                self.closing.remove(&job);
                self.places.jobs.remove(&job);
                self.handle(Event::JobClosed { job, attempt });
            }
            Some(Report::Changed) => self.look = true,
            None => {}
        }
    }
}
