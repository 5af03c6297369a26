//! The cluster as releases see it: records in Secrets, objects, readiness.

use std::{sync::Arc, time::Duration};

use helm::{ReleaseRecord, Stamp};
use serde_json::{Value, json};

use super::failed;
use crate::{
    Console,
    failure::Failure,
    flags::Parsed,
    kubectl::{
        discovery::{Resource, encoded},
        fault::Fault,
        session::{Ask, Session},
        watch,
    },
};

/// A cluster and the namespace of a release.
#[derive(Clone)]
pub struct Home {
    pub session: Arc<Session>,
    pub namespace: String,
}

/// An object of a release and where the server keeps it.
#[derive(Clone, Debug)]
pub struct Placed {
    pub object: Value,
    pub resource: Resource,
    pub namespace: String,
    pub name: String,
}

impl Placed {
    fn path(&self) -> String {
        self.resource.object_path(&self.namespace, &self.name)
    }

    pub fn is(&self, other: &Self) -> bool {
        self.resource.group == other.resource.group && self.resource.kind == other.resource.kind && self.namespace == other.namespace && self.name == other.name
    }

    pub fn annotation(&self, key: &str) -> &str {
        self.object["metadata"]["annotations"][key].as_str().unwrap_or_default()
    }
}

/// A fault of the server, as the original tells it.
pub fn told(fault: Fault) -> String {
    let message = Failure::from(fault).message;
    message.strip_prefix("error: ").map_or(message.clone(), str::to_owned)
}

impl Home {
    pub async fn open(line: &Parsed, namespace: String, console: &Console) -> Result<Self, Failure> {
        let mut global = line.clone();
        for (from, to) in [
            ("kube-context", "context"),
            ("kube-apiserver", "server"),
            ("kube-token", "token"),
            ("kube-insecure-skip-tls-verify", "insecure-skip-tls-verify"),
        ] {
            global.copy(from, to);
        }
        let session = Session::open(&global, console).await?;
        Ok(Self { session: Arc::new(session), namespace })
    }

    /// The records of a release, or of all without a name; older revisions first.
    pub async fn records(&self, name: Option<&str>) -> Result<Vec<ReleaseRecord>, Failure> {
        let selector = name.map_or_else(|| "owner=helm".to_owned(), |name| format!("owner=helm,name={name}"));
        let path = if self.namespace.is_empty() {
            format!("/api/v1/secrets?labelSelector={}", encoded(&selector))
        } else {
            format!("{}?labelSelector={}", self.secrets(), encoded(&selector))
        };
        let listed = self.session.json(Ask::get(path)).await.map_err(|fault| failed(told(fault)))?;
        let mut records = Vec::new();
        for item in listed["items"].as_array().into_iter().flatten() {
            let mut secret = item.clone();
            if secret["type"] == "helm.sh/release.v1" {
                secret["kind"] = "Secret".into();
                records.push(ReleaseRecord::from_secret(&secret).map_err(failed)?);
            }
        }
        records.sort_by_key(|it| it.revision);
        Ok(records)
    }

    fn secrets(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", encoded(&self.namespace))
    }

    pub async fn create_record(&self, record: &ReleaseRecord) -> Result<(), String> {
        let secret = record.to_secret(Stamp::Created, seconds());
        self.session.json(Ask::post(self.secrets(), &secret)).await.map(drop).map_err(told)
    }

    pub async fn update_record(&self, record: &ReleaseRecord) -> Result<(), String> {
        let secret = record.to_secret(Stamp::Modified, seconds());
        let patch = json!({"metadata": {"labels": secret["metadata"]["labels"]}, "data": secret["data"]});
        let path = format!("{}/{}", self.secrets(), encoded(&record.secret_name()));
        self.session.json(Ask::patch(path, "application/merge-patch+json", &patch)).await.map(drop).map_err(told)
    }

    pub async fn delete_record(&self, record: &ReleaseRecord) -> Result<(), String> {
        let path = format!("{}/{}", self.secrets(), encoded(&record.secret_name()));
        gone_or(self.session.json(Ask::delete(path, &json!({}))).await)
    }

    /// All objects of a manifest's text.
    pub async fn objects(&self, text: &str) -> Result<Vec<Placed>, String> {
        let documents = yaml::parse(text, "manifest", yaml::Flavor::Go11)
            .map_err(|found| found.first().map_or_else(|| "no YAML".to_owned(), |it| it.message.clone()))?;
        let mut placed = Vec::new();
        for document in documents {
            let object = document.root.to_json();
            if object.is_null() {
                continue;
            }
            let items = match object["items"].as_array() {
                Some(items) if object["kind"].as_str().is_some_and(|it| it.ends_with("List")) => items.clone(),
                _ => vec![object],
            };
            for item in items {
                placed.push(self.place(item).await?);
            }
        }
        Ok(placed)
    }

