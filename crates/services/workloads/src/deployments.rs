//! Carries out the plans for Deployments.

use names::Timestamp;
use workload::{Action, Deployment, Key, Kind, deployment};

use crate::{
    api::{is_conflict, message},
    hand::{Hand, now},
    worker::Reconcile,
};

/// Steps that follow from the answers to earlier ones are taken at once; more
/// than this many in a row would mean two controllers that disagree.
const STEPS_AT_ONCE: usize = 8;

pub struct Deployments(pub Hand);

impl Reconcile for Deployments {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Option<Timestamp>, kube::Error> {
        let picture = &self.0.picture;
        for _ in 0..STEPS_AT_ONCE {
            let Some(deployment) = picture.deployments.get(key) else { return Ok(None) };
            let sets = picture.sets.in_namespace(&key.namespace);
            let pods = picture.pods.in_namespace(&key.namespace);
            let plan = deployment::plan(&deployment, &sets, &pods, now());
            if plan.actions.is_empty() {
                return Ok(plan.wake);
            }
            for action in &plan.actions {
                match action {
                    Action::Create { .. } => {
                        if let Made::No = self.create_set(&deployment, action).await? {
                            return Ok(None);
                        }
                    }
                    Action::Patch { .. }
                    | Action::PatchStatus { .. }
                    | Action::Delete { .. }
                    | Action::Kill { .. }
                    | Action::Tell { .. } => self.0.act(action).await?,
                }
            }
        }
        Ok(Some(now()))
    }
}

enum Made {
    Yes,
    No,
}

impl Deployments {
    async fn create_set(&self, deployment: &Deployment, action: &Action) -> Result<Made, kube::Error> {
        let Action::Create { manifest, .. } = action else { return Ok(Made::Yes) };
        let hand = &self.0;
        if hand.picture.is_namespace_going(&deployment.metadata.namespace) {
            return Ok(Made::No);
        }
        let error = match hand.try_act(action).await {
            Ok(_) => return Ok(Made::Yes),
            Err(error) => error,
        };
        let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
        if is_conflict(&error) {
            let key = Key::new(&deployment.metadata.namespace, name);
            let Some(taken) = hand.api.get(Kind::ReplicaSet, &key).await? else { return Err(error) };
            let own = serde_json::from_value(taken.clone()).is_ok_and(|set| deployment::is_own_new_set(deployment, &set));
            if own {
                hand.picture.wrote(Kind::ReplicaSet, taken);
                return Ok(Made::Yes);
            }
            hand.act(&deployment::next_collision(deployment)).await?;
            return Err(error);
        }
        hand.carry_out(&deployment::creation_failed(deployment, name, &message(&error), now())).await?;
        Err(error)
    }
}
