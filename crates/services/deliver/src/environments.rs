//! What runs where: each environment, its release, and what the cluster shows of it.

use api::{Project, Release, ReleaseState, ServiceAddress, WorkloadStatus};
use names::{CommitId, Digest, EnvironmentName, ProjectName, ReleaseId, RunId};
use serde::Serialize;
use serde_json::Value;
use store::TypedError;

use objects::{ClusterError, KubeApi};

use crate::{Deliver, judge, releases};

/// One environment as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct Environment {
    pub project: ProjectName,
    pub environment: EnvironmentName,
    /// The release that is served; none while no release was healthy.
    pub release: Option<ReleaseId>,
    pub commit: Option<CommitId>,
    pub run: Option<RunId>,
    pub images: Vec<(String, Digest)>,
    /// The newest release and how it stands, which is not the served one while it is judged or was bad.
    pub newest: ReleaseId,
    pub newest_state: ReleaseState,
    /// As seen at this moment; `None` if the cluster could not be asked.
    pub workloads: Option<Vec<WorkloadStatus>>,
    pub addresses: Vec<ServiceAddress>,
}

/// All environments of all projects.
pub async fn all(deliver: &Deliver) -> Result<Vec<Environment>, TypedError> {
    let mut environments = Vec::new();
    for project in store::list::<Project>(&*deliver.records, "").await? {
        let all = store::list::<Release>(&*deliver.records, &format!("{}/", project.name)).await?;
        let mut names: Vec<_> = all.iter().map(|release| release.id.environment.clone()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let releases: Vec<_> =
                all.iter().filter(|release| release.id.environment == name).cloned().collect();
            environments.extend(one(deliver, &project.name, &name, &releases).await);
        }
    }
    Ok(environments)
}

async fn one(
    deliver: &Deliver,
    project: &ProjectName,
    environment: &EnvironmentName,
    releases: &[Release],
) -> Option<Environment> {
    let newest = releases.last()?;
    let served = releases::current(releases);
    let seen = seen(deliver, served.unwrap_or(newest)).await;
    let (workloads, addresses) = match seen {
        Ok((workloads, addresses)) => (Some(workloads), addresses),
        Err(error) => {
            tracing::warn!(%error, %project, "the cluster could not be asked");
            (None, Vec::new())
        }
    };
    let images = served.map(|release| &release.images).into_iter().flatten();
    Some(Environment {
        project: project.clone(),
        environment: environment.clone(),
        release: served.map(|release| release.id.clone()),
        commit: served.map(|release| release.commit),
        run: served.map(|release| release.run.clone()),
        images: images.map(|image| (image.reference.clone(), image.digest)).collect(),
        newest: newest.id.clone(),
        newest_state: newest.state,
        workloads,
        addresses,
    })
}

async fn seen(
    deliver: &Deliver,
    release: &Release,
) -> Result<(Vec<WorkloadStatus>, Vec<ServiceAddress>), ClusterError> {
    let namespace = release.id.project.as_str();
    let sight = judge::sight(deliver, namespace).await?;
    let (_, workloads) = delivery::judge(release, &sight, store::now());
    Ok((workloads, addresses(&deliver.cluster, namespace).await?))
}

/// Where the Services of a namespace answer.
pub async fn addresses(cluster: &KubeApi, namespace: &str) -> Result<Vec<ServiceAddress>, ClusterError> {
    let services = cluster.list(&format!("/api/v1/namespaces/{namespace}/services")).await?;
    Ok(services.iter().flat_map(addresses_of).collect())
}

fn addresses_of(service: &Value) -> Vec<ServiceAddress> {
    let text = |pointer| service.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (name, address) = (text("/metadata/name"), text("/spec/clusterIP"));
    let ports = service.pointer("/spec/ports").and_then(Value::as_array).into_iter().flatten();
    if address.is_empty() || address == "None" {
        return Vec::new();
    }
    let url = |port: &Value| {
        let number = port.get("port").and_then(Value::as_u64)?;
        let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
        let scheme = if protocol == "TCP" { "http" } else { "udp" };
        let url = format!("{scheme}://{address}:{number}");
        Some(ServiceAddress { service: name.to_owned(), url })
    };
    ports.filter_map(url).collect()
}
