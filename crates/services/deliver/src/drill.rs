//! Drills of environments: the way back of releases, tried in a copy.

use std::{collections::BTreeMap, time::Duration};

use access::{Action, Principal};
use api::{Drill, DrillFinding, DrillWeight, ObjectRef, Release, ReleaseState};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use delivery::drill::Objects;
use names::{EnvironmentName, ProjectName};
use rehearsal::{Bring, Script};
use serde::Deserialize;

use crate::{
    Deliver, releases,
    rollback::{self, RollbackError},
    routes::{allow, refuse},
};

/// A release that takes longer to become healthy than this is judged bad, too.
const PATIENCE: Duration = Duration::from_secs(600);

/// As whom the way back is tried out on the live objects, without writing.
const MANAGER: &str = "landfall-drill";

#[derive(Deserialize)]
pub struct Asked {
    /// Until the whole drill is given up.
    seconds: u64,
}

/// `POST /landfall/v1/environments/{project}/{environment}/drills`
pub async fn begin(
    State(deliver): State<Deliver>,
    principal: Option<Extension<Principal>>,
    Path((project, environment)): Path<(ProjectName, EnvironmentName)>,
    Json(asked): Json<Asked>,
) -> Response {
    if let Err(refusal) = allow(principal, &Action::Operate) {
        return refusal;
    }
    let target = format!("{project}/{environment}");
    let all = match releases::of(&*deliver.records, &project, &environment).await {
        Ok(all) if all.is_empty() => return refuse(StatusCode::NOT_FOUND, format!("there is no app and no environment `{target}`")),
        Ok(all) => all,
        Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    };
    let drill = match deliver.rehearsal.open(&target).await {
        Ok(Some(drill)) => drill,
        Ok(None) => return refuse(StatusCode::CONFLICT, format!("a drill of `{target}` is running already")),
        Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    };
    let answer = Json(drill.clone()).into_response();
    // Whoever asked may go away; the copy must be removed all the same.
    tokio::spawn(async move {
        if let Err(error) = carry_out(&deliver, drill, &all, Duration::from_secs(asked.seconds)).await {
            tracing::error!(%error, target, "a drill could not be written down");
        }
    });
    answer
}

async fn carry_out(deliver: &Deliver, drill: Drill, all: &[Release], within: Duration) -> Result<(), RollbackError> {
    let live = all.iter().rev().find(|it| match it.state {
        ReleaseState::Deploying | ReleaseState::Healthy | ReleaseState::RollingBack | ReleaseState::Failed => true,
        ReleaseState::RolledBack | ReleaseState::Superseded => false,
    });
    let pair = live.and_then(|live| Some((live, releases::way_back(all, live)?.0)));
    let Some((new, old)) = pair else {
        let finding = DrillFinding {
            weight: DrillWeight::Blocks,
            code: "LF-D0301".to_owned(),
            object: None,
            message: format!("no healthy release of `{}` came before the one that is served", drill.target),
            help: "deploy a second healthy version; `landfall ps` shows what there is".to_owned(),
        };
        deliver.rehearsal.close(drill, finding).await?;
        return Ok(());
    };
    let script = Script {
        old_name: old.to_string(),
        new_name: new.id.to_string(),
        old: state(deliver, all, old.number).await?,
        new: state(deliver, all, new.id.number).await?,
        manager: MANAGER.to_owned(),
        patience: PATIENCE,
        bring: bring(deliver),
    };
    deliver.rehearsal.play(drill, script, within).await?;
    Ok(())
}

/// All objects of the environment as a release left them.
async fn state(deliver: &Deliver, all: &[Release], number: u64) -> Result<Objects, RollbackError> {
    let mut digests = BTreeMap::new();
    // What was rolled back left everything as it found it.
    for release in all.iter().filter(|it| it.id.number <= number && it.state != ReleaseState::RolledBack) {
        for change in &release.changes {
            digests.insert(change.object.clone(), change.after);
        }
    }
    let mut objects = Objects::new();
    for (object, digest) in digests {
        if let Some(digest) = digest {
            let value = deliver.snapshots.read(&object, digest).await?;
            objects.push((object, value));
        }
    }
    Ok(objects)
}

/// Writes objects as a rollback writes them.
fn bring(deliver: &Deliver) -> Bring {
    let deliver = deliver.clone();
    Box::new(move |objects, gone| {
        let deliver = deliver.clone();
        Box::pin(async move {
            let mut wanted: BTreeMap<ObjectRef, _> = gone.into_iter().map(|(object, _)| (object, None)).collect();
            wanted.extend(objects.into_iter().map(|(object, value)| (object, Some(value))));
            rollback::restore(&deliver, &wanted).await
        })
    })
}
