//! Watches the pods of the node and keeps one worker for each.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use futures_util::{StreamExt as _, future};
use kube::runtime::{WatchStreamExt as _, watcher};
use sandbox::{ProcessName, Target};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    adopt::{self, Found},
    api::{self, now},
    context::Context,
    ending,
    folders::{NODE_LABEL, RunName, network_name},
    launch,
    pod::Pod,
    worker::Worker,
};

/// The watch of one node and its workers.
pub struct Agent {
    context: Arc<Context>,
    workers: HashMap<String, watch::Sender<Option<Arc<Pod>>>>,
    /// What a list that is under way has shown so far.
    listed: BTreeSet<String>,
    tasks: JoinSet<String>,
    /// Pods of earlier lives of this agent that no list has confirmed yet.
    unconfirmed: Option<Leftovers>,
    sandboxes: Vec<sandbox::Status>,
}

/// What earlier lives of the agent left on the machine, by pod.
struct Leftovers {
    uids: BTreeSet<String>,
}

impl Agent {
    pub async fn new(context: Arc<Context>) -> Result<Self, sandbox::Error> {
        let node = &context.config.name;
        let mut sandboxes = context.sandbox.list().await?;
        sandboxes.retain(|status| status.labels.get(NODE_LABEL) == Some(node));
        let mut uids: BTreeSet<_> = sandboxes
            .iter()
            .filter_map(|status| RunName::from_labels(&status.labels))
            .map(|name| name.uid)
            .collect();
        let networks = context.networks.list().await?;
        let own = networks
            .iter()
            .filter(|(_, address)| address.bridge == context.config.bridge);
        uids.extend(own.map(|(name, _)| name.to_string()));
        uids.extend(names_in(context.folders.pods()));
        uids.extend(names_in(context.folders.addresses()));
        Ok(Self {
            context,
            workers: HashMap::new(),
            listed: BTreeSet::new(),
            tasks: JoinSet::new(),
            unconfirmed: Some(Leftovers { uids }),
            sandboxes,
        })
    }

    /// The pods that earlier lives of the agent left on the machine.
    pub fn leftovers(self) -> BTreeSet<String> {
        self.unconfirmed.map(|left| left.uids).unwrap_or_default()
    }

    /// Follows the pods of the node until it is dropped.
    pub async fn run(mut self) {
        let pods = api::all_pods(self.context.requests.client());
        let mine = watcher::Config::default()
            .fields(&format!("spec.nodeName={}", self.context.config.name));
        let mut changes = std::pin::pin!(watcher(pods, mine).default_backoff());
        loop {
            tokio::select! {
                Some(change) = changes.next() => match change {
                    Ok(event) => self.take(event).await,
                    Err(error) => tracing::warn!(%error, "the pods of the node could not be watched"),
                },
                Some(left) = self.tasks.join_next() => {
                    if let Ok(uid) = left {
                        self.workers.remove(&uid);
                    }
                }
            }
        }
    }

    async fn take(&mut self, event: watcher::Event<kube::core::DynamicObject>) {
        match event {
            watcher::Event::Init => self.listed.clear(),
            watcher::Event::InitApply(object) => {
                self.listed.extend(object.metadata.uid.clone());
                self.apply(object).await;
            }
            watcher::Event::InitDone => self.confirm(),
            watcher::Event::Apply(object) => self.apply(object).await,
            watcher::Event::Delete(object) => {
                let worker = object
                    .metadata
                    .uid
                    .as_ref()
                    .and_then(|uid| self.workers.get(uid));
                worker.inspect(|worker| drop(worker.send_replace(None)));
            }
        }
    }

