//! Writes down how a run stands: beside its work where that may be, before it goes on where it must.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use api::{Conclusion, Record as _, Run, Status};
use names::Digest;
use store::{Expected, LogName, RecordsError, Revision, TypedError};
use workflow::{Effect, JobKey};

use super::{CiError, Driver};
use crate::{
    intake::{self, FinishedRun},
    saved, view,
};

/// How a run stands is written down at least this often; a person notices a tenth of a second.
///
/// A step that began or ended need not be written down first: whoever takes the run up
/// again finds its process and its files.
pub const UNWRITTEN: Duration = Duration::from_millis(50);

/// Writing a run down takes at most one part in this many of its driver's time.
const WRITING_SHARE: u32 = 10;

/// A write of the record that is on its way.
pub struct Writing {
    put: Pin<Box<dyn Future<Output = Result<Revision, RecordsError>> + Send>>,
    begun: Instant,
    /// What is carried out once it is written.
    after: Vec<Effect>,
    /// Logs that the record names from then on.
    logs: Vec<(JobKey, Digest)>,
}

/// Where a run stands that is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    Over,
}

impl Writing {
    /// Dropping the future loses nothing.
    pub async fn wait(&mut self) -> Result<Revision, RecordsError> {
        self.put.as_mut().await
    }
}

impl Driver {
    pub(super) fn is_due(&self) -> bool {
        self.unwritten.is_some_and(|since| since.elapsed() >= self.lag)
    }

    /// Sets a write of the present state going.
    pub(super) async fn begin_to_write(&mut self, key: &str) -> Result<(), CiError> {
        let begun = Instant::now();
        self.keep_ground().await?;
        let machine = self.machine.progress()?;
        self.write_down(machine, Stage::Running);
        let bytes = serde_json::to_vec(&self.record)?.into();
        let (records, key, at) = (self.ci.records.clone(), key.to_owned(), Expected::At(self.revision));
        let put = Box::pin(async move { records.put(Run::KIND, &key, bytes, at).await });
        let (after, logs) = (std::mem::take(&mut self.after), std::mem::take(&mut self.told.logs));
        self.writing = Some(Writing { put, begun, after, logs });
        self.unwritten = None;
        Ok(())
    }

    /// A write has ended: goes on with what waited for it.
    pub(super) async fn written(&mut self, written: Result<Revision, RecordsError>) -> Result<(), CiError> {
        let Some(Writing { begun, after, logs, .. }) = self.writing.take() else { return Ok(()) };
        self.lag = UNWRITTEN.max(begun.elapsed() * WRITING_SHARE);
        match written {
            Ok(revision) => {
                self.revision = revision;
                self.discard(logs).await;
                for effect in after {
                    self.carry_out(effect);
                }
            }
            Err(RecordsError::Conflict { .. }) => {
                // Somebody wishes something: read it, and write again.
                self.look = true;
                self.after.splice(0..0, after);
                self.told.logs.splice(0..0, logs);
                self.unwritten.get_or_insert_with(Instant::now);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Waits for a write that is on its way.
    async fn settle(&mut self) -> Result<(), CiError> {
        while let Some(writing) = &mut self.writing {
            let written = writing.wait().await;
            self.written(written).await?;
        }
        Ok(())
    }

    /// Reads what others wish.
    ///
    /// Nobody else changes a run but to say what shall happen to it, so the record is
    /// read again only when somebody did.
    pub(super) async fn look_at_wishes(&mut self, key: &str) -> Result<(), CiError> {
        self.settle().await?;
        self.read(key).await?;
        self.look = false;
        Ok(())
    }

    /// Writes down a run that is over.
    pub(super) async fn write_last(&mut self, key: &str) -> Result<(), CiError> {
        self.settle().await?;
        let Some(conclusion) = self.conclusion else { return Ok(()) };
        self.keep_ground().await?;
        let machine = self.machine.progress()?;
        self.wind_up(conclusion, &machine).await?;
        self.write_down(machine, Stage::Over);
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
        let logs = std::mem::take(&mut self.told.logs);
        self.discard(logs).await;
        Ok(())
    }

    /// A record must not need what is not there.
    async fn keep_ground(&mut self) -> Result<(), CiError> {
        let version = self.machine.ground_version();
        if self.ground != Some(version) {
            saved::put_ground(&*self.ci.records, &self.id, &self.machine).await?;
            self.ground = Some(version);
        }
        Ok(())
    }

    /// Brings the record in line with the state machine.
    fn write_down(&mut self, machine: serde_json::Value, stage: Stage) {
        let (run, now) = (&mut self.record, store::now());
        view::update(run, &self.machine, &self.told);
        run.machine = machine;
        run.status = Status::Running;
        run.started = run.started.or(Some(now));
        if stage == Stage::Over {
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
    async fn wind_up(&mut self, conclusion: Conclusion, machine: &serde_json::Value) -> Result<(), CiError> {
        let finished = FinishedRun { id: self.id.clone(), machine: machine.clone() };
        store::put(&*self.ci.records, &finished).await?;
        if let Err(error) = intake::run_is_over(&self.ci, &self.record, &self.github, conclusion).await {
            tracing::error!(%error, "the runs after this one could not be started");
        }
        Ok(())
    }

    /// The record names the blobs, so the files may go.
    async fn discard(&mut self, logs: Vec<(JobKey, Digest)>) {
        for (job, _) in logs {
            let name = LogName::new(&self.id, &job.to_string());
            if let Err(error) = self.ci.logs.discard(&name).await {
                tracing::error!(%error, "the file of a log could not be removed");
            }
        }
    }
}
