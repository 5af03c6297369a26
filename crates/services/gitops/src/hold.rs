//! Writes the commit that takes a quarantined state back.

use api::{App, DeploymentState, Quarantine};
use repo::{Author, NewCommit};

use crate::{GitOps, desired::Desired};

impl GitOps {
    /// Writes the commit that takes a quarantined state back, where the source is a branch of this
    /// installation and still renders it. Tells what became of it.
    pub async fn write_back(&self, app: &App, bad: &Quarantine, seen: &Desired) -> Result<Option<names::CommitId>, String> {
        if seen.revision.rendered != bad.rendered {
            return Err("Git says something else by now".to_owned());
        }
        let good = app.status.history.iter().rev().find(|it| it.back_to.is_some() || it.state == DeploymentState::Healthy);
        let Some(good) = good.filter(|it| it.revision.rendered != bad.rendered) else {
            return Err("there is no good state to write".to_owned());
        };
        let mut written = None;
        for ((source, found), from) in app.spec.sources.iter().zip(&seen.found).zip(&good.revision.commits) {
            if found.commit == *from {
                continue;
            }
            let (Some(branch), Some(project), Some(repository)) = (&found.branch, &found.project, &found.repository) else {
                return Err(format!("`{}` is no branch of this installation; revert it there", source.revision));
            };
            // Somebody may have pushed a fix a moment ago; that is looked at first.
            let head = repository.resolve(branch).await.map_err(|error| error.to_string())?;
            if head != Some(found.commit) {
                return Err(format!("`{branch}` moved on meanwhile"));
            }
            let message = message(app, bad, &from.short());
            let author = Author { name: "Landfall".to_owned(), email: "landfall@localhost".to_owned() };
            let commit = NewCommit { author: &author, message: &message, branch, folder: &source.path, from: *from };
            let pushed = repository.restore(&(self.config.push_url)(project), &commit).await;
            written = pushed.map_err(|error| error.to_string())?.or(written);
        }
        Ok(written)
    }
}

/// The message of a revert, with what was seen as trailers.
fn message(app: &App, bad: &Quarantine, good: &str) -> String {
    let commits: Vec<_> = bad.commits.iter().map(ToString::to_string).collect();
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let evidence: String = bad.cause.evidence.iter().map(|line| format!("Landfall-Evidence: {}\n", one_line(line))).collect();
    format!(
        "Take {} back to {good}\n\nDeployment {} failed: {}\n\nLandfall-App: {}\nLandfall-Quarantined: {}\nLandfall-Commit: {}\nLandfall-Cause: {} {}\n{evidence}",
        app.name,
        bad.deployment,
        one_line(&bad.cause.summary),
        app.name,
        bad.rendered,
        commits.join(" "),
        bad.cause.code,
        one_line(&bad.cause.summary),
    )
}
