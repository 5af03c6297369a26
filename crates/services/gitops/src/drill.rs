//! Drills of apps: the sync of the app itself, in a copy.

use std::{sync::Arc, time::Duration};

use api::{App, DeploymentState, Drill, DrillFinding, DrillWeight, SyncOperation};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use delivery::{drill::Objects, gitops};
use objects::ClusterError;
use rehearsal::{Bring, Script};
use serde::Deserialize;

use crate::{
    GitOps,
    actor::StepError,
    compare::manager,
    desired,
    routes::{allow, find, refuse},
    sync::{Goal, Round, States, TaskState},
};

/// How often a sync in the copy is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// Which two states are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Pair {
    /// From what is deployed back to the healthy deployment before.
    #[default]
    Before,
    /// From what Git says, and is not deployed yet, back to what is deployed.
    Next,
}

#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    pair: Pair,
    /// Until the whole drill is given up.
    seconds: u64,
}

/// `POST /landfall/v1/apps/{name}/drills`
pub async fn begin(
    State(service): State<GitOps>,
    principal: Option<Extension<access::Principal>>,
    Path(name): Path<String>,
    Json(asked): Json<Asked>,
) -> Response {
    if let Err(refusal) = allow(principal, &access::Action::Operate) {
        return refusal;
    }
    let app = match find(&service, &name).await {
        Ok(app) => app,
        Err(refusal) => return refusal,
    };
    if let Some(cluster) = &app.spec.cluster {
        return refuse(StatusCode::CONFLICT, format!("`{name}` runs in the cluster `{cluster}`, which only its agent reaches; a drill needs the cluster of this installation"));
    }
    let drill = match service.rehearsal.open(&name).await {
        Ok(Some(drill)) => drill,
        Ok(None) => return refuse(StatusCode::CONFLICT, format!("a drill of `{name}` is running already")),
        Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    };
    let answer = Json(drill.clone()).into_response();
    // Whoever asked may go away; the copy must be removed all the same.
    tokio::spawn(async move {
        if let Err(error) = service.drill(app, drill, asked).await {
            tracing::error!(%error, app = name, "a drill could not be written down");
        }
    });
    answer
}

impl GitOps {
    async fn drill(&self, app: App, drill: Drill, asked: Asked) -> Result<(), StepError> {
        let pair = match asked.pair {
            Pair::Before => self.deployed_and_before(&app).await?,
            Pair::Next => self.next_and_deployed(&app).await?,
        };
        let ((new_name, new), (old_name, old)) = match pair {
            Ok(pair) => pair,
            Err(finding) => {
                self.rehearsal.close(drill, *finding).await?;
                return Ok(());
            }
        };
        let script = Script {
            old_name,
            new_name,
            old,
            new,
            manager: manager(&app.name),
            patience: Duration::from_secs(app.spec.deadline_seconds),
            bring: self.bring(&app, drill.number),
        };
        self.rehearsal.play(drill, script, Duration::from_secs(asked.seconds)).await?;
        Ok(())
    }

    async fn deployed_and_before(&self, app: &App) -> Result<Result<Both, Box<DrillFinding>>, StepError> {
        let history = &app.status.history;
        let deployed = app.status.deployed.map(|id| gitops::origin(app, id));
        let newest = deployed.and_then(|id| history.iter().find(|it| it.id == id)).or(history.last());
        let Some(newest) = newest else {
            return Ok(Err(nothing(format!("`{}` has no deployment yet", app.name))));
        };
        let is_good = |it: &&api::Deployment| {
            it.id < newest.id
                && it.state == DeploymentState::Healthy
                && it.revision.rendered != newest.revision.rendered
                && !gitops::is_quarantined(app, it.revision.rendered)
        };
        let Some(before) = history.iter().rev().find(is_good) else {
            return Ok(Err(nothing(format!("no healthy deployment of `{}` came before deployment {}", app.name, newest.id))));
        };
        let named = |it: &api::Deployment| format!("deployment {}", gitops::origin(app, it.id));
        let (Some(new), Some(old)) = (self.kept_objects(newest).await?, self.kept_objects(before).await?) else {
            return Ok(Err(nothing(format!("what {} brought is not kept any more", named(before)))));
        };
        Ok(Ok(((named(newest), new), (named(before), old))))
    }

