//! How a run is stored: whole, or in two parts of which one hardly ever changes.
//!
//! After each round only what the round changed should be written. So the texts of
//! the files and what the run was started with, its ground, may be kept apart.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

use super::{
    Run, prepare,
    state::{Ground, State},
    work::Work,
};

/// The part of a run that hardly ever changes; opaque but to [`Run::restore`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredGround(Ground);

impl StoredGround {
    /// The `github` context that the run was started with.
    pub fn github(&self) -> &Value {
        &self.0.start.github
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    ground: &'a Ground,
    #[serde(flatten)]
    state: &'a State,
}

#[derive(Deserialize)]
struct OwnedWhole {
    #[serde(flatten)]
    ground: Ground,
    #[serde(flatten)]
    state: State,
}

impl Run {
    /// What must be stored beside [`Run::progress`], once for each value of [`Run::ground_version`].
    pub fn ground(&self) -> StoredGround {
        StoredGround(self.state.ground.clone())
    }

    /// Changes whenever the ground does: a file or an action joins, or the run is started again.
    pub fn ground_version(&self) -> (usize, usize, u32) {
        let ground = &self.state.ground;
        (ground.files.len(), ground.manifests.len(), self.attempt())
    }

    /// What changes from round to round, as it is stored.
    ///
    /// # Errors
    ///
    /// When the run holds what JSON cannot; it never does.
    pub fn progress(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.state)
    }

    /// The run that was stored in two parts.
    ///
    /// # Errors
    ///
    /// When the parts are not of one run, or not readable.
    pub fn restore(progress: Value, ground: StoredGround) -> Result<Self, serde_json::Error> {
        let mut state: State = serde_json::from_value(progress)?;
        state.ground = ground.0;
        Self::of_state(state).map_err(serde_json::Error::custom)
    }

    fn of_state(state: State) -> Result<Self, String> {
        let files = state.ground.files.iter().map(|file| {
            let workflow = crate::parse::again(&file.source, &file.path)?;
            Ok(Arc::new(workflow))
        });
        let files = files.collect::<Result<Vec<_>, String>>()?;
        let manifests = state.ground.manifests.iter().map(|text| {
            let manifest = prepare::read_manifest(text, "action.yml")?;
            Ok(Arc::new(manifest))
        });
        let manifests = manifests.collect::<Result<Vec<_>, String>>()?;
        let sound = !state.frames.is_empty()
            && state.frames.iter().all(|frame| {
                let file = files.get(frame.file);
                file.is_some_and(|it| it.jobs.len() == frame.count)
                    && frame.first + frame.count <= state.jobs.len()
            });
        if !sound {
            return Err("the workflow has other jobs than the run".to_owned());
        }
        let work = Work::of(&files, &state);
        Ok(Self {
            files,
            manifests,
            state,
            work,
        })
    }
}

impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (ground, state) = (&self.state.ground, &self.state);
        Whole { ground, state }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let OwnedWhole { ground, mut state } = OwnedWhole::deserialize(deserializer)?;
        state.ground = ground;
        Self::of_state(state).map_err(D::Error::custom)
    }
}
