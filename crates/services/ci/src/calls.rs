//! Reads the workflow files that jobs call.

use names::RunId;
use tokio::sync::mpsc;
use workflow::{ActionRef, Event, JobKey, LoadedWorkflow, WorkflowHome, WorkflowRef};

use crate::{Ci, drive::Report};

/// Where the file lies that calls.
pub enum Home {
    /// In the repository of this run.
    Run(RunId),
    Other,
}

/// Reads one, and reports it.
pub async fn load(
    ci: &Ci,
    home: &Home,
    job: JobKey,
    reference: &WorkflowRef,
    from: &WorkflowHome,
    out: &mpsc::Sender<Report>,
) {
    let workflow = match reference {
        WorkflowRef::Local(path) => local(ci, home, path, from).await,
        WorkflowRef::Repository(file) => remote(ci, file).await,
    };
    // The receiver lives as long as the driver.
    let _ = out.send(Report::Event(Event::WorkflowLoaded { job, workflow })).await;
}

async fn local(ci: &Ci, home: &Home, path: &str, from: &WorkflowHome) -> Result<LoadedWorkflow, String> {
    let Home::Run(run) = home else {
        let version = from.commit.clone();
        let file = ActionRef { repository: from.repository.clone(), path: Some(path.to_owned()), version };
        let (source, _) = ci.actions.file(&file).await?;
        return Ok(LoadedWorkflow { path: path.to_owned(), source, home: from.clone() });
    };
    let commit = from.commit.parse().map_err(|_| format!("`{}` is no commit", from.commit))?;
    let repository = ci.repositories.find(&run.project).ok_or("the repository of the run is gone")?;
    let bytes = repository.file(commit, path).await.map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or_else(|| format!("there is no file `{path}` at the commit {commit}"))?;
    let source = String::from_utf8(bytes).map_err(|_| format!("`{path}` is not UTF-8"))?;
    Ok(LoadedWorkflow { path: path.to_owned(), source, home: from.clone() })
}

async fn remote(ci: &Ci, file: &ActionRef) -> Result<LoadedWorkflow, String> {
    let (source, commit) = ci.actions.file(file).await?;
    let home = WorkflowHome { repository: file.repository.clone(), git_ref: file.version.clone(), commit };
    Ok(LoadedWorkflow { path: file.path.clone().unwrap_or_default(), source, home })
}
