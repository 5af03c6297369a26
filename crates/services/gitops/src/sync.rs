//! Carries a sync out, as far as it can go now: begins tasks, looks how they do, ends hooks.

use std::collections::{BTreeMap, BTreeSet};

use api::{App, Health, ObjectRef, Propagation, SyncOperation};
use delivery::gitops::{self, HookEnd, Next, Phase, Plan, Task, Work};
use objects::{ClusterError, DryRun};
use serde_json::{Value, json};

pub use delivery::gitops::TaskState;

use crate::{GitOps, compare::manager, kept::Objects};

/// Marks a hook's object with the deployment it was made for.
const MADE_FOR: &str = "landfall.dev/deployment";

/// What a round of a sync came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Round {
    /// Something runs; look again when it changes.
    Waiting,
    Done,
    Failed(String),
}

/// What a sync brings and takes away.
pub struct Goal<'a> {
    pub objects: &'a Objects,
    /// What is deleted, as it is now.
    pub pruned: Objects,
    /// Only these; hooks do not run then.
    pub only: Option<Vec<ObjectRef>>,
    /// Nothing after this phase.
    pub until: Phase,
}

/// States of the tasks of one deployment, by their names.
pub type States = BTreeMap<String, TaskState>;

impl GitOps {
    /// Tries everything without writing; what would be refused stops the sync before it begins.
    pub async fn rehearse(&self, app: &App, goal: &Goal<'_>) -> Result<Option<String>, ClusterError> {
        let made: Vec<&str> =
            goal.objects.iter().filter(|(it, _)| it.kind == "Namespace").map(|(it, _)| it.name.as_str()).collect();
        let defines = goal.objects.iter().any(|(it, _)| it.kind == "CustomResourceDefinition");
        for (object, value) in goal.objects {
            if object.namespace.as_deref().is_some_and(|it| made.contains(&it)) || object.name.is_empty() {
                continue;
            }
            if goal.only.as_ref().is_some_and(|only| !only.contains(object)) {
                continue;
            }
            match self.cluster.apply(object, value, &manager(&app.name), DryRun::Yes).await {
                Ok(_) => {}
                // The kind may be defined by this very sync.
                Err(ClusterError::Refused { code: 404, .. }) if defines || app.spec.options.create_namespace => {}
                Err(error) if error.is_passing() => return Err(error),
                Err(ClusterError::Refused { message, .. }) => return Ok(Some(format!("{object}: {message}"))),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Goes on with a sync until something must be waited for.
    pub async fn advance(
        &self,
        app: &App,
        operation: &mut SyncOperation,
        goal: &Goal<'_>,
        states: &mut States,
    ) -> Result<Round, ClusterError> {
        let plan = plan(app, goal);
        for done in &operation.done {
            states.entry(done.clone()).or_insert(TaskState::Done);
        }
        loop {
            let by_index: BTreeMap<usize, TaskState> = plan
                .tasks
                .iter()
                .enumerate()
                .filter_map(|(index, task)| Some((index, states.get(&task.id())?.clone())))
                .collect();
            match plan.next(&by_index) {
                Next::Succeeded => return Ok(Round::Done),
                Next::Failed(reason) => return Ok(Round::Failed(reason)),
                Next::Begin(indexes) => {
                    operation.phase = format!("{:?}", plan.tasks[indexes[0]].phase);
                    if app.spec.options.create_namespace {
                        let written = indexes.iter().map(|index| &plan.tasks[*index]).filter(|task| task.work != Work::Prune);
                        let namespaces = written.filter_map(|task| task.object.namespace.as_deref());
                        for namespace in namespaces.collect::<BTreeSet<_>>() {
                            self.cluster.ensure_namespace(namespace, &[]).await?;
                        }
                    }
                    let mut waits = false;
                    for index in indexes {
                        let task = &plan.tasks[index];
                        match self.begin(app, operation.deployment, task).await? {
                            Begun::Now(state) => drop(states.insert(task.id(), state)),
                            Begun::Later => waits = true,
                        }
                    }
                    if waits {
                        "waiting for an older hook to go".clone_into(&mut operation.message);
                        return Ok(Round::Waiting);
                    }
                }
                Next::Await(indexes) => {
                    let last = is_last(&plan, &indexes);
                    let mut still = Vec::new();
                    for index in &indexes {
                        let task = &plan.tasks[*index];
                        match self.how(task, last).await? {
                            Some(state) => drop(states.insert(task.id(), state)),
                            None => still.push(task.object.to_string()),
                        }
                    }
                    if still.len() == indexes.len() {
                        operation.message = format!("waiting for {}", still.join(", "));
                        operation.done = done(states);
                        return Ok(Round::Waiting);
                    }
                }
            }
            operation.done = done(states);
        }
    }

    async fn begin(&self, app: &App, deployment: u64, task: &Task) -> Result<Begun, ClusterError> {
        self.pulse.watch(&task.object);
        match &task.work {
            Work::Prune => {
                let how = match app.spec.options.propagation {
                    Propagation::Foreground => "Foreground",
                    Propagation::Background => "Background",
                    Propagation::Orphan => "Orphan",
                };
                written_or_failed(self.cluster.delete_with(&task.object, how).await)
            }
            Work::Apply(manifest) => self.write_task(app, task, manifest).await,
            Work::Hook { manifest, .. } => {
                let mut manifest = manifest.clone();
                if let Some(annotations) = manifest.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
                    annotations.insert(MADE_FOR.to_owned(), json!(deployment.to_string()));
                }
                let live = self.cluster.find(&task.object).await?;
                let made_for = live.as_ref().and_then(|it| it.pointer("/metadata/annotations")).and_then(|it| it.get(MADE_FOR));
                match live.as_ref() {
                    Some(_) if made_for == Some(&json!(deployment.to_string())) => Ok(Begun::Now(TaskState::Running)),
                    Some(_) => {
                        self.cluster.delete(&task.object).await?;
                        Ok(Begun::Later)
                    }
                    None => self.write_task(app, task, &manifest).await,
                }
            }
        }
    }

    async fn write_task(&self, app: &App, task: &Task, manifest: &Value) -> Result<Begun, ClusterError> {
        let replaces = app.spec.options.replace || gitops::has_option(manifest, "Replace=true");
        if gitops::has_option(manifest, "Force=true") {
            self.cluster.delete(&task.object).await?;
        }
        let respected = if app.spec.options.respect_ignore_differences && !app.spec.ignore.is_empty() {
            let live = self.cluster.find(&task.object).await?;
            live.map(|live| gitops::respect(manifest, &live, &app.spec.ignore))
        } else {
            None
        };
        let manifest = respected.as_ref().unwrap_or(manifest);
        let written = if replaces {
            self.replace(&task.object, manifest).await
        } else {
            self.cluster.apply(&task.object, manifest, &manager(&app.name), DryRun::No).await.map(drop)
        };
        written_or_failed(written)
    }

    async fn replace(&self, object: &ObjectRef, manifest: &Value) -> Result<(), ClusterError> {
        let Some(live) = self.cluster.find(object).await? else {
            return self.cluster.create(object, manifest).await.map(drop);
        };
        let mut manifest = manifest.clone();
        manifest["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        self.cluster.replace(object, &manifest).await.map(drop)
    }

    /// How a running task does; `None` when it is still on its way.
    async fn how(&self, task: &Task, last: bool) -> Result<Option<TaskState>, ClusterError> {
        let live = self.cluster.find(&task.object).await?;
        if task.work == Work::Prune {
            return Ok(live.is_none().then_some(TaskState::Done));
        }
        let Some(live) = live else { return Ok(Some(TaskState::Failed("the object is gone".to_owned()))) };
        let is_hook = matches!(task.work, Work::Hook { .. });
        // Nothing waits for the last wave; the health of the deployment is awaited afterwards.
        if last && !is_hook {
            return Ok(Some(TaskState::Done));
        }
        Ok(match gitops::health_of(&live) {
            None | Some((Health::Healthy | Health::Suspended, _)) => Some(TaskState::Done),
            Some((Health::Degraded, message)) => Some(TaskState::Failed(message)),
            Some((Health::Unknown, message)) if is_hook => Some(TaskState::Failed(message)),
            Some(_) => None,
        })
    }

    /// Deletes hooks that are over, as their policies say.
    pub async fn end_hooks(&self, app: &App, goal: &Goal<'_>, states: &States) -> Result<(), ClusterError> {
        for task in &plan(app, goal).tasks {
            let Work::Hook { ends, .. } = &task.work else { continue };
            let over = match states.get(&task.id()) {
                Some(TaskState::Done) => ends.contains(&HookEnd::Succeeded),
                Some(TaskState::Failed(_)) => ends.contains(&HookEnd::Failed),
                _ => false,
            };
            if over {
                self.cluster.delete(&task.object).await?;
            }
        }
        Ok(())
    }
}

enum Begun {
    Now(TaskState),
    /// Something must go before.
    Later,
}

/// What the API server refuses fails the task; a cluster out of reach stops the round.
fn written_or_failed(written: Result<(), ClusterError>) -> Result<Begun, ClusterError> {
    match written {
        Ok(()) => Ok(Begun::Now(TaskState::Running)),
        Err(error) if error.is_passing() => Err(error),
        Err(ClusterError::Refused { message, .. }) => Ok(Begun::Now(TaskState::Failed(message))),
        Err(error) => Err(error),
    }
}

fn plan(app: &App, goal: &Goal<'_>) -> Plan {
    let mut plan = gitops::plan(goal.objects, &goal.pruned, app.spec.options.prune_last);
    if let Some(only) = &goal.only {
        plan.tasks.retain(|task| !matches!(task.work, Work::Hook { .. }) && (only.contains(&task.object) || task.work == Work::Prune));
    }
    plan.tasks.retain(|task| task.phase <= goal.until || task.phase == Phase::SyncFail);
    plan
}

/// Whether nothing comes after these tasks.
fn is_last(plan: &Plan, indexes: &[usize]) -> bool {
    let end = plan.tasks.iter().filter(|task| task.phase != Phase::SyncFail).map(|task| (task.phase, task.wave)).max();
    indexes.iter().all(|index| Some((plan.tasks[*index].phase, plan.tasks[*index].wave)) == end)
}

fn done(states: &States) -> Vec<String> {
    states.iter().filter(|(_, state)| **state == TaskState::Done).map(|(id, _)| id.clone()).collect()
}
