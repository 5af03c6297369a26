//! Forgets reports that nobody compares with any more.

use std::{collections::HashMap, time::Duration};

use api::{Record as _, TestReport};
use names::{ProjectName, Timestamp};
use store::TypedError;

use crate::{Ci, drive::CiError};

/// As long as artifacts are kept; a commit is not tested again later.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A project whose reports are more than this has had a thousand runs of a large matrix.
const KEPT_MAX: usize = 20_000;

/// Age counts in days, so this is often enough.
const PAUSE: Duration = Duration::from_secs(6 * 60 * 60);

/// Looks for old reports now and then, until the process ends.
pub async fn forget_old(ci: Ci) -> Result<(), CiError> {
    loop {
        if let Err(error) = forget(&ci).await {
            tracing::error!(%error, "old test reports could not be removed");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn forget(ci: &Ci) -> Result<(), TypedError> {
    let all = store::list::<TestReport>(&*ci.records, "").await?;
    let known = all.into_iter().map(|it| Known { key: it.key(), project: it.run.project, created: it.created });
    for key in old(known.collect(), store::now()) {
        store::remove::<TestReport>(&*ci.records, &key).await?;
    }
    Ok(())
}

struct Known {
    key: String,
    project: ProjectName,
    created: Timestamp,
}

/// The keys of those that are too old, or too many in their project.
fn old(mut all: Vec<Known>, now: Timestamp) -> Vec<String> {
    all.sort_by_key(|it| std::cmp::Reverse(it.created));
    let mut seen: HashMap<ProjectName, usize> = HashMap::new();
    let mut keys = Vec::new();
    for report in all {
        let count = seen.entry(report.project).or_default();
        *count += 1;
        if *count > KEPT_MAX || now.since(report.created) > KEPT {
            keys.push(report.key);
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_go_by_age_and_by_number() {
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        let first: Timestamp = "2026-05-01T00:00:00Z".parse().expect("a time");
        let now = first + days(200);
        let known = |key: &str, project: &str, age: Duration| Known {
            key: key.to_owned(),
            project: project.parse().expect("a name"),
            created: first + (days(200) - age),
        };
        let mut all = vec![known("new", "shop", days(1)), known("old", "shop", days(91)), known("kept", "shop", days(90))];
        all.extend((0..=KEPT_MAX).map(|at| known(&at.to_string(), "busy", Duration::from_secs(at as u64))));
        assert_eq!(old(all, now), [KEPT_MAX.to_string(), "old".to_owned()]);
    }
}
