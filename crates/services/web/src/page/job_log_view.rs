//! The log of one job as it is shown: its lines under their steps, numbered,
//! a window of them at a time.

use std::{collections::VecDeque, pin::pin};

use api::{Conclusion, Job, Run, Status};
use futures_util::StreamExt as _;
use names::Timestamp;
use store::{LogLine, OutputStream};

use super::{
    look::Look,
    shell,
    text::{output_html, plain},
    when::{time_of_day, took},
};
use crate::{
    Web,
    job_log::{self, LinesError, Until},
};

/// More lines than this make a browser slow; the others are a link away.
const WINDOW: usize = 2000;

/// What people read first of a failed step.
const TAIL: usize = 20;

/// A line of output as it is shown.
pub struct LineView {
    pub number: usize,
    pub href: String,
    pub exact: String,
    pub time: String,
    pub class: &'static str,
    /// Escaped already.
    pub html: String,
}

impl LineView {
    pub fn new(run: &Run, job: &str, number: usize, line: &LogLine) -> Self {
        let (class, text) = class_of(line);
        Self {
            number,
            href: format!(
                "{}?job={}&line={number}#L{number}",
                shell::run_href(&run.id),
                shell::escaped(job)
            ),
            exact: line.at.to_string(),
            time: time_of_day(line.at),
            class,
            html: output_html(text),
        }
    }
}

/// Workflow commands stand in logs as `##[level]text`.
fn class_of(line: &LogLine) -> (&'static str, &str) {
    let marks = [
        ("##[error]", "error"),
        ("##[warning]", "warning"),
        ("##[notice]", "notice"),
        ("##[debug]", "quiet"),
        ("##[command]", "command"),
        ("##[group]", "group"),
        ("##[endgroup]", "endgroup"),
    ];
    for (mark, class) in marks {
        if let Some(text) = line.text.strip_prefix(mark) {
            return (class, text);
        }
    }
    match line.stream {
        OutputStream::Stdout => ("", &line.text),
        OutputStream::Stderr => ("stderr", &line.text),
        OutputStream::Landfall => ("quiet", &line.text),
    }
}

/// The lines of one step.
pub struct Group {
    pub step: u32,
    pub name: String,
    pub look: Look,
    pub took: String,
    pub is_open: bool,
    pub lines: Vec<LineView>,
}

/// A job's log, as far as it is on the page.
pub struct LogView {
    pub job: String,
    pub groups: Vec<Group>,
    pub total: usize,
    /// Where the lines before and behind the shown ones are.
    pub earlier: Option<String>,
    pub later: Option<String>,
    pub download: String,
    /// Where further lines come from while the job runs.
    pub follow: Option<String>,
    /// The last lines of the step that failed.
    pub tail: Vec<LineView>,
}

/// Reads the part of the log around `line`, else its end.
pub async fn read(
    web: &Web,
    run: &Run,
    job: &Job,
    line: Option<usize>,
    now: Timestamp,
) -> Result<LogView, LinesError> {
    let failed = job.steps.iter().position(|step| step.conclusion == Some(Conclusion::Failure));
    let failed = failed.map(|place| job.section(place));
    let (mut window, mut tail, mut total) = (VecDeque::new(), VecDeque::new(), 0);
    let end = line.map_or(usize::MAX, |line| line.saturating_add(WINDOW / 2));
    let mut lines = pin!(job_log::lines(web, &run.id, Some(job.id.clone()), Until::Now));
    while let Some(read) = lines.next().await {
        let (_, read) = read?;
        total += 1;
        if Some(read.step) == failed {
            push_bounded(&mut tail, TAIL, (total, read.clone()));
        }
        if total <= end {
            push_bounded(&mut window, WINDOW, (total, read));
        }
    }
    let view = |(number, line): &(usize, LogLine)| LineView::new(run, &job.id, *number, line);
    let first = window.front().map_or(1, |(number, _)| *number);
    let last = window.back().map_or(0, |(number, _)| *number);
    let query = format!("job={}", shell::escaped(&job.id));
    let href = shell::run_href(&run.id);
    let around = |line: usize| format!("{href}?{query}&line={line}#L{line}");
    let goes_on = run.status != Status::Completed && job.status != Status::Completed;
    let tail = if failed.is_some() { tail.iter().map(view).collect() } else { Vec::new() };
    Ok(LogView {
        job: plain(&job.name),
        groups: groups(run, job, &window, line, now),
        total,
        earlier: (first > 1).then(|| around(first.saturating_sub(WINDOW / 2).max(1))),
        later: (last < total).then(|| around((last + WINDOW / 2).min(total))),
        download: format!("{href}/log.txt?{query}"),
        follow: (goes_on && last == total).then(|| format!("{href}/lines?{query}&after={total}")),
        tail,
    })
}

fn push_bounded<T>(queue: &mut VecDeque<T>, most: usize, value: T) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(value);
}

/// What stands before and after the steps.
fn section_name(section: u32) -> &'static str {
    match section {
        api::SET_UP_SECTION => "Set up job",
        api::COMPLETE_SECTION => "Complete job",
        _ => "Landfall",
    }
}

fn groups(
    run: &Run,
    job: &Job,
    lines: &VecDeque<(usize, LogLine)>,
    wanted: Option<usize>,
    now: Timestamp,
) -> Vec<Group> {
    let group = |(index, step): (usize, &api::Step)| Group {
        step: job.section(index),
        name: plain(&step.name),
        look: Look::of_work(step.status, step.conclusion),
        took: took(step.started, step.finished, now),
        is_open: step.status == Status::Running || step.conclusion == Some(Conclusion::Failure),
        lines: Vec::new(),
    };
    let mut groups: Vec<Group> = job.steps.iter().enumerate().map(group).collect();
    for (number, line) in lines {
        let place = groups.iter().position(|group| group.step == line.step).unwrap_or_else(|| {
            // What comes before the steps stands before them.
            let place = if line.step == api::SET_UP_SECTION { 0 } else { groups.len() };
            groups.insert(place, Group {
                step: line.step,
                name: section_name(line.step).to_owned(),
                look: Look::of_work(job.status, job.conclusion),
                took: String::new(),
                is_open: false,
                lines: Vec::new(),
            });
            place
        });
        let group = &mut groups[place];
        group.is_open |= wanted == Some(*number);
        group.lines.push(LineView::new(run, &job.id, *number, line));
    }
    let is_any_open = groups.iter().any(|group| group.is_open);
    if let (false, Some(last)) = (is_any_open, groups.iter_mut().rfind(|group| !group.lines.is_empty())) {
        last.is_open = true;
    }
    groups
}