    async fn place(&self, mut object: Value) -> Result<Placed, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (version, kind, name) = (text(&object["apiVersion"]), text(&object["kind"]), text(&object["metadata"]["name"]));
        let discovery = self.session.discovery().await.map_err(told)?;
        let resource = discovery.of_kind(&version, &kind).cloned().ok_or_else(|| {
            format!("unable to build kubernetes objects from release manifest: resource mapping not found for name: \"{name}\" namespace: \"\" from \"\": no matches for kind \"{kind}\" in version \"{version}\"\nensure CRDs are installed first")
        })?;
        let mut namespace = String::new();
        if resource.namespaced {
            let written = text(&object["metadata"]["namespace"]);
            namespace = if written.is_empty() { self.namespace.clone() } else { written };
            object["metadata"]["namespace"] = namespace.clone().into();
        }
        Ok(Placed { object, resource, namespace, name })
    }

    /// The object as it is, if it is there.
    pub async fn live(&self, placed: &Placed) -> Result<Option<Value>, String> {
        match self.session.json(Ask::get(placed.path())).await {
            Ok(live) => Ok(Some(live)),
            Err(fault) if fault.is_missing() => Ok(None),
            Err(fault) => Err(told(fault)),
        }
    }

    /// Makes the object what it shall be.
    pub async fn apply(&self, placed: &Placed, force: bool) -> Result<(), String> {
        let path = format!("{}?fieldManager=helm&force={force}", placed.path());
        let sent = self.session.json(Ask::patch(path, "application/apply-patch+yaml", &placed.object)).await;
        sent.map(drop).map_err(|fault| {
            format!("server-side apply failed for object {}/{} {}/{}: {}", placed.namespace, placed.name, placed.resource.api_version(), placed.resource.kind, told(fault))
        })
    }

    pub async fn delete(&self, placed: &Placed) -> Result<(), String> {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
        gone_or(self.session.json(Ask::delete(placed.path(), &options)).await)
    }

    /// Waits until `look` says something about the object; `what` is told when it takes too long.
    pub async fn until<T>(&self, placed: &Placed, timeout: Duration, what: &str, look: impl FnMut(Option<&Value>) -> Option<T>) -> Result<T, String> {
        let waited = watch::until(&self.session, &placed.resource, &placed.namespace, &placed.name, look);
        match tokio::time::timeout(timeout, waited).await {
            Ok(done) => done.map_err(told),
            Err(_) => Err(format!("resource {}/{}/{} not ready. {what}\ncontext deadline exceeded", placed.resource.kind, placed.namespace, placed.name)),
        }
    }
}

fn gone_or(answer: Result<Value, Fault>) -> Result<(), String> {
    match answer {
        Err(fault) if !fault.is_missing() => Err(told(fault)),
        _ => Ok(()),
    }
}

/// Whether an object works, as `--wait` asks.
pub fn is_ready(object: &Value, jobs: bool) -> bool {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let seen = number("/status/observedGeneration") >= number("/metadata/generation");
    let wanted = object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    let condition = |name: &str| {
        let all = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().any(|it| it["type"] == name && it["status"] == "True")
    };
    match object["kind"].as_str().unwrap_or_default() {
        "Deployment" => {
            seen && number("/status/updatedReplicas") >= wanted
                && number("/status/replicas") == number("/status/updatedReplicas")
                && number("/status/availableReplicas") >= wanted
        }
        "StatefulSet" => seen && number("/status/updatedReplicas") >= wanted && number("/status/readyReplicas") >= wanted,
        "ReplicaSet" | "ReplicationController" => seen && number("/status/readyReplicas") >= wanted,
        "DaemonSet" => {
            let all = number("/status/desiredNumberScheduled");
            seen && number("/status/updatedNumberScheduled") >= all && number("/status/numberAvailable") >= all
        }
        "Pod" => condition("Ready") || object["status"]["phase"] == "Succeeded",
        "Job" => !jobs || condition("Complete"),
        "PersistentVolumeClaim" => object["status"]["phase"] == "Bound",
        "CustomResourceDefinition" => condition("Established"),
        _ => true,
    }
}

pub fn seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Now, as records write times.
pub fn now() -> String {
    names::Timestamp::from(std::time::SystemTime::now()).to_seconds_text()
}
