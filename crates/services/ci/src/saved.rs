//! How the state machine of a run is kept: what changes in the run's record, what it stands on beside it.
//!
//! A run is written down again and again, and everybody who watches runs reads it each time. The texts of
//! its workflow files and the event that started it are large and never change, so they are written once.

use api::{Record, Run};
use names::RunId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Records, TypedError};
use workflow::StoredGround;

/// The part of a run that hardly ever changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunGround {
    pub id: RunId,
    pub ground: StoredGround,
}

impl Record for RunGround {
    const KIND: &'static str = "run-ground";

    fn key(&self) -> String {
        Run::key_of(&self.id)
    }
}

/// Why a run's state machine could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error("the state of the run is not readable")]
    Unreadable(#[from] serde_json::Error),
}

/// Writes what a run stands on; it must be there before a record whose progress needs it.
pub async fn put_ground(records: &dyn Records, id: &RunId, machine: &workflow::Run) -> Result<(), TypedError> {
    store::put(records, &RunGround { id: id.clone(), ground: machine.ground() }).await.map(drop)
}

/// The state machine whose progress a record holds.
pub async fn load(records: &dyn Records, id: &RunId, progress: Value) -> Result<workflow::Run, LoadError> {
    // Runs of the first release were kept whole.
    if progress.get("files").is_some() {
        return Ok(serde_json::from_value(progress)?);
    }
    let key = Run::key_of(id);
    let found = store::find::<RunGround>(records, &key).await?;
    let found = found.ok_or(TypedError::NotFound { kind: RunGround::KIND, key })?;
    Ok(workflow::Run::restore(progress, found.ground)?)
}
