//! How a state looks: a symbol, a word, and a class; never a colour alone.

use api::{Conclusion, ReleaseState, Status};
use delivery::Outcome;

/// A state as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub symbol: &'static str,
    pub word: &'static str,
    pub class: &'static str,
}

const GOOD: Look = Look { symbol: "✓", word: "", class: "good" };
const BAD: Look = Look { symbol: "✗", word: "", class: "bad" };
const BACK: Look = Look { symbol: "↩", word: "", class: "bad" };
const GOING: Look = Look { symbol: "◐", word: "", class: "going" };
const WAITING: Look = Look { symbol: "○", word: "", class: "quiet" };
const STOPPED: Look = Look { symbol: "■", word: "", class: "quiet" };
const NONE: Look = Look { symbol: "–", word: "", class: "quiet" };

impl Look {
    fn called(self, word: &'static str) -> Self {
        Self { word, ..self }
    }

    pub fn is_bad(&self) -> bool {
        self.class == BAD.class
    }

    pub fn of_outcome(outcome: Outcome) -> Self {
        let look = match outcome {
            Outcome::Pending => GOING,
            Outcome::Healthy | Outcome::Succeeded => GOOD,
            Outcome::RunFailed | Outcome::Failed => BAD,
            Outcome::RolledBack => BACK,
            Outcome::NoRun => NONE,
        };
        look.called(outcome.words())
    }

    /// Of a run, a job or a step.
    pub fn of_work(status: Status, conclusion: Option<Conclusion>) -> Self {
        match (status, conclusion) {
            (_, Some(Conclusion::Success)) => GOOD.called("success"),
            (_, Some(Conclusion::Failure)) => BAD.called("failure"),
            (_, Some(Conclusion::Cancelled)) => STOPPED.called("cancelled"),
            (_, Some(Conclusion::Skipped)) => NONE.called("skipped"),
            (Status::Queued, None) => WAITING.called("queued"),
            (Status::Running, None) => GOING.called("running"),
            (Status::Completed, None) => NONE.called("completed"),
        }
    }

    pub fn of_release(state: ReleaseState) -> Self {
        match state {
            ReleaseState::Deploying => GOING.called("deploying"),
            ReleaseState::Healthy => GOOD.called("healthy"),
            ReleaseState::Failed => BAD.called("failed"),
            ReleaseState::RollingBack => BACK.called("rolling back"),
            ReleaseState::RolledBack => BACK.called("rolled back"),
            ReleaseState::Superseded => NONE.called("superseded"),
        }
    }
}
