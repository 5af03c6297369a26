//! Jobs and steps as a tree with marks and times, for terminals.

use std::{
    collections::{HashMap, VecDeque},
    io,
};

use api::{Conclusion, Job, Status, Step};

use super::{
    picture::{JobId, Picture, Said, outcome, section_of, time_of, trouble},
    plain_text::{Colours, harmless, readable},
};

/// So many last lines of a step are shown while it runs.
const LAST_LINES: usize = 3;

/// How a terminal is drawn on.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    colour: bool,
    /// Else only ASCII.
    symbols: bool,
}

impl Style {
    pub fn of_terminal() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_uppercase();
        let symbols = locale.is_empty() || locale.contains("UTF-8") || locale.contains("UTF8");
        Self { colour: set("NO_COLOR").is_none(), symbols }
    }

    fn mark(self, status: Status, conclusion: Option<Conclusion>) -> String {
        let (symbol, ascii, colour) = match (status, conclusion) {
            (Status::Queued, _) => ("○", ".", 90),
            (Status::Running, _) => ("●", "*", 33),
            (Status::Completed, Some(Conclusion::Success)) => ("✓", "+", 32),
            (Status::Completed, Some(Conclusion::Failure)) => ("✗", "x", 31),
            (Status::Completed, Some(Conclusion::Cancelled)) => ("■", "!", 33),
            (Status::Completed, Some(Conclusion::Skipped) | None) => ("-", "-", 90),
        };
        self.paint(if self.symbols { symbol } else { ascii }, colour)
    }

    fn paint(self, text: &str, colour: u8) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn grey(self, text: &str) -> String {
        self.paint(text, 90)
    }
}

/// Columns and rows; a terminal that does not know says 0.
fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let known = |it: u16, usual: usize| if it == 0 { usual } else { usize::from(it) };
    size.map_or((80, 24), |it| (known(it.ws_col, 80), known(it.ws_row, 24)))
}

/// A text that fits behind `before` columns.
fn cut(text: &str, before: usize, width: usize) -> String {
    let most = width.saturating_sub(before + 1);
    let text = text.replace('\t', "    ");
    if text.chars().count() <= most { text } else { text.chars().take(most.saturating_sub(1)).chain(['…']).collect() }
}

fn step_line(style: &Style, step: &Step, width: usize) -> String {
    let indent = 2 * (1 + step.depth as usize);
    let time = time_of(step.started, step.finished).map(|it| format!("  {it}")).unwrap_or_default();
    let trouble = trouble(step).map(|it| format!("  {it}")).unwrap_or_default();
    let text = format!("{}{time}{trouble}", harmless(&step.name, Colours::Dropped));
    let mark = style.mark(step.status, step.conclusion);
    format!("{:indent$}{mark} {}", "", cut(&text, indent + 2, width))
}

/// A job that is over: its steps, and the end of what a failed one said.
pub fn job_that_ended(style: &Style, name: &str, job: &Job, said: Option<&VecDeque<Said>>) -> Vec<String> {
    let (width, _) = size();
    let mut lines = vec![format!("{} {name}: {}", style.mark(job.status, job.conclusion), outcome(job))];
    for (at, step) in job.steps.iter().enumerate() {
        if step.conclusion == Some(Conclusion::Skipped) && step.reason.is_none() {
            continue;
        }
        lines.push(step_line(style, step, width));
        if step.conclusion == Some(Conclusion::Failure) {
            let section = section_of(at, step);
            let its = said.into_iter().flatten().filter(|it| it.section == section);
            lines.extend(its.filter_map(|it| Some(format!("    {} {}", style.grey("|"), readable(&it.text, Colours::Kept)?))));
        }
    }
    lines
}

/// The jobs that run or wait, as many as the terminal has room for.
pub fn what_goes_on(style: &Style, picture: &Picture, open: &[JobId], tails: &HashMap<JobId, VecDeque<Said>>) -> Vec<String> {
    let (width, height) = size();
    let room = height.saturating_sub(2).max(3);
    let mut lines = Vec::new();
    for (at, id) in open.iter().enumerate() {
        let Some(job) = picture.job(id) else { continue };
        let block = block(style, &picture.name_of(id), job, tails.get(id), width);
        let left = open.len() - at;
        if lines.len() + block.len() + usize::from(left > 1) > room {
            lines.push(style.grey(&format!("  and {left} more jobs")));
            break;
        }
        lines.extend(block);
    }
    lines
}

fn block(style: &Style, name: &str, job: &Job, said: Option<&VecDeque<Said>>, width: usize) -> Vec<String> {
    let mark = style.mark(job.status, job.conclusion);
    if job.status == Status::Queued {
        let reason = job.reason.as_ref().map(|it| format!("  {}", harmless(it, Colours::Dropped))).unwrap_or_default();
        return vec![format!("{mark} {}", cut(&format!("{name}{reason}"), 2, width))];
    }
    let time = time_of(job.started, job.finished).map(|it| format!("  {it}")).unwrap_or_default();
    let done = job.steps.iter().filter(|step| step.status == Status::Completed).count();
    let count = format!("  {done}/{}", job.steps.len());
    let mut lines = vec![format!("{mark} {}", cut(&format!("{name}{time}{count}"), 2, width))];
    lines.extend(job.steps.iter().filter(|step| step.status == Status::Running).map(|step| step_line(style, step, width)));
    let texts: Vec<_> = said.into_iter().flatten().rev().filter_map(|it| readable(&it.text, Colours::Dropped)).take(LAST_LINES).collect();
    lines.extend(texts.iter().rev().map(|text| style.grey(&format!("    | {}", cut(text, 6, width)))));
    lines
}
