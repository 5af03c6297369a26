//! Drift that shall stay: the live values become a commit.

use access::{Action, Principal};
use api::{App, SyncState};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use delivery::gitops::{self, AdoptError};
use names::CommitId;
use repo::{Author, FileChange, GitError};
use serde::Deserialize;
use serde_json::json;

use crate::{
    GitOps,
    routes::{allow, find, refuse},
    source::{Fresh, SourceError},
};

/// Why drift was not adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptionError {
    #[error("nothing of `{0}` differs from Git")]
    NoDrift(String),
    #[error("`{0}` has several sources; change the right one by hand")]
    SeveralSources(String),
    #[error("`{0}` is no branch of this installation; change it there")]
    Elsewhere(String),
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Git(#[from] GitError),
}

#[derive(Deserialize)]
pub struct Asked {
    /// `KIND/NAME`; everything that differs without.
    #[serde(default)]
    object: Option<String>,
}

/// `POST /landfall/v1/apps/{name}/adoptions`
pub async fn adopt(
    State(service): State<GitOps>,
    principal: Option<Extension<Principal>>,
    Path(name): Path<String>,
    Json(asked): Json<Asked>,
) -> Response {
    if let Err(refusal) = allow(principal, &Action::Operate) {
        return refusal;
    }
    let app = match find(&service, &name).await {
        Ok(app) => app,
        Err(refusal) => return refusal,
    };
    match service.adopt(&app, asked.object.as_deref()).await {
        Ok((commit, objects)) => Json(json!({"apiVersion": "landfall/v1", "commit": commit, "objects": objects})).into_response(),
        Err(error @ (AdoptionError::Git(_) | AdoptionError::Source(_))) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
        Err(error) => refuse(StatusCode::CONFLICT, error),
    }
}

impl GitOps {
    /// Writes the live values of what differs to the branch that the app follows.
    async fn adopt(&self, app: &App, only: Option<&str>) -> Result<(CommitId, Vec<String>), AdoptionError> {
        let [source] = &app.spec.sources[..] else { return Err(AdoptionError::SeveralSources(app.name.clone())) };
        let differs = |it: &&api::AppResource| it.sync == SyncState::OutOfSync && !it.drift.is_empty();
        let wanted = |it: &&api::AppResource| only.is_none_or(|only| it.object.to_string() == only);
        let differing: Vec<_> = app.status.resources.iter().filter(differs).filter(wanted).collect();
        if differing.is_empty() {
            return Err(AdoptionError::NoDrift(only.unwrap_or(&app.name).to_owned()));
        }
        let found = self.find_source(source, Fresh::Ask).await?;
        let (Some(branch), Some(project), Some(repository)) = (&found.branch, &found.project, &found.repository) else {
            return Err(AdoptionError::Elsewhere(source.revision.clone()));
        };
        let below = |path: &str| source.path.is_empty() || path.strip_prefix(&source.path).is_some_and(|rest| rest.starts_with('/'));
        let is_manifest = |path: &str| below(path) && (path.ends_with(".yaml") || path.ends_with(".yml"));
        let tree = repository.tree(found.commit, is_manifest).await?;
        let mut files: Vec<_> = tree.into_iter().filter_map(|(path, bytes)| Some((path, String::from_utf8(bytes?).ok()?))).collect();
        let mut changed = Vec::new();
        for resource in &differing {
            let adopted = gitops::adopt(&files, &resource.object, &resource.drift, &app.spec.namespace)?;
            // Several objects may stand in one file.
            if let Some((_, text)) = files.iter_mut().find(|(path, _)| *path == adopted.path) {
                text.clone_from(&adopted.text);
            }
            changed.push(adopted.path);
        }
        changed.sort();
        changed.dedup();
        let contents: Vec<_> = files.into_iter().filter(|(path, _)| changed.contains(path)).map(|(path, text)| (path, text.into_bytes())).collect();
        let objects: Vec<_> = differing.iter().map(|it| it.object.to_string()).collect();
        let lines: String = differing.iter().flat_map(|it| it.drift.iter().map(|field| line(&it.object, field))).collect();
        let message = format!("Adopt what was changed in {}\n\n{lines}\nLandfall-App: {}\n", objects.join(", "), app.name);
        let author = Author { name: "Landfall".to_owned(), email: "landfall@localhost".to_owned() };
        let change = FileChange { author: &author, message: &message, branch, files: &contents };
        let commit = repository.change(&(self.config.push_url)(project), found.commit, &change).await?;
        Ok((commit, objects))
    }
}

fn line(object: &api::ObjectRef, field: &api::DriftField) -> String {
    let live = field.live.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let by = field.writer.as_ref().map(|it| format!(", written by {it}")).unwrap_or_default();
    format!("{object} {}: {live}{by}\n", field.path)
}
