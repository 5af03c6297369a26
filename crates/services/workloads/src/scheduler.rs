//! Gives waiting pods a node.

use std::sync::{Arc, Mutex, PoisonError};

use names::Timestamp;
use workload::{
    Key, Kind, Pod, Target,
    action::Notice,
    schedule::{self, NoNode},
};

use crate::{
    api::is_not_found,
    hand::{Hand, now},
    worker::Reconcile,
};

/// Decides one pod at a time, but binds many at once: a decision is entered in
/// the picture before the server knows of it.
pub struct Scheduler {
    pub hand: Hand,
    pub deciding: Mutex<()>,
}

enum Decision {
    Bind { before: Arc<Pod>, node: String },
    Wait(Arc<Pod>, NoNode),
    Nothing,
}

impl Reconcile for Scheduler {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Option<Timestamp>, kube::Error> {
        match self.decide(key) {
            Decision::Nothing => {}
            Decision::Wait(pod, why) => {
                self.hand.carry_out(&schedule::plan_unschedulable(&pod, &why, now())).await?;
            }
            Decision::Bind { before, node } => return self.bind(&before, &node).await,
        }
        Ok(None)
    }
}

impl Scheduler {
    fn decide(&self, key: &Key) -> Decision {
        let _one_at_a_time = self.deciding.lock().unwrap_or_else(PoisonError::into_inner);
        let picture = &self.hand.picture;
        let Some(pod) = picture.pods.get(key).filter(|pod| schedule::is_waiting(pod)) else { return Decision::Nothing };
        match schedule::choose(&pod, &picture.nodes.all(), &picture.pods.all()) {
            Ok(node) => {
                picture.pods.lock().assume(with_node(&pod, &node));
                Decision::Bind { before: pod, node }
            }
            Err(why) => Decision::Wait(pod, why),
        }
    }

    async fn bind(&self, pod: &Arc<Pod>, node: &str) -> Result<Option<Timestamp>, kube::Error> {
        let target = Target::of(Kind::Pod, &pod.metadata);
        match self.hand.api.bind(&target, node).await {
            Ok(()) => {
                let message = format!("Successfully assigned {} to {node}", target.key);
                self.hand.tell(target, Notice::normal("Scheduled", message));
                Ok(None)
            }
            Err(error) => {
                self.hand.picture.pods.lock().assume(Pod::clone(pod));
                if is_not_found(&error) { Ok(None) } else { Err(error) }
            }
        }
    }
}

fn with_node(pod: &Pod, node: &str) -> Pod {
    let mut bound = pod.clone();
    bound.spec.node_name = node.to_owned();
    bound
}
