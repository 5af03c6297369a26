//! The life of an app's deployments: begun, written, healthy or failed, taken back, held.
//!
//! Each function takes the record of an app one step further and keeps these
//! promises, whatever happens in which order:
//!
//! - what was found bad is never chosen again by itself, and never gone back to;
//! - what brings something back is never taken back itself;
//! - `deployed` names what the cluster is meant to hold while nothing newer is on its way.

use api::{App, AppRequest, Cause, Deployment, DeploymentState, ObjectRef, Quarantine, Revision, SyncOperation};
use names::{Digest, Timestamp};

/// The code of a rollback that a person asked for.
const ASKED: &str = "LF-D0110";

/// What a new deployment brings.
#[derive(Clone, Debug)]
pub struct NewDeployment {
    pub revision: Revision,
    pub subject: String,
    /// What it writes, and what earlier ones wrote and it leaves there.
    pub inventory: Vec<ObjectRef>,
}

/// Whether a failed deployment has changed the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    Nothing,
    Something,
}

/// Whether a deployment still moves by itself.
pub fn is_open(state: DeploymentState) -> bool {
    matches!(state, DeploymentState::Syncing | DeploymentState::Waiting)
}

/// Whether a rendered state is quarantined.
pub fn is_quarantined(app: &App, rendered: Digest) -> bool {
    app.status.quarantined.iter().any(|it| it.rendered == rendered)
}

/// The deployment whose objects are looked after while Git is not: the one that is awaited, else the deployed one.
pub fn standing(app: &App) -> Option<&Deployment> {
    let awaited = app.status.history.last().filter(|it| it.state == DeploymentState::Waiting);
    awaited.or_else(|| find(app, app.status.deployed?))
}

/// The number that people know a state by: of what brought it first, not of what brought it back.
pub fn origin(app: &App, id: u64) -> u64 {
    let mut id = id;
    // Each step leads to a smaller number, so this ends.
    while let Some(earlier) = find(app, id).and_then(|it| it.back_to).filter(|earlier| *earlier < id) {
        id = earlier;
    }
    id
}

/// Begins a deployment. A person's request is taken up by it; only a person gets here with a quarantined state.
pub fn begin(app: &mut App, new: NewDeployment, now: Timestamp) -> u64 {
    let by = if app.request.take().is_some() { "a person" } else { "automatic" };
    app.status.quarantined.retain(|it| it.rendered != new.revision.rendered);
    supersede_all(app, now);
    let deployment = Deployment {
        id: 0,
        revision: new.revision,
        inventory: new.inventory,
        state: DeploymentState::Syncing,
        started: now,
        finished: None,
        cause: None,
        by: by.to_owned(),
        back_to: None,
        workloads: Vec::new(),
        subject: new.subject,
        irreversible: Vec::new(),
    };
    push(app, deployment, String::new())
}

/// Lets a newer state of Git, or a person's request, replace what is still on its way.
pub fn replace_stuck(app: &mut App, seen: &Revision, now: Timestamp) {
    let Some(operation) = &app.status.operation else { return };
    let Some(current) = find(app, operation.deployment) else {
        app.status.operation = None;
        return;
    };
    let asked = matches!(app.request, Some(AppRequest::Sync { .. }));
    if current.revision.rendered == seen.rendered {
        // What was asked for is already on its way.
        if asked {
            app.request = None;
        }
        return;
    }
    if asked || (app.spec.automated.is_some() && !is_quarantined(app, seen.rendered)) {
        supersede_all(app, now);
    }
}

/// Everything is written; health is awaited from now on.
pub fn written(app: &mut App, id: u64) {
    app.status.operation = None;
    if let Some(it) = find_mut(app, id) {
        it.state = DeploymentState::Waiting;
    }
}

/// A deployment is healthy.
pub fn succeed(app: &mut App, id: u64, now: Timestamp) {
    let Some(it) = find_mut(app, id) else { return };
    (it.state, it.finished) = (DeploymentState::Healthy, Some(now));
    let rendered = it.revision.rendered;
    app.status.deployed = Some(id);
    app.status.quarantined.retain(|it| it.rendered != rendered);
}

/// A deployment failed for good: it is quarantined, and the way back begins if there is one.
pub fn fail(app: &mut App, id: u64, cause: Cause, wrote: Wrote, now: Timestamp) {
    if app.status.operation.as_ref().is_some_and(|it| it.deployment == id) {
        app.status.operation = None;
    }
    let Some(it) = find_mut(app, id) else { return };
    (it.state, it.finished, it.cause) = (DeploymentState::Failed, Some(now), Some(cause.clone()));
    let (revision, back_to) = (it.revision.clone(), it.back_to);
    if back_to.is_some() {
        return;
    }
    // The same state again, asked for by a person: what is deployed is not worse than what failed.
    if app.status.deployed.and_then(|id| find(app, id)).is_some_and(|it| it.revision.rendered == revision.rendered) {
        return;
    }
    // Without anything to hold on to, there is nothing to be kept from.
    let Some(back) = way_back(app, id, revision.rendered) else { return };
    // What stands may need what the hook did; only a person knows whether the older version can do with it.
    if wrote == Wrote::Something && !irreversible_since(app, back).is_empty() {
        app.status.deployed = Some(id);
        return;
    }
    quarantine(app, id, &revision, &cause, now);
    let before = app.status.history.iter().rev().find(|it| it.id < id);
    let untouched = before.is_some_and(|it| it.state == DeploymentState::Healthy);
    if wrote == Wrote::Something || !untouched {
        go_back(app, id, back, "automatic", now);
    }
}

