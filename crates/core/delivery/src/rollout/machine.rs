//! The changeover of one Deployment, as a state machine without I/O.
//!
//! Promises, whatever happens in which order:
//!
//! - requests go to a version only while all pods that its share needs are ready;
//! - they go back before anything else does, and at once unless the old version
//!   has to be brought back first, in which case they stay where they are served;
//! - without evidence that was asked for, the new version gets no greater share;
//! - from every state a person can go on, or back.

use std::time::Duration;

use api::{Cause, RolloutPhase as Phase, RolloutPlan, RolloutProgress, TrafficSplit, WorkloadRollout};
use names::{Timestamp, format_duration};

use super::{
    analysis::{self, Reading, Standing},
    steps::{Step, Surge, basic, routed, steps, weight_at},
};

/// What the cluster shall hold for one workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    pub stable: Stable,
    /// Pods of the second Deployment; `None` when there is none.
    pub canary: Option<u32>,
    /// Of a hundred requests, so many go to the second Deployment; `None`: requests are not divided.
    pub weight: Option<u8>,
}

/// What the first Deployment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stable {
    /// The version before, with another number of pods than its own if one is given.
    Old(Option<u32>),
    New,
    /// Whatever is there: it is not this changeover's to say.
    Leave,
}

/// How a Deployment does, compared with the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Absent,
    /// As wished, and all its pods are available.
    Ready,
    /// On its way.
    Waiting(String),
    /// It will not get there by itself.
    Failed(String),
}

/// Whether the other workloads of the deployment have passed their steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    Passed,
    NotYet,
}

/// What was seen of one workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    pub stable: Seen,
    pub canary: Seen,
    pub others: Others,
    /// The answers to [`analysis::measure_now`].
    pub readings: Option<Vec<Reading>>,
    /// How long pods may take to become ready.
    pub patience: Duration,
}

/// What a person asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Past the pause or the missing evidence.
    Next,
    /// Past all steps.
    Full,
    Back,
}

/// Whether the changeover still has something to do.
pub fn is_open(progress: &RolloutProgress) -> bool {
    progress.workloads.iter().any(|it| !matches!(it.phase, Phase::Done | Phase::Gone))
}

/// Whether the objects of a changeover that is decided are still being put in order.
pub fn is_settling(progress: &RolloutProgress) -> bool {
    let settles = |it: &WorkloadRollout| match it.phase {
        Phase::Promoting | Phase::Finishing | Phase::Returning => true,
        Phase::Starting | Phase::Stepping | Phase::Passed | Phase::Done | Phase::Returned | Phase::Gone => false,
    };
    progress.workloads.iter().any(settles)
}

/// What the cluster shall hold now.
pub fn picture(it: &WorkloadRollout, split: TrafficSplit) -> Picture {
    let share = |weight: u8| share(it, weight, split);
    match it.phase {
        Phase::Starting | Phase::Stepping | Phase::Passed => {
            // The old version gives pods away only once the new one has them.
            let (canary, stable) = (share(it.weight.max(wanted_weight(it))).0, share(it.weight).1);
            Picture { stable: Stable::Old(stable), canary: Some(canary), weight: Some(it.weight) }
        }
        Phase::Promoting => Picture { stable: Stable::New, canary: Some(it.replicas_canary), weight: Some(100) },
        Phase::Finishing => Picture { stable: Stable::New, canary: None, weight: None },
        Phase::Done => Picture { stable: Stable::New, canary: None, weight: None },
        Phase::Returning => Picture { stable: Stable::Old(None), canary: Some(share(it.weight).0), weight: Some(it.weight) },
        Phase::Returned => Picture { stable: Stable::Leave, canary: None, weight: Some(0) },
        Phase::Gone => Picture { stable: Stable::Leave, canary: None, weight: None },
    }
}

/// Pods of the new version, and of the old one where it must not keep all of its own.
fn share(it: &WorkloadRollout, weight: u8, split: TrafficSplit) -> (u32, Option<u32>) {
    // Everything is switched at one moment, so both versions stand whole.
    if matches!(it.plan, RolloutPlan::BlueGreen(_)) {
        return (it.replicas_canary, None);
    }
    match split {
        TrafficSplit::Proxy => (routed(it.replicas_canary, weight), None),
        // The last step before the takeover leaves the old version one pod to come back to.
        TrafficSplit::Replicas if weight >= 100 => (it.replicas_canary, Some(it.replicas_stable.min(1))),
        TrafficSplit::Replicas => {
            let (canary, stable) = basic(it.replicas_stable, weight, Surge::One);
            (canary, Some(stable))
        }
    }
}

