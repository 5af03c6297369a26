//! The drill itself: the old state, the new one, back again, and the comparison.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use api::{Drill, DrillFinding, DrillStepState, DrillWeight, Health, ObjectRef};
use delivery::{drill, drill::Objects, gitops};
use objects::ClusterError;
use serde_json::Value;
use store::TypedError;
use tokio::time::Instant;

use crate::{Rehearsal, Script, cut_short, step};

const GLANCE: Duration = Duration::from_millis(100);

/// A Deployment may carry the verdict on its last state for a moment, already under its new generation.
const SETTLE: Duration = Duration::from_secs(5);

/// The state that is left need not become healthy; it often is the very one that does not.
const NEW_PATIENCE: Duration = Duration::from_secs(60);

/// Why a drill ended before its end.
enum Stop {
    Cluster(ClusterError),
    Store(TypedError),
    /// What was found makes the rest pointless.
    Found,
}

impl From<ClusterError> for Stop {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

impl From<TypedError> for Stop {
    fn from(error: TypedError) -> Self {
        Self::Store(error)
    }
}

/// A state of the copy when it was healthy.
struct Picture {
    objects: BTreeMap<ObjectRef, Value>,
    images: BTreeSet<String>,
}

impl Rehearsal {
    /// Carries a drill out to its verdict; the copy is removed whatever happens.
    pub async fn play(&self, mut drill: Drill, script: Script, within: Duration) -> Result<Drill, TypedError> {
        (drill.to, drill.from) = (script.old_name.clone(), script.new_name.clone());
        let played = tokio::time::timeout(within, self.try_out(&mut drill, &script)).await;
        let complete = match played {
            Ok(Ok(())) => true,
            Ok(Err(Stop::Found)) => false,
            Ok(Err(Stop::Store(error))) => return Err(error),
            Ok(Err(Stop::Cluster(error))) => {
                drill.findings.push(cut_short(&error.to_string()));
                false
            }
            Err(_) => {
                drill.findings.push(cut_short(&format!("it took longer than {}", names::format_duration(within))));
                false
            }
        };
        for step in drill.steps.iter_mut().filter(|it| it.state == DrillStepState::Running) {
            (step.state, step.finished) = (DrillStepState::Failed, Some(store::now()));
        }
        if !drill.namespaces.is_empty() {
            self.begin(&mut drill, "remove the copy").await?;
            let left = self.remove_namespaces(&drill).await;
            if !left.is_empty() {
                drill.findings.push(DrillFinding {
                    weight: DrillWeight::Note,
                    code: "LF-D0309".to_owned(),
                    object: None,
                    message: format!("the copy is still there: {}", left.join(", ")),
                    help: format!("kubectl delete namespace {}", drill.namespaces.join(" ")),
                });
            }
            self.end(&mut drill, if left.is_empty() { DrillStepState::Done } else { DrillStepState::Failed }, String::new()).await?;
        }
        drill.findings.sort_by_key(|it| it.weight);
        drill.state = drill::verdict(&drill.findings, complete);
        drill.finished = Some(store::now());
        store::put(&*self.records, &drill).await?;
        Ok(drill)
    }

