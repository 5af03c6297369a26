//! How far the Deployments of an app have changed over: steps, share of requests, what was measured.

use api::{App, MeasuredVerdict, Measurement, RolloutPhase, WorkloadRollout};
use delivery::rollout::{self, Step};
use names::{Timestamp, format_duration};

use super::{look::Look, text::plain, when::Moment};

/// More measurements say no more to a person.
const MEASUREMENTS_MAX: usize = 8;

/// One Deployment that changes over.
pub struct RolloutView {
    pub object: String,
    /// The plan in one line.
    pub plan: String,
    pub look: Look,
    /// So many of a hundred requests go to the new version.
    pub weight: u8,
    pub message: String,
    pub steps: Vec<StepView>,
    /// The latest first.
    pub measured: Vec<MeasuredView>,
    pub goes_back: Option<String>,
}

pub struct StepView {
    pub words: String,
    pub look: Look,
    pub is_current: bool,
}

pub struct MeasuredView {
    pub at: Moment,
    pub look: Look,
    pub weight: u8,
    pub readings: String,
}

/// Nothing when no Deployment changes over.
pub fn views(app: &App, now: Timestamp) -> Vec<RolloutView> {
    let Some(progress) = app.status.rollout.as_ref().filter(|it| it.passed.is_none()) else { return Vec::new() };
    let goes_back = progress.failed.as_ref().map(|it| plain(&format!("{} [{}]", it.summary, it.code)));
    progress.workloads.iter().map(|it| RolloutView { goes_back: goes_back.clone(), ..view(it, now) }).collect()
}

fn view(it: &WorkloadRollout, now: Timestamp) -> RolloutView {
    let steps = rollout::steps(&it.plan);
    RolloutView {
        object: plain(&it.object.to_string()),
        plan: plain(&rollout::show(&it.plan)),
        look: if it.paused { Look::WAITING.called("paused") } else { phase(it.phase) },
        weight: it.weight,
        message: plain(&it.message),
        steps: steps.iter().enumerate().map(|(index, found)| step(it, index, *found)).collect(),
        measured: it.analysis.latest.iter().rev().take(MEASUREMENTS_MAX).map(|it| measured(it, now)).collect(),
        goes_back: None,
    }
}

fn phase(phase: RolloutPhase) -> Look {
    match phase {
        RolloutPhase::Starting => Look::GOING.called("starting"),
        RolloutPhase::Stepping => Look::GOING.called("stepping"),
        RolloutPhase::Passed => Look::GOOD.called("passed"),
        RolloutPhase::Promoting => Look::GOING.called("promoting"),
        RolloutPhase::Finishing => Look::GOING.called("finishing"),
        RolloutPhase::Done => Look::GOOD.called("done"),
        RolloutPhase::Returning => Look::BACK.called("returning"),
        RolloutPhase::Returned => Look::BACK.called("returned"),
        RolloutPhase::Gone => Look::BACK.called("gone"),
    }
}

fn step(it: &WorkloadRollout, index: usize, step: Step) -> StepView {
    let span = |seconds: u64| format_duration(std::time::Duration::from_secs(seconds));
    let words = match step {
        Step::Weight(weight) => format!("{weight} of 100 requests"),
        Step::Pause(Some(seconds)) => format!("wait {}", span(seconds)),
        Step::Pause(None) => "wait for a person".to_owned(),
        Step::Keep(seconds) => format!("keep the old version for {}", span(seconds)),
    };
    let is_behind = matches!(it.phase, RolloutPhase::Passed | RolloutPhase::Promoting | RolloutPhase::Finishing | RolloutPhase::Done);
    let is_current = it.phase == RolloutPhase::Stepping && it.step == index;
    let look = if is_behind || (it.phase == RolloutPhase::Stepping && index < it.step) {
        Look::GOOD.called("done")
    } else if is_current {
        Look::GOING.called("now")
    } else {
        Look::WAITING.called("later")
    };
    StepView { words, look, is_current }
}

fn measured(it: &Measurement, now: Timestamp) -> MeasuredView {
    let look = match it.verdict {
        MeasuredVerdict::Good => Look::GOOD.called("good"),
        MeasuredVerdict::Inconclusive => Look::NONE.called("inconclusive"),
        MeasuredVerdict::Unknown => Look::NONE.called("no answer"),
        MeasuredVerdict::Bad => Look::BAD.called("bad"),
    };
    MeasuredView { at: Moment::new(it.at, now), look, weight: it.weight, readings: plain(&it.readings.join("; ")) }
}
