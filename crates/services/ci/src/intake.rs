//! Turns pushes into runs: reads the workflows of a commit and starts those that listen.

use api::{Push, Record as _, Run, Status};
use names::{CommitId, ProjectName, RunId};
use repo::{Repository, GitError};
use serde_json::{Value, json};
use store::{Change, Revision, TypedError};
use workflow::{Decision, PushEvent, Start, Workflow};

use crate::{BUILT_IN_ACTIONS, Ci, drive::CiError, view};

/// Where GitHub looks for workflows.
const FOLDER: &str = ".github/workflows";

/// Two pushes may want the same number this often in a row before something is wrong.
const NUMBER_TRIES: u64 = 1000;

/// Takes up every push that was not read yet.
pub async fn run(ci: Ci) -> Result<(), CiError> {
    let mut pushes = ci.records.watch(Push::KIND, Revision(0)).await?;
    loop {
        let Change::Put(stored) = pushes.next().await? else { continue };
        let Ok(push) = serde_json::from_slice::<Push>(&stored.value) else {
            tracing::error!(key = stored.key, "a push is not readable");
            continue;
        };
        if push.runs.is_some() {
            continue;
        }
        if let Err(error) = take_up(&ci, &push).await {
            tracing::error!(%error, push = push.key(), "a push could not be taken up");
            let told = format!("the workflows could not be read: {error}");
            finish(&ci, &push, vec![told], Vec::new(), Vec::new()).await?;
        }
    }
}

