//! Posts what controllers tell people as Event objects, counting what repeats.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use names::Timestamp;
use serde_json::json;
use tokio::sync::mpsc;
use workload::{
    Key, Kind, Target,
    action::{Notice, Weight},
};

use crate::api::{Api, is_not_found};

/// Events are a courtesy: beyond this many in waiting they are dropped rather than slow down the work.
const WAITING_LIMIT: usize = 2048;
/// Repeats of a notice raise the count of its Event as long as it is remembered.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Takes notices without waiting.
#[derive(Clone, Debug)]
pub struct Teller {
    sender: mpsc::Sender<Told>,
}

#[derive(Debug)]
struct Told {
    component: &'static str,
    about: Target,
    notice: Notice,
    at: Timestamp,
}

impl Teller {
    /// The teller and the task that posts; the task ends with the last teller.
    pub fn new(api: Api) -> (Self, impl Future<Output = ()>) {
        let (sender, receiver) = mpsc::channel(WAITING_LIMIT);
        (Self { sender }, post_all(api, receiver))
    }

    pub fn tell(&self, component: &'static str, about: Target, notice: Notice) {
        let told = Told { component, about, notice, at: SystemTime::now().into() };
        if self.sender.try_send(told).is_err() {
            tracing::debug!(component, "too many events at once; one was dropped");
        }
    }
}

struct Posted {
    event: Target,
    count: u32,
    at: Timestamp,
}

async fn post_all(api: Api, mut receiver: mpsc::Receiver<Told>) {
    let mut posted: HashMap<(Target, Notice), Posted> = HashMap::new();
    let mut serial = 0u32;
    while let Some(told) = receiver.recv().await {
        posted.retain(|_, known| told.at.since(known.at) < REMEMBERED);
        serial = serial.wrapping_add(1);
        let subject = (told.about.clone(), told.notice.clone());
        if let Some(known) = posted.get_mut(&subject) {
            known.count += 1;
            known.at = told.at;
            let patch = json!({ "count": known.count, "lastTimestamp": told.at.to_seconds_text() });
            match api.patch(&known.event, "", &patch).await {
                Ok(_) => continue,
                Err(error) if is_not_found(&error) => drop(posted.remove(&subject)),
                Err(error) => {
                    tracing::debug!(%error, "an event could not be counted");
                    continue;
                }
            }
        }
        match post(&api, &told, serial).await {
            Ok(event) => drop(posted.insert(subject, Posted { event, count: 1, at: told.at })),
            // In a namespace on its way out nothing new may be made.
            Err(error) => tracing::debug!(%error, about = %told.about, "an event could not be posted"),
        }
    }
}

async fn post(api: &Api, told: &Told, serial: u32) -> Result<Target, kube::Error> {
    let about = &told.about;
    let namespace = if about.key.namespace.is_empty() { "default" } else { &about.key.namespace };
    let name = format!("{}.{:x}{:04x}", about.key.name, told.at.as_micros(), serial & 0xffff);
    let weight = match told.notice.weight {
        Weight::Normal => "Normal",
        Weight::Warning => "Warning",
    };
    let at = told.at.to_seconds_text();
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": name, "namespace": namespace },
        "involvedObject": {
            "apiVersion": about.kind.api_version(),
            "kind": about.kind.name(),
            "namespace": about.key.namespace,
            "name": about.key.name,
            "uid": about.uid,
        },
        "reason": told.notice.reason,
        "message": told.notice.message,
        "type": weight,
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": { "component": told.component },
        "reportingComponent": told.component,
        "reportingInstance": "",
    });
    let made = api.create(Kind::Event, &event).await?;
    let uid = made["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    Ok(Target { kind: Kind::Event, key: Key::new(namespace, &name), uid })
}