    async fn next_and_deployed(&self, app: &App) -> Result<Result<Both, Box<DrillFinding>>, StepError> {
        let Some(deployed) = app.status.deployed.and_then(|id| app.status.history.iter().find(|it| it.id == id)) else {
            return Ok(Err(nothing(format!("`{}` has no deployment to go back to", app.name))));
        };
        let desired = match self.desired(app, None, &mut desired::Memory::default(), desired::Asking::Now, store::now()).await {
            Ok(desired) => desired,
            Err(error) => return Ok(Err(nothing(format!("what Git says cannot be had: {error}")))),
        };
        if desired.revision.rendered == deployed.revision.rendered {
            return Ok(Err(nothing(format!("what Git says is deployed already; without `--next`, the way back from it is tried on `{}`", app.name))));
        }
        let Some(old) = self.kept_objects(deployed).await? else {
            return Ok(Err(nothing(format!("what deployment {} brought is not kept any more", deployed.id))));
        };
        let commit = desired.revision.commits.first().map_or_else(|| "Git".to_owned(), |it| format!("commit {}", it.short()));
        Ok(Ok(((commit, desired.objects), (format!("deployment {}", gitops::origin(app, deployed.id)), old))))
    }

    /// What a deployment brought; `None` when it is not kept any more.
    async fn kept_objects(&self, deployment: &api::Deployment) -> Result<Option<Objects>, StepError> {
        match self.kept.read(deployment.revision.rendered).await {
            Ok(objects) => Ok(Some(Arc::unwrap_or_clone(objects))),
            Err(crate::kept::KeptError::Gone(_) | crate::kept::KeptError::Blob(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Syncs objects as the app would, in the copy.
    fn bring(&self, app: &App, number: u64) -> Bring {
        let mut copy = app.clone();
        copy.name = format!("{}-drill-{number}", app.name);
        copy.spec.options.create_namespace = false;
        let service = self.clone();
        Box::new(move |objects, gone| {
            let (service, copy) = (service.clone(), copy.clone());
            Box::pin(async move { service.sync_copy(&copy, &objects, &gone).await })
        })
    }

    async fn sync_copy(&self, copy: &App, objects: &Objects, gone: &Objects) -> Result<Vec<String>, ClusterError> {
        let mut pruned = Objects::new();
        for (object, _) in gone {
            if let Some(live) = self.cluster.find(object).await? {
                pruned.push((object.clone(), live));
            }
        }
        let goal = Goal { objects, pruned, only: None, until: gitops::Phase::PostSync };
        let mut operation = SyncOperation {
            deployment: 0,
            phase: "Sync".to_owned(),
            message: String::new(),
            attempt: 1,
            retry_at: None,
            done: Vec::new(),
        };
        let mut states = States::new();
        loop {
            match self.advance(copy, &mut operation, &goal, &mut states).await? {
                Round::Waiting => tokio::time::sleep(GLANCE).await,
                Round::Done => return Ok(Vec::new()),
                Round::Failed(_) => {
                    let refused = states.iter().filter_map(|(id, state)| match state {
                        TaskState::Failed(why) => Some(format!("{}: {why}", id.split_whitespace().skip(2).collect::<Vec<_>>().join(" "))),
                        TaskState::Pending | TaskState::Running | TaskState::Done => None,
                    });
                    return Ok(refused.collect());
                }
            }
        }
    }
}

/// What is left and what is gone back to, each with its name.
type Both = ((String, Objects), (String, Objects));

fn nothing(message: String) -> Box<DrillFinding> {
    Box::new(DrillFinding {
        weight: DrillWeight::Blocks,
        code: "LF-D0301".to_owned(),
        object: None,
        message,
        help: "deploy a second healthy version; `landfall app history` shows what there is".to_owned(),
    })
}
