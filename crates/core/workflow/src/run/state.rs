//! What a run remembers; this is what is stored.

use api::Conclusion;
use names::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{GroupRequest, InProgress, JobKey, Reason, Start, WorkflowHome, leg_state::LegState};
use crate::{Queue, Workflow, action::ActionHome};

/// Fields that hold nothing are left out: a run is stored after every round.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a run stands on: large, and the same from round to round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ground {
    /// Read again when the run is loaded; the first is the run's own.
    pub files: Vec<FileText>,
    /// The texts of `action.yml`, each once, read again when the run is loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<ManifestText>,
    pub start: Start,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// Stored beside the rest, see [`super::Stored`].
    #[serde(skip, default = "Ground::empty")]
    pub ground: Ground,
    pub now: Timestamp,
    #[serde(default, skip_serializing_if = "is_default")]
    pub cancelled: Option<String>,
    /// The run itself and every called workflow.
    pub frames: Vec<Frame>,
    /// The jobs of all frames; those of one frame lie side by side in the order of the file.
    pub jobs: Vec<JobState>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub conclusion: Option<Conclusion>,
    /// The number of the first attempt of a job that starts; higher after each re-run.
    pub first_attempt: u32,
    #[serde(skip)]
    pub given_finish: bool,
    #[serde(skip)]
    pub given_group: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct FileText {
    pub path: String,
    pub source: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ManifestText {
    pub source: String,
    pub home: ActionHome,
}

/// One workflow file at work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Frame {
    pub file: usize,
    /// The job and leg that calls it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub caller: Option<(usize, usize)>,
    pub home: WorkflowHome,
    /// Of the call, typed; those of the run lie in its start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inputs: Value,
    /// Where its jobs begin, and how many there are.
    pub first: usize,
    pub count: usize,
    pub group: Gate,
    /// A re-run has put another in its place.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gone: bool,
}

/// Whether a concurrency group lets one go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Gate {
    /// Not evaluated yet.
    #[default]
    Unknown,
    Open,
    Wanted(Group),
    Held(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    pub name: String,
    pub running: InProgress,
    pub all_wait: bool,
    /// For whom, in words.
    pub waits: Option<String>,
}

impl Group {
    pub fn request(&self, holder: super::GroupHolder) -> GroupRequest {
        GroupRequest {
            holder,
            group: self.name.clone(),
            running: self.running,
            queue: if self.all_wait {
                Queue::Max
            } else {
                Queue::Single
            },
        }
    }
}

impl Gate {
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open | Self::Held(_))
    }

    /// The group that is wanted or held.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Unknown | Self::Open => None,
            Self::Wanted(group) => Some(&group.name),
            Self::Held(name) => Some(name),
        }
    }

    pub fn grant(&mut self) {
        if let Self::Wanted(group) = self {
            *self = Self::Held(std::mem::take(&mut group.name));
        }
    }

    pub fn wait_for(&mut self, reason: &str) {
        if let Self::Wanted(group) = self {
            group.waits = Some(reason.to_owned());
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct JobState {
    /// As [`JobKey::id`] has it.
    pub id: String,
    pub frame: usize,
    pub phase: JobPhase,
    /// As the jobs that need it see it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub result: Option<Conclusion>,
    /// Never holds a secret: what a mask would change is dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason: Option<Reason>,
    pub fail_fast: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_parallel: Option<usize>,
    /// What all its ancestors came to, once it is decided.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ancestry: Ancestry,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<LegState>,
}

/// What all jobs that one needs, direct and indirect, came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ancestry {
    /// Whether one did not succeed.
    pub flawed: bool,
    pub failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum JobPhase {
    /// For the jobs it needs.
    Waiting,
    /// Its legs are known.
    Expanded,
    Done,
}

impl Ground {
    /// Until the one that was stored is put in its place.
    fn empty() -> Self {
        Self {
            files: Vec::new(),
            manifests: Vec::new(),
            start: Start::default(),
        }
    }
}

impl State {
    pub fn new(workflow: &Workflow, start: Start, now: Timestamp) -> Self {
        let text = |name: &str| {
            let value = start.github.get(name).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let home = WorkflowHome {
            repository: text("repository"),
            git_ref: text("ref"),
            commit: text("sha"),
        };
        let ground = Ground {
            files: Vec::new(),
            manifests: Vec::new(),
            start,
        };
        let mut state = Self {
            ground,
            now,
            cancelled: None,
            frames: Vec::new(),
            jobs: Vec::new(),
            conclusion: None,
            first_attempt: 1,
            given_finish: false,
            given_group: false,
        };
        state.open_frame(workflow, None, home, Value::Null);
        state
    }

    /// Adds a file with its jobs, and gives its frame.
    pub fn open_frame(
        &mut self,
        workflow: &Workflow,
        caller: Option<(usize, usize)>,
        home: WorkflowHome,
        inputs: Value,
    ) -> usize {
        let same = |it: &FileText| it.path == workflow.path && it.source == workflow.source;
        let file = self.ground.files.iter().position(same).unwrap_or_else(|| {
            self.ground.files.push(FileText {
                path: workflow.path.clone(),
                source: workflow.source.clone(),
            });
            self.ground.files.len() - 1
        });
        let prefix = caller.and_then(|(job, leg)| {
            let id = self.jobs.get(job)?.id.clone();
            Some(JobKey { id, leg })
        });
        let frame = self.frames.len();
        self.frames.push(Frame {
            file,
            caller,
            home,
            inputs,
            first: self.jobs.len(),
            count: workflow.jobs.len(),
            group: Gate::Unknown,
            gone: false,
        });
        self.jobs.extend(workflow.jobs.iter().map(|job| {
            let id = match &prefix {
                Some(caller) => caller.inner(&job.id),
                None => job.id.clone(),
            };
            JobState::new(id, frame)
        }));
        frame
    }

    pub fn run_attempt(&self) -> u32 {
        let attempt = self.ground.start.github.get("run_attempt");
        let number = attempt.and_then(|it| match it.as_str() {
            Some(text) => text.parse().ok(),
            None => it.as_u64().and_then(|it| u32::try_from(it).ok()),
        });
        number.unwrap_or(1)
    }
}

impl JobState {
    pub fn new(id: String, frame: usize) -> Self {
        Self {
            id,
            frame,
            phase: JobPhase::Waiting,
            result: None,
            outputs: Vec::new(),
            reason: None,
            fail_fast: true,
            max_parallel: None,
            ancestry: Ancestry::default(),
            legs: Vec::new(),
        }
    }
}
