//! Deletes what nobody owns any more.

use names::Timestamp;
use workload::{Key, Kind, action::Scope, garbage::Finding};

use crate::{hand::Hand, namespaces::uid_of, worker::Reconcile};

pub struct Collector(pub Hand);

impl Reconcile for Collector {
    /// The object's uid.
    type Key = String;

    async fn reconcile(&self, uid: &String) -> Result<Option<Timestamp>, kube::Error> {
        loop {
            let finding = self.0.picture.graph().judge(uid);
            let (owner, namespace) = match finding {
                Finding::Fine => return Ok(None),
                Finding::Act(actions) => {
                    for action in &actions {
                        self.0.act(action).await?;
                    }
                    return Ok(None);
                }
                Finding::Ask(owner, namespace) => (owner, namespace),
            };
            // An owner of a kind that is not watched cannot be judged; its dependents stay.
            let Some(kind) = Kind::find(&owner.api_version, &owner.kind) else { return Ok(None) };
            let key = match kind.scope() {
                Scope::Cluster => Key::new("", &owner.name),
                Scope::Namespaced => Key::new(&namespace, &owner.name),
            };
            let found = self.0.api.get(kind, &key).await?;
            if found.is_some_and(|object| uid_of(&object) == owner.uid) {
                // It is there and will be seen; that is when this object is fine.
                return Ok(None);
            }
            self.0.picture.graph().is_absent(&owner.uid);
        }
    }
}
