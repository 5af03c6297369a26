//! The pages of apps: what each shall hold and holds, what differs and who wrote it, what is held back.

use api::{App, AppResource, Drill, DriftField, SyncState};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
};
use delivery::gitops;
use names::{ProjectName, Timestamp};
use serde_json::Value;

use super::{
    look::Look,
    refusal::{PageReader, PageRefusal},
    release::CauseView,
    rollout::{self, RolloutView},
    shell,
    text::plain,
    when::{Moment, took},
};
use crate::{Web, refusal::Refusal, threads};

/// A value longer than this says no more to a person.
const VALUE_MAX: usize = 300;

#[derive(Template)]
#[template(path = "apps.html")]
struct AppsPage {
    title: String,
    live: String,
    apps: Vec<AppRow>,
}

/// An app in a list.
pub struct AppRow {
    pub name: String,
    pub href: String,
    pub namespace: String,
    pub sync: Look,
    /// `Held at 3 (4 quarantined)`, or the plain word.
    pub sync_words: String,
    pub health: Look,
    pub deployed: String,
    pub seen: String,
    pub source: String,
    pub trouble: String,
}

#[derive(Template)]
#[template(path = "app.html")]
struct AppPage {
    title: String,
    live: String,
    head: AppRow,
    project: String,
    sources: Vec<SourceView>,
    operation: Option<String>,
    rollouts: Vec<RolloutView>,
    conditions: Vec<Condition>,
    quarantined: Vec<QuarantineView>,
    differing: usize,
    objects: Vec<ObjectView>,
    history: Vec<DeploymentView>,
    drill: Option<DrillView>,
}

struct SourceView {
    repository: String,
    path: String,
    revision: String,
    commit: String,
    href: Option<String>,
}

struct Condition {
    kind: String,
    message: String,
    help: String,
}

struct QuarantineView {
    deployment: u64,
    since: Moment,
    cause: CauseView,
    in_git: String,
}

struct ObjectView {
    name: String,
    kind: String,
    sync: Look,
    health: Option<Look>,
    message: String,
    drift: Vec<FieldView>,
}

struct FieldView {
    path: String,
    live: String,
    wanted: String,
    writer: String,
}

struct DeploymentView {
    id: u64,
    look: Look,
    about: String,
    commit: String,
    href: Option<String>,
    by: String,
    started: Moment,
    took: String,
    subject: String,
    cause: Option<String>,
}

struct DrillView {
    look: Look,
    about: String,
    at: Moment,
    findings: Vec<String>,
}

/// `GET /apps`
pub async fn list(_: PageReader, State(web): State<Web>) -> Result<Html<String>, PageRefusal> {
    let apps = store::list::<App>(&*web.records, "").await?;
    let page = AppsPage { title: "Apps".to_owned(), live: "/live?apps=true".to_owned(), apps: apps.iter().map(row).collect() };
    shell::render(&page)
}

/// `GET /apps/{name}`
pub async fn show(_: PageReader, State(web): State<Web>, Path(name): Path<String>) -> Result<Html<String>, PageRefusal> {
    let Some(app) = store::find::<App>(&*web.records, &name).await? else {
        let known = store::list::<App>(&*web.records, "").await?.into_iter().map(|it| it.name);
        return Err(PageRefusal(Refusal::missing("app", &name, threads::nearest(&name, known))));
    };
    let now = store::now();
    let drills = store::list::<Drill>(&*web.records, "").await?;
    let status = &app.status;
    let operation = status.operation.as_ref().map(|it| plain(&format!("deployment {}: {} {}", it.deployment, it.phase, it.message)));
    let page = AppPage {
        title: plain(&app.name),
        live: format!("/live?app={}", shell::escaped(&app.name)),
        head: row(&app),
        project: plain(&app.spec.project),
        sources: sources(&app),
        operation,
        rollouts: rollout::views(&app, now),
        conditions: status
            .conditions
            .iter()
            .map(|it| Condition { kind: plain(&it.kind), message: super::text::plain_lines(&it.message), help: plain(&it.help) })
            .collect(),
        quarantined: status.quarantined.iter().map(|it| quarantine(it, now)).collect(),
        differing: status.resources.iter().filter(|it| it.sync != SyncState::Synced).count(),
        objects: status.resources.iter().map(object).collect(),
        history: status.history.iter().rev().map(|it| deployment(&app, it, now)).collect(),
        drill: drills.iter().rev().find(|it| it.target == app.name).map(|it| drill(it, now)),
    };
    shell::render(&page)
}

