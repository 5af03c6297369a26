//! Carries runs out: asks the state machine what to do, does it, and tells it what happened.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use api::{Conclusion, Record as _, Run, Status};
use names::{Digest, RunId};
use store::{Change, LogName, RecordsError, Revision, TypedError};
use tokio::{sync::mpsc, task::JoinSet};
use tracing::Instrument as _;
use workflow::{Effect, Event, JobKey, Outside, Secrets};

use crate::{
    Ci, hash_files,
    jobs::{self, JobPlace},
    steps, view,
};

/// A run that could not be carried out (the store failed, say) is taken up again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// More reports than this never wait: each job has one step at a time.
const REPORTS: usize = 256;

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
    Opened(JobKey, JobPlace),
    /// A step asked to hide a value.
    Mask(JobKey, String),
    /// Nothing of a job is left but its log, if that could be kept.
    Closed { job: JobKey, attempt: u32, log: Option<Digest> },
    /// The record of the run changed: somebody may want it to end.
    Changed,
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
                let Ok(run) = serde_json::from_slice::<Run>(&stored.value) else {
                    tracing::error!(key = stored.key, "a run is not readable");
                    continue;
                };
                if run.status == Status::Completed {
                    continue;
                }
                if let Some(driver) = drivers.get(&run.id) {
                    // A full queue will look at the record soon anyway.
                    let _ = driver.try_send(Report::Changed);
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
    none: Secrets,
}

impl Outside for Places {
    fn secrets(&self, job: &JobKey) -> &Secrets {
        self.jobs.get(job).map_or(&self.none, |place| &place.secrets)
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
    places: Places,
    out: mpsc::Sender<Report>,
    tasks: JoinSet<()>,
    /// Jobs that are over and whose sandbox is being removed.
    closing: HashSet<JobKey>,
    logs: Vec<(JobKey, Digest)>,
    conclusion: Option<Conclusion>,
    cancelled: bool,
}

async fn drive(
    ci: Ci,
    id: RunId,
    out: mpsc::Sender<Report>,
    mut reports: mpsc::Receiver<Report>,
) -> Result<(), CiError> {
    let key = Run::key_of(&id);
    let Some(record) = store::find::<Run>(&*ci.records, &key).await? else { return Ok(()) };
    wait_for_turn(&ci, &record, &mut reports).await?;
    let mut machine: workflow::Run = serde_json::from_value(record.machine.clone())?;
    machine.resume();
    let places = Places { jobs: jobs::adopt_all(&ci, &record).await, none: Secrets::default() };
    let mut driver = Driver {
        ci,
        id,
        machine,
        places,
        out,
        tasks: JoinSet::new(),
        closing: HashSet::new(),
        logs: Vec::new(),
        conclusion: None,
        cancelled: false,
    };
    loop {
        let effects: Vec<_> =
            std::iter::from_fn(|| driver.machine.next_effect(&driver.places)).collect();
        for effect in &effects {
            driver.foresee(effect);
        }
        let record = driver.store(&key).await?;
        driver.discard_logs().await;
        if driver.is_over() {
            return Ok(());
        }
        let cancels = record.cancel && !driver.cancelled;
        if cancels {
            driver.cancelled = true;
            let reason = record.reason.clone().unwrap_or_else(|| "cancelled by a person".to_owned());
            driver.handle(Event::CancelRun { reason });
        }
        for effect in effects {
            driver.carry_out(effect, &record);
        }
        // A cancellation has effects of its own, at once.
        if cancels {
            continue;
        }
        driver.wait(&mut reports).await;
    }
}

/// Runs of one concurrency group follow each other; a run that shall end need not wait.
async fn wait_for_turn(
    ci: &Ci,
    run: &Run,
    reports: &mut mpsc::Receiver<Report>,
) -> Result<(), CiError> {
    let Some(group) = &run.concurrency else { return Ok(()) };
    let mut changes = ci.records.watch(Run::KIND, Revision::LATEST).await?;
    loop {
        let all = store::list::<Run>(&*ci.records, &format!("{}/", run.id.project)).await?;
        let before = |other: &&Run| {
            other.id.number < run.id.number
                && other.status != Status::Completed
                && other.concurrency.as_ref() == Some(group)
        };
        let Some(before) = all.iter().find(before) else { return Ok(()) };
        let stored = store::modify::<Run>(&*ci.records, &run.key(), |run| {
            if !run.cancel {
                run.reason = Some(format!("waits for {} of the group `{group}`", before.id));
            }
        })
        .await?;
        if stored.cancel {
            return Ok(());
        }
        tokio::select! {
            change = changes.next() => drop(change?),
            _ = reports.recv() => {}
        }
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
            Effect::StartJob(_)
            | Effect::AdoptJob { .. }
            | Effect::StartStep(_)
            | Effect::AdoptStep { .. }
            | Effect::StopStep { .. } => {}
        }
    }

