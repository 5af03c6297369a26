//! Carries changeovers out: canaries and blue-green changes of an app's Deployments.
//!
//! [`delivery::rollout`] decides. Here each look brings the cluster in line with what is wished
//! now, looks how that does, lets the state machines go on, and writes down where they are
//! before it acts again.

mod measure;
mod prometheus;
mod see;
mod write;

use std::{borrow::Cow, collections::HashMap, sync::Arc, time::Duration};

use api::{App, AppRequest, Cause, DeploymentState, Health, ObjectRef, RolloutPhase, RolloutProgress, SyncOperation, TrafficSplit, WorkloadRollout};
use delivery::{
    gitops::{self, Phase, Wrote},
    rollout::{self, Ask, Before, Counted, Others, Sight},
};
use names::{Digest, Timestamp};

use crate::{
    GitOps,
    actor::{StepError, Wait, condition, save_meanwhile},
    compare,
    desired::Desired,
    kept::Objects,
    pace::Pace,
    pulse::Changed,
};

/// Tells what the proxy has counted since its start of the pods of a Deployment, by namespace and name.
pub type Counters = Arc<dyn Fn(&str, &str) -> Counted + Send + Sync>;

/// More rounds in one look than this are a circle.
const ROUNDS_MAX: usize = 64;

/// The code of what a person asked for; such a state is not taken back in Git.
const ASKED: &str = "LF-D0110";

/// What is remembered between looks; all of it can be found out again.
#[derive(Default)]
pub struct Memory {
    measures: measure::Memory,
    /// What this process has made the first Deployments, so that it is written once.
    written: HashMap<ObjectRef, String>,
}

/// The field manager of what divides requests and of second Deployments.
fn manager(app: &str) -> String {
    format!("landfall-rollout-{app}")
}

/// Whether a deployment is still being changed over, so that its health is not yet the last word.
pub fn is_under_way(app: &App) -> bool {
    let Some(latest) = app.status.history.last().filter(|it| gitops::is_open(it.state)) else { return false };
    app.status.rollout.as_ref().is_some_and(|it| it.deployment == latest.id && it.passed.is_none() && rollout::is_open(it))
}

/// Whether Git says something else than what is being changed over to, even if that is what there was before.
pub fn is_outdated(app: &App, rendered: Digest) -> bool {
    is_under_way(app) && app.status.history.last().is_some_and(|it| it.revision.rendered != rendered)
}

/// The deployment is judged, and with it what has passed.
pub fn forget(app: &mut App) {
    if app.status.rollout.as_ref().is_some_and(|it| it.passed.is_some()) {
        app.status.rollout = None;
    }
}

/// Begins the hooks that come after a changeover, once it has passed; tells whether it did.
pub async fn follow_up(service: &GitOps, app: &mut App) -> Result<bool, StepError> {
    let Some(latest) = app.status.history.last().filter(|it| it.state == DeploymentState::Waiting) else { return Ok(false) };
    let (id, rendered) = (latest.id, latest.revision.rendered);
    let Some(progress) = app.status.rollout.as_mut().filter(|it| it.deployment == id && it.passed.is_some() && !it.followed) else {
        return Ok(false);
    };
    let objects = service.kept.read(rendered).await?;
    let (after, before): (Vec<_>, Vec<_>) = gitops::plan(&objects, &[], false).tasks.into_iter().partition(|task| task.phase == Phase::PostSync);
    if after.is_empty() {
        progress.followed = true;
        return Ok(false);
    }
    let operation = SyncOperation {
        deployment: id,
        phase: format!("{:?}", Phase::PostSync),
        message: String::new(),
        attempt: 1,
        retry_at: None,
        done: before.iter().map(gitops::Task::id).collect(),
    };
    app.status.operation = Some(operation);
    Ok(true)
}

/// Since when what is awaited could have come: a changeover takes all the time that its plan gives it.
pub fn since(app: &App, started: Timestamp) -> Timestamp {
    app.status.rollout.as_ref().and_then(|it| it.passed).map_or(started, |passed| passed.max(started))
}

