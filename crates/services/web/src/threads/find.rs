//! Which thread an id belongs to.

use std::collections::BTreeSet;

use api::{ImageTag, Push, Release, Run};
use names::{CommitId, ProjectName, ReleaseId, RunId};
use store::Records;

use super::{
    Place,
    id::{self, Id},
    nearest, prefix_of,
};
use crate::refusal::Refusal;

/// Finds the place of the thread that `text` names; `project` narrows the search.
pub async fn find(
    records: &dyn Records,
    text: &str,
    project: Option<&ProjectName>,
) -> Result<Place, Refusal> {
    match id::parse(text) {
        Some(Id::Run(run)) => by_run(records, run).await,
        Some(Id::Release(release)) => by_release(records, release).await,
        Some(Id::Image(digits)) => by_image(records, &digits, project).await,
        Some(Id::Commit(digits)) => by_commit(records, &digits, project).await,
        None => Err(Refusal::missing(
            "commit, run, release or image",
            text,
            nearest(text, known_ids(records, project).await?),
        )),
    }
}

async fn by_run(records: &dyn Records, id: RunId) -> Result<Place, Refusal> {
    match store::find::<Run>(records, &Run::key_of(&id)).await? {
        Some(run) => Ok(Place { commit: run.commit, project: Some(id.project) }),
        None => {
            let known = known_runs(records, None).await?;
            Err(Refusal::missing("run", &id, nearest(&id.to_string(), known)))
        }
    }
}

async fn by_release(records: &dyn Records, id: ReleaseId) -> Result<Place, Refusal> {
    match store::find::<Release>(records, &Release::key_of(&id)).await? {
        Some(release) => Ok(Place { commit: release.commit, project: Some(id.project) }),
        None => {
            let known = known_releases(records, None).await?;
            Err(Refusal::missing("release", &id, nearest(&id.to_string(), known)))
        }
    }
}

async fn by_commit(
    records: &dyn Records,
    digits: &str,
    project: Option<&ProjectName>,
) -> Result<Place, Refusal> {
    let pushed = known_commits(records, project).await?;
    let matching: BTreeSet<_> =
        pushed.iter().filter(|commit| commit.to_string().starts_with(digits)).copied().collect();
    if matching.is_empty() {
        let known = pushed.iter().map(CommitId::short);
        return Err(Refusal::missing("commit", digits, nearest(digits, known)));
    }
    one_of(digits, matching, project)
}

/// Tags know what made an image; releases know only who used it.
async fn by_image(
    records: &dyn Records,
    digits: &str,
    project: Option<&ProjectName>,
) -> Result<Place, Refusal> {
    let tags = store::list::<ImageTag>(records, "").await?;
    let here = |run: &Option<RunId>| {
        project.is_none_or(|it| run.as_ref().is_some_and(|run| run.project == *it))
    };
    let its = |tag: &&ImageTag| tag.digest.hex().starts_with(digits) && here(&tag.run);
    let made: BTreeSet<_> = tags.iter().filter(its).filter_map(|tag| tag.commit).collect();
    if !made.is_empty() {
        return one_of(&format!("sha256:{digits}"), made, project);
    }
    let releases = store::list::<Release>(records, &prefix_of(project)).await?;
    let uses = |release: &&Release| {
        release.images.iter().any(|image| image.digest.hex().starts_with(digits))
    };
    let used: BTreeSet<_> = releases.iter().filter(uses).map(|release| release.commit).collect();
    if used.is_empty() {
        let known = tags.iter().filter(|tag| tag.commit.is_some()).map(|tag| tag.digest.to_string());
        let known: BTreeSet<_> = known.collect();
        let wanted = format!("sha256:{digits}");
        return Err(Refusal::missing("image", &wanted, nearest(&wanted, known)));
    }
    one_of(&format!("sha256:{digits}"), used, project)
}

fn one_of(
    id: &str,
    commits: BTreeSet<CommitId>,
    project: Option<&ProjectName>,
) -> Result<Place, Refusal> {
    let mut rest = commits.iter();
    match (rest.next(), rest.next()) {
        (Some(commit), None) => Ok(Place { commit: *commit, project: project.cloned() }),
        _ => Err(Refusal::ambiguous(id, commits.iter().map(CommitId::short).collect())),
    }
}

/// Commits that were pushed or released, the newest first.
async fn known_commits(
    records: &dyn Records,
    project: Option<&ProjectName>,
) -> Result<Vec<CommitId>, Refusal> {
    let prefix = prefix_of(project);
    let pushes = store::list::<Push>(records, &prefix).await?;
    let releases = store::list::<Release>(records, &prefix).await?;
    let pushed = pushes.iter().map(|push| (push.at, push.after));
    let mut known: Vec<_> =
        pushed.chain(releases.iter().map(|release| (release.created, release.commit))).collect();
    known.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let mut seen = BTreeSet::new();
    let commits = known.into_iter().map(|(_, commit)| commit).filter(|commit| !commit.is_zero());
    Ok(commits.filter(|commit| seen.insert(*commit)).collect())
}

/// The newest first.
async fn known_runs(
    records: &dyn Records,
    project: Option<&ProjectName>,
) -> Result<Vec<String>, Refusal> {
    let pushes = store::list::<Push>(records, &prefix_of(project)).await?;
    let runs = pushes.iter().rev().flat_map(|push| {
        let numbers = push.runs.iter().flatten().rev();
        numbers.map(|number| RunId { project: push.project.clone(), number: *number }.to_string())
    });
    Ok(runs.collect())
}

/// The newest first.
async fn known_releases(
    records: &dyn Records,
    project: Option<&ProjectName>,
) -> Result<Vec<String>, Refusal> {
    let releases = store::list::<Release>(records, &prefix_of(project)).await?;
    Ok(releases.iter().rev().map(|release| release.id.to_string()).collect())
}

async fn known_ids(
    records: &dyn Records,
    project: Option<&ProjectName>,
) -> Result<Vec<String>, Refusal> {
    let mut known = known_runs(records, project).await?;
    known.extend(known_releases(records, project).await?);
    known.extend(known_commits(records, project).await?.iter().map(CommitId::short));
    Ok(known)
}
