//! Makes the run of one workflow for one thing that happened.

use api::{Run, Status};
use names::{CommitId, ProjectName, RunId};
use repo::{GitError, Repository};
use serde_json::Value;
use store::{RecordsError, TypedError};
use workflow::{Decision, Happening, Selection, Start, Workflow};

use super::{
    contexts,
    numbers::{self, Found},
};
use crate::{Ci, approvals, saved, secrets, view};

/// Where GitHub looks for workflows.
pub const FOLDER: &str = ".github/workflows";

/// Something that happened to a project, as its workflows see it.
#[derive(Clone, Debug)]
pub struct Occurrence {
    pub project: ProjectName,
    pub event: String,
    /// The body of the webhook, as GitHub would send it.
    pub payload: Value,
    pub git_ref: String,
    /// What is checked out.
    pub commit: CommitId,
    /// Where the workflow files are read, if not at `commit`.
    pub files_at: Option<CommitId>,
    pub actor: String,
    pub subject: String,
    /// `None` when they are not known.
    pub changed: Option<Vec<String>>,
    /// Names the occurrence; two with the same name are one.
    pub cause: String,
    /// The number of the push, if it is one.
    pub push: u64,
    /// Only this file is asked.
    pub only: Option<String>,
    /// Why the code is not trusted, if it is not.
    pub foreign: Option<String>,
    /// Whether somebody must look at the code first.
    pub hold: Hold,
    /// Which part of the runs is wanted.
    pub selection: Selection,
    /// Further entries of the `github` context, such as `base_ref`.
    pub context: Vec<(&'static str, Value)>,
}

/// Whether a run waits for leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    No,
    UntilApproved,
}

/// What an occurrence led to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub runs: Vec<u64>,
    pub errors: Vec<String>,
    /// Why workflows did not start.
    pub notes: Vec<String>,
    /// Whether there is any workflow file.
    pub files: usize,
}

/// Why something could not be taken up.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error("the run could not be stored")]
    Unstorable(#[from] serde_json::Error),
}

/// Starts every workflow that listens to what happened.
pub async fn take_up(ci: &Ci, repository: &Repository, what: &Occurrence) -> Result<Outcome, IntakeError> {
    let mut outcome = Outcome::default();
    let files = repository.files_in(what.files_at.unwrap_or(what.commit), FOLDER).await?;
    for file in files.into_iter().filter(|it| it.path.ends_with(".yml") || it.path.ends_with(".yaml")) {
        outcome.files += 1;
        let short = file.path.rsplit('/').next().unwrap_or(&file.path);
        if what.only.as_ref().is_some_and(|only| *only != file.path && *only != short) {
            continue;
        }
        let source = String::from_utf8_lossy(&file.bytes);
        let parsed = workflow::parse(&source, &file.path);
        for diagnostic in &parsed.diagnostics {
            let told = diagnostic.render(&source);
            match diagnostic.severity {
                yaml::Severity::Error => outcome.errors.push(told),
                yaml::Severity::Warning => outcome.notes.push(told),
                yaml::Severity::Note => {}
            }
        }
        let Some(workflow) = parsed.workflow else { continue };
        let happening =
            Happening { event: &what.event, payload: &what.payload, changed: what.changed.as_deref() };
        match workflow.triggers.decide(&happening) {
            Decision::Start => outcome.runs.push(start(ci, repository, what, &file.path, workflow).await?),
            Decision::Skip(why) => outcome.notes.push(format!("{} does not start: {why}", file.path)),
        }
    }
    Ok(outcome)
}

/// Makes the run of one workflow, unless a crash came after it was made.
async fn start(
    ci: &Ci,
    repository: &Repository,
    what: &Occurrence,
    path: &str,
    workflow: Workflow,
) -> Result<u64, IntakeError> {
    let number = match ci.numbers.find(&*ci.records, &what.project, &what.cause, path).await? {
        Found::Made(number) => return Ok(number),
        Found::Next(number) => number,
    };
    match make(ci, repository, what, path, workflow, number).await {
        Ok(()) => Ok(number),
        Err(error) => {
            ci.numbers.forget(&what.project, &what.cause, path).await;
            Err(error)
        }
    }
}

async fn make(
    ci: &Ci,
    repository: &Repository,
    what: &Occurrence,
    path: &str,
    workflow: Workflow,
    number: u64,
) -> Result<(), IntakeError> {
    let summary = repository.summary(what.commit).await?;
    let id = RunId { project: what.project.clone(), number };
    let inputs = if what.event == "workflow_dispatch" {
        let given = what.payload.get("inputs").and_then(Value::as_object).cloned().unwrap_or_default();
        workflow.triggers.on_dispatch(&given).unwrap_or_default()
    } else {
        Value::Null
    };
    let mut github = contexts::github(ci, what, &id, path, workflow.display_name());
    if let (Some(Value::Object(event)), Some(told)) = (github.get_mut("event"), workflow::told_inputs(&inputs)) {
        event.insert("inputs".to_owned(), told);
    }
    let vars = secrets::variables(ci, &what.project).await?;
    let now = store::now();
    let (trust, selection) = (contexts::trust(what), what.selection.clone());
    let start = Start { github, vars, inputs, trust, selection };
    let machine = workflow::Run::new(workflow.clone(), start, now);
    let subject = if what.subject.is_empty() { summary.subject.clone() } else { what.subject.clone() };
    let mut run = Run {
        id,
        push: what.push,
        workflow: path.to_owned(),
        name: machine.run_name().unwrap_or_else(|| workflow.display_name().to_owned()),
        event: what.event.clone(),
        git_ref: what.git_ref.clone(),
        commit: what.commit,
        subject,
        author: summary.author,
        status: Status::Queued,
        conclusion: None,
        reason: None,
        jobs: Vec::new(),
        created: now,
        started: None,
        finished: None,
        cancel: false,
        cancel_jobs: Vec::new(),
        again: Vec::new(),
        concurrency: None,
        attempt: 1,
        cause: Some(what.cause.clone()),
        machine: machine.progress()?,
    };
    view::update(&mut run, &machine, &view::Told::default());
    if what.hold == Hold::UntilApproved {
        run.reason = Some(approvals::hold(ci, &run.id, what.foreign.as_deref().unwrap_or_default()).await?);
    }
    saved::put_ground(&*ci.records, &run.id, &machine).await?;
    // The number is nobody else's, so nothing is in its place.
    store::put(&*ci.records, &run).await?;
    Ok(())
}

pub use numbers::push_cause;