    async fn try_out(&self, drill: &mut Drill, script: &Script) -> Result<(), Stop> {
        self.begin(drill, "examine both states").await?;
        drill.findings.extend(drill::obstacles(&script.new, &script.old));
        drill.findings.extend(self.examine_images(&script.old).await?);
        let live = self.examine_live(&script.old, &script.manager, &drill.findings).await?;
        drill.findings.extend(live);
        let names = homes(&[&script.old, &script.new], drill.number);
        let (old, new) = (drill::copy(&script.old, &names), drill::copy(&script.new, &names));
        for finding in old.left_out.into_iter().chain(new.left_out) {
            let is_new = drill.findings.iter().all(|it| it.object != finding.object || it.code != finding.code);
            if is_new {
                drill.findings.push(finding);
            }
        }
        let lacks = drill.findings.iter().any(|it| it.code == "LF-D0304" && it.weight == DrillWeight::Blocks);
        self.end(drill, DrillStepState::Done, format!("{} and {} objects", script.old.len(), script.new.len())).await?;
        if lacks {
            return Err(Stop::Found);
        }

        self.begin(drill, "make the copy").await?;
        drill.namespaces = names.values().cloned().collect();
        // Known to the store before it is made, so that it is removed after a crash.
        store::put(&*self.records, &*drill).await?;
        self.make_namespaces(drill, &names).await?;
        self.furnish([&script.old, &script.new], &names).await?;
        self.end(drill, DrillStepState::Done, drill.namespaces.join(", ")).await?;

        let (old, new) = (old.objects, new.objects);
        let (old_name, new_name) = (&script.old_name, &script.new_name);
        self.begin(drill, &format!("deploy {old_name}")).await?;
        let refused = (script.bring)(old.clone(), Objects::new()).await?;
        let sick = if refused.is_empty() { self.healthy(&old, script.patience).await? } else { None };
        if let Some(why) = refused.first().or(sick.as_ref()) {
            drill.findings.push(unproven(format!("the copy of {old_name} does not come up: {why}"), "the drill can only prove what can live in a copy"));
            self.end(drill, DrillStepState::Failed, why.clone()).await?;
            return Err(Stop::Found);
        }
        let before = self.picture(&old, &drill.namespaces).await?;
        self.end(drill, DrillStepState::Done, String::new()).await?;

        self.begin(drill, &format!("deploy {new_name}")).await?;
        let refused = (script.bring)(new.clone(), without(&old, &new)).await?;
        for why in &refused {
            drill.findings.push(unproven(format!("{new_name} cannot be deployed over {old_name}: {why}"), "it would be refused in the same way where it counts"));
        }
        let sick = if refused.is_empty() { self.healthy(&new, script.patience.min(NEW_PATIENCE)).await? } else { None };
        let message = refused.first().or(sick.as_ref()).cloned().unwrap_or_default();
        let state = if message.is_empty() { DrillStepState::Done } else { DrillStepState::Failed };
        self.end(drill, state, message).await?;

        self.begin(drill, &format!("go back to {old_name}")).await?;
        let refused = (script.bring)(old.clone(), without(&new, &old)).await?;
        for why in &refused {
            drill.findings.push(blocks("LF-D0307", None, format!("going back to {old_name} is refused: {why}")));
        }
        let sick = self.healthy(&old, script.patience).await?;
        if let Some(why) = &sick {
            drill.findings.push(blocks("LF-D0308", None, format!("after going back, {old_name} does not become healthy: {why}")));
        }
        let message = refused.first().or(sick.as_ref()).cloned().unwrap_or_default();
        let state = if message.is_empty() { DrillStepState::Done } else { DrillStepState::Failed };
        self.end(drill, state, message).await?;

        self.begin(drill, "compare field by field").await?;
        let found = self.compare(drill, &before, &old, &without(&new, &old)).await?;
        let state = if found.is_empty() { DrillStepState::Done } else { DrillStepState::Failed };
        let message = format!("{} objects, {} images", before.objects.len(), before.images.len());
        drill.findings.extend(found);
        self.end(drill, state, message).await?;
        Ok(())
    }