/// The weight that the present step wants.
fn wanted_weight(it: &WorkloadRollout) -> u8 {
    match it.phase {
        Phase::Passed => 100,
        Phase::Starting | Phase::Stepping | Phase::Promoting | Phase::Finishing | Phase::Done | Phase::Returning | Phase::Returned | Phase::Gone => {
            let steps = steps(&it.plan);
            if it.step >= steps.len() { 100 } else { weight_at(&steps, it.step) }
        }
    }
}

/// Takes up what a person asked for; `true` if there was something to do.
pub fn ask(it: &mut WorkloadRollout, ask: Ask, now: Timestamp) -> bool {
    let before = it.clone();
    match (ask, it.phase) {
        (Ask::Back, _) => returning(it, now),
        (Ask::Full, Phase::Starting | Phase::Stepping) => {
            it.analysis.waived = true;
            enter(it, Phase::Stepping, now);
            it.step = steps(&it.plan).len();
        }
        (Ask::Next, Phase::Stepping) => {
            it.analysis.waived = true;
            if matches!(steps(&it.plan).get(it.step), Some(Step::Pause(_) | Step::Keep(_))) {
                next_step(it, now);
            }
        }
        (Ask::Next, Phase::Starting)
        | (Ask::Next | Ask::Full, Phase::Passed | Phase::Promoting | Phase::Finishing | Phase::Done | Phase::Returning | Phase::Returned | Phase::Gone) => {}
    }
    *it != before
}

/// Lets requests go back, whatever was under way.
pub fn returning(it: &mut WorkloadRollout, now: Timestamp) {
    match it.phase {
        Phase::Starting | Phase::Stepping | Phase::Passed | Phase::Promoting | Phase::Finishing => enter(it, Phase::Returning, now),
        Phase::Done | Phase::Returning | Phase::Returned | Phase::Gone => {}
    }
}

fn enter(it: &mut WorkloadRollout, phase: Phase, now: Timestamp) {
    (it.phase, it.since, it.unready_since, it.paused) = (phase, now, None, false);
    it.message.clear();
}

fn next_step(it: &mut WorkloadRollout, now: Timestamp) {
    (it.step, it.since) = (it.step + 1, now);
}

/// Takes the workload as far as what was seen allows; gives why it has to go back.
///
/// The caller brings the cluster in line with [`picture`] and looks again, until nothing moves.
pub fn advance(it: &mut WorkloadRollout, sight: &Sight, now: Timestamp) -> Option<Cause> {
    if let Some(readings) = &sight.readings
        && let Some(evidence) = analysis::measured(it, readings.clone(), now)
    {
        let summary = format!("the analysis of the new version of {} failed at {}%", it.object, it.weight);
        return Some(cause("LF-D0203", summary, evidence));
    }
    match it.phase {
        Phase::Starting | Phase::Stepping | Phase::Passed => under_way(it, sight, now),
        Phase::Promoting => {
            match &sight.stable {
                Seen::Ready => {
                    enter(it, Phase::Finishing, now);
                    it.weight = 0;
                }
                Seen::Failed(why) => return Some(stuck(it, "cannot take the new version over", why)),
                Seen::Absent => wait(it, "is made again"),
                Seen::Waiting(why) if now.since(it.since) >= sight.patience => return Some(stuck(it, "did not take the new version over in time", why)),
                Seen::Waiting(why) => wait(it, &format!("takes the new version over: {why}")),
            }
            None
        }
        Phase::Finishing => {
            if sight.canary == Seen::Absent {
                it.stable_changed = false;
                enter(it, Phase::Done, now);
            } else {
                wait(it, "serves alone; the second Deployment goes");
            }
            None
        }
        Phase::Returning => {
            if !it.stable_changed || sight.stable == Seen::Ready {
                enter(it, Phase::Returned, now);
                (it.weight, it.stable_changed) = (0, false);
            } else {
                wait(it, "is brought back; requests stay where they are until it is ready");
            }
            None
        }
        Phase::Returned => {
            if sight.canary == Seen::Absent {
                enter(it, Phase::Gone, now);
            } else {
                wait(it, "has all requests again; the second Deployment goes");
            }
            None
        }
        Phase::Done | Phase::Gone => None,
    }
}

