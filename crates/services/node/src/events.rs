//! Tells what happens to pods as Kubernetes events, equal ones counted instead of repeated.

use std::collections::{HashMap, VecDeque};

use names::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    api::{PatchKind, Requests, now},
    pod::Metadata,
};

/// Events that wait to be written; beyond this they are dropped, for pods matter more.
const QUEUE: usize = 1024;

/// Events that are remembered for counting.
const REMEMBERED: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    Normal,
    Warning,
}

/// Something that happened to a pod or one of its containers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    pub level: Level,
    pub reason: &'static str,
    pub message: String,
    /// Such as `spec.containers{web}`.
    pub field_path: Option<String>,
}

/// Takes events of one node; cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<(Subject, Event, Timestamp)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Subject {
    namespace: String,
    name: String,
    uid: String,
}

impl Recorder {
    /// Starts the task that writes; it ends with the last recorder.
    pub fn start(requests: Requests, node: String) -> Self {
        let (queue, incoming) = mpsc::channel(QUEUE);
        tokio::spawn(
            Writer {
                requests,
                node,
                known: HashMap::new(),
                order: VecDeque::new(),
                made: 0,
            }
            .run(incoming),
        );
        Self { queue }
    }

    pub fn tell(&self, pod: &Metadata, event: Event) {
        let subject = Subject {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            uid: pod.uid.clone(),
        };
        if self.queue.try_send((subject, event, now())).is_err() {
            tracing::debug!("an event was dropped: the queue is full");
        }
    }
}

struct Writer {
    requests: Requests,
    node: String,
    known: HashMap<(Subject, Event), (String, u64)>,
    order: VecDeque<(Subject, Event)>,
    made: u64,
}

impl Writer {
    async fn run(mut self, mut incoming: mpsc::Receiver<(Subject, Event, Timestamp)>) {
        while let Some((subject, event, at)) = incoming.recv().await {
            if let Err(error) = self.write(subject, event, at).await {
                tracing::debug!(%error, "an event could not be written");
            }
        }
    }

    async fn write(&mut self, subject: Subject, event: Event, at: Timestamp) -> kube::Result<()> {
        let key = (subject, event);
        let events = format!("/api/v1/namespaces/{}/events", key.0.namespace);
        if let Some((name, count)) = self.known.get_mut(&key) {
            *count += 1;
            let patch = json!({ "count": *count, "lastTimestamp": at.to_seconds_text() });
            let path = format!("{events}/{name}");
            if self
                .requests
                .patch(&path, PatchKind::Merge, &patch)
                .await?
                .is_some()
            {
                return Ok(());
            }
        }
        self.made += 1;
        let (subject, event) = &key;
        let name = format!(
            "{}.{:x}{:04x}",
            subject.name,
            at.as_micros(),
            self.made & 0xffff
        );
        self.requests
            .post(&events, &self.object(&name, subject, event, at))
            .await?;
        self.remember(key, name);
        Ok(())
    }

    fn remember(&mut self, key: (Subject, Event), name: String) {
        if self.known.insert(key.clone(), (name, 1)).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn object(&self, name: &str, subject: &Subject, event: &Event, at: Timestamp) -> Value {
        let mut involved = json!({
            "kind": "Pod",
            "apiVersion": "v1",
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": subject.uid,
        });
        if let Some(path) = &event.field_path {
            involved["fieldPath"] = json!(path);
        }
        json!({
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": { "name": name, "namespace": subject.namespace },
            "involvedObject": involved,
            "reason": event.reason,
            "message": event.message,
            "type": match event.level { Level::Normal => "Normal", Level::Warning => "Warning" },
            "source": { "component": "kubelet", "host": self.node },
            "reportingComponent": "kubelet",
            "reportingInstance": self.node,
            "firstTimestamp": at.to_seconds_text(),
            "lastTimestamp": at.to_seconds_text(),
            "count": 1,
        })
    }
}
