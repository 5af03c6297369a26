//! One app: looks, decides, acts, writes down; then sleeps until something changes.

use std::{borrow::Cow, collections::HashSet, sync::Arc, time::Duration};

use api::{App, AppCondition, AppRequest, SyncState};
use delivery::gitops::{self, Choice, Standing};
use names::Timestamp;
use objects::ClusterError;
use store::TypedError;
use tokio::sync::{Notify, broadcast};

use crate::{
    GitOps,
    compare::{self, Look},
    deploy,
    desired::{self, Asking, Desired, DesiredError},
    heal::Heals,
    kept::{KeptError, Objects},
    pulse::Changed,
    rollout,
    source,
    sync::States,
    verdict,
};

/// How often a foreign repository is asked, when nobody tells; and up to half as long again, so that many apps do not ask at once.
pub const POLL: Duration = Duration::from_secs(120);

/// Events come in bursts; one look serves them all.
pub const CALM: Duration = Duration::from_millis(20);

/// Why a look broke off; it is taken again.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Kept(#[from] KeptError),
}

/// When to look again, if nothing changes before.
pub type Wait = Option<Duration>;

/// What is remembered between looks; all of it can be found out again.
#[derive(Default)]
pub struct Memory {
    pub desired: desired::Memory,
    pub looks: compare::Memory,
    /// Of the deployment with this number.
    pub states: (u64, States),
    pub heals: Heals,
    pub rollout: rollout::Memory,
    wrote_back: Option<Timestamp>,
    sight: Sight,
}

/// Which changes in the cluster are of interest.
#[derive(Default)]
struct Sight {
    objects: HashSet<Changed>,
    /// While a sync is under way: hooks and what it makes are not known yet.
    everything: bool,
}

/// Follows an app until it is gone.
pub async fn follow(service: GitOps, name: String, wake: Arc<Notify>) {
    let mut memory = Memory::default();
    let mut changes = service.pulse.subscribe();
    loop {
        let wait = match step(&service, &name, &mut memory).await {
            Ok(None) => return,
            Ok(Some(wait)) => wait,
            Err(error) => {
                tracing::warn!(%error, app = name, "a look at an app broke off; it is taken again");
                if let StepError::Cluster(error) = error {
                    tell_unseen(&service, &name, error).await;
                }
                Some(service.config.pace.retry)
            }
        };
        let sleep = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wake.notified() => {}
            () = sleep => {}
            () = changed(&memory.sight, &mut changes) => tokio::time::sleep(CALM).await,
        }
    }
}

/// What cannot be seen is neither in sync nor healthy.
async fn tell_unseen(service: &GitOps, name: &str, error: ClusterError) {
    let error = DesiredError::Cluster(error);
    let condition = AppCondition { kind: error.condition().to_owned(), message: error.to_string(), help: error.help().to_owned() };
    let told = store::modify::<App>(&*service.records, name, |app| {
        app.status.conditions = vec![condition.clone()];
        app.status.sync = SyncState::Unknown;
        app.status.health = api::Health::Unknown;
    });
    if let Err(error) = told.await {
        tracing::warn!(%error, app = name, "it could not be written down that an app is not seen");
    }
}

