//! Looks up what a pod's variables and volumes are made of, and watches it for changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, future};
use kube::{
    Api,
    core::DynamicObject,
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::{Value, json};

use crate::{
    api,
    context::Context,
    env::Sources,
    links,
    pod::{Container, ObjectData, Pod, Projection, TokenFile, VolumeSource},
    seen::News,
    volumes::Tokens,
};

/// The names of objects that a pod refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    pub config_maps: BTreeSet<String>,
    pub secrets: BTreeSet<String>,
}

impl Needs {
    pub fn of_variables(container: &Container) -> Self {
        let mut needs = Self::default();
        for from in &container.env_from {
            needs
                .config_maps
                .extend(from.config_map_ref.iter().map(|it| it.name.clone()));
            needs
                .secrets
                .extend(from.secret_ref.iter().map(|it| it.name.clone()));
        }
        for source in container
            .env
            .iter()
            .filter_map(|variable| variable.value_from.as_ref())
        {
            needs
                .config_maps
                .extend(source.config_map_key_ref.iter().map(|it| it.name.clone()));
            needs
                .secrets
                .extend(source.secret_key_ref.iter().map(|it| it.name.clone()));
        }
        needs
    }

    pub fn of_volumes(pod: &Pod) -> Self {
        let mut needs = Self::default();
        for part in projections(pod).map(|(_, part)| part) {
            needs.config_maps.extend(part.config_map.map(|it| it.name));
            needs.secrets.extend(part.secret.map(|it| it.name));
        }
        needs
    }

    /// Everything that a change of could matter to the pod.
    pub fn of_pod(pod: &Pod) -> Self {
        let mut needs = Self::of_volumes(pod);
        for container in pod.all_containers() {
            let Self {
                config_maps,
                secrets,
            } = Self::of_variables(container);
            needs.config_maps.extend(config_maps);
            needs.secrets.extend(secrets);
        }
        needs
    }
}

fn projections(pod: &Pod) -> impl Iterator<Item = (String, Projection)> {
    pod.spec
        .volumes
        .iter()
        .flat_map(|volume| match volume.source() {
            Ok(VolumeSource::Projected(projected)) => projected
                .sources
                .into_iter()
                .map(|part| (volume.name.clone(), part))
                .collect(),
            Ok(VolumeSource::EmptyDir(_) | VolumeSource::HostPath(_)) | Err(_) => Vec::new(),
        })
}

/// Fetches the named objects and the pod's own facts.
pub async fn gather(
    context: &Context,
    pod: &Pod,
    needs: &Needs,
    pod_ip: Option<std::net::IpAddr>,
) -> kube::Result<Sources> {
    let namespace = &pod.metadata.namespace;
    let (config_maps, secrets) = future::try_join(
        objects(context, namespace, "configmaps", &needs.config_maps),
        objects(context, namespace, "secrets", &needs.secrets),
    )
    .await?;
    Ok(Sources {
        config_maps,
        secrets,
        services: Vec::new(),
        pod_ip: pod_ip
            .map(|address| address.to_string())
            .unwrap_or_default(),
        host_ip: context.host_ip.to_string(),
        allocatable: context.allocatable.clone(),
    })
}

async fn objects(
    context: &Context,
    namespace: &str,
    plural: &str,
    names: &BTreeSet<String>,
) -> kube::Result<BTreeMap<String, ObjectData>> {
    let fetch = |name: String| async move {
        let found = context
            .requests
            .get(&format!("/api/v1/namespaces/{namespace}/{plural}/{name}"))
            .await?;
        // A single object may come without its kind.
        let kind = if plural == "secrets" {
            "Secret"
        } else {
            "ConfigMap"
        };
        let read = |mut object: Value| {
            object["kind"] = json!(kind);
            ObjectData::read(&object)
        };
        Ok::<_, kube::Error>(found.map(|object| (name, read(object))))
    };
    let fetched = future::try_join_all(names.iter().cloned().map(fetch)).await?;
    Ok(fetched.into_iter().flatten().collect())
}

pub async fn secret(
    context: &Context,
    namespace: &str,
    name: &str,
) -> kube::Result<Option<ObjectData>> {
    let found = objects(
        context,
        namespace,
        "secrets",
        &BTreeSet::from([name.to_owned()]),
    )
    .await?;
    Ok(found.into_values().next())
}

