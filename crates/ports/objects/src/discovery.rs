//! Which kinds a cluster serves, asked when needed and remembered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use api::ObjectRef;
use serde_json::Value;

use crate::{ClusterError, KubeApi};

/// How a kind is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub plural: String,
    pub namespaced: bool,
}

type Known = HashMap<String, HashMap<String, Served>>;

/// The kinds of a cluster by group version and name.
#[derive(Clone)]
pub struct Discovery {
    cluster: KubeApi,
    known: Arc<Mutex<Known>>,
}

impl Discovery {
    pub fn new(cluster: KubeApi) -> Self {
        Self { cluster, known: Arc::default() }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the kind is reached; `None` if the cluster does not serve it.
    ///
    /// A kind that is not known is asked for again, because it may have been defined meanwhile.
    pub async fn find(&self, api_version: &str, kind: &str) -> Result<Option<Served>, ClusterError> {
        if let Some(found) = self.known().get(api_version).and_then(|kinds| kinds.get(kind)) {
            return Ok(Some(found.clone()));
        }
        let root = if api_version.contains('/') { "apis" } else { "api" };
        let Some(list) = self.cluster.get(&format!("/{root}/{api_version}")).await? else { return Ok(None) };
        let mut kinds = HashMap::new();
        for resource in list["resources"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
            if !text("name").contains('/') {
                kinds.insert(text("kind"), Served { plural: text("name"), namespaced: resource["namespaced"] == true });
            }
        }
        let found = kinds.get(kind).cloned();
        self.known().insert(api_version.to_owned(), kinds);
        Ok(found)
    }

    /// The name in the API of the object that a manifest describes; objects of namespaced kinds that
    /// name no namespace go to `namespace`. `None` if the cluster does not serve the kind.
    pub async fn locate(&self, manifest: &Value, namespace: &str) -> Result<Option<ObjectRef>, ClusterError> {
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (text("/apiVersion"), text("/kind"));
        let Some(served) = self.find(api_version, kind).await? else { return Ok(None) };
        let own = text("/metadata/namespace");
        let within = if own.is_empty() { namespace } else { own };
        Ok(Some(ObjectRef {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            plural: served.plural,
            namespace: served.namespaced.then(|| within.to_owned()),
            name: text("/metadata/name").to_owned(),
        }))
    }

    /// All group versions that the cluster serves, and each with its kinds (`apps/v1`, `apps/v1/Deployment`),
    /// as charts ask for them.
    pub async fn api_versions(&self) -> Result<Vec<String>, ClusterError> {
        let mut versions = Vec::new();
        if let Some(core) = self.cluster.get("/api").await? {
            versions.extend(core["versions"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        }
        if let Some(groups) = self.cluster.get("/apis").await? {
            for group in groups["groups"].as_array().into_iter().flatten() {
                let served = group["versions"].as_array().into_iter().flatten();
                versions.extend(served.filter_map(|it| it["groupVersion"].as_str()).map(str::to_owned));
            }
        }
        let mut all = versions.clone();
        for version in &versions {
            self.find(version, "").await?;
            all.extend(self.known().get(version).into_iter().flat_map(HashMap::keys).map(|kind| format!("{version}/{kind}")));
        }
        all.sort();
        Ok(all)
    }

    /// The version that the cluster says it has, e.g. `v1.34.2`.
    pub async fn kube_version(&self) -> Result<String, ClusterError> {
        let told = self.cluster.get("/version").await?.unwrap_or_default();
        Ok(told["gitVersion"].as_str().unwrap_or("v1.34.0").to_owned())
    }
}
