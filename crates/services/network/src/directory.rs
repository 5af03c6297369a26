//! The Services of the cluster and who stands behind them, as last told by the API server.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::StreamExt as _;
use kube::{
    api::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::{WatchStreamExt as _, streams::Backoff, watcher},
};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use workload::{
    Key, Kind, Object,
    cache::{Cache, Change},
    endpoints::{EndpointSlice, Service},
};

const FIRST_RECONNECT: Duration = Duration::from_millis(20);
const LAST_RECONNECT: Duration = Duration::from_secs(10);

/// Services and slices. While a watch is broken the last known state stays in force.
#[derive(Default)]
pub struct Directory {
    services: Mutex<Cache<Service>>,
    slices: Mutex<Cache<EndpointSlice>>,
    completed: Notify,
}

impl Directory {
    pub fn service(&self, key: &Key) -> Option<Arc<Service>> {
        lock(&self.services).get(key)
    }

    pub fn services(&self) -> Vec<Arc<Service>> {
        lock(&self.services).all().cloned().collect()
    }

    pub fn slices_of(&self, service: &Key) -> Vec<Arc<EndpointSlice>> {
        let slices = lock(&self.slices);
        let of_it = |slice: &&Arc<EndpointSlice>| slice.service() == Some(&service.name) && !slice.metadata.is_going();
        slices.in_namespace(&service.namespace).filter(of_it).cloned().collect()
    }

    /// Whether both first lists are complete.
    pub fn is_complete(&self) -> bool {
        lock(&self.services).is_listed() && lock(&self.slices).is_listed()
    }

    /// Waits until [`Directory::is_complete`].
    pub async fn complete(&self) {
        loop {
            let mut completed = std::pin::pin!(self.completed.notified());
            completed.as_mut().enable();
            if self.is_complete() {
                return;
            }
            completed.await;
        }
    }

    #[cfg(test)]
    pub fn put_service(&self, service: Service) {
        lock(&self.services).saw(service);
    }

    #[cfg(test)]
    pub fn take_service(&self, key: &Key) {
        let service = self.service(key).expect("a service");
        lock(&self.services).saw_end(Service::clone(&service));
    }

    #[cfg(test)]
    pub fn put_slice(&self, slice: EndpointSlice) {
        lock(&self.slices).saw(slice);
    }

    /// Follows the API server until dropped. `changed` is called with the Service that a change
    /// concerns, after the directory has it.
    pub async fn follow(self: Arc<Self>, client: kube::Client, changed: impl Fn(&Self, &Key) + Send + Sync) {
        let services = watch(client.clone(), Kind::Service, &self.services, &self.completed, |change: &Change<Service>| {
            for service in change.new.iter().chain(&change.old).take(1) {
                changed(&self, &service.metadata.key());
            }
        });
        let slices = watch(client, Kind::EndpointSlice, &self.slices, &self.completed, |change: &Change<EndpointSlice>| {
            for slice in change.new.iter().chain(&change.old) {
                if let Some(service) = slice.service() {
                    changed(&self, &Key::new(&slice.metadata.namespace, service));
                }
            }
        });
        tokio::join!(services, slices);
    }
}

fn lock<T>(cache: &Mutex<Cache<T>>) -> MutexGuard<'_, Cache<T>> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn watch<T>(
    client: kube::Client,
    kind: Kind,
    cache: &Mutex<Cache<T>>,
    listed: &Notify,
    on_change: impl Fn(&Change<T>),
) where
    T: Object + DeserializeOwned + Debug,
{
    let (group, version) = kind.api_version().rsplit_once('/').unwrap_or(("", kind.api_version()));
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind.name()), kind.plural());
    let api: kube::Api<DynamicObject> = kube::Api::all_with(client, &resource);
    let mut events = watcher::watcher(api, watcher::Config::default()).backoff(Reconnect(FIRST_RECONNECT)).boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                let ends_list = matches!(event, watcher::Event::InitDone);
                take_in(cache, event).iter().for_each(&on_change);
                if ends_list {
                    listed.notify_waiters();
                }
            }
            Err(error) => tracing::debug!(%error, kind = kind.name(), "a watch broke off and is taken up again"),
        }
    }
}

fn take_in<T: Object + DeserializeOwned>(cache: &Mutex<Cache<T>>, event: watcher::Event<DynamicObject>) -> Vec<Change<T>> {
    let mut cache = lock(cache);
    match event {
        watcher::Event::Init => {
            cache.list_begins();
            Vec::new()
        }
        watcher::Event::InitDone => cache.list_ends(),
        watcher::Event::InitApply(object) | watcher::Event::Apply(object) => {
            read(&object).and_then(|object| cache.saw(object)).into_iter().collect()
        }
        watcher::Event::Delete(object) => read(&object).map(|object: T| cache.saw_end(object)).into_iter().collect(),
    }
}

fn read<T: DeserializeOwned>(object: &DynamicObject) -> Option<T> {
    match object.read() {
        Ok(view) => Some(view),
        Err(error) => {
            tracing::warn!(%error, name = ?object.metadata.name, "an object could not be read");
            None
        }
    }
}

/// Doubling waits that start anew after a success: the server lives in the same process and is back at once.
#[derive(Debug)]
struct Reconnect(Duration);

impl Iterator for Reconnect {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.0;
        self.0 = (wait * 2).min(LAST_RECONNECT);
        Some(wait)
    }
}

impl Backoff for Reconnect {
    fn reset(&mut self) {
        self.0 = FIRST_RECONNECT;
    }
}