/// All hooks of a changeover have run.
pub fn followed(app: &mut App) {
    if let Some(progress) = app.status.rollout.as_mut().filter(|it| it.passed.is_some()) {
        progress.followed = true;
    }
}

/// Whether a newer state has to wait for a moment: the objects of a decided changeover are being put in order.
pub fn is_settling(app: &App) -> bool {
    app.status.rollout.as_ref().is_some_and(rollout::is_settling)
}

/// The second Deployments, whose changes are of interest.
pub fn watched(app: &App) -> Vec<Changed> {
    let workloads = app.status.rollout.iter().flat_map(|it| &it.workloads);
    let second = |it: &WorkloadRollout| Changed {
        kind: it.object.kind.clone(),
        namespace: it.object.namespace.clone(),
        name: rollout::canary_name(&it.object.name),
    };
    workloads.map(second).collect()
}

/// What is written of a deployment now: Deployments that change over later are as they were.
pub async fn staged<'a>(service: &GitOps, app: &App, rendered: Digest, objects: &'a Objects) -> Result<Cow<'a, Objects>, StepError> {
    let deployment = |progress: &RolloutProgress| app.status.history.iter().find(|it| it.id == progress.deployment).map(|it| it.revision.rendered);
    match &app.status.rollout {
        Some(progress) if is_under_way(app) && deployment(progress) == Some(rendered) => {
            let old = service.kept.read(progress.stable).await?;
            Ok(Cow::Owned(rollout::staged(progress, objects, &old)))
        }
        Some(_) | None => Ok(Cow::Borrowed(objects)),
    }
}

/// Begins the changeovers of the deployment that was begun just now; fails it if a plan cannot be carried out.
pub async fn begin(service: &GitOps, app: &mut App, desired: &Desired, now: Timestamp) -> Result<(), StepError> {
    let Some(deployment) = app.status.history.last().map(|it| it.id) else { return Ok(()) };
    let before = app.status.rollout.take();
    let Some(stable) = app.status.deployed.and_then(|id| app.status.history.iter().find(|it| it.id == id)).map(|it| it.revision.rendered) else {
        // There is nothing to change over from; mistakes in plans are told all the same.
        return check_plans(app, desired, deployment, now);
    };
    let split = if service.counters.is_some() { TrafficSplit::Proxy } else { TrafficSplit::Replicas };
    let old = service.kept.read(stable).await?;
    let mut live = Objects::new();
    for (object, value) in &desired.objects {
        let changes_over = rollout::plan_of(&app.spec, object, value).is_ok_and(|plan| plan != api::RolloutPlan::Rolling);
        if changes_over && let Some(found) = service.cluster.find(object).await? {
            live.push((object.clone(), found));
        }
    }
    let workloads = match rollout::begin(&app.spec, &desired.objects, Before { objects: &old, live: &live }, split, now) {
        Ok(workloads) => workloads,
        Err(error) => {
            refuse(app, deployment, error.to_string(), now);
            Vec::new()
        }
    };
    let mut progress = RolloutProgress { deployment, stable, split, workloads, failed: None, passed: None, followed: false };
    // What was tried before and is not any more, goes.
    for mut it in before.into_iter().flat_map(|it| it.workloads) {
        if !progress.workloads.iter().any(|new| new.object == it.object) {
            rollout::returning(&mut it, now);
            progress.workloads.push(it);
        }
    }
    progress.workloads.retain(|it| !matches!(it.phase, RolloutPhase::Done | RolloutPhase::Gone));
    app.status.rollout = (!progress.workloads.is_empty()).then_some(progress);
    Ok(())
}

fn check_plans(app: &mut App, desired: &Desired, deployment: u64, now: Timestamp) -> Result<(), StepError> {
    let wrong = desired.objects.iter().find_map(|(object, value)| rollout::plan_of(&app.spec, object, value).err());
    if let Some(error) = wrong {
        refuse(app, deployment, error.to_string(), now);
    }
    Ok(())
}

