//! Threads from records: the newest ones, and the one that an id belongs to.

mod find;
mod id;
mod nearest;

use std::collections::BTreeSet;

use api::{ImageTag, Push, Record as _, Release, Run};
use delivery::Thread;
use names::{CommitId, ProjectName, RunId};
use store::{Records, TypedError};

pub use find::find;
pub use nearest::nearest;

/// Which thread: a commit, in one project or wherever it was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub commit: CommitId,
    pub project: Option<ProjectName>,
}

/// The records that threads are cut from; runs are read one by one, because
/// their state is large and most of them are not asked for.
pub struct Shelf {
    pushes: Vec<Push>,
    releases: Vec<Release>,
    images: Vec<ImageTag>,
}

impl Shelf {
    pub async fn read(
        records: &dyn Records,
        project: Option<&ProjectName>,
    ) -> Result<Self, TypedError> {
        let prefix = prefix_of(project);
        Ok(Self {
            pushes: store::list(records, &prefix).await?,
            releases: store::list(records, &prefix).await?,
            images: store::list(records, "").await?,
        })
    }

    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// One place a commit and project, the newest push first.
    fn places(&self) -> Vec<Place> {
        let mut pushes: Vec<_> = self.pushes.iter().filter(|push| !push.after.is_zero()).collect();
        pushes.sort_by_key(|push| (std::cmp::Reverse(push.at), std::cmp::Reverse(push.number)));
        let mut seen = BTreeSet::new();
        let new = |push: &&&Push| seen.insert((push.project.clone(), push.after));
        let place =
            |push: &Push| Place { commit: push.after, project: Some(push.project.clone()) };
        pushes.iter().filter(new).map(|push| place(push)).collect()
    }

    /// Cuts out one thread.
    pub async fn thread(&self, records: &dyn Records, place: &Place) -> Result<Thread, TypedError> {
        let commit = place.commit;
        let here = |project: &ProjectName| place.project.as_ref().is_none_or(|it| it == project);
        let pushes: Vec<_> =
            self.pushes.iter().filter(|it| it.after == commit && here(&it.project)).collect();
        let releases: Vec<_> =
            self.releases.iter().filter(|it| it.commit == commit && here(&it.id.project)).collect();
        let its = |image: &&ImageTag| {
            image.commit == Some(commit) && image.run.as_ref().is_none_or(|run| here(&run.project))
        };
        let images: Vec<_> = self.images.iter().filter(its).collect();

        let mut ids: BTreeSet<RunId> = releases.iter().map(|release| release.run.clone()).collect();
        ids.extend(images.iter().filter_map(|image| image.run.clone()));
        let mut runs = Vec::new();
        for push in &pushes {
            match &push.runs {
                Some(numbers) => {
                    let id = |number: &u64| RunId { project: push.project.clone(), number: *number };
                    ids.extend(numbers.iter().map(id));
                }
                // The runs are made before the push notes them.
                None => runs.extend(runs_of(records, push).await?),
            }
        }
        for id in ids {
            if !runs.iter().any(|run| run.id == id) {
                runs.extend(store::find::<Run>(records, &Run::key_of(&id)).await?);
            }
        }
        runs.retain(|run| run.commit == commit);
        Ok(in_order(Thread {
            commit,
            pushes: pushes.into_iter().cloned().collect(),
            runs,
            images: images.into_iter().cloned().collect(),
            releases: releases.into_iter().cloned().collect(),
        }))
    }
}

async fn runs_of(records: &dyn Records, push: &Push) -> Result<Vec<Run>, TypedError> {
    let runs = store::list::<Run>(records, &prefix_of(Some(&push.project))).await?;
    Ok(runs.into_iter().filter(|run| run.push == push.number).collect())
}

/// What the keys of a project's records begin with; those of all projects without one.
pub fn prefix_of(project: Option<&ProjectName>) -> String {
    project.map(|project| format!("{project}/")).unwrap_or_default()
}

/// Everything in the order in which it came to be. The state machine of a run
/// is nobody's business outside the pipeline.
fn in_order(mut thread: Thread) -> Thread {
    thread.pushes.sort_by_key(|push| (push.at, push.key()));
    thread.runs.sort_by_key(|run| (run.created, run.key()));
    thread.images.sort_by_key(|image| (image.pushed, image.key()));
    thread.releases.sort_by_key(|release| (release.created, release.key()));
    for run in &mut thread.runs {
        run.machine = serde_json::Value::Null;
    }
    thread
}

/// The newest threads, one a commit and project, the newest push first.
pub async fn newest(
    records: &dyn Records,
    project: Option<&ProjectName>,
    limit: usize,
) -> Result<Vec<Thread>, TypedError> {
    of_shelf(records, &Shelf::read(records, project).await?, limit).await
}

/// The newest threads of what was read already.
pub async fn of_shelf(
    records: &dyn Records,
    shelf: &Shelf,
    limit: usize,
) -> Result<Vec<Thread>, TypedError> {
    let mut threads = Vec::new();
    for place in shelf.places().iter().take(limit) {
        threads.push(shelf.thread(records, place).await?);
    }
    Ok(threads)
}

/// The thread at `place` as it is now.
pub async fn read(records: &dyn Records, place: &Place) -> Result<Thread, TypedError> {
    Shelf::read(records, place.project.as_ref()).await?.thread(records, place).await
}