/// One line of an app; what is wrong with it first.
pub fn row(app: &App) -> AppRow {
    let status = &app.status;
    let source = app.spec.sources.first();
    let short = |commits: &[names::CommitId]| commits.first().map_or_else(|| "–".to_owned(), |it| it.short());
    AppRow {
        name: plain(&app.name),
        href: format!("/apps/{}", shell::escaped(&app.name)),
        namespace: plain(&app.spec.namespace),
        sync: Look::of_sync(status.sync),
        sync_words: gitops::sync_words(app),
        health: Look::of_health(status.health),
        deployed: match status.deployed {
            Some(id) => format!("deployment {}", gitops::origin(app, id)),
            None => "nothing deployed".to_owned(),
        },
        seen: status.seen.as_ref().map_or_else(|| "–".to_owned(), |it| short(&it.commits)),
        source: source.map(|it| plain(&format!("{} {}", repo_words(&it.repository), if it.path.is_empty() { "." } else { &it.path }))).unwrap_or_default(),
        trouble: status.conditions.first().map(|it| plain(&format!("{}: {}", it.kind, it.message))).unwrap_or_default(),
    }
}

/// Whether a person should look at it.
pub fn is_troubled(app: &App) -> bool {
    use api::Health::{Degraded, Missing, Unknown};
    !app.status.conditions.is_empty() || app.status.sync == SyncState::Held || matches!(app.status.health, Degraded | Missing | Unknown)
}

/// An address without what stands before an `@`.
fn repo_words(address: &str) -> String {
    match address.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://{rest}"),
        None => address.to_owned(),
    }
}

fn sources(app: &App) -> Vec<SourceView> {
    let seen = app.status.seen.as_ref();
    let view = |(index, source): (usize, &api::AppSource)| {
        let commit = seen.and_then(|it| it.commits.get(index));
        SourceView {
            repository: plain(&repo_words(&source.repository)),
            path: plain(source.chart.as_deref().unwrap_or(if source.path.is_empty() { "." } else { &source.path })),
            revision: plain(&source.revision),
            commit: commit.map_or_else(|| "–".to_owned(), |it| it.short()),
            href: commit.and_then(|it| commit_href(&source.repository, it)),
        }
    };
    app.spec.sources.iter().enumerate().map(view).collect()
}

/// Commits of repositories here have a page.
fn commit_href(repository: &str, commit: &names::CommitId) -> Option<String> {
    let project: ProjectName = repository.parse().ok()?;
    Some(format!("/threads/{commit}?project={project}"))
}

fn quarantine(it: &api::Quarantine, now: Timestamp) -> QuarantineView {
    let in_git = match (&it.reverted_by, &it.revert_pending) {
        (Some(commit), _) => format!("taken back in Git by {}", commit.short()),
        (None, Some(why)) => format!("not taken back in Git yet: {}", plain(why)),
        (None, None) => "Git is left as it is".to_owned(),
    };
    QuarantineView { deployment: it.deployment, since: Moment::new(it.since, now), cause: CauseView::of(&it.cause), in_git }
}

fn object(it: &AppResource) -> ObjectView {
    ObjectView {
        name: plain(&it.object.to_string()),
        kind: plain(&match &it.object.namespace {
            Some(namespace) => format!("{} in {namespace}", it.object.api_version),
            None => it.object.api_version.clone(),
        }),
        sync: Look::of_sync(it.sync),
        health: it.health.map(Look::of_health),
        message: plain(&it.message),
        drift: it.drift.iter().map(field).collect(),
    }
}

fn field(it: &DriftField) -> FieldView {
    FieldView {
        path: plain(&it.path),
        live: value(it.live.as_ref()),
        wanted: value(it.wanted.as_ref()),
        writer: it.writer.as_ref().map_or_else(|| "unknown".to_owned(), |it| plain(it)),
    }
}

fn value(value: Option<&Value>) -> String {
    let Some(value) = value else { return "not set".to_owned() };
    let text = plain(&value.to_string());
    if text.chars().count() <= VALUE_MAX {
        return text;
    }
    format!("{}…", text.chars().take(VALUE_MAX).collect::<String>())
}

fn deployment(app: &App, it: &api::Deployment, now: Timestamp) -> DeploymentView {
    let commit = it.revision.commits.first();
    let repository = app.spec.sources.first().map(|it| it.repository.as_str()).unwrap_or_default();
    DeploymentView {
        id: it.id,
        look: Look::of_deployment(it.state),
        about: it.back_to.map(|to| format!("back to {to}")).unwrap_or_default(),
        commit: commit.map_or_else(|| "–".to_owned(), |it| it.short()),
        href: commit.and_then(|it| commit_href(repository, it)),
        by: plain(&it.by),
        started: Moment::new(it.started, now),
        took: took(Some(it.started), it.finished, now),
        subject: plain(&it.subject),
        cause: it.cause.as_ref().map(|it| plain(&format!("{} [{}]", it.summary, it.code))),
    }
}

fn drill(it: &Drill, now: Timestamp) -> DrillView {
    let about = match it.steps.last().filter(|_| it.finished.is_none()) {
        Some(step) => format!("{}…", step.name),
        None if it.from.is_empty() => String::new(),
        None => format!("from {} back to {}", it.from, it.to),
    };
    DrillView {
        look: Look::of_drill(it.state),
        about: plain(&about),
        at: Moment::new(it.finished.unwrap_or(it.started), now),
        findings: it.findings.iter().map(|it| plain(&format!("{} [{}]", it.message, it.code))).collect(),
    }
}
