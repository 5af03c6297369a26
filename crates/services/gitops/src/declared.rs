//! Apps that a repository asks for in its `landfall.yaml`: made, changed and let go with the file.

use api::{App, AppStatus, Push};
use delivery::gitops::{self, PROJECT_FILE};
use names::ProjectName;
use repo::GitError;
use store::TypedError;

use crate::{GitOps, routes};

/// Why a `landfall.yaml` could not be followed this time.
#[derive(Debug, thiserror::Error)]
pub enum DeclaredError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Store(#[from] TypedError),
}

impl GitOps {
    /// Reads the file of every repository here, after a start.
    pub async fn follow_all_files(&self) {
        let projects = self.repositories.projects().unwrap_or_default();
        for project in projects {
            if let Err(error) = self.follow_file(&project, None).await {
                tracing::warn!(%error, %project, "a landfall.yaml could not be read");
            }
        }
    }

    /// Makes the apps of a project what the file on its default branch says; `push` is told what is wrong with it.
    pub async fn follow_file(&self, project: &ProjectName, push: Option<&Push>) -> Result<(), DeclaredError> {
        if !self.follows_files {
            return Ok(());
        }
        let _one_by_one = self.files.lock().await;
        let Some(repository) = self.repositories.find(project) else { return Ok(()) };
        let Some(commit) = repository.resolve(&repository.head().await?).await? else { return Ok(()) };
        let file = repository.file(commit, PROJECT_FILE).await?;
        let text = String::from_utf8_lossy(&file.unwrap_or_default()).into_owned();
        let wanted = match gitops::read_project_file(&text, project) {
            Ok(wanted) => wanted,
            // What is wrong changes nothing: the apps stay as they are.
            Err(error) => {
                if let Some(push) = push.filter(|it| it.after == commit) {
                    self.tell(push, &yaml::render_all(&error.0, &text)).await?;
                }
                return Ok(());
            }
        };
        let own = project.to_string();
        let known = store::list::<App>(&*self.records, "").await?;
        for app in &wanted {
            let other = known.iter().find(|it| it.name == app.name && it.spec.declared_by.as_ref() != Some(&own));
            if other.is_some() {
                if let Some(push) = push {
                    let message = format!("error: {PROJECT_FILE}: there is an app `{}` already, which is not of this repository\nhelp: give this one another `name`", app.name);
                    self.tell(push, &message).await?;
                }
                continue;
            }
            routes::put(self, app.name.clone(), app.spec.clone()).await?;
        }
        let is_gone = |it: &&App| it.spec.declared_by.as_ref() == Some(&own) && !wanted.iter().any(|app| app.name == it.name);
        for app in known.iter().filter(is_gone) {
            // What it brought stays: a file that was deleted by mistake must not end a service.
            store::remove::<App>(&*self.records, &app.name).await?;
        }
        Ok(())
    }

    async fn tell(&self, push: &Push, message: &str) -> Result<(), TypedError> {
        let key = api::Record::key(push);
        store::modify::<Push>(&*self.records, &key, |push| {
            if !push.errors.iter().any(|it| it == message) {
                push.errors.push(message.to_owned());
            }
        })
        .await
        .map(drop)
    }
}

/// An app as it begins.
pub fn fresh(name: String, spec: api::AppSpec) -> App {
    App { name, spec, generation: 1, request: None, status: AppStatus::default() }
}