/// From the first pod of the new version until all steps are done.
fn under_way(it: &mut WorkloadRollout, sight: &Sight, now: Timestamp) -> Option<Cause> {
    match &sight.canary {
        Seen::Ready => it.unready_since = None,
        Seen::Failed(why) => return Some(stuck(it, "has a new version that does not get ready", why)),
        Seen::Absent | Seen::Waiting(_) => {
            let since = *it.unready_since.get_or_insert(now);
            let why = match &sight.canary {
                Seen::Waiting(why) => why.clone(),
                Seen::Absent | Seen::Ready | Seen::Failed(_) => "its second Deployment is made".to_owned(),
            };
            if now.since(since) >= sight.patience {
                return Some(stuck(it, "has a new version that is not ready in time", &why));
            }
            it.paused = false;
            it.message = format!("waits for the new version: {why}");
            return None;
        }
    }
    if it.phase == Phase::Starting {
        enter(it, Phase::Stepping, now);
        analysis::start_over(it, now);
    }
    let all = steps(&it.plan);
    if it.phase == Phase::Stepping {
        stepping(it, &all, now);
    }
    if it.phase == Phase::Passed {
        match sight.others {
            Others::Passed => {
                enter(it, Phase::Promoting, now);
                (it.weight, it.stable_changed) = (100, true);
                it.analysis.due = None;
            }
            Others::NotYet => wait(it, "has passed; other workloads of the deployment are awaited"),
        }
    }
    None
}

/// One step, if its condition holds.
fn stepping(it: &mut WorkloadRollout, all: &[Step], now: Timestamp) {
    let Some(step) = all.get(it.step) else {
        // Both Deployments are whole and ready here, because the picture asked for that.
        if is_allowed(it) {
            enter(it, Phase::Passed, now);
        }
        return;
    };
    match *step {
        Step::Weight(weight) if weight > it.weight && !is_allowed(it) => {}
        Step::Weight(weight) => {
            if weight != it.weight {
                it.weight = weight;
                analysis::start_over(it, now);
            }
            next_step(it, now);
        }
        Step::Pause(None) => {
            (it.paused, it.message) = (true, format!("pauses at {}% until a person goes on", it.weight));
        }
        Step::Pause(Some(seconds)) => pause(it, seconds, &format!("pauses at {}%", it.weight), now),
        Step::Keep(seconds) => pause(it, seconds, "serves the new version and keeps the old one", now),
    }
}

fn pause(it: &mut WorkloadRollout, seconds: u64, what: &str, now: Timestamp) {
    let passed = now.since(it.since);
    let whole = Duration::from_secs(seconds);
    if passed < whole {
        it.paused = false;
        it.message = format!("{what} for {}", format_duration(whole));
    } else if is_allowed(it) {
        next_step(it, now);
    }
}

/// Whether the evidence at this weight allows to go on; says what is missing if not.
fn is_allowed(it: &mut WorkloadRollout) -> bool {
    let (message, paused) = match analysis::standing(it) {
        Standing::Good => return true,
        Standing::Awaited => (format!("waits at {}% for a good measurement", it.weight), false),
        Standing::Inconclusive(why) => (format!("pauses at {}%: the analysis is inconclusive: {why}", it.weight), true),
        Standing::Silent(why) => (format!("pauses at {}%: {why}", it.weight), true),
    };
    (it.message, it.paused) = (message, paused);
    false
}

fn wait(it: &mut WorkloadRollout, what: &str) {
    it.paused = false;
    what.clone_into(&mut it.message);
}

fn stuck(it: &WorkloadRollout, what: &str, why: &str) -> Cause {
    cause("LF-D0204", format!("{} {what}", it.object), vec![why.to_owned()])
}

fn cause(code: &str, summary: String, evidence: Vec<String>) -> Cause {
    Cause { code: code.to_owned(), summary, evidence, help: Vec::new() }
}
