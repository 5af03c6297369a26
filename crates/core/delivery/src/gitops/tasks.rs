//! In which order the objects of a sync are written and deleted: phases, waves, kinds.

use std::collections::BTreeMap;

use api::ObjectRef;
use serde_json::Value;

use super::kinds;
use crate::sight::text;

const HOOK: &str = "argocd.argoproj.io/hook";
const HELM_HOOK: &str = "helm.sh/hook";
const WAVE: &str = "argocd.argoproj.io/sync-wave";
const HELM_WEIGHT: &str = "helm.sh/hook-weight";
const DELETE_POLICY: &str = "argocd.argoproj.io/hook-delete-policy";
const HELM_DELETE_POLICY: &str = "helm.sh/hook-delete-policy";
const OPTIONS: &str = "argocd.argoproj.io/sync-options";

/// A part of a sync; all of one is done before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    PreSync,
    Sync,
    PostSync,
    /// Only when something failed.
    SyncFail,
}

/// When a hook's object is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookEnd {
    BeforeCreation,
    Succeeded,
    Failed,
}

/// What is done with one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    Apply(Value),
    /// An object that is made for this sync alone.
    Hook { manifest: Value, ends: Vec<HookEnd> },
    Prune,
}

/// One piece of a sync.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub phase: Phase,
    pub wave: i64,
    pub object: ObjectRef,
    pub work: Work,
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskState {
    Pending,
    /// Written; its health is awaited.
    Running,
    Done,
    Failed(String),
}

/// All tasks in the order in which they are taken up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub tasks: Vec<Task>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Tasks that may begin now, by their place in the plan; those of equal kind may run side by side.
    Begin(Vec<usize>),
    /// For tasks that run.
    Await(Vec<usize>),
    Succeeded,
    Failed(String),
}

impl Task {
    /// Names a task across restarts.
    pub fn id(&self) -> String {
        let namespace = self.object.namespace.as_deref().unwrap_or_default();
        let phase = self.phase;
        format!("{phase:?} {} {} {namespace}/{}", self.object.api_version, self.object.kind, self.object.name)
    }

    fn order(&self) -> (Phase, i64, u8, usize, String) {
        let is_apply = u8::from(!matches!(self.work, Work::Prune));
        (self.phase, self.wave, is_apply, kinds::rank(&self.object.kind), self.object.name.clone())
    }
}

/// Plans a sync of `rendered` that deletes `pruned`.
///
/// Each rendered object comes with its name in the API. `prune_last` deletes after everything is written.
pub fn plan(rendered: &[(ObjectRef, Value)], pruned: &[(ObjectRef, Value)], prune_last: bool) -> Plan {
    let mut tasks: Vec<Task> = rendered.iter().flat_map(|(object, manifest)| of_manifest(object, manifest)).collect();
    let last = tasks.iter().filter(|task| task.phase == Phase::Sync).map(|task| task.wave).max().unwrap_or(0);
    let mut prunes: Vec<Task> = pruned
        .iter()
        .filter(|(_, live)| !has_option(live, "Prune=false"))
        .map(|(object, live)| Task { phase: Phase::Sync, wave: wave(live), object: object.clone(), work: Work::Prune })
        .collect();
    mirror_waves(&mut prunes);
    for (task, (_, live)) in prunes.iter_mut().zip(pruned.iter().filter(|(_, live)| !has_option(live, "Prune=false"))) {
        if prune_last || has_option(live, "PruneLast=true") {
            task.wave = last + 1;
        }
    }
    tasks.extend(prunes);
    tasks.sort_by_key(Task::order);
    lead_what_others_live_in(&mut tasks);
    Plan { tasks }
}

/// What was made first is deleted last: waves of deletions are turned round.
fn mirror_waves(prunes: &mut [Task]) {
    let mut waves: Vec<i64> = prunes.iter().map(|task| task.wave).collect();
    waves.sort_unstable();
    waves.dedup();
    for task in prunes {
        if let Ok(place) = waves.binary_search(&task.wave) {
            task.wave = waves[waves.len() - 1 - place];
        }
    }
}

