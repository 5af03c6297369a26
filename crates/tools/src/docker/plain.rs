//! The progress of a build in BuildKit's plain style.

use std::{collections::BTreeMap, time::Instant};

use names::Digest;
use serde::Deserialize;

use super::instruction::Source;
use crate::{Console, failure::Failure};

/// One line of the builder's answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    Warning { line: usize, column: usize, code: String, message: String, help: String },
    Planned {},
    Base { image: String },
    Step { step: usize, steps: usize, stage: String, instruction: String },
    Output { step: usize, line: String },
    Done { step: usize, cached: bool, millis: u64 },
    Tagged { name: String },
    Result { image: Digest },
    Error(Box<BuildError>),
    /// Something that a newer server tells.
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Deserialize)]
struct BuildError {
    message: String,
    step: Option<FailedStep>,
    #[serde(default)]
    problems: Vec<Problem>,
}

#[derive(Debug, Deserialize)]
struct FailedStep {
    line: usize,
    instruction: String,
    reason: String,
    help: Option<String>,
    code: Option<i32>,
    output: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Problem {
    file: String,
    line: usize,
    column: usize,
    message: String,
    help: String,
}

/// Whether anything but errors is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    All,
    OnlyErrors,
}

struct Step {
    number: usize,
    title: String,
    started: Instant,
}

/// Prints a build as it goes.
pub struct Plain {
    source: Source,
    shown: Shown,
    /// The last number given to anything.
    last: usize,
    steps: BTreeMap<usize, Step>,
    names: Vec<String>,
    warnings: Vec<String>,
    image: Option<Digest>,
    error: Option<Box<BuildError>>,
}

impl Plain {
    pub fn new(source: Source, shown: Shown) -> Self {
        Self {
            source,
            shown,
            last: 0,
            steps: BTreeMap::new(),
            names: Vec::new(),
            warnings: Vec::new(),
            image: None,
            error: None,
        }
    }

    /// Takes one line of the answer.
    pub fn tell(&mut self, line: &[u8], console: &mut Console) {
        match serde_json::from_slice(line) {
            Ok(event) => self.event(event, console),
            Err(_) => self.say(console, &String::from_utf8_lossy(line)),
        }
    }

    fn say(&self, console: &mut Console, line: &str) {
        if self.shown == Shown::All {
            console.err(line);
        }
    }

    /// Something that is over when it is told.
    fn instant(&mut self, title: &str, note: Option<&str>, console: &mut Console) {
        self.last += 1;
        let number = self.last;
        self.say(console, &format!("#{number} {title}"));
        if let Some(note) = note {
            self.say(console, &format!("#{number} {note}"));
        }
        self.say(console, &format!("#{number} DONE 0.0s\n"));
    }

    fn event(&mut self, event: Event, console: &mut Console) {
        if self.last == 0 {
            self.say(console, "#0 building with \"landfall\" instance using landfall driver\n");
            let title = format!("[internal] load build definition from {}", self.source.name);
            let note = format!("transferring dockerfile: {}B done", self.source.text.len());
            self.instant(&title, Some(&note), console);
        }
        match event {
            Event::Warning { line, column, code, message, help } => {
                let help = if help.is_empty() { String::new() } else { format!("; {help}") };
                let place = if line == 0 { String::new() } else { format!(" ({}:{line}:{column})", self.source.name) };
                self.warnings.push(format!(" - {code}: {message}{place}{help}"));
            }
            Event::Base { image } => {
                let name = image.parse::<names::ImageRef>().map_or(image, |it| it.to_string());
                self.instant(&format!("[internal] load metadata for {name}"), None, console);
            }
            Event::Planned {} => self.instant("[internal] load build context", None, console),
            Event::Step { step, steps, stage, instruction } => self.begin(step, steps, &stage, &instruction, console),
            Event::Output { step, line } => {
                if let Some(it) = self.steps.get(&step) {
                    let seconds = it.started.elapsed().as_secs_f64();
                    self.say(console, &format!("#{} {seconds:.3} {line}", it.number));
                }
            }
            Event::Done { step, cached, millis } => {
                if let Some(it) = self.steps.get(&step) {
                    let end = if cached { "CACHED".to_owned() } else { format!("DONE {}.{}s", millis / 1000, millis % 1000 / 100) };
                    self.say(console, &format!("#{} {end}\n", it.number));
                }
            }
            Event::Tagged { name } => self.names.push(name),
            Event::Result { image } => self.export(image, console),
            Event::Error(error) => self.error = Some(error),
            Event::Unknown => {}
        }
    }