/// Returns when an object of the app changed.
async fn changed(sight: &Sight, changes: &mut broadcast::Receiver<Changed>) {
    loop {
        match changes.recv().await {
            Ok(change) if sight.everything || sight.objects.contains(&change) => return,
            Ok(_) => {}
            // Too much happened to tell one by one.
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// One look; `None` when the app is gone.
async fn step(service: &GitOps, name: &str, memory: &mut Memory) -> Result<Option<Wait>, StepError> {
    let Some(stored) = store::find::<App>(&*service.records, name).await?.filter(|app| app.spec.cluster.is_none()) else { return Ok(None) };
    let mut app = stored.clone();
    let now = store::now();
    if app.request == Some(AppRequest::Remove) {
        let left = service.delete_objects(&app).await;
        if left.is_empty() {
            store::remove::<App>(&*service.records, name).await?;
            return Ok(None);
        }
        app.status.conditions.clear();
        condition(&mut app, "RemovalStuck", left.join("; "), "mend what the messages name; it is tried again");
        app.status.observed = stored.generation;
        save(service, &app).await?;
        return Ok(Some(Some(service.config.pace.retry)));
    }
    if app.request == Some(AppRequest::Release) {
        gitops::release(&mut app);
    }
    let is_told = app.request.is_some();
    if app.request == Some(AppRequest::Refresh) {
        app.request = None;
    }
    let revision = match &app.request {
        Some(AppRequest::Sync { revision, .. }) => revision.clone(),
        _ => None,
    };
    app.status.conditions.clear();
    let rolled = rollout::go_on(service, &mut app, &mut memory.rollout, now).await?;
    let desired = service.desired(&app, revision.as_deref(), &mut memory.desired, if is_told { Asking::Now } else { Asking::Seldom }, now).await;
    let wait = match desired {
        Ok(desired) => with_desired(service, &mut app, &desired, memory, now).await?,
        Err(error) => without_desired(service, &mut app, &error, memory, now).await?,
    };
    tell_irreversible(&mut app);
    app.status.observed = stored.generation;
    memory.sight = sight(&app);
    if stored != app {
        save(service, &app).await?;
    }
    let foreign = app.spec.sources.iter().any(source::is_foreign).then(|| poll(name, now));
    Ok(Some(wait.into_iter().chain(foreign).chain(rolled).min()))
}

/// The same app asks at another moment each time.
fn poll(name: &str, now: Timestamp) -> Duration {
    let odds = names::Digest::of(format!("{name} {}", now.as_micros()).as_bytes());
    let share = u32::from(odds.as_bytes()[0]);
    POLL + POLL / 2 * share / 255
}

fn sight(app: &App) -> Sight {
    let changed = |it: &api::AppResource| Changed {
        kind: it.object.kind.clone(),
        namespace: it.object.namespace.clone(),
        name: it.object.name.clone(),
    };
    Sight { objects: app.status.resources.iter().map(changed).chain(rollout::watched(app)).collect(), everything: app.status.operation.is_some() }
}

/// A bad deployment stays because of a hook that nobody can undo.
fn tell_irreversible(app: &mut App) {
    let Some(last) = app.status.history.last() else { return };
    if last.state == api::DeploymentState::Failed && app.status.deployed == Some(last.id) && !last.irreversible.is_empty() {
        let hooks: Vec<_> = last.irreversible.iter().map(ToString::to_string).collect();
        let message = format!("deployment {} is bad and stays: {} ran, which cannot be undone", last.id, hooks.join(", "));
        let help = format!("push a fix, or go back all the same with `landfall app rollback {}`", app.name);
        condition(app, "IrreversibleHook", message, &help);
    }
}

/// What waits to be deployed has a hook that nobody can undo.
fn warn_of_irreversible(app: &mut App, desired: &Desired) {
    if app.status.history.last().is_some_and(|it| it.revision.rendered == desired.revision.rendered) {
        return;
    }
    let hooks: Vec<_> = desired.objects.iter().filter(|(_, value)| delivery::drill::is_irreversible(value)).map(|(object, _)| object.to_string()).collect();
    if !hooks.is_empty() {
        let message = format!("the next sync runs {}, which cannot be undone: if it turns out bad, it is not taken back by itself", hooks.join(", "));
        let help = format!("`landfall drill rollback {} --next` tries the way back before", app.name);
        condition(app, "IrreversibleHook", message, &help);
    }
}

fn take_up_back(app: &mut App, now: Timestamp) {
    if let Some(AppRequest::Rollback { deployment }) = app.request {
        gitops::ask_back(app, deployment, now);
    }
}

/// Git cannot be read or rendered: what is there stays and is looked after, and what is under way goes on.
async fn without_desired(
    service: &GitOps,
    app: &mut App,
    error: &DesiredError,
    memory: &mut Memory,
    now: Timestamp,
) -> Result<Wait, StepError> {
    condition(app, error.condition(), error.to_string(), error.help());
    app.status.sync = SyncState::Unknown;
    // Nothing can be synced; a person is told so at once rather than kept waiting.
    if matches!(app.request, Some(AppRequest::Sync { .. })) && !matches!(error, DesiredError::Cluster(_)) {
        app.request = None;
    }
    take_up_back(app, now);
    if app.status.operation.is_some() || rollout::follow_up(service, app).await? {
        return deploy::go_on(service, app, memory, now).await;
    }
    let Some(objects) = standing_objects(service, app).await? else { return Ok(Some(service.config.pace.retry)) };
    let mut look = service.look(app, &objects, &mut memory.looks).await?;
    show(app, &look);
    verdict::judge(app, &look, service.config.pace, now);
    if app.status.operation.is_some() {
        return deploy::go_on(service, app, memory, now).await;
    }
    // What an error hides must not look like something that left Git.
    look.extra.clear();
    memory.heals.heal_what_stands(service, app, &objects, &look, now).await?;
    let pace = service.config.pace;
    Ok(Some(if is_awaited(app) { pace.glance } else { pace.retry }))
}

async fn with_desired(
    service: &GitOps,
    app: &mut App,
    desired: &Desired,
    memory: &mut Memory,
    now: Timestamp,
) -> Result<Wait, StepError> {
    app.status.seen = Some(desired.revision.clone());
    for why in desired.found.iter().filter_map(|it| it.stale.clone()) {
        condition(app, "SourceUnreachable", why, "what was fetched last is followed meanwhile");
    }
    if desired.objects.is_empty() {
        let paths: Vec<_> = app.spec.sources.iter().map(|it| if it.path.is_empty() { "." } else { &it.path }).collect();
        let message = format!("there are no manifests at `{}`", paths.join("`, `"));
        condition(app, "NoManifests", message, "mend `path`; of a folder only its own files count unless `directory.recurse` is set");
    }
    take_up_back(app, now);
    gitops::replace_stuck(app, &desired.revision, now);
    if app.status.operation.is_some() || rollout::follow_up(service, app).await? {
        return deploy::go_on(service, app, memory, now).await;
    }
    let asked = matches!(app.request, Some(AppRequest::Sync { .. }));
    let held = !asked && gitops::is_quarantined(app, desired.revision.rendered);
    let kept = if held { standing_objects(service, app).await? } else { None };
    let staged = rollout::staged(service, app, desired.revision.rendered, &desired.objects).await?;
    let goal = kept.as_deref().unwrap_or(&staged);
    let look = service.look(app, goal, &mut memory.looks).await?;
    show(app, &look);
    judge(service, app, desired, held, &look, memory, now).await?;
    if app.status.operation.is_some() {
        return deploy::go_on(service, app, memory, now).await;
    }
    memory.heals.see(&look, now);
    let standing = Standing {
        seen: &desired.revision,
        differing: look.differing.len() + usize::from(rollout::is_outdated(app, desired.revision.rendered)),
        extra: look.extra.len(),
        heals: memory.heals.count(),
        last_heal: memory.heals.last(),
    };
    let choice = gitops::choose(app, &standing, now);
    app.status.sync = gitops::sync_state(&choice, &standing);
    let glance = is_awaited(app).then_some(service.config.pace.glance);
    match choice {
        Choice::Rest(_) | Choice::Back { .. } => {
            if app.status.sync == SyncState::OutOfSync {
                warn_of_irreversible(app, desired);
            }
            Ok(glance)
        }
        Choice::Wait(until) => Ok(Some(until.since(now))),
        Choice::Hold { deployment, quarantined } => {
            let message = format!("held at deployment {deployment}: deployment {quarantined} is quarantined");
            condition(app, "Held", message, "push a change, or `landfall app release` to try it again");
            let wait = write_back(service, app, desired, memory, now).await;
            let healed = memory.heals.heal_what_stands(service, app, goal, &look, now).await?;
            Ok(wait.into_iter().chain(glance).chain(healed).min())
        }
        Choice::Heal => {
            memory.heals.heal(service, app, goal, &look, now).await?;
            Ok(Some(CALM))
        }
        Choice::Sync { .. } if rollout::is_settling(app) => Ok(Some(service.config.pace.glance)),
        Choice::Sync { prune, confirmed } => {
            if !deploy::begin(service, app, desired, &look, deploy::Pruning::of(prune, confirmed), now).await? {
                return Ok(Some(POLL));
            }
            memory.heals = Heals::default();
            rollout::begin(service, app, desired, now).await?;
            deploy::go_on(service, app, memory, now).await
        }
    }
}

/// Judges what is awaited by its own objects, which may not be those that Git says by now.
async fn judge(
    service: &GitOps,
    app: &mut App,
    desired: &Desired,
    held: bool,
    look: &Look,
    memory: &mut Memory,
    now: Timestamp,
) -> Result<(), StepError> {
    if !is_awaited(app) {
        return Ok(());
    }
    let rendered = gitops::standing(app).map(|it| it.revision.rendered);
    if held || rendered == Some(desired.revision.rendered) {
        verdict::judge(app, look, service.config.pace, now);
    } else if let Some(objects) = standing_objects(service, app).await? {
        let own = service.look(app, &objects, &mut memory.looks).await?;
        verdict::judge(app, &own, service.config.pace, now);
    }
    Ok(())
}

fn is_awaited(app: &App) -> bool {
    app.status.history.iter().any(|it| gitops::is_open(it.state))
}

/// What the cluster holds while Git is not followed.
async fn standing_objects(service: &GitOps, app: &App) -> Result<Option<Arc<Objects>>, StepError> {
    match gitops::standing(app).map(|it| it.revision.rendered) {
        Some(rendered) => {
            let objects = service.kept.read(rendered).await?;
            let changed = match rollout::staged(service, app, rendered, &objects).await? {
                Cow::Borrowed(_) => None,
                Cow::Owned(changed) => Some(Arc::new(changed)),
            };
            Ok(Some(changed.unwrap_or(objects)))
        }
        None => Ok(None),
    }
}

/// Writes the reverting commit, again and again until it is written.
async fn write_back(service: &GitOps, app: &mut App, desired: &Desired, memory: &mut Memory, now: Timestamp) -> Wait {
    let is_due = |it: &api::Quarantine| {
        it.rendered == desired.revision.rendered && it.reverted_by.is_none() && gitops::is_taken_back_in_git(it)
    };
    let place = app.status.quarantined.iter().position(is_due)?;
    let pause = service.config.pace.write_back;
    if let Some(last) = memory.wrote_back.filter(|last| now.since(*last) < pause) {
        return Some(pause.saturating_sub(now.since(last)));
    }
    memory.wrote_back = Some(now);
    let bad = app.status.quarantined[place].clone();
    let written = service.write_back(app, &bad, desired).await;
    let entry = &mut app.status.quarantined[place];
    match written {
        Ok(commit) => (entry.reverted_by, entry.revert_pending) = (commit, None),
        Err(why) => entry.revert_pending = Some(why),
    }
    entry.revert_pending.is_some().then_some(pause)
}

fn show(app: &mut App, look: &Look) {
    app.status.resources.clone_from(&look.resources);
    app.status.health = gitops::worst(look.resources.iter().filter(|it| !it.requires_pruning).filter_map(|it| it.health));
    app.status.health = gitops::worst(rollout::health(app).into_iter().chain([app.status.health]));
}

pub fn condition(app: &mut App, kind: &str, message: String, help: &str) {
    app.status.conditions.push(AppCondition { kind: kind.to_owned(), message, help: help.to_owned() });
}

/// As [`save`], in the middle of a look: what the look before has told stays told until this one ends.
pub async fn save_meanwhile(service: &GitOps, app: &App) -> Result<(), StepError> {
    let is_new = |it: &AppCondition| app.status.conditions.iter().any(|new| new.kind == it.kind);
    let mut conditions = match store::find::<App>(&*service.records, &app.name).await? {
        Some(stored) => stored.status.conditions,
        None => Vec::new(),
    };
    conditions.retain(|it| !rollout::tells(&it.kind) && !is_new(it));
    conditions.extend(app.status.conditions.iter().cloned());
    let mut shown = app.clone();
    shown.status.conditions = conditions;
    save(service, &shown).await
}

/// Writes down what was found and what is about to be done; a request that came meanwhile stays.
pub async fn save(service: &GitOps, app: &App) -> Result<(), StepError> {
    let saved = store::modify::<App>(&*service.records, &app.name, |stored| {
        stored.status = app.status.clone();
        // Each request counts the generation up.
        if stored.generation == app.generation {
            stored.request.clone_from(&app.request);
        }
    });
    match saved.await {
        Ok(_) | Err(TypedError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