/// Why a push could not be taken up.
#[derive(Debug, thiserror::Error)]
enum IntakeError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Store(#[from] TypedError),
    #[error("the runs of `{0}` could not be numbered")]
    Numbering(ProjectName),
    #[error("the run could not be stored")]
    Unstorable(#[from] serde_json::Error),
}

async fn finish(
    ci: &Ci,
    push: &Push,
    errors: Vec<String>,
    notes: Vec<String>,
    runs: Vec<u64>,
) -> Result<(), TypedError> {
    store::modify::<Push>(&*ci.records, &push.key(), |push| {
        push.errors.clone_from(&errors);
        push.notes.clone_from(&notes);
        push.runs = Some(runs.clone());
    })
    .await?;
    Ok(())
}

async fn take_up(ci: &Ci, push: &Push) -> Result<(), IntakeError> {
    let (mut errors, mut notes, mut runs) = (Vec::new(), Vec::new(), Vec::new());
    let repository = ci.repositories.find(&push.project).filter(|_| !push.after.is_zero());
    let Some(repository) = repository else {
        return Ok(finish(ci, push, errors, notes, runs).await?);
    };
    let files = repository.files_in(push.after, FOLDER).await?;
    let files: Vec<_> =
        files.into_iter().filter(|it| it.path.ends_with(".yml") || it.path.ends_with(".yaml")).collect();
    if files.is_empty() {
        notes.push(format!("no workflow starts: there is no file in {FOLDER}"));
    }
    let changed = repository.changed_paths(push.before, push.after).await?;
    for file in files {
        let source = String::from_utf8_lossy(&file.bytes);
        let parsed = workflow::parse(&source, &file.path, &BUILT_IN_ACTIONS);
        for diagnostic in &parsed.diagnostics {
            let told = diagnostic.render(&source);
            match diagnostic.severity {
                yaml::Severity::Error => errors.push(told),
                yaml::Severity::Warning => notes.push(told),
            }
        }
        let Some(workflow) = parsed.workflow else { continue };
        let event = PushEvent {
            git_ref: &push.git_ref,
            deleted: false,
            changed: changed.as_deref(),
        };
        match workflow.triggers.on_push(&event) {
            Decision::Start => runs.push(start(ci, push, &repository, &file.path, workflow).await?),
            Decision::Skip(why) => notes.push(format!("{} does not start: {why}", file.path)),
        }
    }
    for found in lint(&repository, push.after).await? {
        if !errors.contains(&found) && !notes.contains(&found) {
            notes.push(found);
        }
    }
    Ok(finish(ci, push, errors, notes, runs).await?)
}

/// What is wrong in the commit's workflows, Dockerfiles and manifests, as it is shown to people.
async fn lint(repository: &Repository, commit: CommitId) -> Result<Vec<String>, IntakeError> {
    let mut tree = lint::Tree::default();
    for (path, content) in repository.tree(commit, |path| lint::FileKind::of(path).is_read()).await? {
        let text = content.and_then(|bytes| String::from_utf8(bytes).ok());
        tree.add(path, text);
    }
    // Reading schemas takes a moment, and other runs must not wait for it.
    let checked = tokio::task::spawn_blocking(move || {
        let found = lint::check(&tree, &BUILT_IN_ACTIONS);
        found.iter().map(|it| it.render(tree.text(&it.file).unwrap_or_default())).collect()
    });
    Ok(checked.await.unwrap_or_default())
}

/// Makes the run of one workflow for one push, unless a crash came after it was made.
async fn start(
    ci: &Ci,
    push: &Push,
    repository: &Repository,
    path: &str,
    workflow: Workflow,
) -> Result<u64, IntakeError> {
    let all = store::list::<Run>(&*ci.records, &format!("{}/", push.project)).await?;
    if let Some(made) = all.iter().find(|run| run.push == push.number && run.workflow == path) {
        return Ok(made.id.number);
    }
    let last = all.last().map_or(0, |run| run.id.number);
    let summary = repository.summary(push.after).await?;
    let branch = repository.head().await?;
    for number in last + 1..last + NUMBER_TRIES {
        let id = RunId { project: push.project.clone(), number };
        let github = github(ci, push, &id, &summary, &branch, path, workflow.display_name());
        let now = store::now();
        let start = Start { github, vars: json!({}), inputs: Value::Null };
        let machine = workflow::Run::new(workflow.clone(), start, now);
        let (concurrency, cancels) = match machine.concurrency() {
            Ok(Some((group, cancels))) => (Some(group.to_lowercase()), cancels),
            Ok(None) => (None, false),
            Err(why) => {
                tracing::warn!(run = %id, why, "the concurrency group has no value");
                (None, false)
            }
        };
        let mut run = Run {
            id,
            push: push.number,
            workflow: path.to_owned(),
            name: machine.run_name().unwrap_or_else(|| workflow.display_name().to_owned()),
            event: "push".to_owned(),
            git_ref: push.git_ref.clone(),
            commit: push.after,
            subject: push.subject.clone(),
            author: push.author.clone(),
            status: Status::Queued,
            conclusion: None,
            reason: None,
            jobs: Vec::new(),
            created: now,
            started: None,
            finished: None,
            cancel: false,
            concurrency: concurrency.clone(),
            machine: serde_json::to_value(&machine)?,
        };
        view::update(&mut run, &machine);
        if store::create(&*ci.records, &run).await? {
            if let Some(group) = concurrency {
                make_room(ci, &all, &group, cancels).await?;
            }
            return Ok(number);
        }
    }
    Err(IntakeError::Numbering(push.project.clone()))
}

/// A newer run replaces those that wait in its group, and those that run if it says so.
async fn make_room(ci: &Ci, older: &[Run], group: &str, cancels: bool) -> Result<(), TypedError> {
    let same = |run: &&Run| run.concurrency.as_deref() == Some(group) && run.status != Status::Completed;
    for run in older.iter().filter(same) {
        store::modify::<Run>(&*ci.records, &run.key(), |run| {
            if cancels || run.status == Status::Queued {
                run.cancel = true;
                run.reason = Some(format!("a newer run of the group `{group}` took its place"));
            }
        })
        .await?;
    }
    Ok(())
}

/// The `github` context of a push.
fn github(
    ci: &Ci,
    push: &Push,
    id: &RunId,
    summary: &repo::CommitSummary,
    default_branch: &str,
    path: &str,
    workflow: &str,
) -> Value {
    let repository = Ci::repository_name(&push.project);
    let short = |git_ref: &str| {
        let tail = git_ref.strip_prefix("refs/heads/").or_else(|| git_ref.strip_prefix("refs/tags/"));
        tail.unwrap_or(git_ref).to_owned()
    };
    let is_tag = push.git_ref.starts_with("refs/tags/");
    let commit = json!({
        "id": push.after, "message": summary.message, "timestamp": push.at,
        "author": {"name": summary.author, "email": summary.author_email, "username": push.pusher},
        "committer": {"name": summary.author, "email": summary.author_email, "username": push.pusher},
    });
    let event = json!({
        "ref": push.git_ref, "before": push.before, "after": push.after,
        "created": push.before.is_zero(), "deleted": push.after.is_zero(), "forced": false,
        "compare": "", "commits": [commit], "head_commit": commit,
        "pusher": {"name": push.pusher},
        "sender": {"login": push.pusher},
        "repository": {
            "name": push.project, "full_name": repository, "default_branch": short(default_branch),
            "clone_url": ci.clone_url(&push.project), "owner": {"login": "landfall", "name": "landfall"},
            "private": true,
        },
    });
    json!({
        "event": event, "event_name": "push",
        "ref": push.git_ref, "ref_name": short(&push.git_ref),
        "ref_type": if is_tag { "tag" } else { "branch" }, "ref_protected": false,
        "base_ref": "", "head_ref": "",
        "sha": push.after, "repository": repository, "repository_owner": "landfall",
        "repository_id": "1", "repository_owner_id": "1", "actor_id": "1", "retention_days": "90",
        "run_id": id.number.to_string(), "run_number": id.number.to_string(), "run_attempt": "1",
        "actor": push.pusher, "triggering_actor": push.pusher, "workflow": workflow,
        "workflow_ref": format!("{repository}/{path}@{}", push.git_ref), "workflow_sha": push.after,
        "server_url": ci.config.url, "api_url": format!("{}/api/v3", ci.config.url),
        "graphql_url": format!("{}/api/graphql", ci.config.url),
        "secret_source": if push.after == CommitId::ZERO { "None" } else { "Actions" },
    })
}
