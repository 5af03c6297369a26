//! Judges a deployment whose objects are all written.

use std::time::Duration;

use api::{App, Cause, DeploymentState, Health};
use delivery::gitops::{self, Wrote};
use names::Timestamp;

use crate::{compare::Look, pace::Pace, rollout};

/// Ends the deployment that is awaited, if its health is decided or its time is over.
pub fn judge(app: &mut App, look: &Look, pace: Pace, now: Timestamp) {
    let Some(latest) = app.status.history.last().filter(|it| it.state == DeploymentState::Waiting) else { return };
    let (id, started, is_back) = (latest.id, latest.started, latest.back_to.is_some());
    let wanted = look.resources.iter().filter(|it| !it.requires_pruning);
    let healths: Vec<_> = wanted.filter_map(|it| Some((it.health?, it))).collect();
    let worst = gitops::worst(healths.iter().map(|(health, _)| *health));
    let changes_over = rollout::is_under_way(app);
    if matches!(worst, Health::Healthy | Health::Suspended) {
        if !changes_over {
            gitops::succeed(app, id, now);
            rollout::forget(app);
        }
        return;
    }
    let overdue = !changes_over && now.since(rollout::since(app, started)) >= Duration::from_secs(app.spec.deadline_seconds);
    // Nothing comes after a way back, so it has all its time.
    let is_bad = worst == Health::Degraded && !is_back && now.since(started) >= pace.settle;
    if !is_bad && !overdue {
        return;
    }
    let bad: Vec<_> = healths.iter().filter(|(health, _)| !matches!(health, Health::Healthy | Health::Suspended)).collect();
    let culprit = bad.iter().find(|(health, _)| *health == worst).or(bad.first());
    let first = culprit.map(|(health, it)| format!("{} is {health}", it.object)).unwrap_or_default();
    let cause = Cause {
        code: "LF-D0202".to_owned(),
        summary: if overdue { format!("{first} after {} seconds", app.spec.deadline_seconds) } else { first },
        evidence: bad.iter().map(|(health, it)| format!("{} is {health}: {}", it.object, it.message)).collect(),
        help: vec![format!("landfall app get {}", app.name)],
    };
    gitops::fail(app, id, cause, Wrote::Something, now);
}
