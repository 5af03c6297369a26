//! The records of releases: finding, making and extending them.

use std::collections::BTreeMap;

use access::Principal;
use api::{Change, ObjectRef, Release, ReleaseState, ReleasedImage};
use names::{Digest, EnvironmentName, ProjectName, ReleaseId};
use store::{Records, TypedError};

/// Runs may want the same number this often in a row before something is wrong.
const NUMBER_TRIES: u64 = 100;

/// What a job did to one object.
#[derive(Clone, Debug)]
pub struct Deed {
    pub object: ObjectRef,
    pub before: Option<Digest>,
    pub after: Option<Digest>,
    pub images: Vec<ReleasedImage>,
}

/// The releases of an environment, oldest first.
pub async fn of(
    records: &dyn Records,
    project: &ProjectName,
    environment: &EnvironmentName,
) -> Result<Vec<Release>, TypedError> {
    store::list(records, &Release::prefix_of(project, environment)).await
}

/// The release that an environment runs: the newest healthy one.
pub fn current(releases: &[Release]) -> Option<&Release> {
    releases.iter().rev().find(|release| release.state == ReleaseState::Healthy)
}

/// Adds what a job did to the release of its run, making the release if this is its first deed.
pub async fn note(records: &dyn Records, principal: &Principal, deed: Deed) -> Result<(), TypedError> {
    let Principal::Job { run, job, commit, project, environment } = principal else {
        return Ok(());
    };
    for _ in 0..NUMBER_TRIES {
        let releases = of(records, project, environment).await?;
        if let Some(release) = releases.iter().rev().find(|release| release.run == *run) {
            let key = Release::key_of(&release.id);
            store::modify::<Release>(records, &key, |release| extend(release, job, &deed)).await?;
            return Ok(());
        }
        let number = releases.last().map_or(0, |release| release.id.number) + 1;
        let now = store::now();
        let mut release = Release {
            id: ReleaseId { project: project.clone(), environment: environment.clone(), number },
            run: run.clone(),
            commit: *commit,
            jobs: Vec::new(),
            state: ReleaseState::Deploying,
            changes: Vec::new(),
            images: Vec::new(),
            workloads: Vec::new(),
            addresses: Vec::new(),
            cause: None,
            rolled_back_to: None,
            leftovers: Vec::new(),
            created: now,
            applied: now,
            finished: None,
        };
        extend(&mut release, job, &deed);
        if store::create(records, &release).await? {
            supersede(records, &releases).await?;
            return Ok(());
        }
    }
    Ok(())
}

/// The release before is judged no more once a newer one deploys over it.
async fn supersede(records: &dyn Records, older: &[Release]) -> Result<(), TypedError> {
    for release in older.iter().filter(|release| release.state == ReleaseState::Deploying) {
        store::modify::<Release>(records, &Release::key_of(&release.id), |release| {
            if release.state == ReleaseState::Deploying {
                release.state = ReleaseState::Superseded;
                release.finished = Some(store::now());
            }
        })
        .await?;
    }
    Ok(())
}

fn extend(release: &mut Release, job: &str, deed: &Deed) {
    release.applied = store::now();
    if !release.jobs.iter().any(|known| known == job) {
        release.jobs.push(job.to_owned());
    }
    // What is deployed after the verdict is judged anew.
    if matches!(release.state, ReleaseState::Healthy | ReleaseState::Superseded) {
        release.state = ReleaseState::Deploying;
        release.finished = None;
    }
    match release.changes.iter_mut().find(|change| change.object == deed.object) {
        Some(change) => change.after = deed.after,
        None => release.changes.push(Change {
            object: deed.object.clone(),
            before: deed.before,
            after: deed.after,
        }),
    }
    for image in &deed.images {
        release.images.retain(|known| known.reference != image.reference);
        release.images.push(image.clone());
    }
}

/// Each object that `release` and unjudged ones before it touched, as it was in the last healthy state.
///
/// `releases` are those of the environment, oldest first. Gives the release that
/// is gone back to, or `None` if no earlier one was healthy.
pub fn way_back(
    releases: &[Release],
    release: &Release,
) -> Option<(ReleaseId, BTreeMap<ObjectRef, Option<Digest>>)> {
    let earlier = releases.iter().filter(|it| it.id.number < release.id.number);
    let target = earlier.rev().find(|it| it.state == ReleaseState::Healthy)?;
    let mut before = BTreeMap::new();
    let between = releases.iter().filter(|it| {
        it.id.number > target.id.number
            && it.id.number <= release.id.number
            // What was rolled back left everything as it found it.
            && it.state != ReleaseState::RolledBack
    });
    for change in between.flat_map(|it| &it.changes) {
        before.entry(change.object.clone()).or_insert(change.before);
    }
    Some((target.id.clone(), before))
}
