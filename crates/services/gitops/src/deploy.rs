//! Carries one deployment out: begins it, goes on with it, tries again, gives up.

use std::{collections::BTreeMap, time::Duration};

use api::{App, Retry, SyncOperation};
use delivery::gitops::{self, NewDeployment, Phase, PruneGuard, Wrote};
use names::Timestamp;

use crate::{
    GitOps,
    actor::{Memory, StepError, Wait, condition, save_meanwhile},
    compare::{self, Look, names},
    desired::Desired,
    kept::Objects,
    rollout,
    sync::{Goal, Round, States, TaskState},
};

/// What happens to objects that left Git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruning {
    Keep,
    /// Deleted, unless that would be most of them.
    Guarded,
    Confirmed,
}

impl Pruning {
    pub fn of(prune: bool, confirmed: bool) -> Self {
        match (prune, confirmed) {
            (false, _) => Self::Keep,
            (true, false) => Self::Guarded,
            (true, true) => Self::Confirmed,
        }
    }
}

/// Writes a new deployment down; `false` if a person must be asked before.
pub async fn begin(
    service: &GitOps,
    app: &mut App,
    desired: &Desired,
    look: &Look,
    pruning: Pruning,
    now: Timestamp,
) -> Result<bool, StepError> {
    if pruning == Pruning::Guarded {
        let allow_empty = app.spec.automated.is_some_and(|it| it.allow_empty);
        let asked = gitops::guard(look.resources.len(), look.extra.len(), desired.objects.len(), allow_empty);
        if let PruneGuard::Ask(why) = asked {
            let help = format!("`landfall app sync {} --prune --confirm` deletes them", app.name);
            condition(app, "DeletionNeedsConfirmation", why, &help);
            app.request = None;
            return Ok(false);
        }
    }
    service.kept.keep(desired.revision.rendered, &desired.objects, &desired.pinned).await?;
    let wanted = desired.objects.iter().filter(|(_, value)| !gitops::is_hook(value));
    let mut inventory: Vec<_> = wanted.map(|(object, _)| object.clone()).collect();
    if pruning == Pruning::Keep {
        // What stays is still the app's.
        inventory.extend(look.extra.iter().map(|(object, _)| object.clone()));
    }
    let subject = desired.found.first().map(|it| it.subject.clone()).unwrap_or_default();
    gitops::begin(app, NewDeployment { revision: desired.revision.clone(), subject, inventory }, now);
    if app.spec.options.apply_out_of_sync_only
        && let Some(operation) = &mut app.status.operation
    {
        operation.done = gitops::untouched(&desired.objects, &look.differing);
    }
    Ok(true)
}

