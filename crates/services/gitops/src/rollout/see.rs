//! How both Deployments of a changeover do, compared with what is wished.

use api::{Health, TrafficSplit, WorkloadRollout};
use delivery::{
    gitops,
    rollout::{self, Seen},
};
use objects::ClusterError;
use serde_json::Value;

use super::{
    Memory,
    write::{canary_of, is_as_wished, is_going},
};
use crate::GitOps;

impl GitOps {
    /// How the first Deployment does. It holds what was written last, because the health of an
    /// older generation counts as on its way.
    pub(super) async fn see_stable(&self, it: &WorkloadRollout, split: TrafficSplit, memory: &Memory) -> Result<Seen, ClusterError> {
        let matters = it.stable_changed || rollout::picture(it, split).stable == rollout::Stable::New;
        if !matters {
            return Ok(Seen::Ready);
        }
        let Some(live) = self.cluster.find(&it.object).await? else { return Ok(Seen::Absent) };
        if !memory.written.contains_key(&it.object) {
            return Ok(Seen::Waiting("it is about to be written".to_owned()));
        }
        Ok(how(&live))
    }

    /// How the second Deployment does.
    pub(super) async fn see_canary(&self, it: &WorkloadRollout, split: TrafficSplit) -> Result<Seen, ClusterError> {
        let object = canary_of(it);
        let Some(live) = self.cluster.find(&object).await? else { return Ok(Seen::Absent) };
        self.pulse.watch(&object);
        // Both serve the same version then, and its pods leave as the proxy lets them.
        if it.phase == api::RolloutPhase::Finishing && is_going(&live) {
            return Ok(Seen::Absent);
        }
        match rollout::picture(it, split).canary {
            Some(replicas) if is_as_wished(&live, it, replicas) => Ok(how(&live)),
            Some(_) | None => Ok(Seen::Waiting("it changes".to_owned())),
        }
    }
}

fn how(live: &Value) -> Seen {
    match gitops::health_of(live) {
        Some((Health::Healthy, _)) => Seen::Ready,
        Some((Health::Degraded, message)) => Seen::Failed(message),
        Some((_, message)) => Seen::Waiting(message),
        None => Seen::Waiting("its health is not known".to_owned()),
    }
}