fn of_manifest(object: &ObjectRef, manifest: &Value) -> Vec<Task> {
    let task = |phase, work| Task { phase, wave: wave(manifest), object: object.clone(), work };
    let Some(phases) = hook_phases(manifest) else {
        return vec![task(Phase::Sync, Work::Apply(manifest.clone()))];
    };
    let hook = |phase| task(phase, Work::Hook { manifest: manifest.clone(), ends: hook_ends(manifest) });
    phases.into_iter().map(hook).collect()
}

/// Whether an object is made for a sync alone, and so is no part of the state.
pub fn is_hook(manifest: &Value) -> bool {
    hook_phases(manifest).is_some()
}

/// The phases of a hook; `None` for an ordinary object, empty for one that is skipped.
fn hook_phases(manifest: &Value) -> Option<Vec<Phase>> {
    let own = words(annotation(manifest, HOOK));
    if !own.is_empty() {
        let phase = |word: &String| match word.as_str() {
            "PreSync" => Some(Phase::PreSync),
            "Sync" => Some(Phase::Sync),
            "PostSync" => Some(Phase::PostSync),
            "SyncFail" => Some(Phase::SyncFail),
            // `Skip` and the hooks of the app's own deletion run in no sync.
            _ => None,
        };
        return Some(own.iter().filter_map(phase).collect());
    }
    let helm = words(annotation(manifest, HELM_HOOK));
    if helm.is_empty() || helm.iter().any(|word| word == "crd-install") {
        return None;
    }
    let mut phases: Vec<_> = helm
        .iter()
        .filter_map(|word| match word.as_str() {
            "pre-install" | "pre-upgrade" => Some(Phase::PreSync),
            "post-install" | "post-upgrade" => Some(Phase::PostSync),
            _ => None,
        })
        .collect();
    phases.sort_unstable();
    phases.dedup();
    Some(phases)
}

fn hook_ends(manifest: &Value) -> Vec<HookEnd> {
    let own = words(annotation(manifest, DELETE_POLICY)).into_iter().filter_map(|word| match word.as_str() {
        "BeforeHookCreation" => Some(HookEnd::BeforeCreation),
        "HookSucceeded" => Some(HookEnd::Succeeded),
        "HookFailed" => Some(HookEnd::Failed),
        _ => None,
    });
    let helm = words(annotation(manifest, HELM_DELETE_POLICY)).into_iter().filter_map(|word| match word.as_str() {
        "before-hook-creation" => Some(HookEnd::BeforeCreation),
        "hook-succeeded" => Some(HookEnd::Succeeded),
        "hook-failed" => Some(HookEnd::Failed),
        _ => None,
    });
    let ends: Vec<_> = own.chain(helm).collect();
    if ends.is_empty() { vec![HookEnd::BeforeCreation] } else { ends }
}

fn wave(manifest: &Value) -> i64 {
    let number = |name| annotation(manifest, name).trim().parse::<i64>().ok();
    number(WAVE).or_else(|| number(HELM_WEIGHT)).unwrap_or(0)
}

fn annotation<'a>(manifest: &'a Value, name: &str) -> &'a str {
    manifest.pointer("/metadata/annotations").and_then(|it| it.get(name)).and_then(Value::as_str).unwrap_or_default()
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The ids of tasks that a sync of what differs alone leaves out; hooks run all the same.
pub fn untouched(rendered: &[(ObjectRef, Value)], differing: &[ObjectRef]) -> Vec<String> {
    let tasks = plan(rendered, &[], false).tasks;
    tasks.iter().filter(|task| matches!(task.work, Work::Apply(_)) && !differing.contains(&task.object)).map(Task::id).collect()
}

/// Whether the task with this id is about the object.
pub fn is_task_of(id: &str, object: &ObjectRef) -> bool {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    id.split_once(' ').is_some_and(|(_, rest)| rest == format!("{} {} {namespace}/{}", object.api_version, object.kind, object.name))
}

