//! Carries out the plans for the endpoints of Services.

use names::Timestamp;
use workload::{Action, Key, endpoints};

use crate::{hand::Hand, worker::Reconcile};

pub struct Services(pub Hand);

impl Reconcile for Services {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Option<Timestamp>, kube::Error> {
        let picture = &self.0.picture;
        let endpoints = picture.endpoints.get(key);
        let Some(service) = picture.services.get(key) else {
            if let Some(endpoints) = endpoints {
                self.0.carry_out(&endpoints::plan_orphan(&endpoints)).await?;
            }
            return Ok(None);
        };
        let mut slices = picture.slices.in_namespace(&key.namespace);
        slices.retain(|slice| slice.service() == Some(&key.name));
        let pods = picture.pods.in_namespace(&key.namespace);
        let mut plan = endpoints::plan(&service, &pods, &slices, endpoints.as_deref());
        if picture.is_namespace_going(&key.namespace) {
            plan.actions.retain(|action| !matches!(action, Action::Create { .. }));
        }
        self.0.carry_out(&plan).await?;
        Ok(None)
    }
}
