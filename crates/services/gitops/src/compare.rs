//! Compares what is in the cluster with what shall be.

use std::collections::HashMap;

use api::{App, AppResource, Health, ObjectRef, SyncState};
use delivery::gitops;
use objects::{ClusterError, DryRun};
use serde_json::Value;

use crate::{GitOps, kept::Objects};

/// What a look at the cluster showed.
#[derive(Clone, Debug, Default)]
pub struct Look {
    pub resources: Vec<AppResource>,
    /// Objects that differ or are missing.
    pub differing: Vec<ObjectRef>,
    /// Objects that left Git and are still there, as they are.
    pub extra: Objects,
}

/// Answers of dry runs, which hold as long as neither side changes.
#[derive(Default)]
pub struct Memory(HashMap<ObjectRef, (String, AppResource)>);

/// The field manager of an app.
pub fn manager(app: &str) -> String {
    format!("landfall-app-{app}")
}

impl GitOps {
    /// Looks at every object of the app.
    pub async fn look(&self, app: &App, goal: &Objects, memory: &mut Memory) -> Result<Look, ClusterError> {
        let mut look = Look::default();
        for (object, wanted) in goal {
            self.pulse.watch(object);
            // Hooks come and go with a sync; they are no part of the state.
            if gitops::is_hook(wanted) {
                continue;
            }
            let resource = self.look_at(app, object, wanted, memory).await?;
            if resource.sync == SyncState::OutOfSync {
                look.differing.push(object.clone());
            }
            look.resources.push(resource);
        }
        for object in gitops::to_prune(&inventory(app), &names(goal)) {
            let live = match self.cluster.find(&object).await {
                Ok(Some(live)) => live,
                Ok(None) => continue,
                Err(error) if error.is_passing() => return Err(error),
                Err(ClusterError::Refused { message, .. }) => {
                    look.resources.push(unseen(&object, message));
                    continue;
                }
                Err(error) => return Err(error),
            };
            if live.pointer("/metadata/deletionTimestamp").is_some() {
                continue;
            }
            self.pulse.watch(&object);
            let health = gitops::health_of(&live);
            let stays = gitops::has_option(&live, "Prune=false");
            look.resources.push(AppResource {
                object: object.clone(),
                sync: SyncState::OutOfSync,
                health: health.as_ref().map(|it| it.0),
                message: if stays { "left Git and stays: it says `Prune=false`" } else { "left Git; requires pruning" }.to_owned(),
                drift: Vec::new(),
                requires_pruning: true,
            });
            if !stays {
                look.extra.push((object, live));
            }
        }
        Ok(look)
    }

    async fn look_at(&self, app: &App, object: &ObjectRef, wanted: &Value, memory: &mut Memory) -> Result<AppResource, ClusterError> {
        let live = match self.cluster.find(object).await {
            Ok(Some(live)) => live,
            Ok(None) => return Ok(AppResource { health: Some(Health::Missing), ..unseen(object, String::new()) }),
            Err(error) if error.is_passing() => return Err(error),
            // What may not be read is told; whether it may be written the sync will find.
            Err(ClusterError::Refused { message, .. }) => return Ok(unseen(object, message)),
            Err(error) => return Err(error),
        };
        let version = live.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
        let key = format!("{version} {} {wanted}", app.generation);
        if let Some((known, resource)) = memory.0.get(object)
            && *known == key
        {
            return Ok(resource.clone());
        }
        let (health, message) = match gitops::health_of(&live) {
            Some((health, message)) => (Some(health), message),
            None => (None, String::new()),
        };
        let drift = match self.cluster.apply(object, wanted, &manager(&app.name), DryRun::Yes).await {
            Ok(applied) => Ok(gitops::drift(&live, &applied, &app.spec.ignore)),
            Err(error) if error.is_passing() => return Err(error),
            // What cannot be applied differs, and the sync will say why.
            Err(ClusterError::Refused { message, .. }) => Err(message),
            Err(error) => return Err(error),
        };
        let (drift, sync, message) = match drift {
            Ok(drift) => {
                let sync = if drift.is_empty() { SyncState::Synced } else { SyncState::OutOfSync };
                (drift, sync, message)
            }
            Err(refusal) => (Vec::new(), SyncState::OutOfSync, refusal),
        };
        let resource = AppResource { object: object.clone(), sync, health, message, drift, requires_pruning: false };
        memory.0.insert(object.clone(), (key, resource.clone()));
        Ok(resource)
    }
}

/// An object of which nothing is known.
fn unseen(object: &ObjectRef, message: String) -> AppResource {
    AppResource {
        object: object.clone(),
        sync: SyncState::OutOfSync,
        health: Some(Health::Unknown),
        message,
        drift: Vec::new(),
        requires_pruning: false,
    }
}

/// Everything that earlier deployments wrote and that may still be there.
pub fn inventory(app: &App) -> Vec<ObjectRef> {
    let mut all: Vec<ObjectRef> = app.status.history.iter().flat_map(|it| it.inventory.iter().cloned()).collect();
    all.sort();
    all.dedup();
    all
}

pub fn names(objects: &Objects) -> Vec<ObjectRef> {
    objects.iter().map(|(object, _)| object.clone()).collect()
}
