//! Carries runs out: asks the state machine what to do, does it, and tells it what happened.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use api::{Conclusion, Record as _, Run, Status};
use names::{Digest, RunId};
use serde::Deserialize;
use store::{Change, Expected, LogName, RecordsError, Revision, TypedError};
use tokio::{sync::mpsc, task::JoinSet};
use tracing::Instrument as _;
use workflow::{Effect, Event, GroupHolder, JobKey, Outside, Secrets, StepKey};

use crate::{
    Ci, approvals, calls, ending, groups, hash_files,
    intake::{self, FinishedRun},
    jobs,
    place::JobPlace,
    secrets, set_up, steps, view,
};

/// A run that could not be carried out (the store failed, say) is taken up again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// More reports than this wait: a job may have ten background steps.
const REPORTS: usize = 1024;

/// How a run stands is written down at least this often; a person notices a tenth of a second.
///
/// A step that began or ended need not be written down first: whoever takes the run up
/// again finds its process and its files.
const UNWRITTEN: Duration = Duration::from_millis(50);

/// Writing a run down takes at most one part in this many of its driver's time.
const WRITING_SHARE: u32 = 10;

/// Why the pipeline service ended.
#[derive(Debug, thiserror::Error)]
pub enum CiError {
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error("the state of the run is not readable")]
    Unreadable(#[from] serde_json::Error),
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
        hash_files::hash_files(&place.workspace(), patterns)
    }
}

struct Driver {
    ci: Ci,
    id: RunId,
    machine: workflow::Run,
    github: serde_json::Value,
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
    /// Whether the record says less than the state machine, and since when.
    unwritten: Option<Instant>,
    /// How long the record may lag: writing a large one must not take all the time there is.
    writing: Duration,
    /// Whether the record must be looked at.
    look: bool,
}

async fn drive(
    ci: Ci,
    id: RunId,
    out: mpsc::Sender<Report>,
    mut reports: mpsc::Receiver<Report>,
) -> Result<(), CiError> {
    let key = Run::key_of(&id);
    let Some(stored) = ci.records.get(Run::KIND, &key).await? else { return Ok(()) };
    let record: Run = serde_json::from_slice(&stored.value)?;
    if record.status == Status::Completed {
        return Ok(());
    }
    let mut machine: workflow::Run = serde_json::from_value(record.machine.clone())?;
    machine.resume();
    // The places of jobs are found again before anything is asked of them.
    let opened = secrets::of_project(&ci, &id.project, None).await;
    let places = Places { jobs: jobs::adopt_all(&ci, &record).await, project: Secrets::new(opened.project) };
    let mut driver = Driver {
        github: record.machine.pointer("/start/github").cloned().unwrap_or_default(),
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
        writing: UNWRITTEN,
        look: true,
    };
    loop {
        let effects: Vec<_> =
            std::iter::from_fn(|| driver.machine.next_effect(&driver.places)).collect();
        for effect in &effects {
            driver.foresee(effect);
        }
        if driver.look || driver.is_over() || effects.iter().any(is_remembered) || driver.is_due() {
            driver.store(&key).await?;
            driver.discard_logs().await;
        }
        if driver.is_over() {
            groups::release_all(&driver.ci, &driver.id).await;
            return Ok(());
        }
        let obeys = driver.obey();
        for effect in effects {
            driver.carry_out(effect);
        }
        // A wish has effects of its own, at once.
        if !obeys {
            driver.wait(&mut reports).await;
        }
    }
}

/// Whether a crash must not forget that this was asked for.
fn is_remembered(effect: &Effect) -> bool {
    match effect {
        Effect::StartStep(_)
        | Effect::AdoptStep { .. }
        | Effect::AdoptJob { .. }
        | Effect::StopStep { .. }
        | Effect::PrepareActions { .. }
        | Effect::LoadAction { .. } => false,
        Effect::AcquireGroup(_)
        | Effect::RequestApproval { .. }
        | Effect::LoadWorkflow { .. }
        | Effect::StartJob(_)
        | Effect::FinishJob(_)
        | Effect::FinishRun { .. } => true,
    }
}