fn refuse(app: &mut App, deployment: u64, summary: String, now: Timestamp) {
    let cause = Cause { code: "LF-D0205".to_owned(), summary, evidence: Vec::new(), help: vec!["see the guide on roll-outs for what a plan may say".to_owned()] };
    gitops::fail(app, deployment, cause, Wrote::Nothing, now);
}

/// Takes all changeovers as far as they go now; gives when to look again.
pub async fn go_on(service: &GitOps, app: &mut App, memory: &mut Memory, now: Timestamp) -> Result<Wait, StepError> {
    take_up(app, now);
    let Some(mut progress) = app.status.rollout.take() else {
        *memory = Memory::default();
        return Ok(None);
    };
    let tried = app.status.history.last().filter(|it| it.id == progress.deployment && gitops::is_open(it.state)).cloned();
    if progress.passed.is_some() {
        // It is of interest until the whole deployment is judged.
        app.status.rollout = tried.is_some().then_some(progress);
        return Ok(tried.map(|_| service.config.pace.glance));
    }
    if tried.is_none() {
        // Something else has taken its place.
        progress.workloads.iter_mut().for_each(|it| rollout::returning(it, now));
    }
    // Everything else is written before, in the order of its waves.
    let is_written = tried.as_ref().is_none_or(|it| it.state == DeploymentState::Waiting);
    let new = match &tried {
        Some(deployment) => Some(service.kept.read(deployment.revision.rendered).await?),
        None => None,
    };
    let old = service.kept.read(progress.stable).await?;
    let manifests = write::Manifests { old: &old, new: new.as_deref() };
    let patience = Duration::from_secs(app.spec.deadline_seconds.max(1));
    for _ in 0..ROUNDS_MAX {
        let before = progress.clone();
        for index in 0..progress.workloads.len() {
            let it = &progress.workloads[index];
            if !is_written && it.phase == RolloutPhase::Starting {
                // A version that is replaced loses its requests without delay.
                service.divide(app, it, Some(0)).await?;
                continue;
            }
            let refused = service.bring_in_line(app, it, progress.split, &manifests, memory).await?;
            let mut sight = Sight {
                stable: service.see_stable(it, progress.split, memory).await?,
                canary: service.see_canary(it, progress.split).await?,
                others: others(&progress, index),
                readings: None,
                patience,
            };
            if let Some(refusal) = refused {
                sight.canary = refusal;
            }
            let it = &mut progress.workloads[index];
            sight.readings = service.measure(it, &mut memory.measures, now).await?;
            if let Some(cause) = rollout::advance(it, &sight, now)
                && progress.failed.is_none()
            {
                progress.failed = Some(cause);
            }
        }
        if progress.failed.is_some() {
            progress.workloads.iter_mut().for_each(|it| rollout::returning(it, now));
        }
        if progress == before {
            break;
        }
        // What is about to be done is known to the store before it is done.
        app.status.rollout = Some(progress.clone());
        let told = app.status.conditions.len();
        tell(app, &progress);
        save_meanwhile(service, app).await?;
        app.status.conditions.truncate(told);
    }
    Ok(end(app, progress, tried.is_some(), service.config.pace, now))
}

/// Takes up what a person asked for.
fn take_up(app: &mut App, now: Timestamp) {
    let what = match app.request {
        Some(AppRequest::Promote { full: true }) => Ask::Full,
        Some(AppRequest::Promote { full: false }) => Ask::Next,
        Some(AppRequest::Abort) => Ask::Back,
        Some(AppRequest::Sync { .. } | AppRequest::Rollback { .. } | AppRequest::Release | AppRequest::Refresh | AppRequest::Remove) | None => return,
    };
    app.request = None;
    let Some(progress) = app.status.rollout.as_mut().filter(|it| it.passed.is_none()) else { return };
    let mut any = false;
    for it in &mut progress.workloads {
        any |= rollout::ask(it, what, now);
    }
    if any && what == Ask::Back && progress.failed.is_none() {
        let cause = Cause { code: ASKED.to_owned(), summary: "a person stopped the roll-out".to_owned(), evidence: Vec::new(), help: Vec::new() };
        progress.failed = Some(cause);
    }
}

