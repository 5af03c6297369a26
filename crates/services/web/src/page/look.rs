//! How a state looks: a symbol, a word, and a class; never a colour alone.

use api::{Conclusion, DeploymentState, DrillState, Health, ReleaseState, Status, SyncState};
use delivery::Outcome;

/// A state as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub symbol: &'static str,
    pub word: &'static str,
    pub class: &'static str,
}

impl Look {
    pub(super) const GOOD: Self = Self { symbol: "✓", word: "", class: "good" };
    pub(super) const BAD: Self = Self { symbol: "✗", word: "", class: "bad" };
    pub(super) const BACK: Self = Self { symbol: "↩", word: "", class: "bad" };
    pub(super) const GOING: Self = Self { symbol: "◐", word: "", class: "going" };
    pub(super) const WAITING: Self = Self { symbol: "○", word: "", class: "quiet" };
    pub(super) const STOPPED: Self = Self { symbol: "■", word: "", class: "quiet" };
    pub(super) const NONE: Self = Self { symbol: "–", word: "", class: "quiet" };

    pub(super) fn called(self, word: &'static str) -> Self {
        Self { word, ..self }
    }

    pub fn is_bad(&self) -> bool {
        self.class == Self::BAD.class
    }

    pub fn of_outcome(outcome: Outcome) -> Self {
        let look = match outcome {
            Outcome::Pending => Self::GOING,
            Outcome::Healthy | Outcome::Succeeded => Self::GOOD,
            Outcome::RunFailed | Outcome::Failed => Self::BAD,
            Outcome::RolledBack => Self::BACK,
            Outcome::NoRun => Self::NONE,
        };
        look.called(outcome.words())
    }

    /// Of a run, a job or a step.
    pub fn of_work(status: Status, conclusion: Option<Conclusion>) -> Self {
        match (status, conclusion) {
            (_, Some(Conclusion::Success)) => Self::GOOD.called("success"),
            (_, Some(Conclusion::Failure)) => Self::BAD.called("failure"),
            (_, Some(Conclusion::Cancelled)) => Self::STOPPED.called("cancelled"),
            (_, Some(Conclusion::Skipped)) => Self::NONE.called("skipped"),
            (Status::Queued, None) => Self::WAITING.called("queued"),
            (Status::Running, None) => Self::GOING.called("running"),
            (Status::Completed, None) => Self::NONE.called("completed"),
        }
    }

    pub fn of_release(state: ReleaseState) -> Self {
        match state {
            ReleaseState::Deploying => Self::GOING.called("deploying"),
            ReleaseState::Healthy => Self::GOOD.called("healthy"),
            ReleaseState::Failed => Self::BAD.called("failed"),
            ReleaseState::RollingBack => Self::BACK.called("rolling back"),
            ReleaseState::RolledBack => Self::BACK.called("rolled back"),
            ReleaseState::Superseded => Self::NONE.called("superseded"),
        }
    }

    pub fn of_sync(state: SyncState) -> Self {
        match state {
            SyncState::Unknown => Look { symbol: "?", word: "unknown", class: "bad" },
            SyncState::Synced => Self::GOOD.called("synced"),
            SyncState::OutOfSync => Self::GOING.called("out of sync"),
            SyncState::Held => Self::BACK.called("held"),
        }
    }

    pub fn of_health(health: Health) -> Self {
        match health {
            Health::Healthy => Self::GOOD.called("healthy"),
            Health::Suspended => Self::STOPPED.called("suspended"),
            Health::Progressing => Self::GOING.called("progressing"),
            Health::Missing => Self::BAD.called("missing"),
            Health::Degraded => Self::BAD.called("degraded"),
            Health::Unknown => Look { symbol: "?", word: "unknown", class: "bad" },
        }
    }

    pub fn of_deployment(state: DeploymentState) -> Self {
        match state {
            DeploymentState::Syncing => Self::GOING.called("syncing"),
            DeploymentState::Waiting => Self::GOING.called("waiting"),
            DeploymentState::Healthy => Self::GOOD.called("healthy"),
            DeploymentState::Failed => Self::BAD.called("failed"),
            DeploymentState::RolledBack => Self::BACK.called("rolled back"),
            DeploymentState::Superseded => Self::NONE.called("superseded"),
        }
    }

    pub fn of_drill(state: DrillState) -> Self {
        match state {
            DrillState::Running => Self::GOING.called("running"),
            DrillState::Proven => Self::GOOD.called("proven"),
            DrillState::Blocked => Self::BAD.called("blocked"),
            DrillState::Unproven => Look { symbol: "?", word: "unproven", class: "bad" },
        }
    }
}
