//! The first page: one row a commit, and what is served right now.

use std::collections::BTreeMap;

use api::{App, Project, Release, ReleaseState};
use askama::Template;
use axum::{extract::State, response::Html};
use delivery::Thread;
use names::{EnvironmentName, ProjectName, Timestamp};

use super::{
    app::{self, AppRow},
    look::Look,
    refusal::{PageReader, PageRefusal},
    shell::{self, StateLink},
    text::plain,
    thread::cause_of,
    when::Moment,
};
use crate::{
    Web,
    read_api::{Asked, Selection},
    threads::{self, Shelf},
};

/// More apps than this have a page of their own.
const APPS_MAX: usize = 12;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    title: String,
    live: String,
    filters: Vec<Filter>,
    served: Vec<Served>,
    apps: Vec<AppRow>,
    /// All apps, if not all are shown.
    app_count: Option<usize>,
    rows: Vec<Row>,
    has_more: Option<String>,
}

struct Filter {
    href: String,
    text: String,
    is_chosen: bool,
}

/// What one environment serves.
struct Served {
    place: String,
    release: StateLink,
    commit: String,
    commit_href: String,
    since: Moment,
    workloads: Vec<String>,
    addresses: Vec<Address>,
}

/// Where a Service answers; a link only if a browser may follow it.
pub struct Address {
    pub service: String,
    pub url: String,
    pub is_link: bool,
}

impl Address {
    pub fn of(address: &api::ServiceAddress) -> Self {
        let url = plain(&address.url);
        let is_link = url.starts_with("http://") || url.starts_with("https://");
        Self { service: plain(&address.service), url, is_link }
    }
}

struct Row {
    at: Moment,
    project: String,
    href: String,
    subject: String,
    commit: String,
    author: String,
    branch: String,
    outcome: Look,
    runs: Vec<StateLink>,
    images: Vec<Image>,
    releases: Vec<StateLink>,
    cause: Option<String>,
}

struct Image {
    short: String,
    title: String,
    href: String,
}

/// `GET /`
pub async fn show(
    _: PageReader,
    State(web): State<Web>,
    selection: Result<Asked<Selection>, crate::refusal::Refusal>,
) -> Result<Html<String>, PageRefusal> {
    let Asked(selection) = selection?;
    selection.check(&*web.records).await?;
    let project = selection.project.as_ref();
    let now = store::now();
    let shelf = Shelf::read(&*web.records, project).await?;
    let limit = selection.limit();
    let threads = threads::of_shelf(&*web.records, &shelf, limit).await?;
    let projects = store::list::<Project>(&*web.records, "").await?;
    let has_more = (threads.len() == limit).then(|| {
        let project = project.map(|it| format!("&project={it}")).unwrap_or_default();
        format!("/?limit={}{project}", limit * 2)
    });
    let apps = apps_of(store::list::<App>(&*web.records, "").await?, project);
    let page = HomePage {
        title: project.map_or_else(|| "All projects".to_owned(), ToString::to_string),
        live: project.map_or_else(|| "/live".to_owned(), |it| format!("/live?project={it}")),
        filters: filters(&projects, project),
        served: served(shelf.releases(), now),
        app_count: (apps.len() > APPS_MAX).then_some(apps.len()),
        apps: apps.iter().take(APPS_MAX).map(app::row).collect(),
        rows: threads.iter().map(|thread| row(thread, now)).collect(),
        has_more,
    };
    shell::render(&page)
}

/// The apps that follow a project, or all; those with trouble first.
fn apps_of(mut apps: Vec<App>, project: Option<&ProjectName>) -> Vec<App> {
    if let Some(project) = project {
        apps.retain(|app| app.spec.sources.iter().any(|it| it.repository == project.as_str()));
    }
    apps.sort_by_key(|app| !app::is_troubled(app));
    apps
}

fn filters(projects: &[Project], chosen: Option<&ProjectName>) -> Vec<Filter> {
    let all = Filter { href: "/".to_owned(), text: "All".to_owned(), is_chosen: chosen.is_none() };
    let one = |project: &Project| Filter {
        href: format!("/?project={}", project.name),
        text: project.name.to_string(),
        is_chosen: chosen == Some(&project.name),
    };
    std::iter::once(all).chain(projects.iter().map(one)).collect()
}

/// The newest healthy release of every environment.
fn served(releases: &[Release], now: Timestamp) -> Vec<Served> {
    let mut newest: BTreeMap<(&ProjectName, &EnvironmentName), &Release> = BTreeMap::new();
    for release in releases.iter().filter(|it| it.state == ReleaseState::Healthy) {
        newest.insert((&release.id.project, &release.id.environment), release);
    }
    let view = |release: &Release| Served {
        place: format!("{}/{}", release.id.project, release.id.environment),
        release: shell::release_link(release),
        commit: release.commit.short(),
        commit_href: format!("/threads/{}?project={}", release.commit, release.id.project),
        since: Moment::new(release.finished.unwrap_or(release.applied), now),
        workloads: release
            .workloads
            .iter()
            .map(|it| plain(&format!("{}: {}", it.object, it.message)))
            .collect(),
        addresses: release.addresses.iter().map(Address::of).collect(),
    };
    newest.into_values().map(view).collect()
}

fn row(thread: &Thread, now: Timestamp) -> Row {
    let push = thread.pushes.last();
    let run = thread.runs.last();
    let project = push.map(|push| &push.project).or(run.map(|run| &run.id.project));
    let subject = push.map(|push| &push.subject).or(run.map(|run| &run.subject));
    let author = push.map(|push| &push.author).or(run.map(|run| &run.author));
    let git_ref = push.map(|push| &push.git_ref).or(run.map(|run| &run.git_ref));
    let project = project.map(ToString::to_string).unwrap_or_default();
    Row {
        at: Moment::new(push.map(|push| push.at).unwrap_or_default(), now),
        href: format!("/threads/{}?project={project}", thread.commit),
        project,
        subject: subject.map(|it| plain(it)).filter(|it| !it.trim().is_empty()).unwrap_or("(no message)".to_owned()),
        commit: thread.commit.short(),
        author: author.map(|it| plain(it)).unwrap_or_default(),
        branch: git_ref.map(|it| shell::branch(it)).unwrap_or_default(),
        outcome: Look::of_outcome(thread.outcome()),
        runs: thread.runs.iter().map(shell::run_link).collect(),
        images: images(thread),
        releases: thread.releases.iter().map(shell::release_link).collect(),
        cause: cause_of(thread),
    }
}

/// The images that the commit made, else those that it released.
fn images(thread: &Thread) -> Vec<Image> {
    let mut by_digest = BTreeMap::new();
    for tag in &thread.images {
        let name = format!("{}:{}", tag.repository, tag.tag);
        by_digest.entry(tag.digest).or_insert_with(Vec::new).push(name);
    }
    if by_digest.is_empty() {
        for image in thread.releases.iter().flat_map(|release| &release.images) {
            by_digest.entry(image.digest).or_default().push(image.reference.clone());
        }
    }
    let view = |(digest, names): (names::Digest, Vec<String>)| Image {
        short: digest.short(),
        title: plain(&format!("{} = {digest}", names.join(", "))),
        href: format!("/find?q={}", shell::escaped(&digest.to_string())),
    };
    by_digest.into_iter().map(view).collect()
}