/// Whether the object carries a sync option such as `Prune=false`.
pub fn has_option(object: &Value, option: &str) -> bool {
    words(annotation(object, OPTIONS)).iter().any(|word| word == option)
}

/// Moves a Namespace in front of the first object that lives in it, and a definition of a kind in
/// front of the first object of that kind.
fn lead_what_others_live_in(tasks: &mut Vec<Task>) {
    let grounds: Vec<Task> = tasks.iter().filter(|task| !matches!(task.work, Work::Prune) && is_ground(task)).cloned().collect();
    for ground in grounds {
        let Some(from) = tasks.iter().position(|task| *task == ground) else { continue };
        let first = tasks.iter().position(|task| !matches!(task.work, Work::Prune) && stands_on(task, &ground));
        if let Some(to) = first.filter(|to| *to < from) {
            let mut task = tasks.remove(from);
            (task.phase, task.wave) = (tasks[to].phase, tasks[to].wave);
            tasks.insert(to, task);
        }
    }
}

fn is_ground(task: &Task) -> bool {
    matches!(task.object.kind.as_str(), "Namespace" | "CustomResourceDefinition")
}

fn stands_on(task: &Task, ground: &Task) -> bool {
    if ground.object.kind == "Namespace" {
        return task.object.namespace.as_deref() == Some(&ground.object.name);
    }
    let (Work::Apply(definition) | Work::Hook { manifest: definition, .. }) = &ground.work else { return false };
    let group = task.object.api_version.split_once('/').map_or("", |(group, _)| group);
    task.object.kind == text(definition, "/spec/names/kind") && group == text(definition, "/spec/group")
}

impl Plan {
    /// What to do next, from the states of the tasks by their place.
    pub fn next(&self, states: &BTreeMap<usize, TaskState>) -> Next {
        let state = |index: usize| states.get(&index).unwrap_or(&TaskState::Pending);
        let of = |phase: fn(Phase) -> bool| (0..self.tasks.len()).filter(move |index| phase(self.tasks[*index].phase));
        let ordinary = || of(|phase| phase != Phase::SyncFail);
        let failed = ordinary().find_map(|index| match state(index) {
            TaskState::Failed(reason) => Some(format!("{}: {reason}", self.tasks[index].object)),
            TaskState::Pending | TaskState::Running | TaskState::Done => None,
        });
        let Some(reason) = failed else { return self.advance(&ordinary().collect::<Vec<_>>(), states).unwrap_or(Next::Succeeded) };
        let rescue: Vec<_> = of(|phase| phase == Phase::SyncFail).filter(|index| !matches!(state(*index), TaskState::Failed(_))).collect();
        self.advance(&rescue, states).unwrap_or(Next::Failed(reason))
    }

    /// The lowest phase and wave that has something left; `None` when nothing is.
    fn advance(&self, indexes: &[usize], states: &BTreeMap<usize, TaskState>) -> Option<Next> {
        let state = |index: &usize| states.get(index).unwrap_or(&TaskState::Pending);
        let left: Vec<_> = indexes.iter().filter(|index| matches!(state(index), TaskState::Pending | TaskState::Running)).collect();
        let place = |index: usize| (self.tasks[index].phase, self.tasks[index].wave);
        let now = left.iter().map(|index| place(**index)).min()?;
        let here: Vec<usize> = left.into_iter().copied().filter(|index| place(*index) == now).collect();
        let pending: Vec<usize> = here.iter().copied().filter(|index| *state(index) == TaskState::Pending).collect();
        let Some(first) = pending.first().map(|index| self.tasks[*index].group()) else { return Some(Next::Await(here)) };
        Some(Next::Begin(pending.into_iter().take_while(|index| self.tasks[*index].group() == first).collect()))
    }
}