    fn is_over(&self) -> bool {
        self.conclusion.is_some() && self.closing.is_empty()
    }

    fn handle(&mut self, event: Event) {
        self.machine.handle(event, &self.places, store::now());
    }

    /// Stores the state before anything is done, so that a crash repeats and forgets nothing.
    async fn store(&self, key: &str) -> Result<Run, CiError> {
        let machine = serde_json::to_value(&self.machine)?;
        let over = self.is_over();
        let stored = store::modify::<Run>(&*self.ci.records, key, |run| {
            let now = store::now();
            run.machine.clone_from(&machine);
            view::update(run, &self.machine);
            for (job, log) in &self.logs {
                let id = job.to_string();
                if let Some(job) = run.jobs.iter_mut().find(|it| it.id == id) {
                    job.log = Some(*log);
                }
            }
            run.status = Status::Running;
            run.started = run.started.or(Some(now));
            if run.reason.as_ref().is_some_and(|reason| reason.starts_with("waits for ")) {
                run.reason = None;
            }
            if over {
                run.status = Status::Completed;
                run.conclusion = self.conclusion;
                run.finished = Some(now);
                // The state machine has done its work; what it was stays in the jobs.
                run.machine = serde_json::Value::Null;
            }
        });
        Ok(stored.await?)
    }

    /// The record names the blobs, so the files may go.
    async fn discard_logs(&mut self) {
        for (job, _) in std::mem::take(&mut self.logs) {
            let name = LogName::new(&self.id, &job.to_string());
            if let Err(error) = self.ci.logs.discard(&name).await {
                tracing::error!(%error, "the file of a log could not be removed");
            }
        }
    }

    fn carry_out(&mut self, effect: Effect, record: &Run) {
        let (ci, out) = (self.ci.clone(), self.out.clone());
        match effect {
            Effect::StartJob(start) => {
                let record = record.clone();
                self.tasks.spawn(async move { jobs::start(&ci, &record, start, &out).await });
            }
            Effect::AdoptJob { job, attempt } => {
                if !self.places.jobs.get(&job).is_some_and(|place| place.attempt == attempt) {
                    let reason = "its sandbox is gone".to_owned();
                    self.spawn_report(Event::JobLost { job, attempt, reason });
                }
            }
            Effect::StartStep(start) => match self.places.jobs.get(&start.step.job) {
                Some(place) => {
                    let place = place.clone();
                    self.tasks.spawn(async move { steps::start(&ci, &place, *start, &out).await });
                }
                None => self.lost(start.step.job, start.step.attempt),
            },
            Effect::AdoptStep { step } => match self.places.jobs.get(&step.job) {
                Some(place) => {
                    let place = place.clone();
                    self.tasks.spawn(async move { steps::adopt(&ci, &place, step, &out).await });
                }
                None => self.lost(step.job, step.attempt),
            },
            Effect::StopStep { step, why } => match self.places.jobs.get(&step.job) {
                Some(place) => {
                    let place = place.clone();
                    self.tasks.spawn(async move { steps::stop(&ci, &place, step, why, &out).await });
                }
                None => self.lost(step.job, step.attempt),
            },
            Effect::FinishJob(end) => {
                let place = self.places.jobs.get(&end.job).cloned();
                let id = self.id.clone();
                self.tasks.spawn(async move { jobs::finish(&ci, &id, place, end, &out).await });
            }
            Effect::FinishRun { .. } => {}
        }
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
        let report = tokio::select! {
            report = reports.recv() => report,
            () = timeout => {
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
                self.places.jobs.insert(job, place);
            }
            Some(Report::Mask(job, value)) => {
                if let Some(place) = self.places.jobs.get_mut(&job) {
                    place.secrets.add_mask(&value);
                }
            }
            Some(Report::Closed { job, attempt, log }) => {
                // Together, because a job that is not closed is closed again, and its file may be gone by then.
                self.logs.extend(log.map(|log| (job.clone(), log)));
                self.closing.remove(&job);
                self.places.jobs.remove(&job);
                self.handle(Event::JobClosed { job, attempt });
            }
            Some(Report::Changed) | None => {}
        }
    }
}