impl Driver {
    /// What must be known of an effect before the state is stored.
    fn foresee(&mut self, effect: &Effect) {
        match effect {
            Effect::FinishJob(end) => {
                self.closing.insert(end.job.clone());
            }
            Effect::FinishRun { conclusion } => self.conclusion = Some(*conclusion),
            Effect::AcquireGroup(request) if request.holder == GroupHolder::Run => {
                self.told.concurrency = Some(request.group.to_lowercase());
            }
            Effect::AcquireGroup(_)
            | Effect::RequestApproval { .. }
            | Effect::LoadWorkflow { .. }
            | Effect::StartJob(_)
            | Effect::AdoptJob { .. }
            | Effect::PrepareActions { .. }
            | Effect::LoadAction { .. }
            | Effect::StartStep(_)
            | Effect::AdoptStep { .. }
            | Effect::StopStep { .. } => {}
        }
    }

    fn is_over(&self) -> bool {
        self.conclusion.is_some() && self.closing.is_empty()
    }

    fn is_due(&self) -> bool {
        self.unwritten.is_some_and(|since| since.elapsed() >= self.writing)
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

    /// The record without what is large and only the driver needs.
    fn glance(&self) -> Run {
        let machine = serde_json::Value::Null;
        let Run { id, workflow, name, event, git_ref, subject, author, .. } = &self.record;
        Run {
            id: id.clone(),
            workflow: workflow.clone(),
            name: name.clone(),
            event: event.clone(),
            git_ref: git_ref.clone(),
            subject: subject.clone(),
            author: author.clone(),
            reason: None,
            jobs: Vec::new(),
            cancel_jobs: Vec::new(),
            again: Vec::new(),
            concurrency: None,
            cause: None,
            machine,
            ..self.record
        }
    }

    /// Stores the state, so that a crash repeats and forgets nothing.
    ///
    /// Nobody else changes a run but to say what shall happen to it, so the record is
    /// read again only when somebody did.
    async fn store(&mut self, key: &str) -> Result<(), CiError> {
        let begun = Instant::now();
        let machine = serde_json::to_value(&self.machine)?;
        let over = self.is_over();
        if let Some(conclusion) = self.conclusion.filter(|_| over) {
            self.wind_up(key, conclusion, &machine).await?;
        }
        if self.look {
            self.read(key).await?;
        }
        self.write_down(machine, over);
        loop {
            let bytes = serde_json::to_vec(&self.record)?.into();
            match self.ci.records.put(Run::KIND, key, bytes, Expected::At(self.revision)).await {
                Ok(revision) => {
                    self.revision = revision;
                    break;
                }
                Err(RecordsError::Conflict { .. }) => self.read(key).await?,
                Err(error) => return Err(error.into()),
            }
        }
        self.unwritten = None;
        self.look = false;
        self.writing = UNWRITTEN.max(begun.elapsed() * WRITING_SHARE);
        Ok(())
    }

    /// Brings the record in line with the state machine.
    fn write_down(&mut self, machine: serde_json::Value, over: bool) {
        let (run, now) = (&mut self.record, store::now());
        view::update(run, &self.machine, &self.told);
        run.machine = machine;
        run.status = Status::Running;
        run.started = run.started.or(Some(now));
        if over {
            run.status = Status::Completed;
            run.conclusion = self.conclusion;
            run.finished = Some(now);
            // Whoever starts it again finds it apart, so that lists of runs stay small.
            run.machine = serde_json::Value::Null;
        }
    }

    /// Takes over what others said about the run.
    async fn read(&mut self, key: &str) -> Result<(), CiError> {
        let stored = self.ci.records.get(Run::KIND, key).await?;
        let gone = || TypedError::NotFound { kind: Run::KIND, key: key.to_owned() };
        let stored = stored.ok_or_else(gone)?;
        let told: Run = serde_json::from_slice(&stored.value)?;
        self.revision = stored.revision;
        self.record.cancel = told.cancel;
        self.record.cancel_jobs = told.cancel_jobs;
        self.record.again = told.again;
        self.record.reason = told.reason;
        Ok(())
    }

    /// What must have happened before the run counts as over; twice does no harm.
    async fn wind_up(&self, key: &str, conclusion: Conclusion, machine: &serde_json::Value) -> Result<(), CiError> {
        let finished = FinishedRun { id: self.id.clone(), machine: machine.clone() };
        store::put(&*self.ci.records, &finished).await?;
        if let Some(run) = store::find::<Run>(&*self.ci.records, key).await?
            && let Err(error) = intake::run_is_over(&self.ci, &run, conclusion).await
        {
            tracing::error!(%error, "the runs after this one could not be started");
        }
        Ok(())
    }

    /// The record names the blobs, so the files may go.
    async fn discard_logs(&mut self) {
        for (job, _) in std::mem::take(&mut self.told.logs) {
            let name = LogName::new(&self.id, &job.to_string());
            if let Err(error) = self.ci.logs.discard(&name).await {
                tracing::error!(%error, "the file of a log could not be removed");
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let (ci, out, id) = (self.ci.clone(), self.out.clone(), self.id.clone());
        match effect {
            Effect::AcquireGroup(request) => {
                self.tasks.spawn(async move { groups::acquire(&ci, &id, request, &out).await });
            }
            Effect::RequestApproval { job, environment } => {
                let git_ref = self.record.git_ref.clone();
                self.tasks.spawn(async move { approvals::request(&ci, &id, &git_ref, job, &environment, &out).await });
            }
            Effect::LoadWorkflow { job, reference, from } => {
                let is_own = self.github.get("repository").and_then(serde_json::Value::as_str) == Some(&from.repository);
                let home = if is_own { calls::Home::Run(id) } else { calls::Home::Other };
                self.tasks.spawn(async move { calls::load(&ci, &home, job, &reference, &from, &out).await });
            }
            Effect::StartJob(start) => {
                let (record, github) = (self.glance(), self.github.clone());
                self.tasks.spawn(async move { jobs::start(&ci, &record, &github, *start, &out).await });
            }
            Effect::AdoptJob { job, attempt } => {
                if !self.places.jobs.get(&job).is_some_and(|place| place.attempt == attempt) {
                    let reason = "its sandbox is gone".to_owned();
                    self.spawn_report(Event::JobLost { job, attempt, reason });
                }
            }
            Effect::PrepareActions { job, attempt, actions } => match self.place(&job, attempt) {
                Some(place) => {
                    self.tasks.spawn(async move { set_up::prepare(&ci, &place, actions, &out).await });
                }
                None => self.lost(job, attempt),
            },
            Effect::LoadAction { job, attempt, path } => match self.place(&job, attempt) {
                Some(place) => {
                    self.tasks.spawn(async move { set_up::load(&place, path, &out).await });
                }
                None => self.lost(job, attempt),
            },
            Effect::StartStep(start) => match self.place(&start.step.job, start.step.attempt) {
                Some(place) => {
                    self.tasks.spawn(async move { steps::start(&ci, &place, *start, &out).await });
                }
                None => self.lost(start.step.job, start.step.attempt),
            },
            Effect::AdoptStep { step } => match self.place(&step.job, step.attempt) {
                Some(place) => {
                    self.tasks.spawn(async move { steps::adopt(&ci, &place, step, &out).await });
                }
                None => self.lost(step.job, step.attempt),
            },
            Effect::StopStep { step, why } => match self.place(&step.job, step.attempt) {
                Some(place) => {
                    self.tasks.spawn(async move { steps::stop(&ci, &place, step, why, &out).await });
                }
                None => self.lost(step.job, step.attempt),
            },
            Effect::FinishJob(end) => {
                let place = self.places.jobs.get(&end.job).cloned();
                self.tasks.spawn(async move {
                    groups::release(&ci, &id, &end.job).await;
                    ending::finish(&ci, &id, place, end, &out).await;
                });
            }
            Effect::FinishRun { .. } => {}
        }
    }

    fn place(&self, job: &JobKey, attempt: u32) -> Option<JobPlace> {
        self.places.jobs.get(job).filter(|place| place.attempt == attempt).cloned()
    }

    fn lost(&mut self, job: JobKey, attempt: u32) {
        let reason = "its sandbox is gone".to_owned();
        self.spawn_report(Event::JobLost { job, attempt, reason });
    }

    fn spawn_report(&mut self, event: Event) {
        let out = self.out.clone();
        // The receiver lives as long as the driver.
        self.tasks.spawn(async move { drop(out.send(Report::Event(event)).await) });
    }

    /// Waits until something happens, and tells it to the state machine.
    async fn wait(&mut self, reports: &mut mpsc::Receiver<Report>) {
        let timeout = async {
            match self.machine.deadline() {
                Some(deadline) => tokio::time::sleep(deadline.since(store::now())).await,
                None => std::future::pending().await,
            }
        };
        let due = async {
            match self.unwritten {
                Some(since) => tokio::time::sleep(self.writing.saturating_sub(since.elapsed())).await,
                None => std::future::pending().await,
            }
        };
        let report = tokio::select! {
            report = reports.recv() => report,
            () = due => return,
            () = timeout => {
                self.unwritten.get_or_insert_with(Instant::now);
                self.machine.handle_timeout(&self.places, store::now());
                return;
            }
        };
        self.take(report);
        while let Ok(report) = reports.try_recv() {
            self.take(Some(report));
        }
        while self.tasks.try_join_next().is_some() {}
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
