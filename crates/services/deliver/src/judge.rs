//! Judges releases: watches their workloads until they are healthy or bad.

use std::{collections::HashSet, sync::Arc, time::Duration};

use api::{Job, Record as _, Release, ReleaseState, Run, Status};
use delivery::{Sight, Verdict};
use futures_util::StreamExt as _;
use kube::{
    api::{ApiResource, DynamicObject},
    runtime::{WatchStreamExt as _, watcher},
};
use names::ReleaseId;
use store::{Change, Revision, TypedError};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinSet,
};

use objects::ClusterError;
use crate::{
    Deliver, environments,
    releases,
    rollback::{self, RollbackError},
};

/// Deadlines count in seconds, so looking once a second misses none by much.
const GLANCE: Duration = Duration::from_secs(1);

/// Events of one rollout come in bursts; one look serves them all.
const CALM: Duration = Duration::from_millis(15);

/// Why judging ended.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error(transparent)]
    Records(#[from] store::RecordsError),
}

/// Says in which namespace something changed.
type Pulse = broadcast::Sender<Arc<str>>;

pub async fn run(deliver: Deliver) -> Result<(), JudgeError> {
    let pulse = Pulse::new(1024);
    let mut tasks = JoinSet::new();
    for (group, version, kind, plural) in
        [("apps", "v1", "Deployment", "deployments"), ("", "v1", "Pod", "pods")]
    {
        let resource = ApiResource {
            group: group.into(),
            version: version.into(),
            api_version: if group.is_empty() { version.into() } else { format!("{group}/{version}") },
            kind: kind.into(),
            plural: plural.into(),
        };
        tasks.spawn(feel(deliver.cluster.client().clone(), resource, pulse.clone()));
    }
    let mut judged: HashSet<ReleaseId> = HashSet::new();
    let mut releases = deliver.records.watch(Release::KIND, Revision(0)).await?;
    let (ended, mut ends) = mpsc::channel(64);
    loop {
        tokio::select! {
            change = releases.next() => {
                let Change::Put(stored) = change? else { continue };
                let Ok(release) = serde_json::from_slice::<Release>(&stored.value) else {
                    tracing::error!(key = stored.key, "a release is not readable");
                    continue;
                };
                if release.state.is_final() || !judged.insert(release.id.clone()) {
                    continue;
                }
                let (deliver, ended, changes) = (deliver.clone(), ended.clone(), pulse.subscribe());
                tasks.spawn(async move {
                    let id = release.id;
                    if let Err(error) = follow(&deliver, &id, changes).await {
                        tracing::error!(%error, release = %id, "a release could not be judged; it is tried again");
                        tokio::time::sleep(GLANCE).await;
                    }
                    // The receiver lives as long as this loop.
                    let _ = ended.send(id).await;
                });
            }
            Some(id) = ends.recv() => {
                judged.remove(&id);
                // It may have been opened again just before its task ended, or failed to be judged.
                if let Some(release) = store::find::<Release>(&*deliver.records, &Release::key_of(&id)).await?
                    && !release.state.is_final()
                {
                    releases = deliver.records.watch(Release::KIND, Revision(0)).await?;
                }
            }
        }
    }
}

/// Watches one kind of object in all namespaces.
async fn feel(client: kube::Client, resource: ApiResource, pulse: Pulse) {
    let objects = kube::Api::<DynamicObject>::all_with(client, &resource);
    let stream = watcher(objects, watcher::Config::default()).default_backoff().touched_objects();
    let mut stream = std::pin::pin!(stream);
    while let Some(event) = stream.next().await {
        match event {
            Ok(object) => {
                let namespace = object.metadata.namespace.unwrap_or_default();
                // Nobody judging is fine.
                let _ = pulse.send(namespace.into());
            }
            Err(error) => tracing::debug!(%error, kind = resource.kind, "a watch is started anew"),
        }
    }
}

/// Why a release could not be judged this time.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error(transparent)]
    Records(#[from] store::RecordsError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Rollback(#[from] RollbackError),
}

/// Looks at one release until nothing will change any more by itself.
async fn follow(
    deliver: &Deliver,
    id: &ReleaseId,
    mut changes: broadcast::Receiver<Arc<str>>,
) -> Result<(), FollowError> {
    let records = &*deliver.records;
    let key = Release::key_of(id);
    let mut runs = records.watch(Run::KIND, Revision::LATEST).await?;
    loop {
        let Some(release) = store::find::<Release>(records, &key).await? else { return Ok(()) };
        match release.state {
            ReleaseState::Deploying => look(deliver, &release).await?,
            ReleaseState::RollingBack => {
                if rollback::carry_out(deliver, &release).await? {
                    return Ok(());
                }
            }
            ReleaseState::Healthy
            | ReleaseState::Failed
            | ReleaseState::RolledBack
            | ReleaseState::Superseded => return Ok(()),
        }
        tokio::select! {
            change = runs.next() => drop(change?),
            () = felt(&mut changes, id.project.as_str()) => tokio::time::sleep(CALM).await,
            () = tokio::time::sleep(GLANCE) => {}
        }
        while changes.try_recv().is_ok() {}
    }
}

