//! Brings the cluster in line with what a changeover wishes: first the share of requests, then
//! the first Deployment, then the second one.

use api::{App, ObjectRef, RolloutPhase, RolloutPlan, TrafficSplit, WorkloadRollout};
use delivery::rollout::{self, Seen, Stable, TRAFFIC};
use objects::{ClusterError, DryRun};
use serde_json::Value;

use super::{Memory, find, manager, own_manager};
use crate::{GitOps, kept::Objects};

/// The manifests of both versions.
pub struct Manifests<'a> {
    pub old: &'a Objects,
    /// `None` when the new version is not tried any more.
    pub new: Option<&'a Objects>,
}

impl GitOps {
    /// Writes what differs. What the API server refuses of the second Deployment is told.
    pub(super) async fn bring_in_line(
        &self,
        app: &App,
        it: &WorkloadRollout,
        split: TrafficSplit,
        manifests: &Manifests<'_>,
        memory: &mut Memory,
    ) -> Result<Option<Seen>, ClusterError> {
        let picture = rollout::picture(it, split);
        self.divide(app, it, picture.weight).await?;
        self.write_stable(app, it, picture.stable, manifests, memory).await?;
        // While requests go back, the second Deployment stays as it is.
        if it.phase == RolloutPhase::Returning {
            return Ok(None);
        }
        let refused = match picture.canary {
            Some(replicas) => self.write_canary(app, it, replicas, manifests).await?,
            None => {
                self.remove(&canary_of(it)).await?;
                None
            }
        };
        if refused.is_none() {
            self.preview(app, it, picture.canary.is_some(), manifests).await?;
        }
        Ok(refused)
    }

    /// Says of all Services of a workload how their requests are divided.
    pub(super) async fn divide(&self, app: &App, it: &WorkloadRollout, weight: Option<u8>) -> Result<(), ClusterError> {
        for service in it.services.iter().filter(|name| Some(name.as_str()) != preview_name(it)) {
            self.divide_one(app, it, service, weight).await?;
        }
        Ok(())
    }

    /// A Service that is gone needs no division.
    async fn divide_one(&self, app: &App, it: &WorkloadRollout, service: &str, weight: Option<u8>) -> Result<(), ClusterError> {
        let object = service_of(it, service);
        let Some(live) = self.cluster.find(&object).await? else { return Ok(()) };
        let namespace = it.object.namespace.as_deref().unwrap_or_default();
        let wanted = rollout::traffic(service, namespace, &rollout::canary_name(&it.object.name), weight);
        let said = |value: &Value| value.pointer("/metadata/annotations").and_then(|it| it.get(TRAFFIC)).cloned();
        if said(&live) != said(&wanted) {
            self.cluster.apply(&object, &wanted, &manager(&app.name), DryRun::No).await?;
        }
        Ok(())
    }

    async fn write_stable(
        &self,
        app: &App,
        it: &WorkloadRollout,
        wanted: Stable,
        manifests: &Manifests<'_>,
        memory: &mut Memory,
    ) -> Result<(), ClusterError> {
        let manifest = match wanted {
            Stable::Leave => return Ok(()),
            Stable::New => manifests.new.and_then(|new| find(new, &it.object)).cloned(),
            // Nobody has changed it yet, and the app itself looks after it.
            Stable::Old(None) if !it.stable_changed && !memory.written.contains_key(&it.object) => return Ok(()),
            Stable::Old(replicas) => find(manifests.old, &it.object).map(|old| rollout::scaled(old, replicas)),
        };
        let Some(manifest) = manifest else { return Ok(()) };
        let known = format!("{wanted:?} {}", rollout::template_hash(&manifest));
        if memory.written.get(&it.object) == Some(&known) {
            return Ok(());
        }
        self.cluster.apply(&it.object, &manifest, &own_manager(app), DryRun::No).await?;
        memory.written.insert(it.object.clone(), known);
        Ok(())
    }

