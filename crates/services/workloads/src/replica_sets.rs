//! Carries out the plans for ReplicaSets.

use futures_util::future::join_all;
use names::Timestamp;
use workload::{
    Action, Key, Kind, ReplicaSet, Target,
    action::Notice,
    replica_set::{self, Failure},
};

use crate::{
    api::{Answer, is_not_found, message},
    hand::{Hand, now},
    worker::Reconcile,
};

/// How many pods are tried before it is known whether the server takes them; most sets are no larger.
const FIRST_BATCH: usize = 4;

pub struct ReplicaSets(pub Hand);

impl Reconcile for ReplicaSets {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Option<Timestamp>, kube::Error> {
        let picture = &self.0.picture;
        let Some(set) = picture.sets.get(key) else { return Ok(None) };
        let plan = replica_set::plan(&set, &picture.pods.in_namespace(&key.namespace));
        let failed = self.carry_out(&set, &plan.actions).await;
        let failure = failed.as_ref().map(|(failure, _)| failure);
        let status = replica_set::status(&set, &picture.pods.in_namespace(&key.namespace), failure, now());
        self.0.carry_out(&status).await?;
        match failed {
            Some((_, error)) => Err(error),
            None => Ok(status.wake),
        }
    }
}

impl ReplicaSets {
    /// Carries out in growing batches: if the first pod is refused, the other five hundred are not tried.
    async fn carry_out(&self, set: &ReplicaSet, actions: &[Action]) -> Option<(Failure, kube::Error)> {
        if !actions.is_empty() && self.0.picture.is_namespace_going(&set.metadata.namespace) {
            return None;
        }
        let mut rest = actions;
        let mut batch = FIRST_BATCH;
        let mut failed = None;
        while !rest.is_empty() && failed.is_none() {
            let (now, later) = rest.split_at(batch.min(rest.len()));
            rest = later;
            batch *= 2;
            failed = join_all(now.iter().map(|action| self.act(set, action))).await.into_iter().flatten().next();
        }
        failed
    }

    async fn act(&self, set: &ReplicaSet, action: &Action) -> Option<(Failure, kube::Error)> {
        let about = Target::of(Kind::ReplicaSet, &set.metadata);
        let answer = self.0.try_act(action).await;
        let notice = match (action, answer) {
            (Action::Create { .. }, Ok(Answer::Object(pod))) => {
                let name = pod["metadata"]["name"].as_str().unwrap_or_default();
                Notice::normal("SuccessfulCreate", format!("Created pod: {name}"))
            }
            (Action::Create { .. }, Err(error)) => {
                let text = message(&error);
                self.0.tell(about, Notice::warning("FailedCreate", format!("Error creating: {text}")));
                return Some((Failure::Create(text), error));
            }
            (Action::Delete { target, .. }, Ok(_)) => {
                Notice::normal("SuccessfulDelete", format!("Deleted pod: {}", target.key.name))
            }
            (Action::Delete { .. }, Err(error)) => {
                let text = message(&error);
                self.0.tell(about, Notice::warning("FailedDelete", format!("Error deleting: {text}")));
                return Some((Failure::Delete(text), error));
            }
            (_, Err(error)) if !is_not_found(&error) => return Some((Failure::Create(message(&error)), error)),
            (_, _) => return None,
        };
        self.0.tell(about, notice);
        None
    }
}
