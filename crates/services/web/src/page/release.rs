//! The page of a release: how it stands, why it failed, what it changed and serves.

use api::{Cause, Change};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
};

use super::{
    home::Address,
    look::Look,
    refusal::{PageReader, PageRefusal},
    shell,
    text::{plain, plain_lines},
    when::{Moment, took},
};
use crate::{Web, read_api::find_release};

#[derive(Template)]
#[template(path = "release.html")]
struct ReleasePage {
    title: String,
    live: String,
    look: Look,
    run: String,
    run_href: String,
    commit: String,
    commit_href: String,
    jobs: String,
    at: Moment,
    took: String,
    cause: Option<CauseView>,
    rolled_back_to: Option<(String, String)>,
    leftovers: Vec<String>,
    changes: Vec<ChangeView>,
    images: Vec<(String, String)>,
    workloads: Vec<WorkloadView>,
    addresses: Vec<Address>,
}

/// Why something failed, with what was seen and what helps.
pub struct CauseView {
    pub code: String,
    pub summary: String,
    pub evidence: Vec<String>,
    pub help: Vec<String>,
}

impl CauseView {
    pub fn of(cause: &Cause) -> Self {
        let all = |lines: &[String]| lines.iter().map(|line| plain_lines(line)).collect();
        Self {
            code: plain(&cause.code),
            summary: plain(&cause.summary),
            evidence: all(&cause.evidence),
            help: all(&cause.help),
        }
    }
}

struct ChangeView {
    object: String,
    kind: String,
    what: &'static str,
    before: String,
    after: String,
}

struct WorkloadView {
    object: String,
    look: Look,
    message: String,
    desired: u32,
    updated: u32,
    ready: u32,
}

/// `GET /releases/{project}/{environment}/{number}`
pub async fn show(
    _: PageReader,
    State(web): State<Web>,
    Path((project, environment, number)): Path<(String, String, String)>,
) -> Result<Html<String>, PageRefusal> {
    let now = store::now();
    let release = find_release(&*web.records, &project, &environment, &number).await?;
    let image = |image: &api::ReleasedImage| (plain(&image.reference), image.digest.to_string());
    let page = ReleasePage {
        title: release.id.to_string(),
        live: format!("/live?project={}", release.id.project),
        look: Look::of_release(release.state),
        run: release.run.to_string(),
        run_href: shell::run_href(&release.run),
        commit: release.commit.short(),
        commit_href: format!("/threads/{}?project={}", release.commit, release.id.project),
        jobs: plain(&release.jobs.join(", ")),
        at: Moment::new(release.created, now),
        took: took(Some(release.created), release.finished, now),
        cause: release.cause.as_ref().map(CauseView::of),
        rolled_back_to: release
            .rolled_back_to
            .as_ref()
            .map(|id| (id.to_string(), shell::release_href(id))),
        leftovers: release.leftovers.iter().map(|text| plain(text)).collect(),
        changes: release.changes.iter().map(change_view).collect(),
        images: release.images.iter().map(image).collect(),
        workloads: release.workloads.iter().map(workload_view).collect(),
        addresses: release.addresses.iter().map(Address::of).collect(),
    };
    shell::render(&page)
}

fn change_view(change: &Change) -> ChangeView {
    let short = |digest: Option<names::Digest>| digest.map(|it| it.short()).unwrap_or_default();
    ChangeView {
        object: plain(&change.object.to_string()),
        kind: plain(&change.object.api_version),
        what: match (change.before, change.after) {
            (None, _) => "made",
            (Some(_), None) => "deleted",
            (before, after) if before == after => "unchanged",
            (Some(_), Some(_)) => "changed",
        },
        before: short(change.before),
        after: short(change.after),
    }
}

fn workload_view(workload: &api::WorkloadStatus) -> WorkloadView {
    let is_ready = workload.ready >= workload.desired && workload.updated >= workload.desired;
    let state = if is_ready { api::Conclusion::Success } else { api::Conclusion::Failure };
    let look = Look::of_work(api::Status::Completed, Some(state));
    WorkloadView {
        object: plain(&workload.object.to_string()),
        look: Look { word: if is_ready { "ready" } else { "not ready" }, ..look },
        message: plain(&workload.message),
        desired: workload.desired,
        updated: workload.updated,
        ready: workload.ready,
    }
}