/// Waits until something changes in `namespace`.
async fn felt(changes: &mut broadcast::Receiver<Arc<str>>, namespace: &str) {
    loop {
        match changes.recv().await {
            Ok(changed) if *changed == *namespace => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// One look at a release that is being deployed.
async fn look(deliver: &Deliver, release: &Release) -> Result<(), FollowError> {
    let records = &*deliver.records;
    let namespace = release.id.project.as_str();
    let mut sight = sight(deliver, namespace).await?;
    let (mut verdict, workloads) = delivery::judge(release, &sight, store::now());
    if matches!(verdict, Verdict::Failed(_)) {
        sight.last_lines = last_words(deliver, namespace, &sight).await;
        (verdict, _) = delivery::judge(release, &sight, store::now());
    }
    let deployed = jobs_over(deliver, release).await?;
    let addresses = match (&verdict, deployed) {
        (Verdict::Healthy, true) => environments::addresses(&deliver.cluster, namespace).await?,
        _ => Vec::new(),
    };
    let releases = releases::of(records, &release.id.project, &release.id.environment).await?;
    let can_go_back = releases::way_back(&releases, release).is_some();
    let is_newest = releases.last().is_some_and(|last| last.id == release.id);
    let applied = release.applied;
    store::modify::<Release>(records, &Release::key_of(&release.id), |release| {
        // What was seen is of no worth if more was deployed meanwhile.
        if release.state != ReleaseState::Deploying || release.applied != applied {
            return;
        }
        release.workloads.clone_from(&workloads);
        match &verdict {
            Verdict::Progressing => {}
            Verdict::Healthy if !deployed => {}
            Verdict::Healthy => {
                release.state = ReleaseState::Healthy;
                release.addresses.clone_from(&addresses);
                release.finished = Some(store::now());
            }
            Verdict::Failed(cause) => {
                release.cause = Some(cause.clone());
                if can_go_back && is_newest {
                    release.state = ReleaseState::RollingBack;
                } else {
                    release.state = ReleaseState::Failed;
                    release.finished = Some(store::now());
                }
            }
        }
    })
    .await?;
    Ok(())
}

/// Whether every job that deployed is over, so that nothing more will come.
async fn jobs_over(deliver: &Deliver, release: &Release) -> Result<bool, TypedError> {
    let Some(run) = store::find::<Run>(&*deliver.records, &Run::key_of(&release.run)).await? else {
        return Ok(true);
    };
    let is_over = |job: &Job| job.status == Status::Completed;
    let deployed = |job: &&Job| release.jobs.contains(&job.id);
    Ok(run.status == Status::Completed || run.jobs.iter().filter(deployed).all(is_over))
}

/// What there is to see of a namespace.
pub(crate) async fn sight(deliver: &Deliver, namespace: &str) -> Result<Sight, ClusterError> {
    let within = format!("namespaces/{namespace}");
    let list = async |path: String| deliver.cluster.list(&path).await;
    let (deployments, replica_sets, pods, events) = tokio::try_join!(
        list(format!("/apis/apps/v1/{within}/deployments")),
        list(format!("/apis/apps/v1/{within}/replicasets")),
        list(format!("/api/v1/{within}/pods")),
        list(format!("/api/v1/{within}/events")),
    )?;
    Ok(Sight { deployments, replica_sets, pods, events, last_lines: Vec::new() })
}

/// The last output of containers that are not well.
async fn last_words(
    deliver: &Deliver,
    namespace: &str,
    sight: &Sight,
) -> Vec<((String, String), Vec<String>)> {
    let mut words = Vec::new();
    for pod in &sight.pods {
        let name = pod.pointer("/metadata/name").and_then(serde_json::Value::as_str).unwrap_or_default();
        let statuses = pod.pointer("/status/containerStatuses").and_then(serde_json::Value::as_array);
        for status in statuses.into_iter().flatten() {
            let ready = status.get("ready").and_then(serde_json::Value::as_bool).unwrap_or_default();
            let container = status.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
            if ready || container.is_empty() {
                continue;
            }
            let restarted = status.get("restartCount").and_then(serde_json::Value::as_u64) > Some(0);
            let lines = deliver.cluster.last_lines(namespace, name, container, restarted).await;
            words.push(((name.to_owned(), container.to_owned()), lines));
        }
    }
    words
}
