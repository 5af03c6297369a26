//! Which change concerns which controller.

use std::{fmt::Debug, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;
use tokio::{sync::watch, task::JoinSet, time::Instant};
use workload::{
    Deployment, Key, Kind, Node, Object, Pod, ReplicaSet,
    cache::Change,
    endpoints::{EndpointSlice, Endpoints, Service},
    namespace::{Bare, ConfigMap, Namespace},
    node::Lease,
    schedule,
};

use crate::{
    hand::now,
    namespaces::is_furniture,
    nodes::{Heartbeats, LEASES},
    picture::{Held, Picture, Watched, watch_kind},
    queue::Queue,
};

/// A node that is registered anew at once, as after a restart, keeps its pods.
const MISSING_NODE_PATIENCE: Duration = Duration::from_secs(40);

/// What each controller has to look at.
pub struct Queues {
    pub deployments: Arc<Queue<Key>>,
    pub sets: Arc<Queue<Key>>,
    pub services: Arc<Queue<Key>>,
    /// Pods that wait for a node.
    pub pods: Arc<Queue<Key>>,
    pub namespaces: Arc<Queue<Key>>,
    pub nodes: Arc<Queue<Key>>,
    /// Objects that may be garbage, by uid.
    pub litter: Arc<Queue<String>>,
}

impl Queues {
    pub fn new() -> Self {
        let queue = || Arc::new(Queue::new());
        Self {
            deployments: queue(),
            sets: queue(),
            services: queue(),
            pods: queue(),
            namespaces: queue(),
            nodes: queue(),
            litter: Arc::new(Queue::new()),
        }
    }
}

/// Starts a watch of every kind; each of the answers turns true when its first list is complete.
pub fn watch_all(
    tasks: &mut JoinSet<()>,
    client: &kube::Client,
    picture: &Arc<Picture>,
    queues: &Arc<Queues>,
    heartbeats: &Arc<Heartbeats>,
) -> Vec<watch::Receiver<bool>> {
    let mut start = Start { tasks, client, picture, queues, listed: Vec::new() };
    start.watch(Kind::Namespace, |it| &it.namespaces, namespace_changed);
    start.watch(Kind::Node, |it| &it.nodes, node_changed);
    start.watch(Kind::Pod, |it| &it.pods, pod_changed);
    start.watch(Kind::Service, |it| &it.services, |_, queues, change: &Change<Service>| queues.services.add_all(keys(change)));
    start.watch(Kind::EndpointSlice, |it| &it.slices, slice_changed);
    start.watch(Kind::Endpoints, |it| &it.endpoints, |_, queues, change: &Change<Endpoints>| queues.services.add_all(keys(change)));
    start.watch(Kind::Deployment, |it| &it.deployments, |_, queues, change: &Change<Deployment>| {
        queues.deployments.add_all(keys(change));
    });
    start.watch(Kind::ReplicaSet, |it| &it.sets, set_changed);
    start.watch(Kind::ServiceAccount, |it| &it.accounts, |_, queues, change: &Change<Bare>| {
        furniture_changed(queues, Kind::ServiceAccount, change);
    });
    start.watch(Kind::ConfigMap, |it| &it.maps, |_, queues, change: &Change<ConfigMap>| {
        furniture_changed(queues, Kind::ConfigMap, change);
    });
    start.watch(Kind::Secret, |it| &it.secrets, |_, _, _: &Change<Bare>| {});
    let heartbeats = Arc::clone(heartbeats);
    start.watch(Kind::Lease, |it| &it.leases, move |_, queues, change: &Change<Lease>| {
        if let Some(lease) = change.new.as_ref().filter(|lease| lease.metadata.namespace == LEASES) {
            heartbeats.hear(&lease.metadata.name, lease.spec.renew_time, now());
            queues.nodes.add(Key::new("", &lease.metadata.name));
        }
    });
    start.listed
}

struct Start<'a> {
    tasks: &'a mut JoinSet<()>,
    client: &'a kube::Client,
    picture: &'a Arc<Picture>,
    queues: &'a Arc<Queues>,
    listed: Vec<watch::Receiver<bool>>,
}

impl Start<'_> {
    fn watch<T, F>(&mut self, kind: Kind, select: fn(&Picture) -> &Held<T>, concern: F)
    where
        T: Object + DeserializeOwned + Debug + Send + Sync + 'static,
        F: Fn(&Picture, &Queues, &Change<T>) + Send + 'static,
    {
        let (listed, receiver) = watch::channel(false);
        self.listed.push(receiver);
        let litter = Arc::clone(&self.queues.litter);
        let picture = Arc::clone(self.picture);
        let view = Watched { picture: Arc::clone(&picture), select, litter: Arc::new(move |uids| litter.add_all(uids)), listed };
        let queues = Arc::clone(self.queues);
        let on_change = move |change: &Change<T>| {
            concern(&picture, &queues, change);
            empty_on(&picture, &queues, change);
        };
        self.tasks.spawn(watch_kind(self.client.clone(), kind, view, on_change));
    }
}