impl Task {
    /// Tasks of one group may be carried out side by side.
    fn group(&self) -> (u8, usize, &str) {
        match self.work {
            Work::Prune => (0, 0, ""),
            Work::Apply(_) | Work::Hook { .. } => (1, kinds::rank(&self.object.kind), &self.object.kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `Kind/name`, then annotations as `@key=value` with short keys.
    fn object(text: &str) -> (ObjectRef, Value) {
        let mut words = text.split_whitespace();
        let (kind, name) = words.next().and_then(|word| word.split_once('/')).expect("kind and name");
        let mut annotations = serde_json::Map::new();
        let mut namespace = None;
        for word in words {
            let (key, value) = word.split_once('=').expect("a pair");
            let key = match key {
                "hook" => HOOK,
                "helm" => HELM_HOOK,
                "wave" => WAVE,
                "weight" => HELM_WEIGHT,
                "options" => OPTIONS,
                "in" => {
                    namespace = Some(value.to_owned());
                    continue;
                }
                other => panic!("{other}"),
            };
            annotations.insert(key.to_owned(), json!(value));
        }
        let object = ObjectRef { api_version: "v1".into(), kind: kind.into(), plural: String::new(), namespace, name: name.into() };
        (object, json!({"kind": kind, "metadata": {"name": name, "annotations": annotations}}))
    }

    #[track_caller]
    fn check(rendered: &[&str], pruned: &[&str], expected: &[&str]) {
        let all = |texts: &[&str]| texts.iter().map(|text| object(text)).collect::<Vec<_>>();
        let plan = plan(&all(rendered), &all(pruned), false);
        let show = |task: &Task| {
            let sign = if task.work == Work::Prune { "-" } else { "" };
            format!("{:?} {} {sign}{}", task.phase, task.wave, task.object)
        };
        assert_eq!(plan.tasks.iter().map(show).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn phases_then_waves_then_kinds_then_names() {
        check(
            &["Deployment/b", "Deployment/a", "Service/a", "ConfigMap/late wave=2", "Job/before hook=PreSync", "Job/after helm=post-install,post-upgrade weight=-1", "Widget/w", "Pod/test helm=test"],
            &[],
            &["PreSync 0 Job/before", "Sync 0 Service/a", "Sync 0 Deployment/a", "Sync 0 Deployment/b", "Sync 0 Widget/w", "Sync 2 ConfigMap/late", "PostSync -1 Job/after"],
        );
    }

    #[test]
    fn deletions_go_backwards_and_can_be_forbidden() {
        check(
            &["ConfigMap/a"],
            &["ConfigMap/first wave=-1", "ConfigMap/last wave=5", "ConfigMap/kept options=Prune=false", "ConfigMap/end options=PruneLast=true"],
            &["Sync -1 -ConfigMap/last", "Sync 0 ConfigMap/a", "Sync 1 -ConfigMap/end", "Sync 5 -ConfigMap/first"],
        );
    }

    #[test]
    fn a_namespace_comes_before_what_lives_in_it() {
        check(
            &["Namespace/shop wave=3", "Job/prepare hook=PreSync in=shop"],
            &[],
            &["PreSync 0 Namespace/shop", "PreSync 0 Job/prepare"],
        );
    }

    #[test]
    fn a_wave_waits_for_the_one_before_and_a_failure_calls_the_rescue() {
        let all: Vec<_> = ["ConfigMap/a", "Deployment/b", "Deployment/c wave=1", "Job/rescue hook=SyncFail"].iter().map(|text| object(text)).collect();
        let plan = plan(&all, &[], false);
        let mut states = BTreeMap::new();
        assert_eq!(plan.next(&states), Next::Begin(vec![0]));
        states.insert(0, TaskState::Done);
        assert_eq!(plan.next(&states), Next::Begin(vec![1]));
        states.insert(1, TaskState::Running);
        assert_eq!(plan.next(&states), Next::Await(vec![1]));
        let mut good = states.clone();
        good.extend([(1, TaskState::Done), (2, TaskState::Done)]);
        assert_eq!(plan.next(&good), Next::Succeeded);
        states.insert(1, TaskState::Failed("no".into()));
        assert_eq!(plan.next(&states), Next::Begin(vec![3]));
        states.insert(3, TaskState::Done);
        assert_eq!(plan.next(&states), Next::Failed("Deployment/b: no".into()));
    }
}