    fn begin(&mut self, step: usize, steps: usize, stage: &str, instruction: &str, console: &mut Console) {
        self.last += 1;
        let stage = match stage {
            "0" => String::new(),
            number if number.bytes().all(|it| it.is_ascii_digit()) => format!("stage-{number} "),
            name => format!("{name} "),
        };
        // A heredoc would fill the screen.
        let first = instruction.lines().next().unwrap_or_default();
        let title = format!("[{stage}{step}/{steps}] {first}");
        self.say(console, &format!("#{} {title}", self.last));
        self.steps.insert(step, Step { number: self.last, title, started: Instant::now() });
    }

    fn export(&mut self, image: Digest, console: &mut Console) {
        self.image = Some(image);
        self.last += 1;
        let number = self.last;
        self.say(console, &format!("#{number} exporting to image\n#{number} exporting layers done\n#{number} writing image {image} done"));
        for name in &self.names {
            self.say(console, &format!("#{number} naming to {name} done"));
        }
        self.say(console, &format!("#{number} DONE 0.0s"));
    }

    /// What came of it; `None` if the builder did not say.
    pub fn result(&mut self, console: &mut Console) -> Result<Option<Digest>, Failure> {
        let warnings = std::mem::take(&mut self.warnings);
        if !warnings.is_empty() {
            let count = warnings.len();
            let plural = if count == 1 { "warning" } else { "warnings" };
            // Even a quiet build says what is wrong with its Dockerfile.
            console.err(format!("\n {count} {plural} found:\n{}", warnings.join("\n")));
        }
        match self.error.take() {
            Some(error) => Err(self.failure(&error, console)),
            None => Ok(self.image),
        }
    }

    fn failure(&self, error: &BuildError, console: &mut Console) -> Failure {
        let reason = if let Some(step) = &error.step {
            self.failed_step(step, console)
        } else if let Some(problem) = error.problems.first() {
            for problem in &error.problems {
                console.err(format!("{}:{}:{}: {}", problem.file, problem.line, problem.column, problem.message));
                if !problem.help.is_empty() {
                    console.err(format!("  help: {}", problem.help));
                }
            }
            console.err(self.source.excerpt(problem.line).unwrap_or_default());
            format!("dockerfile parse error on line {}: {}", problem.line, problem.message)
        } else {
            error.message.clone()
        };
        Failure::new(format!("ERROR: failed to build: failed to solve: {reason}"))
    }

    fn failed_step(&self, step: &FailedStep, console: &mut Console) -> String {
        let known = self.steps.values().find(|it| it.title.ends_with(step.instruction.lines().next().unwrap_or_default()));
        let reason = match step.code {
            Some(code) if code != 0 => {
                let instruction = step.instruction.lines().next().unwrap_or_default();
                format!("process \"{instruction}\" did not complete successfully: exit code: {code}")
            }
            _ => step.reason.clone(),
        };
        if let Some(known) = known {
            console.err(format!("#{} ERROR: {reason}\n------\n > {}:", known.number, known.title));
            for line in &step.output {
                console.err(line);
            }
            console.err("------");
        }
        if let Some(excerpt) = self.source.excerpt(step.line) {
            console.err(excerpt);
        }
        match &step.help {
            Some(help) => format!("{reason}\nhelp: {help}"),
            None => reason,
        }
    }
}
