//! Shows runs while they go on: a tree that is drawn again and again, or one line for each event.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io::{self, Write as _},
};

use api::{Conclusion, Run, Status};

use super::{
    super::progress::Screen as Kind,
    picture::{JobId, Picture, Said, outcome, trouble, word, time_of},
    plain_text::{Colours, readable},
    tree,
};

/// So many lines of a failed step are repeated on a terminal.
const TAIL: usize = 30;

/// Where runs are shown.
pub struct Screen {
    kind: Kind,
    pub picture: Picture,
    /// The last lines of each job that runs.
    tails: HashMap<JobId, VecDeque<Said>>,
    told: HashSet<JobId>,
    /// How many lines of the terminal are drawn again.
    drawn: usize,
    style: tree::Style,
}

impl Screen {
    pub fn new(kind: Kind) -> Self {
        let style = tree::Style::of_terminal();
        Self { kind, picture: Picture::default(), tails: HashMap::new(), told: HashSet::new(), drawn: 0, style }
    }

    /// A run is new or has changed.
    pub fn update(&mut self, run: Run) -> io::Result<()> {
        let id = run.id.clone();
        let is_new = !self.picture.runs.contains_key(&id);
        let title = format!("{} ({}, {})", run.name, run.workflow, run.event);
        let jobs: Vec<_> = run.jobs.iter().map(|job| (id.clone(), job.id.clone())).collect();
        self.picture.update(run);
        if is_new {
            self.print(&[super::plain_text::harmless(&title, Colours::Dropped)])?;
        }
        jobs.iter().try_for_each(|job| self.tell(job, false))
    }

    pub fn line(&mut self, id: &JobId, line: store::LogLine) -> io::Result<()> {
        self.picture.add(id, line);
        self.tell(id, false)
    }

    fn tell(&mut self, id: &JobId, all: bool) -> io::Result<()> {
        let said = self.picture.take(id, all);
        match self.kind {
            Kind::Silent => Ok(()),
            Kind::Pipe => {
                let name = self.picture.name_of(id);
                let lines = said.iter().filter_map(|it| {
                    Some(format!("{name} | {} | {}", it.step, readable(&it.text, Colours::Dropped)?))
                });
                let lines: Vec<_> = lines.collect();
                self.print(&lines)
            }
            Kind::Terminal => {
                let tail = self.tails.entry(id.clone()).or_default();
                tail.extend(said);
                while tail.len() > TAIL {
                    tail.pop_front();
                }
                Ok(())
            }
        }
    }

    /// A job is over and all of its lines are told.
    pub fn job_is_over(&mut self, id: &JobId) -> io::Result<()> {
        if !self.told.insert(id.clone()) {
            return Ok(());
        }
        self.tell(id, true)?;
        let Some(job) = self.picture.job(id) else { return Ok(()) };
        let name = self.picture.name_of(id);
        let lines = match self.kind {
            Kind::Silent => return Ok(()),
            Kind::Pipe => {
                let steps = job.steps.iter().filter_map(|step| {
                    let step_name = super::plain_text::harmless(&step.name, Colours::Dropped);
                    Some(format!("{name} | {step_name} | {}", trouble(step)?))
                });
                steps.chain([format!("{name}: {}", outcome(job))]).collect()
            }
            Kind::Terminal => tree::job_that_ended(&self.style, &name, job, self.tails.get(id)),
        };
        self.tails.remove(id);
        self.print(&lines)
    }

    /// Draws what runs now, on a terminal.
    pub fn draw(&mut self) -> io::Result<()> {
        if self.kind != Kind::Terminal {
            return Ok(());
        }
        self.print(&[])
    }

    /// What the runs came to.
    pub fn end(&mut self) -> io::Result<()> {
        let lines: Vec<_> = self.picture.runs.values().map(|run| {
            let time = time_of(run.started, run.finished).map(|it| format!(" in {it}")).unwrap_or_default();
            let reason = run.reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
            let line = format!("{}: {}{time}{reason}", run.name, word(run.conclusion));
            super::plain_text::harmless(&line, Colours::Dropped)
        }).collect();
        self.print(&lines)
    }

    /// Prints lines that stay, above what is drawn again.
    fn print(&mut self, lines: &[String]) -> io::Result<()> {
        let mut text = String::new();
        match self.kind {
            Kind::Silent => return Ok(()),
            Kind::Pipe => lines.iter().for_each(|line| text.extend([line, "\n"])),
            Kind::Terminal => {
                if self.drawn > 0 {
                    text.push_str(&format!("\x1b[{}A", self.drawn));
                }
                text.push_str("\r\x1b[J");
                lines.iter().for_each(|line| text.extend([line, "\n"]));
                let open = self.open();
                let live = tree::what_goes_on(&self.style, &self.picture, &open, &self.tails);
                self.drawn = live.len();
                live.iter().for_each(|line| text.extend([line, "\n"]));
            }
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// The jobs that are not told yet, those that run first.
    fn open(&self) -> Vec<JobId> {
        let runs = self.picture.runs.values().filter(|run| run.status != Status::Completed);
        let jobs = runs.flat_map(|run| run.jobs.iter().map(move |job| (run, job)));
        let mut open: Vec<_> = jobs
            .map(|(run, job)| (job.status == Status::Queued, (run.id.clone(), job.id.clone())))
            .filter(|(_, id)| !self.told.contains(id))
            .collect();
        open.sort_by_key(|(waits, _)| *waits);
        open.into_iter().map(|(_, id)| id).collect()
    }
}

/// Whether everything went well.
pub fn is_well(conclusion: Option<Conclusion>) -> bool {
    matches!(conclusion, Some(Conclusion::Success | Conclusion::Skipped))
}
