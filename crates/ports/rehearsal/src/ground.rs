//! The namespaces of a copy: made, furnished, and removed whatever happened in them.

use std::{collections::BTreeMap, time::Duration};

use api::{Drill, ObjectRef};
use delivery::drill::{Need, Objects, copy, needs};
use objects::ClusterError;
use serde_json::json;

use crate::Rehearsal;

/// Marks what a drill made.
const MARK: &str = "landfall.dev/drill";

/// A namespace is empty and gone by then, or something in it does not end.
const GOING: Duration = Duration::from_secs(120);

const GLANCE: Duration = Duration::from_millis(100);

fn namespace(name: &str) -> ObjectRef {
    ObjectRef { api_version: "v1".to_owned(), kind: "Namespace".to_owned(), plural: "namespaces".to_owned(), namespace: None, name: name.to_owned() }
}

impl Rehearsal {
    /// Makes the namespaces, with the labels of the originals, which may decide what runs in them.
    pub(crate) async fn make_namespaces(&self, drill: &Drill, names: &BTreeMap<String, String>) -> Result<(), ClusterError> {
        for (original, name) in names {
            let live = self.cluster.find(&namespace(original)).await?;
            let labels = live.as_ref().and_then(|it| it.pointer("/metadata/labels")).and_then(serde_json::Value::as_object);
            let mut labels = labels.cloned().unwrap_or_default();
            labels.shift_remove("kubernetes.io/metadata.name");
            labels.insert(MARK.to_owned(), drill.number.to_string().into());
            let value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
            self.cluster.create(&namespace(name), &value).await?;
        }
        Ok(())
    }

    /// Copies what pods need and nobody's manifests bring: Secrets made by hand and the like.
    pub(crate) async fn furnish(&self, states: [&Objects; 2], names: &BTreeMap<String, String>) -> Result<(), ClusterError> {
        let mut all: Vec<Need> = states.iter().flat_map(|it| needs(it)).collect();
        all.sort();
        all.dedup();
        for need in all {
            // What one of the states brings itself comes with that state.
            let brought = states.iter().any(|state| state.iter().any(|(it, _)| it.kind == need.kind && it.name == need.name));
            if brought {
                continue;
            }
            let Some(served) = self.discovery.find("v1", need.kind).await? else { continue };
            let object = ObjectRef {
                api_version: "v1".to_owned(),
                kind: need.kind.to_owned(),
                plural: served.plural,
                namespace: Some(need.namespace.clone()),
                name: need.name.clone(),
            };
            let Some(live) = self.cluster.find(&object).await? else { continue };
            for (object, value) in copy(&vec![(object, live)], names).objects {
                match self.cluster.create(&object, &value).await {
                    // The cluster itself gives some to each namespace.
                    Ok(_) | Err(ClusterError::Refused { code: 409, .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Deletes the namespaces and waits until they are gone; gives those that do not go.
    pub(crate) async fn remove_namespaces(&self, drill: &Drill) -> Vec<String> {
        let mut left = Vec::new();
        for name in &drill.namespaces {
            let object = namespace(name);
            if let Err(error) = self.cluster.delete(&object).await {
                left.push(format!("{name}: {error}"));
            }
        }
        let began = tokio::time::Instant::now();
        for name in &drill.namespaces {
            loop {
                match self.cluster.find(&namespace(name)).await {
                    Ok(None) => break,
                    Ok(Some(_)) | Err(_) if began.elapsed() < GOING => tokio::time::sleep(GLANCE).await,
                    Ok(Some(_)) => {
                        left.push(format!("{name} does not go"));
                        break;
                    }
                    Err(error) => {
                        left.push(format!("{name}: {error}"));
                        break;
                    }
                }
            }
        }
        left
    }
}
