//! Feels what changes in the cluster: one watch per kind that some app has objects of.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use api::ObjectRef;
use futures_util::StreamExt as _;
use kube::{
    api::{ApiResource, DynamicObject},
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::{sync::broadcast, task::JoinSet};

/// Bursts longer than this are told as one; who is late looks at everything.
const CHANGES_MAX: usize = 4096;

/// How far the client's rights to watch reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// One watch for all namespaces.
    Cluster,
    /// A watch in each namespace that has objects of an app.
    Namespaces,
}

/// Something changed: kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Changed {
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
}

/// What is watched: group and version, plural, namespace. The watches end with the last one who holds this.
#[derive(Default)]
struct Watched {
    kinds: HashSet<(String, String, Option<String>)>,
    tasks: JoinSet<()>,
}

/// All watches.
#[derive(Clone)]
pub struct Pulse {
    client: kube::Client,
    breadth: Breadth,
    watched: Arc<Mutex<Watched>>,
    sender: broadcast::Sender<Changed>,
}

impl Pulse {
    pub fn new(client: kube::Client, breadth: Breadth) -> Self {
        Self { client, breadth, watched: Arc::default(), sender: broadcast::channel(CHANGES_MAX).0 }
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Changed> {
        self.sender.subscribe()
    }

    /// Watches the kind of an object from now on.
    pub fn watch(&self, object: &ObjectRef) {
        let namespace = object.namespace.clone().filter(|_| self.breadth == Breadth::Namespaces);
        let key = (object.api_version.clone(), object.plural.clone(), namespace.clone());
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if !watched.kinds.insert(key) {
            return;
        }
        let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            plural: object.plural.clone(),
        };
        let client = self.client.clone();
        let objects = match namespace {
            Some(namespace) => kube::Api::namespaced_with(client, &namespace, &resource),
            None => kube::Api::all_with(client, &resource),
        };
        watched.tasks.spawn(feel(objects, resource, self.sender.clone()));
    }
}

async fn feel(objects: kube::Api<DynamicObject>, resource: ApiResource, sender: broadcast::Sender<Changed>) {
    let stream = watcher(objects, watcher::Config::default()).default_backoff().touched_objects();
    let mut stream = std::pin::pin!(stream);
    while let Some(event) = stream.next().await {
        match event {
            Ok(object) => {
                let changed = Changed {
                    kind: resource.kind.clone(),
                    namespace: object.metadata.namespace,
                    name: object.metadata.name.unwrap_or_default(),
                };
                // Nobody listening is fine.
                let _ = sender.send(changed);
            }
            Err(error) => tracing::debug!(%error, kind = resource.kind, "a watch is started anew"),
        }
    }
}