    async fn compare(&self, drill: &Drill, before: &Picture, old: &Objects, gone: &Objects) -> Result<Vec<DrillFinding>, ClusterError> {
        let mut found = Vec::new();
        let after = self.picture(old, &drill.namespaces).await?;
        for (object, was) in &before.objects {
            let Some(is) = after.objects.get(object) else {
                found.push(blocks("LF-D0306", Some(object.clone()), format!("{object} is not there any more")));
                continue;
            };
            for field in drill::differences(was, is) {
                let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
                let message = format!("{object} {} was {} and is {}", field.path, show(&field.wanted), show(&field.live));
                found.push(blocks("LF-D0306", Some(object.clone()), message));
            }
        }
        for (object, _) in gone {
            if self.cluster.find(object).await?.is_some_and(|it| it.pointer("/metadata/deletionTimestamp").is_none()) {
                found.push(blocks("LF-D0306", Some(object.clone()), format!("{object} was left behind")));
            }
        }
        for image in after.images.difference(&before.images) {
            found.push(blocks("LF-D0306", None, format!("pods run `{image}`, which they did not before")));
        }
        Ok(found)
    }

    async fn picture(&self, objects: &Objects, namespaces: &[String]) -> Result<Picture, ClusterError> {
        let mut found = BTreeMap::new();
        for (object, _) in objects {
            if let Some(live) = self.cluster.find(object).await? {
                found.insert(object.clone(), live);
            }
        }
        let mut images = BTreeSet::new();
        for namespace in namespaces {
            images.extend(drill::images_of_pods(&self.cluster.list(&format!("/api/v1/namespaces/{namespace}/pods")).await?));
        }
        Ok(Picture { objects: found, images })
    }

    /// Waits until all objects are healthy; else says what is not.
    async fn healthy(&self, objects: &Objects, patience: Duration) -> Result<Option<String>, ClusterError> {
        let began = Instant::now();
        loop {
            let mut worst: Option<(Health, String)> = None;
            for (object, _) in objects {
                let judged = match self.cluster.find(object).await? {
                    Some(live) => gitops::health_of(&live),
                    None => Some((Health::Missing, "it is not there".to_owned())),
                };
                let Some((health, message)) = judged.filter(|it| !matches!(it.0, Health::Healthy | Health::Suspended)) else { continue };
                if worst.as_ref().is_none_or(|(known, _)| *known < health) {
                    worst = Some((health, format!("{object} is {health}: {message}")));
                }
            }
            let Some((health, why)) = worst else { return Ok(None) };
            let is_final = health == Health::Degraded && began.elapsed() >= SETTLE;
            if is_final || began.elapsed() >= patience {
                return Ok(Some(why));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn begin(&self, drill: &mut Drill, name: &str) -> Result<(), TypedError> {
        drill.steps.push(step(name));
        store::put(&*self.records, &*drill).await.map(drop)
    }

    async fn end(&self, drill: &mut Drill, state: DrillStepState, message: String) -> Result<(), TypedError> {
        if let Some(step) = drill.steps.last_mut() {
            (step.state, step.message, step.finished) = (state, message, Some(store::now()));
        }
        store::put(&*self.records, &*drill).await.map(drop)
    }
}

/// The copy of each namespace in which the objects live.
fn homes(states: &[&Objects], number: u64) -> BTreeMap<String, String> {
    let namespaces: BTreeSet<_> = states.iter().flat_map(|it| it.iter()).filter_map(|(object, _)| object.namespace.clone()).collect();
    let mut names = BTreeMap::new();
    for namespace in namespaces {
        let mut name = drill::copied_name(&namespace, number);
        // Long names may be cut to the same.
        while names.values().any(|it| *it == name) {
            name.insert(0, 'x');
            name.truncate(63);
        }
        names.insert(namespace, name);
    }
    names
}

/// What is in `all` and not in `others`.
fn without(all: &Objects, others: &Objects) -> Objects {
    all.iter().filter(|(object, _)| !others.iter().any(|(other, _)| other == object)).cloned().collect()
}

fn blocks(code: &str, object: Option<ObjectRef>, message: String) -> DrillFinding {
    DrillFinding { weight: DrillWeight::Blocks, code: code.to_owned(), object, message, help: String::new() }
}

fn unproven(message: String, help: &str) -> DrillFinding {
    DrillFinding { weight: DrillWeight::Unproven, code: "LF-D0308".to_owned(), object: None, message, help: help.to_owned() }
}
