//! Removes what a job leaves, and keeps its log.

use std::{io, time::Duration};

use api::JobGrant;
use names::{Digest, RunId};
use sandbox::{SandboxId, Signal, Target};
use store::LogName;
use tokio::sync::mpsc;
use workflow::JobEnd;

use crate::{
    Ci, containers,
    drive::Report,
    job_log::JobLog,
    jobs::sandbox_id,
    place::{COMPLETE, JobPlace},
    trust,
};

/// Removes what a job leaves, keeps its log, and reports that all is done.
pub async fn finish(ci: &Ci, run: &RunId, place: Option<JobPlace>, end: JobEnd, out: &mpsc::Sender<Report>) {
    let id = sandbox_id(run, &end.job, end.attempt);
    if let Some(place) = &place {
        containers::tell_logs(ci, place, COMPLETE).await;
        place.log.lock().await.say(COMPLETE, ["Cleaning up orphan processes".to_owned()]).await;
    }
    remove_sandboxes(ci, &id).await;
    let job = end.job.to_string();
    let rights = async {
        if end.started {
            take_rights(ci, run, &job).await;
        }
    };
    let ((), log, ()) = tokio::join!(rights, seal(ci, run, &job, end.attempt, place), remove_folder(ci, &id));
    // The receiver lives as long as the driver.
    let _ = out.send(Report::Closed { job: end.job, attempt: end.attempt, log }).await;
}

async fn take_rights(ci: &Ci, run: &RunId, job: &str) {
    if let Some(images) = &ci.config.images
        && let Err(error) = images.forget_names(&trust::space(run, job)).await
    {
        tracing::error!(%error, "the names of images of a job could not be forgotten");
    }
    let key = JobGrant::key_of(run, job);
    let (token, grant) = tokio::join!(ci.tokens.revoke_job(run, job), store::remove::<JobGrant>(&*ci.records, &key));
    if let Err(error) = token {
        tracing::error!(%error, "the token of a job could not be ended");
    }
    if let Err(error) = grant {
        tracing::error!(%error, "the grant of a job could not be ended");
    }
}

/// Removes everything of an attempt but its log.
pub async fn remove(ci: &Ci, id: &SandboxId) {
    remove_sandboxes(ci, id).await;
    remove_folder(ci, id).await;
}

async fn remove_sandboxes(ci: &Ci, id: &SandboxId) {
    remove_sandbox(ci, id).await;
    containers::remove(ci, id).await;
}

pub async fn remove_sandbox(ci: &Ci, id: &SandboxId) {
    let all = Target::All { signal: Signal::KILL, grace: Duration::ZERO };
    for target in [all, Target::Remove] {
        match ci.sandbox.stop(id, target).await {
            Ok(()) | Err(sandbox::Error::NoSandbox(_) | sandbox::Error::NotRunning(_)) => {}
            Err(error) => tracing::error!(%error, "the sandbox of a job could not be removed"),
        }
    }
}

async fn remove_folder(ci: &Ci, id: &SandboxId) {
    let folder = ci.config.folder.join(id.to_string());
    match tokio::fs::remove_dir_all(&folder).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::error!(%error, "the folder of a job could not be removed");
        }
        _ => {}
    }
}

async fn seal(ci: &Ci, run: &RunId, job: &str, attempt: u32, place: Option<JobPlace>) -> Option<Digest> {
    let sealed = async {
        match place {
            Some(place) => place.log.lock().await.seal().await,
            None => JobLog::open(&ci.logs, &LogName::new(run, job), attempt).await?.seal().await,
        }
    };
    match sealed.await {
        Ok(digest) => Some(digest),
        Err(error) => {
            tracing::error!(%error, "the log of a job could not be kept");
            None
        }
    }
}
