//! The page of a run: what failed and why, its jobs and steps, and a log.

use api::{Conclusion, Job, Release, Run, Status};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
};
use names::Timestamp;
use serde::Deserialize;

use super::{
    job_log_view::{self, LineView, LogView},
    look::Look,
    refusal::{PageReader, PageRefusal},
    release::CauseView,
    run_notes::{self, Notes},
    shell::{self, StateLink},
    tests::{self, TestsView},
    text::plain,
    thread::cause_of_run,
    when::{Moment, took},
};
use crate::{
    Web,
    read_api::{Asked, find_run, job_named},
    refusal::Refusal,
    threads::prefix_of,
};

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    title: String,
    live: String,
    name: String,
    workflow: String,
    subject: String,
    commit: String,
    commit_href: String,
    author: String,
    branch: String,
    look: Look,
    reason: Option<String>,
    at: Moment,
    took: String,
    releases: Vec<StateLink>,
    trouble: Option<Trouble>,
    jobs: Vec<JobView>,
    tests: TestsView,
    notes: Notes,
    log: Option<LogView>,
}

/// What failed first, and why.
struct Trouble {
    place: String,
    lines: Vec<LineView>,
    reason: String,
    href: String,
    cause: Option<CauseView>,
}

struct JobView {
    name: String,
    href: String,
    look: Look,
    took: String,
    reason: String,
    environment: String,
    needs: String,
    is_chosen: bool,
    steps: Vec<StepView>,
}

struct StepView {
    name: String,
    look: Look,
    took: String,
    reason: String,
}

#[derive(Deserialize)]
pub struct LogQuery {
    job: Option<String>,
    line: Option<usize>,
}

/// `GET /runs/{project}/{number}`
pub async fn show(
    _: PageReader,
    State(web): State<Web>,
    Path((project, number)): Path<(String, String)>,
    query: Result<Asked<LogQuery>, Refusal>,
) -> Result<Html<String>, PageRefusal> {
    let Asked(query) = query?;
    let now = store::now();
    let run = find_run(&*web.records, &project, &number).await?;
    let chosen = match &query.job {
        Some(job) => Some(job_named(&run, job)?),
        None => first_to_read(&run).map(|job| job.id.clone()),
    };
    let job = run.jobs.iter().find(|job| Some(&job.id) == chosen.as_ref());
    let log = match job {
        Some(job) => Some(job_log_view::read(&web, &run, job, query.line, now).await?),
        None => None,
    };
    let releases = store::list::<Release>(&*web.records, &prefix_of(Some(&run.id.project))).await?;
    let releases: Vec<_> = releases.into_iter().filter(|release| release.run == run.id).collect();
    let trouble = trouble(&web, &run, &releases, now).await?;
    let page = RunPage {
        title: run.id.to_string(),
        live: format!("/live?project={}", run.id.project),
        name: plain(&run.name),
        workflow: plain(&run.workflow),
        subject: plain(&run.subject),
        commit: run.commit.short(),
        commit_href: format!("/threads/{}?project={}", run.commit, run.id.project),
        author: plain(&run.author),
        branch: shell::branch(&run.git_ref),
        look: Look::of_work(run.status, run.conclusion),
        reason: run.reason.as_deref().map(plain),
        at: Moment::new(run.created, now),
        took: took(run.started, run.finished, now),
        releases: releases.iter().map(shell::release_link).collect(),
        trouble,
        jobs: run.jobs.iter().map(|job| job_view(&run, job, chosen.as_deref(), now)).collect(),
        tests: tests::read(&web, &run).await?,
        notes: run_notes::read(&web, &run).await?,
        log,
    };
    shell::render(&page)
}

/// The job whose log people most likely came for.
fn first_to_read(run: &Run) -> Option<&Job> {
    let failed = run.jobs.iter().find(|job| job.conclusion == Some(Conclusion::Failure));
    let running = || run.jobs.iter().find(|job| job.status == Status::Running);
    let ran = || run.jobs.iter().rfind(|job| job.started.is_some());
    failed.or_else(running).or_else(ran).or_else(|| run.jobs.first())
}

async fn trouble(
    web: &Web,
    run: &Run,
    releases: &[Release],
    now: Timestamp,
) -> Result<Option<Trouble>, PageRefusal> {
    let cause = releases.iter().rev().find_map(|release| release.cause.as_ref());
    let failed = run.jobs.iter().find(|job| job.conclusion == Some(Conclusion::Failure));
    let Some(job) = failed else {
        let is_bad = run.conclusion == Some(Conclusion::Failure) || cause.is_some();
        return Ok(is_bad.then(|| Trouble {
            place: "What went wrong".to_owned(),
            lines: Vec::new(),
            reason: cause_of_run(run).map(|reason| plain(&reason)).unwrap_or_default(),
            href: String::new(),
            cause: cause.map(CauseView::of),
        }));
    };
    let step = job.steps.iter().find(|step| step.conclusion == Some(Conclusion::Failure));
    let place = step.map_or(job.name.clone(), |step| format!("{} / {}", job.name, step.name));
    let reason = step.and_then(|step| step.reason.as_ref()).or(job.reason.as_ref());
    let log = job_log_view::read(web, run, job, None, now).await?;
    Ok(Some(Trouble {
        place: plain(&place),
        href: format!("{}?job={}#log", shell::run_href(&run.id), shell::escaped(&job.id)),
        lines: log.tail,
        reason: reason.map(|reason| plain(reason)).unwrap_or_default(),
        cause: cause.map(CauseView::of),
    }))
}

fn job_view(run: &Run, job: &Job, chosen: Option<&str>, now: Timestamp) -> JobView {
    let step = |step: &api::Step| StepView {
        name: plain(&step.name),
        look: Look::of_work(step.status, step.conclusion),
        took: took(step.started, step.finished, now),
        reason: step.reason.as_deref().map(plain).unwrap_or_default(),
    };
    JobView {
        name: plain(&job.name),
        href: format!("{}?job={}#log", shell::run_href(&run.id), shell::escaped(&job.id)),
        look: Look::of_work(job.status, job.conclusion),
        took: took(job.started, job.finished, now),
        reason: job.reason.as_deref().map(plain).unwrap_or_default(),
        environment: job.environment.as_ref().map(ToString::to_string).unwrap_or_default(),
        needs: plain(&job.needs.join(", ")),
        is_chosen: chosen == Some(job.id.as_str()),
        steps: job.steps.iter().map(step).collect(),
    }
}