    async fn apply(&mut self, object: kube::core::DynamicObject) {
        let read = Pod::read(object.data);
        let pod = match read {
            Ok(pod) if launch::is_safe(&pod) => Arc::new(pod),
            Ok(pod) => return tracing::warn!(pod = %pod.title(), "a pod has names that are none"),
            Err(error) => return tracing::warn!(%error, "a pod could not be read"),
        };
        let uid = pod.metadata.uid.clone();
        if let Some(worker) = self.workers.get(&uid) {
            worker.send_replace(Some(pod));
            return;
        }
        let seen = adopt::recover(
            &pod,
            &self.found(&pod).await,
            self.network(&uid).await,
            now(),
        );
        let (objects, incoming) = watch::channel(Some(pod.clone()));
        self.workers.insert(uid.clone(), objects);
        let worker = Worker::new(self.context.clone(), pod, seen, incoming);
        self.tasks.spawn(async move {
            worker.run().await;
            uid
        });
    }

    /// The sandboxes that an earlier life of the agent left for this pod.
    async fn found(&self, pod: &Pod) -> Vec<Found> {
        let own = self
            .sandboxes
            .iter()
            .filter_map(|status| Some((RunName::from_labels(&status.labels)?, status)));
        let own = own.filter(|(name, _)| name.uid == pod.metadata.uid);
        let found = own.map(|(name, status)| async {
            let message = match &status.exit {
                Some(exit) => {
                    let main = ProcessName::main();
                    let log = status.processes.iter().find(|process| process.name == main);
                    let log = log.and_then(|process| process.log.as_deref());
                    ending::message(&self.context, pod, &name, log, exit.code != 0).await
                }
                None => String::new(),
            };
            let (id, started, exit) = (status.id.to_string(), status.started, status.exit.clone());
            Found {
                name,
                id,
                started,
                exit,
                message,
            }
        });
        future::join_all(found).await
    }

    /// The address of the pod's network, if an earlier life of the agent finished preparing it.
    async fn network(&self, uid: &str) -> Option<std::net::IpAddr> {
        if !self.unconfirmed.as_ref()?.uids.contains(uid) || !launch::has_etc(&self.context, uid) {
            return None;
        }
        let networks = self.context.networks.list().await.ok()?;
        networks
            .get(&network_name(uid).ok()?)
            .map(|known| known.address.into())
    }

    /// A list is complete: what it did not show is gone.
    fn confirm(&mut self) {
        for (uid, worker) in &self.workers {
            if !self.listed.contains(uid) {
                worker.send_replace(None);
            }
        }
        let Some(Leftovers { uids }) = self.unconfirmed.take() else {
            return;
        };
        let orphans = uids
            .into_iter()
            .filter(|uid| !self.workers.contains_key(uid));
        for uid in orphans {
            let (context, sandboxes) = (self.context.clone(), self.sandboxes.clone());
            self.tasks.spawn(async move {
                remove_orphan(&context, &uid, &sandboxes).await;
                uid
            });
        }
        self.sandboxes.clear();
    }
}

/// Ends what is left of a pod that was deleted while nobody looked.
async fn remove_orphan(context: &Context, uid: &str, sandboxes: &[sandbox::Status]) {
    tracing::info!(uid, "removing what is left of a deleted pod");
    let own = sandboxes.iter().filter(|status| {
        status.exit.is_none()
            && RunName::from_labels(&status.labels).is_some_and(|name| name.uid == uid)
    });
    let stops = own.map(|status| async {
        let name = RunName::from_labels(&status.labels)?;
        let signal = launch::read_template(context, &name)
            .map_or(sandbox::Signal::TERM, |template| template.stop_signal);
        context
            .sandbox
            .stop(
                &status.id,
                Target::All {
                    signal,
                    grace: ORPHAN_GRACE,
                },
            )
            .await
            .ok()
    });
    future::join_all(stops).await;
    if let Err(problem) = ending::clean_up(context, uid).await {
        tracing::warn!(uid, message = %problem.message, "a deleted pod could not be cleaned up");
    }
}

/// A pod whose object is gone has had its grace.
const ORPHAN_GRACE: std::time::Duration = std::time::Duration::from_secs(2);

fn names_in(dir: PathBuf) -> Vec<String> {
    let entries = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}
