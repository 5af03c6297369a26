//! What a run remembers of one step.

use api::Conclusion;
use names::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Phase, StopReason, leg_state::Given, state::is_default, steps::static_name};
use crate::{Step, command::Annotation};

/// One step, or one phase of the action of a step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct StepState {
    pub name: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub part: Part,
    /// The step whose action this is; a main part points at itself.
    pub main: usize,
    /// Position in the file or manifest that has it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub at: usize,
    /// Position within `parallel`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sub: Option<usize>,
    /// The step inside which it runs: a composite action or `parallel`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub within: Option<usize>,
    /// The main part of the composite action that has it; `None` for steps of the job.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope: Option<usize>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub background: bool,
    /// A background step whose `wait` is over: its outputs show.
    #[serde(default, skip_serializing_if = "is_default")]
    pub covered: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub phase: StepPhase,
    #[serde(default, skip_serializing_if = "is_default")]
    pub outcome: Option<Conclusion>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub conclusion: Option<Conclusion>,
    /// Sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<(String, String)>,
    /// What a background step wrote to `GITHUB_ENV` and `GITHUB_PATH` before it is covered, sealed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub held: Held,
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeout_secs: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub deadline: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub stop: Option<StopReason>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub finished: Option<Timestamp>,
    /// Where [`super::leg_state::LegState::actions`] has its action; main parts only.
    #[serde(default, skip_serializing_if = "is_default")]
    pub action: Option<usize>,
    /// Steps that run inside this one, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<usize>,
    /// Main parts inside a composite action that have something to do afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub posts: Vec<usize>,
    /// The inputs that steps of a composite action see, sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<(String, String)>,
    /// The environment that the caller of a composite action sets, sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    /// What the action saved for its later phases, sealed; main parts only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<(String, String)>,
    /// Whether a step inside has failed and that counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failed: bool,
    /// Whether the executor may have been asked to start it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub asked: bool,
    #[serde(skip)]
    pub given: Given,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
}

/// What a step is to its action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Part {
    Pre,
    #[default]
    Main,
    Post,
    /// Waits for what nothing else waited for; no file has it.
    WaitForRest,
}

impl Part {
    pub fn phase(self) -> Phase {
        match self {
            Self::Pre => Phase::Pre,
            Self::Main | Self::WaitForRest => Phase::Main,
            Self::Post => Phase::Post,
        }
    }
}

/// Which steps of a job are in its order by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    #[default]
    Steps,
    Rest,
    Posts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum StepPhase {
    /// Its turn has not come.
    #[default]
    Pending,
    /// Its condition holds; the manifest of its action is asked for.
    Loading,
    /// Actions inside its action are asked for.
    Preparing,
    /// Its condition holds; the start is not yet reported.
    Ready,
    Running,
    /// Steps inside it run.
    Inside,
    /// For background steps.
    Waiting,
    Done,
}

impl StepState {
    /// The steps of a job's file.
    pub fn of_file(steps: &[Step]) -> Vec<Self> {
        let state = |(at, step): (usize, &Step)| Self {
            name: static_name(step),
            main: at,
            at,
            background: step.background,
            ..Self::default()
        };
        steps.iter().enumerate().map(state).collect()
    }

    /// Whether a process of it may run.
    pub fn is_live(&self) -> bool {
        matches!(self.phase, StepPhase::Ready | StepPhase::Running)
    }

    /// Whether its own deadline counts.
    pub fn is_timed(&self) -> bool {
        self.stop.is_none() && matches!(self.phase, StepPhase::Running | StepPhase::Inside)
    }

    /// Whether its turn is over, so that the next step may start.
    pub fn lets_pass(&self) -> bool {
        self.phase == StepPhase::Done || self.background && self.phase != StepPhase::Pending
    }

    /// Whether other steps may see what it gave.
    pub fn shows(&self) -> bool {
        self.phase == StepPhase::Done && (!self.background || self.covered)
    }

    pub fn enter(&mut self, phase: StepPhase) {
        self.phase = phase;
        self.given.ask = false;
    }
}
