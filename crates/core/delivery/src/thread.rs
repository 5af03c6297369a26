//! The thread of a commit: its pushes, runs, images and releases, and what came of it.

use api::{Conclusion, ImageTag, Push, Release, ReleaseState, Run, Status};
use names::CommitId;
use serde::{Deserialize, Serialize};

/// Everything that is known of one commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    pub commit: CommitId,
    pub pushes: Vec<Push>,
    pub runs: Vec<Run>,
    pub images: Vec<ImageTag>,
    pub releases: Vec<Release>,
}

/// What came of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Something still runs.
    Pending,
    /// A release of the commit is served, and nothing failed.
    Healthy,
    /// The run succeeded and deployed nothing.
    Succeeded,
    /// A run failed or was cancelled.
    RunFailed,
    /// A release was bad, and there was nothing to go back to.
    Failed,
    /// A release was bad, and the release before it is served again.
    RolledBack,
    /// No workflow of the commit started.
    NoRun,
}

impl Outcome {
    /// In words, for tables.
    pub fn words(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Healthy => "healthy",
            Self::Succeeded => "succeeded",
            Self::RunFailed => "run failed",
            Self::Failed => "failed",
            Self::RolledBack => "rolled back",
            Self::NoRun => "no run",
        }
    }
}

impl Thread {
    /// What came of the commit, as far as is known.
    ///
    /// A rollback is told before a failed run: a job that waits for the rollout
    /// fails because the release does.
    pub fn outcome(&self) -> Outcome {
        let read = self.pushes.iter().all(|push| push.runs.is_some());
        let all_over = self.runs.iter().all(|run| run.status == Status::Completed)
            && self.releases.iter().all(|release| release.state.is_final());
        if !read || !all_over {
            return Outcome::Pending;
        }
        let state_of = |release: &Release| release.state;
        if self.releases.iter().any(|it| state_of(it) == ReleaseState::RolledBack) {
            return Outcome::RolledBack;
        }
        if self.releases.iter().any(|it| state_of(it) == ReleaseState::Failed) {
            return Outcome::Failed;
        }
        let succeeded = |run: &Run| {
            matches!(run.conclusion, Some(Conclusion::Success | Conclusion::Skipped))
        };
        let refused = self.pushes.iter().any(|push| !push.errors.is_empty());
        if self.runs.is_empty() {
            // A file that could not be read starts no run, and is not a success.
            return if refused { Outcome::RunFailed } else { Outcome::NoRun };
        }
        if refused || !self.runs.iter().all(succeeded) {
            return Outcome::RunFailed;
        }
        if self.releases.iter().any(|it| state_of(it) == ReleaseState::Healthy) {
            return Outcome::Healthy;
        }
        Outcome::Succeeded
    }

    /// The thread as lines for people; a later state repeats the lines of an
    /// earlier one, so whoever shows progress prints the new ones.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for push in &self.pushes {
            let told = push.errors.iter().chain(&push.notes);
            lines.extend(told.flat_map(|text| text.lines().map(str::to_owned)));
        }
        for run in &self.runs {
            lines.push(format!("run {}  {}  {}", run.id, run.name, run.commit.short()));
            for job in &run.jobs {
                job_lines(job, &mut lines);
            }
            if let (Status::Completed, Some(conclusion)) = (run.status, run.conclusion) {
                let reason = run.reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
                lines.push(format!("run {}  {conclusion}{reason}", run.id));
            }
        }
        for release in &self.releases {
            release_lines(release, &mut lines);
        }
        lines
    }
}

fn job_lines(job: &api::Job, lines: &mut Vec<String>) {
    if job.started.is_some() {
        lines.push(format!("  {} started", job.name));
    }
    for step in &job.steps {
        if let Some(conclusion) = step.conclusion {
            let took = match (step.started, step.finished) {
                (Some(from), Some(to)) => format!("  {}", names::format_duration(to.since(from))),
                _ => String::new(),
            };
            let reason = step.reason.as_ref().map(|it| format!("  ({it})")).unwrap_or_default();
            lines.push(format!("  {} {} / {}{took}{reason}", mark(conclusion), job.name, step.name));
        }
    }
    if let Some(conclusion) = job.conclusion {
        let reason = job.reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
        lines.push(format!("  {} {} {conclusion}{reason}", mark(conclusion), job.name));
    }
}

fn mark(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success => "ok  ",
        Conclusion::Failure => "FAIL",
        Conclusion::Cancelled => "stop",
        Conclusion::Skipped => "skip",
    }
}

fn release_lines(release: &Release, lines: &mut Vec<String>) {
    let id = &release.id;
    lines.push(format!("release {id}  deploying"));
    for image in &release.images {
        lines.push(format!("  image {} is {}", image.reference, image.digest));
    }
    if let Some(cause) = &release.cause {
        lines.push(format!("release {id}  failed[{}]: {}", cause.code, cause.summary));
        lines.extend(cause.evidence.iter().map(|line| format!("  evidence  {line}")));
        lines.extend(cause.help.iter().map(|line| format!("  help      {line}")));
    }
    match release.state {
        ReleaseState::Deploying => {}
        ReleaseState::RollingBack => lines.push(format!("release {id}  rolling back")),
        ReleaseState::Failed => {
            lines.push(format!("release {id}  stays as it is: there is no healthy release to go back to"));
        }
        ReleaseState::RolledBack => {
            let to = release.rolled_back_to.as_ref().map(ToString::to_string).unwrap_or_default();
            lines.push(format!("release {id}  rolled back to {to}"));
        }
        ReleaseState::Superseded => lines.push(format!("release {id}  superseded")),
        ReleaseState::Healthy => {
            lines.push(format!("release {id}  healthy"));
            let address = |it: &api::ServiceAddress| format!("  {} answers at {}", it.service, it.url);
            lines.extend(release.addresses.iter().map(address));
        }
    }
}
