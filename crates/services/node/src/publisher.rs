//! Writes the newest status of a pod to the API, one after the other, the latest wins.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    api::{PatchKind, Requests, is},
    pod::Metadata,
};

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// The writer of one pod's status.
pub struct Publisher {
    requests: Requests,
    metadata: Arc<Metadata>,
    newest: watch::Sender<Option<Value>>,
    task: JoinHandle<()>,
}

impl Publisher {
    pub fn start(requests: Requests, metadata: Metadata) -> Self {
        let (newest, incoming) = watch::channel(None);
        let metadata = Arc::new(metadata);
        let task = tokio::spawn(write_all(requests.clone(), metadata.clone(), incoming));
        Self {
            requests,
            metadata,
            newest,
            task,
        }
    }

    pub fn publish(&self, status: Value) {
        self.newest.send_replace(Some(status));
    }

    /// The writing of a last status; nothing published before is written after it.
    pub fn finish(&self, status: Value) -> impl Future<Output = ()> + Send + use<> {
        self.task.abort();
        let (requests, metadata) = (self.requests.clone(), self.metadata.clone());
        async move {
            if let Err(error) = write(&requests, &metadata, &status).await {
                tracing::debug!(%error, pod = %metadata.name, "the last status could not be written");
            }
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn write_all(
    requests: Requests,
    metadata: Arc<Metadata>,
    mut incoming: watch::Receiver<Option<Value>>,
) {
    let mut delay = FIRST_DELAY;
    while incoming.changed().await.is_ok() {
        loop {
            let status = incoming.borrow_and_update().clone();
            let Some(status) = status else { break };
            match write(&requests, &metadata, &status).await {
                Ok(()) => {
                    delay = FIRST_DELAY;
                    break;
                }
                // Another pod has taken the name; the watch will tell.
                Err(error) if is(&error, 409) => break,
                Err(error) => {
                    tracing::warn!(%error, pod = %metadata.name, "a pod's status could not be written");
                    tokio::time::sleep(delay).await;
                    delay = (delay * 2).min(LONGEST_DELAY);
                }
            }
        }
    }
}

async fn write(requests: &Requests, metadata: &Metadata, status: &Value) -> kube::Result<()> {
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/status",
        metadata.namespace, metadata.name
    );
    let patch = json!({ "metadata": { "uid": metadata.uid }, "status": status });
    requests
        .patch(&path, PatchKind::Strategic, &patch)
        .await
        .map(drop)
}
