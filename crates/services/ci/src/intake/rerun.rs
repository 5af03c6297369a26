//! Starts a run that is over again: all of it, what failed, or one job.

use api::{JobsAgain, Record, Run, Status};
use names::RunId;
use serde::{Deserialize, Serialize};
use store::TypedError;
use workflow::Rerun;

use crate::{
    Ci,
    saved::{self, LoadError},
    view,
};

/// Why a run does not start again.
#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    #[error("there is no run `{0}`")]
    NoRun(RunId),
    #[error("the run is not over yet")]
    NotOver,
    #[error(transparent)]
    Refused(#[from] workflow::RerunError),
    #[error("what the run did is not kept")]
    Forgotten,
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error("the run could not be stored")]
    Unstorable(#[from] serde_json::Error),
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// The state machine of a run that is over, for those that start it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishedRun {
    pub id: RunId,
    pub machine: serde_json::Value,
}

impl Record for FinishedRun {
    const KIND: &'static str = "finished-run";

    fn key(&self) -> String {
        Run::key_of(&self.id)
    }
}

/// Which jobs somebody wants again.
pub enum Wanted {
    All,
    Failed,
    /// By its id in the record.
    Job(String),
}

/// Starts the next attempt of a run; its number does not change.
pub async fn rerun(ci: &Ci, id: &RunId, wanted: &Wanted) -> Result<u32, RerunError> {
    let key = Run::key_of(id);
    let run = store::find::<Run>(&*ci.records, &key).await?.ok_or_else(|| RerunError::NoRun(id.clone()))?;
    if run.status != Status::Completed {
        return ask_driver(ci, &run, wanted).await;
    }
    let finished = store::find::<FinishedRun>(&*ci.records, &key).await?.ok_or(RerunError::Forgotten)?;
    let previous = saved::load(&*ci.records, id, finished.machine).await?;
    let machine = workflow::Run::rerun(&previous, &what(&previous, wanted)?, store::now())?;
    let value = machine.progress()?;
    // Should a crash come now, the run is still over, and its progress fits this ground as well.
    saved::put_ground(&*ci.records, id, &machine).await?;
    let approvals = store::list::<api::Approval>(&*ci.records, &api::Approval::prefix_of(id)).await?;
    for approval in approvals {
        store::remove::<api::Approval>(&*ci.records, &approval.key()).await?;
    }
    let mut started = Err(RerunError::NotOver);
    store::modify::<Run>(&*ci.records, &key, |run| {
        if run.status != Status::Completed {
            return;
        }
        run.attempt += 1;
        run.status = Status::Queued;
        run.conclusion = None;
        run.reason = None;
        run.finished = None;
        run.cancel = false;
        run.cancel_jobs.clear();
        run.again.clear();
        run.machine.clone_from(&value);
        view::update(run, &machine, &view::Told::default());
        started = Ok(run.attempt);
    })
    .await?;
    started
}

/// Which jobs of a run are meant.
fn what(run: &workflow::Run, wanted: &Wanted) -> Result<Rerun, workflow::RerunError> {
    Ok(match wanted {
        Wanted::All => Rerun::All,
        Wanted::Failed => Rerun::Failed,
        Wanted::Job(name) => {
            let key = run.jobs().into_iter().map(|job| job.key).find(|key| key.to_string() == *name);
            Rerun::Job(key.ok_or_else(|| workflow::RerunError::NoJob(name.clone()))?)
        }
    })
}

/// Starts jobs of a run again that still goes on, as its record asks.
pub fn again(machine: &mut workflow::Run, wanted: &JobsAgain) -> Result<(), workflow::RerunError> {
    let wanted = wanted.job.clone().map_or(Wanted::Failed, Wanted::Job);
    let what = what(machine, &wanted)?;
    machine.run_again(&what, store::now())
}

/// A run that goes on is in its driver's hands.
async fn ask_driver(ci: &Ci, run: &Run, wanted: &Wanted) -> Result<u32, RerunError> {
    let machine = saved::load(&*ci.records, &run.id, run.machine.clone()).await?;
    let asked = match wanted {
        Wanted::All => return Err(RerunError::NotOver),
        Wanted::Failed => JobsAgain { job: None },
        Wanted::Job(job) => JobsAgain { job: Some(job.clone()) },
    };
    // What cannot be is said at once.
    again(&mut machine.clone(), &asked)?;
    let stored = store::modify::<Run>(&*ci.records, &run.key(), |run| run.again.push(asked.clone())).await?;
    Ok(stored.attempt + 1)
}