/// Goes on with the sync that is under way.
pub async fn go_on(service: &GitOps, app: &mut App, memory: &mut Memory, now: Timestamp) -> Result<Wait, StepError> {
    // Requests go back before anything else does.
    rollout::go_on(service, app, &mut memory.rollout, now).await?;
    let Some(mut operation) = app.status.operation.clone() else { return Ok(None) };
    let Some(deployment) = app.status.history.iter().find(|it| it.id == operation.deployment).cloned() else {
        app.status.operation = None;
        return Ok(None);
    };
    if let Some(retry) = operation.retry_at.filter(|it| *it > now) {
        return Ok(Some(retry.since(now)));
    }
    let is_new = memory.states.0 != operation.deployment;
    if is_new {
        memory.states = (operation.deployment, BTreeMap::new());
    }
    let objects = service.kept.read(deployment.revision.rendered).await?;
    let pruned = leftovers(service, app, &objects, &deployment.inventory).await?;
    // What comes after everything else waits for the requests to have changed over.
    let until = if rollout::is_under_way(app) { Phase::Sync } else { Phase::PostSync };
    let goal = Goal { objects: &objects, pruned, only: None, until };
    // The first round begins with a rehearsal of all of it; a way back is taken as far as it goes.
    let is_first = operation.done.is_empty() || app.spec.options.apply_out_of_sync_only;
    if is_first && memory.states.1.is_empty() {
        if deployment.back_to.is_none()
            && let Some(refusal) = service.rehearse(app, &goal).await?
        {
            return Ok(failed(app, memory, &operation, &refusal, Wrote::Nothing, now));
        }
        // What is to be written is known to the store before anything is written.
        save_meanwhile(service, app).await?;
    }
    let staged = rollout::staged(service, app, deployment.revision.rendered, &objects).await?;
    let goal = Goal { objects: &staged, ..goal };
    let round = service.advance(app, &mut operation, &goal, &mut memory.states.1).await?;
    let noted = note_irreversible(app, deployment.id, &goal, &memory.states.1);
    let moved = noted || app.status.operation.as_ref().is_none_or(|it| it.done != operation.done);
    app.status.operation = Some(operation.clone());
    if moved {
        // A hook that is over is known to be over before it is deleted, or a crash would make it run again.
        save_meanwhile(service, app).await?;
        service.end_hooks(app, &goal, &memory.states.1).await?;
    }
    match round {
        Round::Waiting => {
            let overdue = now.since(rollout::since(app, deployment.started)) >= Duration::from_secs(app.spec.deadline_seconds);
            if overdue {
                let message = format!("{} within {} seconds", operation.message, app.spec.deadline_seconds);
                return Ok(failed(app, memory, &operation, &message, Wrote::Something, now));
            }
            Ok(Some(service.config.pace.glance))
        }
        Round::Done => {
            gitops::written(app, deployment.id);
            rollout::followed(app);
            Ok(Some(Duration::ZERO))
        }
        Round::Failed(reason) => {
            service.end_hooks(app, &goal, &memory.states.1).await?;
            Ok(failed(app, memory, &operation, &reason, Wrote::Something, now))
        }
    }
}

/// Remembers hooks that began and cannot be undone; tells whether there are new ones.
fn note_irreversible(app: &mut App, deployment: u64, goal: &Goal<'_>, states: &States) -> bool {
    let began = |object: &api::ObjectRef| states.iter().any(|(id, state)| gitops::is_task_of(id, object) && *state != TaskState::Pending);
    let hooks = goal.objects.iter().filter(|(object, value)| delivery::drill::is_irreversible(value) && began(object));
    let Some(deployment) = app.status.history.iter_mut().find(|it| it.id == deployment) else { return false };
    let new: Vec<_> = hooks.map(|(object, _)| object.clone()).filter(|it| !deployment.irreversible.contains(it)).collect();
    deployment.irreversible.extend(new.iter().cloned());
    !new.is_empty()
}

/// Objects of earlier deployments that are still there and that this one does not keep.
async fn leftovers(
    service: &GitOps,
    app: &App,
    objects: &Objects,
    kept: &[api::ObjectRef],
) -> Result<Objects, StepError> {
    let mut wanted = names(objects);
    wanted.extend(kept.iter().cloned());
    let mut left = Objects::new();
    for object in gitops::to_prune(&compare::inventory(app), &wanted) {
        if let Some(live) = service.cluster.find(&object).await? {
            left.push((object, live));
        }
    }
    Ok(left)
}

/// A sync failed: it is tried again, or given up and taken back.
fn failed(app: &mut App, memory: &mut Memory, operation: &SyncOperation, reason: &str, wrote: Wrote, now: Timestamp) -> Wait {
    let mut operation = operation.clone();
    operation.message = reason.to_owned();
    let is_back = app.status.history.iter().any(|it| it.id == operation.deployment && it.back_to.is_some());
    let retry = if is_back {
        // There is nowhere else to go, so it is tried until it works or something newer replaces it.
        condition(app, "RollbackStuck", reason.to_owned(), "remove what stands in the way, or push a fix");
        gitops::next_retry(&Retry { limit: -1, ..app.spec.retry }, operation.attempt, now)
    } else {
        app.spec.automated.and_then(|_| gitops::next_retry(&app.spec.retry, operation.attempt, now))
    };
    if let Some(retry) = retry {
        operation.attempt += 1;
        operation.retry_at = Some(retry);
        memory.states.1.retain(|_, state| *state == TaskState::Done);
        app.status.operation = Some(operation);
        return Some(retry.since(now));
    }
    let cause = gitops::refused(&app.name, reason);
    gitops::fail(app, operation.deployment, cause, wrote, now);
    Some(Duration::ZERO)
}
