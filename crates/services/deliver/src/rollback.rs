//! Carries out the way back: restores what a release changed, deletes what it added.

use std::collections::BTreeMap;

use api::{Cause, ObjectRef, Release, ReleaseState};
use delivery::Verdict;
use names::{EnvironmentName, ProjectName, ReleaseId};
use serde_json::Value;
use store::TypedError;

use objects::ClusterError;

use crate::{Deliver, judge, releases, snapshot::SnapshotError};

/// Others may write the same object while it is restored.
const RESTORE_TRIES: u32 = 5;

/// Why a release could not be taken back this time.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// Why a rollback that a person asked for does not start.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("`{project}/{environment}` has no release")]
    NoRelease { project: ProjectName, environment: EnvironmentName },
    #[error("there is no healthy release before `{0}` to go back to")]
    NoWayBack(ReleaseId),
    #[error("`{0}` is being rolled back already")]
    Underway(ReleaseId),
    #[error(transparent)]
    Store(#[from] TypedError),
}

/// Starts to take back what an environment runs; gives the release that goes.
pub async fn request(
    deliver: &Deliver,
    project: &ProjectName,
    environment: &EnvironmentName,
) -> Result<Release, RequestError> {
    let releases = releases::of(&*deliver.records, project, environment).await?;
    let live = releases.iter().rev().find(|release| match release.state {
        ReleaseState::Deploying | ReleaseState::Healthy | ReleaseState::RollingBack => true,
        ReleaseState::Failed | ReleaseState::RolledBack | ReleaseState::Superseded => false,
    });
    let Some(release) = live else {
        let (project, environment) = (project.clone(), environment.clone());
        return Err(RequestError::NoRelease { project, environment });
    };
    if release.state == ReleaseState::RollingBack {
        return Err(RequestError::Underway(release.id.clone()));
    }
    if releases::way_back(&releases, release).is_none() {
        return Err(RequestError::NoWayBack(release.id.clone()));
    }
    let cause = Cause {
        code: "LF-D0110".to_owned(),
        summary: "a person asked for the rollback".to_owned(),
        evidence: Vec::new(),
        help: Vec::new(),
    };
    let key = Release::key_of(&release.id);
    let changed = store::modify::<Release>(&*deliver.records, &key, |release| {
        release.state = ReleaseState::RollingBack;
        release.cause = Some(cause.clone());
        release.finished = None;
    });
    Ok(changed.await?)
}

/// Takes one look and one round of steps back; tells whether the rollback is over.
///
/// It may be called any number of times, also after a crash: steps that were
/// done before are seen to be done.
pub async fn carry_out(deliver: &Deliver, release: &Release) -> Result<bool, RollbackError> {
    let records = &*deliver.records;
    let releases = releases::of(records, &release.id.project, &release.id.environment).await?;
    let key = Release::key_of(&release.id);
    let Some((target, digests)) = releases::way_back(&releases, release) else {
        store::modify::<Release>(records, &key, |release| {
            release.state = ReleaseState::Failed;
            release.finished = Some(store::now());
        })
        .await?;
        return Ok(true);
    };
    let mut before = BTreeMap::new();
    for (object, digest) in digests {
        let value = match digest {
            Some(digest) => Some(deliver.snapshots.read(&object, digest).await?),
            None => None,
        };
        before.insert(object, value);
    }
    let leftovers = restore(deliver, &before).await?;
    if !is_served_again(deliver, release, &before).await? && leftovers.is_empty() {
        return Ok(false);
    }
    store::modify::<Release>(records, &key, |release| {
        release.state = ReleaseState::RolledBack;
        release.rolled_back_to = Some(target.clone());
        release.leftovers.clone_from(&leftovers);
        release.finished = Some(store::now());
    })
    .await?;
    Ok(true)
}

/// Writes everything back; gives what the API server refused for good, in words.
pub async fn restore(
    deliver: &Deliver,
    before: &BTreeMap<ObjectRef, Option<Value>>,
) -> Result<Vec<String>, ClusterError> {
    let mut refused = Vec::new();
    for _ in 0..RESTORE_TRIES {
        let mut live = BTreeMap::new();
        for object in before.keys() {
            if let Some(value) = deliver.cluster.find(object).await? {
                // What is being deleted needs no second deletion, and cannot be restored yet.
                if value.pointer("/metadata/deletionTimestamp").is_none() {
                    live.insert(object.clone(), value);
                }
            }
        }
        refused.clear();
        let mut again = false;
        for step in delivery::plan(before, &live) {
            let done = match &step {
                delivery::Step::Replace(object, value) => deliver.cluster.replace(object, value).await.map(drop),
                delivery::Step::Create(object, value) => deliver.cluster.create(object, value).await.map(drop),
                delivery::Step::Delete(object) => deliver.cluster.delete(object).await,
            };
            match done {
                Ok(()) => {}
                Err(ClusterError::Refused { code: 409, .. }) => again = true,
                Err(ClusterError::Refused { message, .. }) => refused.push(format!("{step}: {message}")),
                Err(error) => return Err(error),
            }
        }
        if !again {
            break;
        }
    }
    Ok(refused)
}

/// Whether the workloads that were restored have taken over.
async fn is_served_again(
    deliver: &Deliver,
    release: &Release,
    before: &BTreeMap<ObjectRef, Option<Value>>,
) -> Result<bool, ClusterError> {
    let mut restored = release.clone();
    restored.changes.retain(|change| before.get(&change.object).is_some_and(Option::is_some));
    for change in &mut restored.changes {
        change.after = change.before;
    }
    let sight = judge::sight(deliver, release.id.project.as_str()).await?;
    let (verdict, _) = delivery::judge(&restored, &sight, restored.applied);
    Ok(verdict == Verdict::Healthy)
}
