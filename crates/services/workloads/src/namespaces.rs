//! Furnishes new namespaces and empties those on their way out.

use futures_util::future::join_all;
use names::Timestamp;
use serde_json::Value;
use workload::{
    Action, Key, Kind, Meta, Target,
    action::{Propagation, Scope},
    namespace::{self, Emptying, FINALIZER, Left, Namespace, ROOT_CA},
};

use crate::{hand::Hand, worker::Reconcile};

pub struct Namespaces {
    pub hand: Hand,
    pub ca_pem: String,
}

impl Reconcile for Namespaces {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Option<Timestamp>, kube::Error> {
        let picture = &self.hand.picture;
        let Some(namespace) = picture.namespaces.get(key) else { return Ok(None) };
        if namespace.metadata.is_going() {
            self.empty(&namespace).await?;
            return Ok(None);
        }
        let account = picture.accounts.get(&Key::new(&key.name, "default"));
        let authority = picture.maps.get(&Key::new(&key.name, ROOT_CA));
        let plan = namespace::plan_furniture(&namespace, account.as_deref(), authority.as_deref(), &self.ca_pem);
        self.hand.carry_out(&plan).await?;
        Ok(None)
    }
}

impl Namespaces {
    /// Takes the next step towards an empty namespace; the end of each object in it leads back here.
    async fn empty(&self, namespace: &Namespace) -> Result<(), kube::Error> {
        if !namespace.spec.finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
            return Ok(());
        }
        let name = &namespace.metadata.name;
        // Objects that are only asked to go may be gone at once, so one look is not always enough.
        for _ in 0..4 {
            let pods = self.content(&[Kind::Pod], name).await?;
            let others: Vec<Kind> = Kind::ALL
                .iter()
                .copied()
                .filter(|kind| kind.scope() == Scope::Namespaced && *kind != Kind::Pod)
                .collect();
            let rest = self.content(&others, name).await?;
            let doomed = match namespace::next_step(&left(&pods), &left(&rest)) {
                Emptying::Wait => return Ok(()),
                Emptying::LetGo => return self.hand.api.finalize(name).await,
                Emptying::Pods => pods,
                Emptying::Rest => rest,
            };
            let deletions = doomed.into_iter().filter(|(_, meta)| !meta.is_going()).map(|(kind, meta)| async move {
                let target = Target::of(kind, &meta);
                self.hand.act(&Action::Delete { target, propagation: Propagation::Background }).await
            });
            join_all(deletions).await.into_iter().collect::<Result<Vec<()>, _>>()?;
        }
        Ok(())
    }

    async fn content(&self, kinds: &[Kind], namespace: &str) -> Result<Vec<(Kind, Meta)>, kube::Error> {
        let mut found = Vec::new();
        for kind in kinds {
            for mut object in self.hand.api.list(*kind, namespace).await? {
                let meta: Meta = serde_json::from_value(object["metadata"].take()).map_err(kube::Error::SerdeError)?;
                found.push((*kind, meta));
            }
        }
        Ok(found)
    }
}

fn left(content: &[(Kind, Meta)]) -> Left {
    Left { objects: content.len(), untouched: content.iter().filter(|(_, meta)| !meta.is_going()).count() }
}

/// Whether a change of this object concerns the furniture of its namespace.
pub fn is_furniture(kind: Kind, name: &str) -> bool {
    matches!((kind, name), (Kind::ServiceAccount, "default") | (Kind::ConfigMap, ROOT_CA))
}

/// Names the uid of an object in an answer.
pub fn uid_of(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}
