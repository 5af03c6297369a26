//! One commit, told line by line; and the search that leads to it.

use api::{Conclusion, Run};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::{Html, Redirect},
};
use delivery::{Outcome, Thread};
use names::ProjectName;
use serde::Deserialize;

use super::{
    look::Look,
    refusal::{PageReader, PageRefusal},
    shell::{self, StateLink},
    text::{plain, plain_lines},
    when::Moment,
};
use crate::{Web, read_api::Asked, refusal::Refusal, threads};

#[derive(Template)]
#[template(path = "thread.html")]
struct ThreadPage {
    title: String,
    live: String,
    subject: String,
    commit: String,
    author: String,
    pushes: Vec<Pushed>,
    outcome: Look,
    cause: Option<String>,
    errors: Vec<String>,
    runs: Vec<StateLink>,
    images: Vec<(String, String)>,
    releases: Vec<StateLink>,
    lines: Vec<String>,
}

struct Pushed {
    project: String,
    branch: String,
    pusher: String,
    at: Moment,
}

#[derive(Deserialize)]
pub struct Where {
    project: Option<ProjectName>,
}

#[derive(Deserialize)]
pub struct Search {
    #[serde(default)]
    q: String,
}

/// `GET /threads/{id}`
pub async fn show(
    _: PageReader,
    State(web): State<Web>,
    Path(id): Path<String>,
    at: Result<Asked<Where>, Refusal>,
) -> Result<Html<String>, PageRefusal> {
    let Asked(at) = at?;
    let place = threads::find(&*web.records, &id, at.project.as_ref()).await?;
    let thread = threads::read(&*web.records, &place).await?;
    let now = store::now();
    let push = thread.pushes.last();
    let page = ThreadPage {
        title: thread.commit.short(),
        live: place.project.map_or("/live".to_owned(), |it| format!("/live?project={it}")),
        subject: push.map(|push| plain(&push.subject)).unwrap_or_default(),
        commit: thread.commit.to_string(),
        author: push.map(|push| plain(&push.author)).unwrap_or_default(),
        pushes: thread
            .pushes
            .iter()
            .map(|push| Pushed {
                project: push.project.to_string(),
                branch: shell::branch(&push.git_ref),
                pusher: plain(&push.pusher),
                at: Moment::new(push.at, now),
            })
            .collect(),
        outcome: Look::of_outcome(thread.outcome()),
        cause: cause_of(&thread),
        errors: thread
            .pushes
            .iter()
            .flat_map(|push| push.errors.iter().chain(&push.notes))
            .map(|text| plain_lines(text))
            .collect(),
        runs: thread.runs.iter().map(shell::run_link).collect(),
        images: thread
            .images
            .iter()
            .map(|tag| (plain(&format!("{}:{}", tag.repository, tag.tag)), tag.digest.to_string()))
            .collect(),
        releases: thread.releases.iter().map(shell::release_link).collect(),
        lines: thread.lines().iter().map(|line| plain(line)).collect(),
    };
    shell::render(&page)
}

/// `GET /find?q=…`: leads to whatever has that id.
pub async fn find(
    _: PageReader,
    State(web): State<Web>,
    search: Result<Asked<Search>, Refusal>,
) -> Result<Redirect, PageRefusal> {
    let Asked(Search { q }) = search?;
    let id = q.trim();
    if let Ok(project) = id.parse::<ProjectName>()
        && store::find::<api::Project>(&*web.records, project.as_str()).await?.is_some()
    {
        return Ok(Redirect::to(&format!("/?project={project}")));
    }
    let place = threads::find(&*web.records, id, None).await?;
    if let Ok(run) = id.replacen('/', "#", 1).parse::<names::RunId>() {
        return Ok(Redirect::to(&shell::run_href(&run)));
    }
    if let Ok(release) = id.parse::<names::ReleaseId>() {
        return Ok(Redirect::to(&shell::release_href(&release)));
    }
    let project = place.project.map(|it| format!("?project={it}")).unwrap_or_default();
    Ok(Redirect::to(&format!("/threads/{}{project}", place.commit)))
}

/// Why the commit did not get through, in one line.
pub fn cause_of(thread: &Thread) -> Option<String> {
    match thread.outcome() {
        Outcome::Healthy | Outcome::Succeeded | Outcome::NoRun => return None,
        // What failed already is told before all is over.
        Outcome::Pending | Outcome::RunFailed | Outcome::Failed | Outcome::RolledBack => {}
    }
    let causes = thread.releases.iter().rev().filter_map(|release| release.cause.as_ref());
    let of_release = causes.map(|cause| format!("{} [{}]", cause.summary, cause.code)).next();
    let of_run = || thread.runs.iter().rev().find_map(cause_of_run);
    let of_push = || {
        let errors = thread.pushes.iter().rev().flat_map(|push| &push.errors);
        errors.filter_map(|error| error.lines().find(|line| !line.trim().is_empty())).next().map(str::to_owned)
    };
    of_release.or_else(of_push).or_else(of_run).map(|cause| plain(&cause))
}

/// Why a run failed, in one line: the step that failed first.
pub fn cause_of_run(run: &Run) -> Option<String> {
    let failed = |conclusion: Option<Conclusion>| conclusion == Some(Conclusion::Failure);
    let job = run.jobs.iter().find(|job| failed(job.conclusion));
    let Some(job) = job else {
        return failed(run.conclusion).then(|| run.reason.clone()).flatten();
    };
    let step = job.steps.iter().find(|step| failed(step.conclusion));
    let place = step.map_or(job.name.clone(), |step| format!("{} / {}", job.name, step.name));
    let reason = step.and_then(|step| step.reason.as_ref()).or(job.reason.as_ref());
    Some(match reason {
        Some(reason) => format!("{place}: {reason}"),
        None => format!("{place} failed"),
    })
}