/// A person asked to go back: what is left is quarantined, so it stays left.
pub fn ask_back(app: &mut App, to: u64, now: Timestamp) {
    app.request = None;
    let Some(target) = find(app, to).map(|it| it.revision.rendered) else { return };
    let cause = Cause { code: ASKED.to_owned(), summary: "a person asked for the rollback".to_owned(), evidence: Vec::new(), help: Vec::new() };
    let latest = app.status.history.last().map(|it| (it.id, it.revision.clone()));
    let Some((latest, left)) = latest else { return };
    app.status.quarantined.retain(|it| it.rendered != target);
    let seen = app.status.seen.clone();
    for revision in std::iter::once(left).chain(seen) {
        if revision.rendered != target {
            quarantine(app, latest, &revision, &cause, now);
        }
    }
    let is_there = standing(app).is_some_and(|it| it.revision.rendered == target && it.state == DeploymentState::Healthy);
    if !is_there || app.status.operation.is_some() {
        supersede_all(app, now);
        go_back(app, latest, to, "a person", now);
    }
}

/// Lifts the quarantine: everything may be tried again.
pub fn release(app: &mut App) {
    app.request = None;
    app.status.quarantined.clear();
}

/// Whether Landfall takes the quarantined state back in Git by itself; after a person's rollback, Git is left to people.
pub fn is_taken_back_in_git(quarantine: &Quarantine) -> bool {
    quarantine.cause.code != ASKED
}

/// Hooks that ran after a deployment and cannot be undone.
pub fn irreversible_since(app: &App, earlier: u64) -> Vec<ObjectRef> {
    app.status.history.iter().filter(|it| it.id > earlier).flat_map(|it| it.irreversible.iter().cloned()).collect()
}

/// The latest healthy deployment before a bad one that renders something else and is not quarantined.
fn way_back(app: &App, bad: u64, rendered: Digest) -> Option<u64> {
    let is_good = |it: &&Deployment| {
        it.id < bad
            && it.state == DeploymentState::Healthy
            && it.revision.rendered != rendered
            && !is_quarantined(app, it.revision.rendered)
    };
    app.status.history.iter().rev().find(is_good).map(|it| it.id)
}

fn quarantine(app: &mut App, bad: u64, revision: &Revision, cause: &Cause, now: Timestamp) {
    let entry = Quarantine {
        rendered: revision.rendered,
        commits: revision.commits.clone(),
        deployment: bad,
        since: now,
        cause: cause.clone(),
        reverted_by: None,
        revert_pending: (cause.code != ASKED).then(|| "not tried yet".to_owned()),
    };
    app.status.quarantined.retain(|it| it.rendered != entry.rendered);
    app.status.quarantined.push(entry);
}

fn go_back(app: &mut App, bad: u64, to: u64, by: &str, now: Timestamp) {
    let Some(good) = find(app, to).cloned() else { return };
    if let Some(it) = find_mut(app, bad) {
        (it.state, it.finished) = (DeploymentState::RolledBack, Some(now));
    }
    let message = format!("going back to deployment {to}");
    let back = Deployment {
        id: 0,
        state: DeploymentState::Syncing,
        started: now,
        finished: None,
        cause: None,
        by: by.to_owned(),
        back_to: Some(to),
        workloads: Vec::new(),
        irreversible: Vec::new(),
        ..good
    };
    // From now on this is what the cluster shall hold, even if bringing it back takes several tries.
    app.status.deployed = Some(push(app, back, message));
}

fn push(app: &mut App, deployment: Deployment, message: String) -> u64 {
    let id = app.status.history.iter().map(|it| it.id).max().unwrap_or(0) + 1;
    app.status.history.push(Deployment { id, ..deployment });
    app.status.operation =
        Some(SyncOperation { deployment: id, phase: "Sync".to_owned(), message, attempt: 1, retry_at: None, done: Vec::new() });
    trim(app);
    id
}

fn supersede_all(app: &mut App, now: Timestamp) {
    app.status.operation = None;
    for it in app.status.history.iter_mut().filter(|it| is_open(it.state)) {
        (it.state, it.finished) = (DeploymentState::Superseded, Some(now));
    }
}

/// Forgets deployments that nobody goes back to any more.
fn trim(app: &mut App) {
    let keep = usize::try_from(app.spec.history.max(1)).unwrap_or(10) + 1;
    let deployed = app.status.deployed;
    let rendered = deployed.and_then(|id| find(app, id)).map(|it| it.revision.rendered);
    let back = deployed.zip(rendered).and_then(|(id, rendered)| way_back(app, id, rendered));
    while app.status.history.len() > keep {
        let is_needed = |it: &Deployment| Some(it.id) == deployed || Some(it.id) == back || is_open(it.state);
        let Some(oldest) = app.status.history.iter().position(|it| !is_needed(it)) else { return };
        let gone = app.status.history.remove(oldest);
        // Its objects stay known until they are pruned.
        if let Some(next) = app.status.history.first_mut() {
            next.inventory.extend(gone.inventory);
            next.inventory.sort();
            next.inventory.dedup();
        }
    }
}

fn find(app: &App, id: u64) -> Option<&Deployment> {
    app.status.history.iter().find(|it| it.id == id)
}

fn find_mut(app: &mut App, id: u64) -> Option<&mut Deployment> {
    app.status.history.iter_mut().find(|it| it.id == id)
}

#[cfg(test)]
mod tests;