/// The end of an object may be what its namespace waits for.
fn empty_on<T: Object>(picture: &Picture, queues: &Queues, change: &Change<T>) {
    let (Some(old), None) = (&change.old, &change.new) else { return };
    let namespace = &old.meta().namespace;
    if !namespace.is_empty() && picture.is_namespace_going(namespace) {
        queues.namespaces.add(Key::new("", namespace));
    }
}

fn keys<T: Object>(change: &Change<T>) -> impl Iterator<Item = Key> {
    both(change).next().map(|object| object.meta().key()).into_iter()
}

fn both<T>(change: &Change<T>) -> impl Iterator<Item = &Arc<T>> {
    change.new.iter().chain(&change.old)
}

fn namespace_changed(_: &Picture, queues: &Queues, change: &Change<Namespace>) {
    queues.namespaces.add_all(keys(change));
}

fn furniture_changed<T: Object>(queues: &Queues, kind: Kind, change: &Change<T>) {
    let concerned = both(change).next().filter(|object| is_furniture(kind, &object.meta().name));
    queues.namespaces.add_all(concerned.map(|object| Key::new("", &object.meta().namespace)));
}

fn node_changed(picture: &Picture, queues: &Queues, change: &Change<Node>) {
    match (&change.old, &change.new) {
        (Some(_), None) => {
            let later = Instant::now() + MISSING_NODE_PATIENCE;
            keys(change).for_each(|key| queues.nodes.add_at(key, later));
        }
        (None | Some(_), _) => queues.nodes.add_all(keys(change)),
    }
    retry_waiting(picture, queues);
}

/// Room may have come free.
fn retry_waiting(picture: &Picture, queues: &Queues) {
    let waiting: Vec<Key> =
        picture.pods.lock().all().filter(|pod| schedule::is_waiting(pod)).map(|pod| pod.metadata.key()).collect();
    queues.pods.add_all(waiting);
}

fn set_changed(picture: &Picture, queues: &Queues, change: &Change<ReplicaSet>) {
    queues.sets.add_all(keys(change));
    for set in both(change) {
        match set.metadata.controller() {
            Some(owner) if owner.kind == "Deployment" => {
                queues.deployments.add(Key::new(&set.metadata.namespace, &owner.name));
            }
            Some(_) => {}
            None => {
                let deployments = picture.deployments.in_namespace(&set.metadata.namespace);
                let wanting = deployments.iter().filter(|deployment| deployment.wants(set));
                queues.deployments.add_all(wanting.map(|deployment| deployment.metadata.key()));
            }
        }
    }
}

fn slice_changed(_: &Picture, queues: &Queues, change: &Change<EndpointSlice>) {
    let named = both(change).filter_map(|slice| Some(Key::new(&slice.metadata.namespace, slice.service()?)));
    queues.services.add_all(named);
}

fn pod_changed(picture: &Picture, queues: &Queues, change: &Change<Pod>) {
    // Endpoints first: whoever goes must leave them before anything else happens.
    services_of(picture, queues, change);
    for pod in both(change) {
        owners_of(picture, queues, pod);
    }
    if change.new.as_ref().is_some_and(|pod| schedule::is_waiting(pod)) {
        queues.pods.add_all(keys(change));
    }
    let left = |pod: &Pod| pod.is_bound() && !pod.is_finished();
    let freed = change.old.as_ref().is_some_and(|pod| left(pod)) && !change.new.as_ref().is_some_and(|pod| left(pod));
    if freed {
        retry_waiting(picture, queues);
    }
}

fn services_of(picture: &Picture, queues: &Queues, change: &Change<Pod>) {
    let Some(pod) = both(change).next() else { return };
    let services = picture.services.in_namespace(&pod.metadata.namespace);
    let concerned = services.iter().filter(|service| both(change).any(|pod| service.selects(pod)));
    queues.services.add_all(concerned.map(|service| service.metadata.key()));
}

fn owners_of(picture: &Picture, queues: &Queues, pod: &Pod) {
    let namespace = &pod.metadata.namespace;
    match pod.metadata.controller() {
        Some(owner) if owner.kind == "ReplicaSet" => {
            let key = Key::new(namespace, &owner.name);
            // A Deployment that recreates waits for the end of pods, not only for its sets' counts.
            let deployment = picture.sets.get(&key).and_then(|set| {
                let owner = set.metadata.controller()?;
                Some(Key::new(namespace, &owner.name))
            });
            queues.sets.add(key);
            if pod.metadata.is_going() {
                queues.deployments.add_all(deployment);
            }
        }
        Some(_) => {}
        None => {
            let sets = picture.sets.in_namespace(namespace);
            queues.sets.add_all(sets.iter().filter(|set| set.wants(pod)).map(|set| set.metadata.key()));
        }
    }
}
