//! One piece of a pod's preparation: begun, done, or failed and waiting for its next try.

use names::Timestamp;

use crate::backoff::{BackOff, Pace};

/// A piece of work that is repeated with growing delays until it succeeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Task<T> {
    stage: Stage<T>,
    /// Why the last try failed; stays visible while the next one is under way.
    problem: Option<Problem>,
    back_off: BackOff,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage<T> {
    Absent,
    Working,
    Done(T),
    Failed { since: Timestamp, retry: Timestamp },
}

/// A reason in one word and a message in a sentence, as statuses carry them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub reason: String,
    pub message: String,
}

impl Problem {
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
        }
    }
}

impl<T> Default for Task<T> {
    fn default() -> Self {
        Self {
            stage: Stage::Absent,
            problem: None,
            back_off: BackOff::default(),
        }
    }
}

impl<T> Task<T> {
    pub fn begin(&mut self) {
        self.stage = Stage::Working;
    }

    pub fn succeed(&mut self, value: T) {
        *self = Self {
            stage: Stage::Done(value),
            problem: None,
            back_off: BackOff::default(),
        };
    }

    pub fn fail(&mut self, problem: Problem, now: Timestamp, pace: Pace) {
        self.back_off.next(now, now, pace);
        self.stage = Stage::Failed {
            since: now,
            retry: now + self.back_off.delay(),
        };
        self.problem = Some(problem);
    }

    /// The value, once done.
    pub fn done(&self) -> Option<&T> {
        match &self.stage {
            Stage::Done(value) => Some(value),
            Stage::Absent | Stage::Working | Stage::Failed { .. } => None,
        }
    }

    pub fn is_done(&self) -> bool {
        self.done().is_some()
    }

    pub fn is_working(&self) -> bool {
        matches!(self.stage, Stage::Working)
    }

    /// Whether it is to be begun: never tried, or failed long enough ago.
    pub fn is_due(&self, now: Timestamp) -> bool {
        match &self.stage {
            Stage::Absent => true,
            Stage::Failed { retry, .. } => *retry <= now,
            Stage::Working | Stage::Done(_) => false,
        }
    }

    pub fn retry(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Failed { retry, .. } => Some(*retry),
            Stage::Absent | Stage::Working | Stage::Done(_) => None,
        }
    }

    /// Why the last try failed and, unless the next one is under way, when.
    pub fn problem(&self) -> Option<(&Problem, Option<Timestamp>)> {
        let since = match &self.stage {
            Stage::Failed { since, .. } => Some(*since),
            Stage::Absent | Stage::Working | Stage::Done(_) => None,
        };
        self.problem.as_ref().map(|problem| (problem, since))
    }

    /// Makes a failed try due now, because its cause may be gone.
    pub fn hasten(&mut self, now: Timestamp) {
        if let Stage::Failed { retry, .. } = &mut self.stage {
            *retry = now.min(*retry);
        }
    }
}