fn others(progress: &RolloutProgress, index: usize) -> Others {
    let has_passed = |it: &WorkloadRollout| !matches!(it.phase, RolloutPhase::Starting | RolloutPhase::Stepping);
    let all = progress.workloads.iter().enumerate().all(|(place, it)| place == index || has_passed(it));
    if all { Others::Passed } else { Others::NotYet }
}

/// Tells where the changeovers are, and ends what is over.
fn end(app: &mut App, mut progress: RolloutProgress, is_tried: bool, pace: Pace, now: Timestamp) -> Wait {
    let is_back = progress.workloads.iter().all(|it| !matches!(it.phase, RolloutPhase::Returning));
    if let Some(cause) = progress.failed.clone().filter(|_| is_back && is_tried) {
        // Requests are back already; now everything else is.
        let deployment = progress.deployment;
        app.status.rollout = rollout::is_open(&progress).then_some(progress);
        let cause = told(cause, app);
        gitops::fail(app, deployment, cause, Wrote::Something, now);
        return Some(Duration::ZERO);
    }
    if !rollout::is_open(&progress) {
        progress.passed = Some(now);
        app.status.rollout = is_tried.then_some(progress);
        return Some(Duration::ZERO);
    }
    let wait = progress.workloads.iter().filter_map(|it| wait_of(it, pace, now)).min();
    tell(app, &progress);
    app.status.rollout = Some(progress);
    wait
}

fn told(mut cause: Cause, app: &App) -> Cause {
    cause.help.push(format!("landfall app get {}", app.name));
    cause
}

/// Whether a condition is one of those that tell of changeovers.
pub fn tells(condition: &str) -> bool {
    matches!(condition, "RolloutPaused" | "AnalysisUnanswered" | "AnalysisInconclusive" | "ApproximateTraffic")
}

/// What a person has to know while it goes on.
fn tell(app: &mut App, progress: &RolloutProgress) {
    for it in progress.workloads.iter().filter(|it| it.paused) {
        let kind = if it.analysis.errors > 0 {
            "AnalysisUnanswered"
        } else if it.analysis.inconclusive > 0 {
            "AnalysisInconclusive"
        } else {
            "RolloutPaused"
        };
        let help = format!("`landfall app promote {}` goes on, `landfall app abort {}` goes back", app.name, app.name);
        condition(app, kind, format!("{} {}", it.object, it.message), &help);
    }
    let replicas = progress.workloads.iter().find(|it| progress.split == TrafficSplit::Replicas && !it.services.is_empty());
    if let Some(it) = replicas {
        let message = format!("requests of this cluster do not pass Landfall's proxy, so the numbers of pods make the share of {}", it.object);
        condition(app, "ApproximateTraffic", message, "with few pods the share is coarse");
    }
}

/// How the app does while its Deployments change over: not better than this.
pub fn health(app: &App) -> Option<Health> {
    let progress = app.status.rollout.as_ref().filter(|_| is_under_way(app))?;
    Some(if progress.workloads.iter().any(|it| it.paused) { Health::Suspended } else { Health::Progressing })
}

/// Events wake the actor; this is for what happens by time alone.
fn wait_of(it: &WorkloadRollout, pace: Pace, now: Timestamp) -> Wait {
    if matches!(it.phase, RolloutPhase::Done | RolloutPhase::Gone) {
        return None;
    }
    let due = it.analysis.due.filter(|due| *due > now).map(|due| due.since(now));
    let usual = if it.paused { pace.retry } else { pace.glance };
    Some(due.unwrap_or(usual).min(usual))
}

/// The objects of the app that one of its Deployments is changed over with.
fn find<'a>(objects: &'a Objects, object: &ObjectRef) -> Option<&'a serde_json::Value> {
    objects.iter().find(|(it, _)| it == object).map(|(_, value)| value)
}

/// The field manager of the app itself, which the first Deployment stays with.
fn own_manager(app: &App) -> String {
    compare::manager(&app.name)
}