/// The variables for services: the API always, the namespace's own where the pod wants them.
pub async fn service_variables(
    context: &Context,
    pod: &Pod,
) -> kube::Result<Vec<(String, String)>> {
    let mut variables = links::api(context.config.api_address);
    if pod.spec.enable_service_links {
        let path = format!("/api/v1/namespaces/{}/services", pod.metadata.namespace);
        let list = context.requests.get(&path).await?;
        let items = list.as_ref().and_then(|list| list["items"].as_array());
        let mut found = links::services(items.map_or(&[], Vec::as_slice));
        // In the namespace `default` the API is a service like others; the configured address wins.
        found.retain(|(name, _)| !variables.iter().any(|(known, _)| known == name));
        variables.extend(found);
    }
    Ok(variables)
}

/// Service account tokens of one pod, issued once and renewed in time.
#[derive(Debug, Default)]
pub struct TokenCache {
    issued: Mutex<BTreeMap<(String, String), (String, Instant)>>,
}

impl TokenCache {
    /// The tokens of every projected volume of the pod, and when the first of them must be renewed.
    pub async fn tokens(
        &self,
        context: &Context,
        pod: &Pod,
    ) -> kube::Result<(Tokens, Option<Instant>)> {
        let mut tokens = Tokens::new();
        let mut renew = None;
        for (volume, file) in projections(pod)
            .filter_map(|(volume, part)| Some((volume, part.service_account_token?)))
        {
            let (token, due) = self.token(context, pod, &volume, &file).await?;
            renew = Some(renew.map_or(due, |renew: Instant| renew.min(due)));
            tokens.entry(volume).or_default().insert(file.path, token);
        }
        Ok((tokens, renew))
    }

    async fn token(
        &self,
        context: &Context,
        pod: &Pod,
        volume: &str,
        file: &TokenFile,
    ) -> kube::Result<(String, Instant)> {
        let key = (volume.to_owned(), file.path.clone());
        let known = self
            .issued
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        if let Some(known) = known.filter(|(_, due)| *due > Instant::now()) {
            return Ok(known);
        }
        let (token, due) = request_token(context, pod, file).await?;
        self.issued
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, (token.clone(), due));
        Ok((token, due))
    }
}

async fn request_token(
    context: &Context,
    pod: &Pod,
    file: &TokenFile,
) -> kube::Result<(String, Instant)> {
    let account = match pod.spec.service_account_name.as_str() {
        "" => "default",
        name => name,
    };
    let seconds = file.expiration_seconds.unwrap_or(3600);
    let audiences: Vec<_> = Some(&file.audience)
        .filter(|audience| !audience.is_empty())
        .into_iter()
        .collect();
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "metadata": {},
        "spec": {
            "audiences": audiences,
            "expirationSeconds": seconds,
            "boundObjectRef": {
                "apiVersion": "v1", "kind": "Pod", "name": pod.metadata.name, "uid": pod.metadata.uid,
            },
        },
    });
    let path = format!(
        "/api/v1/namespaces/{}/serviceaccounts/{account}/token",
        pod.metadata.namespace
    );
    let answer = context.requests.post(&path, &body).await?;
    let token = answer["status"]["token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    // Renewed after four fifths of its life, as the kubelet does.
    Ok((
        token,
        Instant::now() + Duration::from_secs(seconds.saturating_mul(4) / 5),
    ))
}

/// Tells of every change of the objects that the pod refers to, until it is dropped.
pub async fn watch(context: &Context, pod: &Pod, tell: impl Fn(News)) {
    let needs = Needs::of_pod(pod);
    let namespace = &pod.metadata.namespace;
    let client = context.requests.client();
    let config_maps = needs
        .config_maps
        .iter()
        .map(|name| ("ConfigMap", "configmaps", name));
    let secrets = needs.secrets.iter().map(|name| ("Secret", "secrets", name));
    let watches = config_maps.chain(secrets).map(|(kind, plural, name)| {
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), namespace, &api::resource(kind, plural));
        let changes = watcher::watch_object(api, name).default_backoff();
        let tell = &tell;
        async move {
            let mut changes = std::pin::pin!(changes);
            let mut is_first = true;
            while let Some(change) = changes.next().await {
                if change.is_ok() {
                    tell(if is_first {
                        News::SourceSeen
                    } else {
                        News::SourceChanged
                    });
                    is_first = false;
                }
            }
        }
    });
    future::join_all(watches).await;
}
