//! The controllers' shared picture of the cluster, kept by watches and by the answers to their own writes.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::StreamExt as _;
use kube::{
    api::{ApiResource, DynamicObject},
    runtime::{WatchStreamExt as _, watcher},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;
use workload::{
    Deployment, Key, Kind, Meta, Node, Object, Pod, ReplicaSet,
    cache::{Cache, Change},
    endpoints::{EndpointSlice, Endpoints, Service},
    garbage::Graph,
    namespace::{Bare, ConfigMap, Namespace},
    node::Lease,
};

use crate::reconnect::Reconnect;

/// One kind's cache behind a lock that is never held across an await.
pub struct Held<T>(Mutex<Cache<T>>);

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self(Mutex::new(Cache::default()))
    }
}

impl<T: Object> Held<T> {
    pub fn lock(&self) -> MutexGuard<'_, Cache<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, key: &Key) -> Option<Arc<T>> {
        self.lock().get(key)
    }

    pub fn all(&self) -> Vec<Arc<T>> {
        self.lock().all().cloned().collect()
    }

    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<T>> {
        self.lock().in_namespace(namespace).cloned().collect()
    }
}

/// All that the controllers know.
#[derive(Default)]
pub struct Picture {
    pub namespaces: Held<Namespace>,
    pub nodes: Held<Node>,
    pub leases: Held<Lease>,
    pub pods: Held<Pod>,
    pub services: Held<Service>,
    pub slices: Held<EndpointSlice>,
    pub endpoints: Held<Endpoints>,
    pub deployments: Held<Deployment>,
    pub sets: Held<ReplicaSet>,
    pub accounts: Held<Bare>,
    pub maps: Held<ConfigMap>,
    pub secrets: Held<Bare>,
    graph: Mutex<Graph>,
}

impl Picture {
    pub fn graph(&self) -> MutexGuard<'_, Graph> {
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_namespace_going(&self, name: &str) -> bool {
        self.namespaces.get(&Key::new("", name)).is_some_and(|namespace| namespace.metadata.is_going())
    }

    /// Takes in the answer to an own write.
    pub fn wrote(&self, kind: Kind, object: Value) {
        match kind {
            Kind::Namespace => take(&self.namespaces, object),
            Kind::Node => take(&self.nodes, object),
            Kind::Pod => take(&self.pods, object),
            Kind::Service => take(&self.services, object),
            Kind::Endpoints => take(&self.endpoints, object),
            Kind::ConfigMap => take(&self.maps, object),
            Kind::Secret => take(&self.secrets, object),
            Kind::ServiceAccount => take(&self.accounts, object),
            Kind::Deployment => take(&self.deployments, object),
            Kind::ReplicaSet => take(&self.sets, object),
            Kind::EndpointSlice => take(&self.slices, object),
            Kind::Lease => take(&self.leases, object),
            Kind::Event => {}
        }
    }

    /// The server said that an object is gone.
    pub fn deleted(&self, kind: Kind, key: &Key, uid: &str) {
        match kind {
            Kind::Pod => self.pods.lock().deleted(key, uid),
            Kind::ReplicaSet => self.sets.lock().deleted(key, uid),
            Kind::EndpointSlice => self.slices.lock().deleted(key, uid),
            Kind::Endpoints => self.endpoints.lock().deleted(key, uid),
            // Nobody decides by the absence of these before the watch tells.
            Kind::Namespace
            | Kind::Node
            | Kind::Service
            | Kind::ConfigMap
            | Kind::Secret
            | Kind::ServiceAccount
            | Kind::Event
            | Kind::Deployment
            | Kind::Lease => {}
        }
    }
}

fn take<T: Object + DeserializeOwned>(held: &Held<T>, object: Value) {
    match serde_json::from_value(object) {
        Ok(object) => held.lock().wrote(object),
        Err(error) => tracing::warn!(%error, "an object of the server could not be read"),
    }
}

/// Watches one kind until dropped; tells of each change after the picture has it.
pub async fn watch_kind<T, F>(client: kube::Client, kind: Kind, view: Watched<T>, on_change: F)
where
    T: Object + DeserializeOwned + Debug + Send + Sync + 'static,
    F: Fn(&Change<T>) + Send + 'static,
{
    let resource = resource_of(kind);
    let api: kube::Api<DynamicObject> = kube::Api::all_with(client, &resource);
    let mut events = watcher::watcher(api, watcher::Config::default()).backoff(Reconnect::new()).boxed();
    while let Some(event) = events.next().await {
        let changes = match event {
            Ok(event) => view.take_in(kind, event),
            Err(error) => {
                tracing::debug!(%error, kind = kind.name(), "a watch broke off and is taken up again");
                continue;
            }
        };
        for change in changes {
            view.follow_owners(kind, &change);
            on_change(&change);
        }
        if view.held().lock().is_listed() {
            view.listed.send_if_modified(|listed| !std::mem::replace(listed, true));
        }
    }
}

/// Where one kind's watch puts what it sees.
pub struct Watched<T: 'static> {
    pub picture: Arc<Picture>,
    pub select: fn(&Picture) -> &Held<T>,
    pub litter: Arc<dyn Fn(Vec<String>) + Send + Sync>,
    /// Turns true when the first list is complete.
    pub listed: watch::Sender<bool>,
}

impl<T: Object + DeserializeOwned> Watched<T> {
    fn held(&self) -> &Held<T> {
        (self.select)(&self.picture)
    }

    fn take_in(&self, kind: Kind, event: watcher::Event<DynamicObject>) -> Vec<Change<T>> {
        let mut cache = self.held().lock();
        match event {
            watcher::Event::Init => {
                cache.list_begins();
                Vec::new()
            }
            watcher::Event::InitDone => cache.list_ends(),
            watcher::Event::InitApply(object) | watcher::Event::Apply(object) => {
                read(kind, &object).and_then(|object| cache.saw(object)).into_iter().collect()
            }
            watcher::Event::Delete(object) => {
                read(kind, &object).map(|object: T| cache.saw_end(object)).into_iter().collect()
            }
        }
    }

    fn follow_owners(&self, kind: Kind, change: &Change<T>) {
        let mut graph = self.picture.graph();
        let mut look_at = Vec::new();
        // A new object under an old name tells of two: one that is gone and one that came.
        let new = change.new.as_ref().map(|object| object.meta());
        if let Some(old) = change.old.as_ref().map(|object| object.meta())
            && new.is_none_or(|new: &Meta| new.uid != old.uid)
        {
            look_at.extend(graph.lost(&old.uid));
        }
        if let Some(new) = new {
            look_at.extend(graph.saw(kind, new));
        }
        drop(graph);
        if !look_at.is_empty() {
            (self.litter)(look_at);
        }
    }
}

fn read<T: DeserializeOwned>(kind: Kind, object: &DynamicObject) -> Option<T> {
    match object.read() {
        Ok(view) => Some(view),
        Err(error) => {
            tracing::warn!(%error, kind = kind.name(), name = ?object.metadata.name, "an object could not be read");
            None
        }
    }
}

fn resource_of(kind: Kind) -> ApiResource {
    let (group, version) = kind.api_version().rsplit_once('/').unwrap_or(("", kind.api_version()));
    let gvk = kube::api::GroupVersionKind::gvk(group, version, kind.name());
    ApiResource::from_gvk_with_plural(&gvk, kind.plural())
}