    async fn write_canary(
        &self,
        app: &App,
        it: &WorkloadRollout,
        replicas: u32,
        manifests: &Manifests<'_>,
    ) -> Result<Option<Seen>, ClusterError> {
        let Some(new) = manifests.new.and_then(|new| find(new, &it.object)) else { return Ok(None) };
        let object = canary_of(it);
        let live = self.cluster.find(&object).await?;
        if live.as_ref().is_some_and(|live| is_as_wished(live, it, replicas) || is_going(live)) {
            return Ok(None);
        }
        let Some(first) = self.cluster.find(&it.object).await? else { return Ok(None) };
        let owner = first.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
        let manifest = rollout::canary_manifest(new, replicas, owner);
        self.pulse.watch(&object);
        match self.cluster.apply(&object, &manifest, &manager(&app.name), DryRun::No).await {
            Ok(_) => Ok(None),
            Err(error) if error.is_passing() => Err(error),
            Err(ClusterError::Refused { message, .. }) => Ok(Some(Seen::Failed(message))),
            Err(error) => Err(error),
        }
    }

    /// The Service that shows the new version: one of the app's own, or one that is made for this.
    async fn preview(&self, app: &App, it: &WorkloadRollout, shows: bool, manifests: &Manifests<'_>) -> Result<(), ClusterError> {
        let Some(name) = preview_name(it) else { return Ok(()) };
        let object = service_of(it, name);
        if it.services.iter().any(|service| service == name) {
            return self.divide_one(app, it, name, shows.then_some(100)).await;
        }
        let live = self.cluster.find(&object).await?;
        if !shows {
            if live.as_ref().is_some_and(|live| live.pointer("/metadata/labels").and_then(|it| it.get(rollout::TRACK)).is_some()) {
                self.remove(&object).await?;
            }
            return Ok(());
        }
        let active = it.services.first().and_then(|service| find(manifests.new?, &service_of(it, service)));
        let (None, Some(active), Some(canary)) = (&live, active, self.cluster.find(&canary_of(it)).await?) else { return Ok(()) };
        let manifest = rollout::preview_service(name, active, &canary);
        self.cluster.apply(&object, &manifest, &manager(&app.name), DryRun::No).await.map(drop)
    }

    /// Deletes an object together with its pods, unless it is going already.
    async fn remove(&self, object: &ObjectRef) -> Result<(), ClusterError> {
        match self.cluster.find(object).await? {
            Some(live) if !is_going(&live) => self.cluster.delete_with(object, "Foreground").await,
            Some(_) | None => Ok(()),
        }
    }
}

fn preview_name(it: &WorkloadRollout) -> Option<&str> {
    match &it.plan {
        RolloutPlan::BlueGreen(plan) => plan.preview.as_deref(),
        RolloutPlan::Rolling | RolloutPlan::Canary(_) => None,
    }
}

/// The second Deployment.
pub fn canary_of(it: &WorkloadRollout) -> ObjectRef {
    ObjectRef { name: rollout::canary_name(&it.object.name), ..it.object.clone() }
}

fn service_of(it: &WorkloadRollout, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        plural: "services".to_owned(),
        namespace: it.object.namespace.clone(),
        name: name.to_owned(),
    }
}

/// Whether the second Deployment holds this version in this size.
pub fn is_as_wished(live: &Value, it: &WorkloadRollout, replicas: u32) -> bool {
    let template = live.pointer("/metadata/annotations").and_then(|it| it.get(rollout::TEMPLATE)).and_then(Value::as_str);
    let size = live.pointer("/spec/replicas").and_then(Value::as_u64);
    !is_going(live) && template == Some(it.canary.as_str()) && size == Some(u64::from(replicas))
}

pub fn is_going(live: &Value) -> bool {
    live.pointer("/metadata/deletionTimestamp").is_some_and(|it| !it.is_null())
}
