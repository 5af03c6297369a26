//! What steps and tools had to say about a run: summaries, remarks at places in files, verdicts.

use api::{Annotation, AnnotationLevel, CheckConclusion, CheckRun, CheckStatus, Run};
use names::Digest;

use super::{
    look::Look,
    markdown,
    refusal::PageRefusal,
    text::{plain, plain_lines},
};
use crate::Web;

/// More text than this in all makes a browser slow.
const SUMMARIES_BYTES: usize = 2 * 1024 * 1024;

/// More remarks than this nobody reads.
const REMARKS_MAX: usize = 200;

/// All of it, ready to be shown.
#[derive(Default)]
pub struct Notes {
    pub remarks: Vec<RemarkView>,
    /// How many more there are.
    pub more_remarks: usize,
    pub summaries: Vec<SummaryView>,
    pub checks: Vec<CheckView>,
}

pub struct RemarkView {
    pub look: Look,
    /// `job / step`
    pub by: String,
    /// `src/lib.rs:3`
    pub place: String,
    pub title: String,
    pub message: String,
}

pub struct SummaryView {
    pub by: String,
    /// Made of escaped text and tags of our own.
    pub html: String,
}

pub struct CheckView {
    pub look: Look,
    pub name: String,
    pub title: String,
    pub html: String,
    pub remarks: Vec<RemarkView>,
}

/// Reads what there is about a run.
pub async fn read(web: &Web, run: &Run) -> Result<Notes, PageRefusal> {
    let mut notes = Notes::default();
    let mut left = SUMMARIES_BYTES;
    for job in &run.jobs {
        notes.remarks.extend(job.annotations.iter().map(|it| remark(it, &plain(&job.name))));
        for step in &job.steps {
            let by = plain(&format!("{} / {}", job.name, step.name));
            notes.remarks.extend(step.annotations.iter().map(|it| remark(it, &by)));
            if let Some(digest) = step.summary {
                notes.summaries.push(SummaryView { html: summary(web, digest, &mut left).await, by });
            }
        }
    }
    notes.more_remarks = notes.remarks.len().saturating_sub(REMARKS_MAX);
    // The worst first; else in the order of the jobs.
    notes.remarks.sort_by_key(|it| !it.look.is_bad());
    notes.remarks.truncate(REMARKS_MAX);
    let checks = store::list::<CheckRun>(&*web.records, &format!("{}/", run.id.project)).await?;
    let of_run = |check: &CheckRun| check.run.as_ref().map_or(check.commit == run.commit, |by| *by == run.id);
    notes.checks = checks.iter().filter(|check| of_run(check)).map(check).collect();
    Ok(notes)
}

async fn summary(web: &Web, digest: Digest, left: &mut usize) -> String {
    let Some(blobs) = &web.blobs else { return String::new() };
    let Ok(bytes) = store::get_bytes(&**blobs, digest, SUMMARIES_BYTES as u64).await else {
        return markdown::render("*The summary is not kept any more.*");
    };
    if bytes.len() > *left {
        return markdown::render("*The summaries of this run are too long to show them all.*");
    }
    *left -= bytes.len();
    markdown::render(&String::from_utf8_lossy(&bytes))
}

fn remark(annotation: &Annotation, by: &str) -> RemarkView {
    let line = annotation.line.map(|line| format!(":{line}")).unwrap_or_default();
    RemarkView {
        look: Look::of_remark(annotation.level),
        by: by.to_owned(),
        place: annotation.file.as_deref().map(|file| plain(&format!("{file}{line}"))).unwrap_or_default(),
        title: annotation.title.as_deref().map(plain).unwrap_or_default(),
        message: plain_lines(&annotation.message),
    }
}

fn check(check: &CheckRun) -> CheckView {
    let texts = check.summary.iter().chain(&check.text).map(String::as_str);
    CheckView {
        look: look(check),
        name: plain(&check.name),
        title: check.title.as_deref().map(plain).unwrap_or_default(),
        html: markdown::render(&texts.collect::<Vec<_>>().join("\n\n")),
        remarks: check
            .annotations
            .iter()
            .take(REMARKS_MAX)
            .map(|it| RemarkView {
                look: Look::of_remark(it.annotation_level),
                by: String::new(),
                place: plain(&format!("{}:{}", it.path, it.start_line)),
                title: it.title.as_deref().map(plain).unwrap_or_default(),
                message: plain_lines(&it.message),
            })
            .collect(),
    }
}

fn look(check: &CheckRun) -> Look {
    match (check.status, check.conclusion) {
        (CheckStatus::Queued, None) => Look::WAITING.called("queued"),
        (CheckStatus::InProgress, None) => Look::GOING.called("in progress"),
        (_, Some(CheckConclusion::Success)) => Look::GOOD.called("success"),
        (_, Some(CheckConclusion::Failure)) => Look::BAD.called("failure"),
        (_, Some(CheckConclusion::TimedOut)) => Look::BAD.called("timed out"),
        (_, Some(CheckConclusion::ActionRequired)) => Look::BAD.called("action required"),
        (_, Some(CheckConclusion::Cancelled)) => Look::STOPPED.called("cancelled"),
        (_, Some(CheckConclusion::Skipped)) => Look::NONE.called("skipped"),
        (_, Some(CheckConclusion::Stale)) => Look::NONE.called("stale"),
        (_, Some(CheckConclusion::Neutral)) => Look::NONE.called("neutral"),
        (CheckStatus::Completed, None) => Look::NONE.called("completed"),
    }
}

impl Look {
    fn of_remark(level: AnnotationLevel) -> Self {
        match level {
            AnnotationLevel::Failure => Self::BAD.called("error"),
            AnnotationLevel::Warning => Self::GOING.called("warning"),
            AnnotationLevel::Notice => Self::NONE.called("notice"),
        }
    }
}
