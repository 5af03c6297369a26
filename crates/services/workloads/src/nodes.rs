//! Looks after nodes: heartbeats, taints, and the pods of those that are lost.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use names::Timestamp;
use workload::{Key, node};

use crate::{
    hand::{Hand, now},
    worker::Reconcile,
};

/// Where nodes keep their heartbeats.
pub const LEASES: &str = "kube-node-lease";

/// When this process last saw each node's heartbeat change.
#[derive(Debug, Default)]
pub struct Heartbeats(Mutex<BTreeMap<String, (Option<Timestamp>, Timestamp)>>);

impl Heartbeats {
    /// Takes in a lease; only a changed time counts as a sign of life.
    pub fn hear(&self, node: &str, renewed: Option<Timestamp>, now: Timestamp) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = heard.entry(node.to_owned()).or_insert((renewed, now));
        if entry.0 != renewed {
            *entry = (renewed, now);
        }
    }

    fn last(&self, node: &str) -> Option<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(node).map(|(_, heard)| *heard)
    }
}

pub struct Nodes {
    pub hand: Hand,
    pub heartbeats: Arc<Heartbeats>,
    pub grace: Duration,
}

impl Reconcile for Nodes {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Option<Timestamp>, kube::Error> {
        let picture = &self.hand.picture;
        let mut pods = picture.pods.all();
        pods.retain(|pod| pod.spec.node_name == key.name);
        let plan = match picture.nodes.get(key) {
            // Without any heartbeat there is nothing to measure by; the node's own word counts.
            Some(found) => {
                let now = now();
                let heard = self.heartbeats.last(&key.name).unwrap_or(now);
                node::plan(&found, &pods, heard, self.grace, now)
            }
            None => node::plan_missing(&pods),
        };
        self.hand.carry_out(&plan).await?;
        Ok(plan.wake)
    }
}
