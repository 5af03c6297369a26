//! What is known of the runs so far, for those who show it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use api::{COMPLETE_SECTION, Conclusion, Job, Run, SET_UP_SECTION, Status, Step};
use names::{RunId, format_duration};
use store::{LogLine, OutputStream};

use super::plain_text::{Colours, harmless};

/// A job of a run.
pub type JobId = (RunId, String);

/// A line of a job's log with the step that it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub section: u32,
    pub step: String,
    pub text: String,
}

/// The runs, and lines whose step is not known yet.
#[derive(Default)]
pub struct Picture {
    pub runs: BTreeMap<RunId, Run>,
    waiting: HashMap<JobId, VecDeque<LogLine>>,
    /// Jobs in whose log Landfall tells at this moment how it starts a step.
    preambles: HashMap<JobId, u32>,
}

impl Picture {
    pub fn update(&mut self, run: Run) {
        self.runs.insert(run.id.clone(), run);
    }

    pub fn job(&self, id: &JobId) -> Option<&Job> {
        self.runs.get(&id.0)?.jobs.iter().find(|job| job.id == id.1)
    }

    /// What people call a job; with several runs the run's name stands before it.
    pub fn name_of(&self, id: &JobId) -> String {
        let name = self.job(id).map_or(id.1.as_str(), |job| &job.name);
        let run = self.runs.get(&id.0).filter(|_| self.runs.len() > 1);
        let full = run.map_or_else(|| name.to_owned(), |run| format!("{} / {name}", run.name));
        harmless(&full, Colours::Dropped)
    }

    pub fn add(&mut self, id: &JobId, line: LogLine) {
        self.waiting.entry(id.clone()).or_default().push_back(line);
    }

    /// The lines whose step is known by now; with `all` of the others, too.
    pub fn take(&mut self, id: &JobId, all: bool) -> Vec<Said> {
        let mut taken = Vec::new();
        while let Some(line) = self.waiting.get(id).and_then(VecDeque::front) {
            let step = match self.step_name(id, line.step) {
                Some(name) => name,
                None if all => format!("step {}", line.step),
                None => break,
            };
            let line = self.waiting.get_mut(id).and_then(VecDeque::pop_front);
            let Some(line) = line.filter(|line| !self.is_preamble(id, line)) else { continue };
            taken.push(Said { section: line.step, step, text: line.text });
        }
        taken
    }

    fn step_name(&self, id: &JobId, section: u32) -> Option<String> {
        match section {
            SET_UP_SECTION => Some("Set up job".to_owned()),
            COMPLETE_SECTION => Some("Complete job".to_owned()),
            _ => {
                let steps = &self.job(id)?.steps;
                let step = steps.iter().enumerate().find(|(at, step)| section_of(*at, step) == section)?.1;
                Some(harmless(&step.name, Colours::Dropped))
            }
        }
    }

    /// Whether a line only says what everybody knows who wrote the workflow: a script before it runs, its shell, the runner.
    fn is_preamble(&mut self, id: &JobId, line: &LogLine) -> bool {
        if line.stream != OutputStream::Landfall || line.text.starts_with("##[error]") || line.text.starts_with("##[warning]") {
            return false;
        }
        if line.text.starts_with("##[group]") {
            self.preambles.insert(id.clone(), line.step);
            return true;
        }
        if line.text.starts_with("##[endgroup]") {
            self.preambles.remove(id);
            return true;
        }
        let of_machine = ["Current runner version", "Complete job name", "Cleaning up orphan", "Node for JavaScript"];
        self.preambles.get(id) == Some(&line.step) || of_machine.iter().any(|it| line.text.starts_with(it))
    }
}

/// The number of a step in its job's log.
pub fn section_of(at: usize, step: &Step) -> u32 {
    step.section.or_else(|| u32::try_from(at).ok()).unwrap_or(u32::MAX)
}

/// How something ended, in a word.
pub fn word(conclusion: Option<Conclusion>) -> &'static str {
    match conclusion {
        Some(Conclusion::Success) => "success",
        Some(Conclusion::Failure) => "failure",
        Some(Conclusion::Cancelled) => "cancelled",
        Some(Conclusion::Skipped) => "skipped",
        None => "running",
    }
}

/// How long something took or takes by now.
pub fn time_of(started: Option<names::Timestamp>, finished: Option<names::Timestamp>) -> Option<String> {
    let started = started?;
    Some(format_duration(finished.unwrap_or_else(store::now).since(started)))
}

/// The outcome of a job in one line: `success in 2 s`, `skipped: its condition …`.
pub fn outcome(job: &Job) -> String {
    let time = time_of(job.started, job.finished).filter(|_| job.conclusion != Some(Conclusion::Skipped));
    let time = time.map(|it| format!(" in {it}")).unwrap_or_default();
    let reason = job.reason.as_ref().map(|it| format!(": {}", harmless(it, Colours::Dropped))).unwrap_or_default();
    format!("{}{time}{reason}", word(job.conclusion))
}

/// What a step came to, if it is worth a line.
pub fn trouble(step: &Step) -> Option<String> {
    let failed = step.conclusion == Some(Conclusion::Failure);
    let code = step.exit_code.filter(|code| *code != 0);
    let reason = step.reason.as_ref().map(|it| harmless(it, Colours::Dropped));
    let why = reason.or_else(|| code.map(|code| format!("exit code {code}")));
    match (failed, code, why) {
        (true, _, why) => Some(format!("failed{}", why.map(|it| format!(": {it}")).unwrap_or_default())),
        (false, Some(_), Some(why)) if step.status == Status::Completed && step.conclusion == Some(Conclusion::Success) => {
            Some(format!("failed, and may: {why}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: u32, stream: OutputStream, text: &str) -> LogLine {
        let at = names::Timestamp::from_micros(1);
        LogLine { at, attempt: 1, step, stream, text: text.to_owned(), source_end_bytes: 0 }
    }

    #[test]
    fn lines_wait_until_their_step_is_known() {
        let mut picture = Picture::default();
        let id: JobId = ("shop#1".parse().expect("a run"), "a".to_owned());
        picture.add(&id, line(SET_UP_SECTION, OutputStream::Landfall, "##[warning]old"));
        picture.add(&id, line(3, OutputStream::Landfall, "##[group]Run make"));
        picture.add(&id, line(3, OutputStream::Landfall, "shell: bash"));
        picture.add(&id, line(3, OutputStream::Landfall, "##[endgroup]"));
        picture.add(&id, line(3, OutputStream::Stdout, "made"));
        let told = |said: Vec<Said>| said.into_iter().map(|it| format!("{}|{}", it.step, it.text)).collect::<Vec<_>>();
        assert_eq!(told(picture.take(&id, false)), ["Set up job|##[warning]old"]);
        assert_eq!(told(picture.take(&id, true)), ["step 3|made"]);
    }
}
