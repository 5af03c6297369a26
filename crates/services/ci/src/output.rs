//! Reads what a step prints: commands are obeyed, secrets masked, lines kept in the job's log.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use names::Timestamp;
use sandbox::{
    Attached, Exit,
    log::{Followed, Stream},
};
use store::{LogLine, OutputStream};
use tokio::sync::mpsc;
use workflow::{
    command::{self, ANNOTATIONS_MAX, Annotation, Level, Unsecure},
};

use crate::{
    drive::Report,
    jobs, matchers,
    place::{Debug, JobPlace},
};

/// Lines that come soon after others wait at most this long for company: a person notices a tenth of a
/// second, a disk fewer writes. The first after a pause does not wait.
const FLUSH: Duration = Duration::from_millis(15);

/// More lines than this are written at once.
const BATCH: usize = 512;

/// Longer lines are cut: no page and no terminal is served by more.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// What a step told through its output.
pub struct Told {
    pub exit: Exit,
    pub outputs: Vec<(String, String)>,
    pub state: Vec<(String, String)>,
    pub env: Vec<(String, String)>,
    pub paths: Vec<String>,
    pub annotations: Vec<Annotation>,
    /// Why the step fails although it may have exited well.
    pub error: Option<String>,
}

/// Reads the output of a step to its end.
///
/// After a restart all of it is read again for its commands, and only what the
/// log does not hold yet is added to it.
pub async fn read(
    place: &JobPlace,
    step: u32,
    unsecure: Unsecure,
    attached: Attached,
    out: &mpsc::Sender<Report>,
) -> Result<Told, sandbox::Error> {
    let known = place.log.lock().await.reached(step);
    let mut lines = Lines {
        place,
        step,
        known,
        reader: command::Reader::new(unsecure),
        outputs: Vec::new(),
        state: Vec::new(),
        env: Vec::new(),
        paths: Vec::new(),
        annotations: Vec::new(),
        error: None,
        echo: false,
        batch: Vec::new(),
        flushed: None,
        time: (String::new(), store::now()),
    };
    let mut follow = attached.follow(0);
    let mut partial: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
    loop {
        let next = if lines.batch.is_empty() {
            follow.next().await
        } else if lines.batch.len() >= BATCH {
            lines.flush().await;
            continue;
        } else {
            let wait = FLUSH.saturating_sub(lines.flushed.map_or(FLUSH, |at| at.elapsed()));
            match tokio::time::timeout(wait, follow.next()).await {
                Ok(next) => next,
                Err(_) => {
                    lines.flush().await;
                    continue;
                }
            }
        };
        match next? {
            Some(Followed::Line(line)) => {
                let buffer = match line.stream {
                    Stream::Stdout => &mut partial[0],
                    Stream::Stderr => &mut partial[1],
                };
                if !line.partial && buffer.is_empty() {
                    lines.take(&line, &line.bytes, out).await;
                    continue;
                }
                if buffer.len() < LINE_BYTES_MAX {
                    buffer.extend_from_slice(&line.bytes);
                }
                if !line.partial {
                    let whole = std::mem::take(buffer);
                    lines.take(&line, &whole, out).await;
                }
            }
            Some(Followed::Exit(exit)) => {
                lines.flush().await;
                let Lines { outputs, state, env, paths, annotations, error, .. } = lines;
                return Ok(Told { exit, outputs, state, env, paths, annotations, error });
            }
            None => {
                let gone = std::io::Error::other("the output ended without an exit");
                return Err(sandbox::Error::SpawnerGone(gone));
            }
        }
    }
}

/// Adds lines of Landfall's own to the log of a job, unless a server that was killed just did.
pub async fn say(place: &JobPlace, step: u32, texts: impl IntoIterator<Item = String>) {
    let texts: Vec<_> = texts.into_iter().map(|text| place.mask(&text)).collect();
    place.log.lock().await.say(step, texts).await;
}

struct Lines<'a> {
    place: &'a JobPlace,
    step: u32,
    /// How much of the raw output the log holds already.
    known: u64,
    reader: command::Reader,
    outputs: Vec<(String, String)>,
    state: Vec<(String, String)>,
    env: Vec<(String, String)>,
    paths: Vec<String>,
    annotations: Vec<Annotation>,
    error: Option<String>,
    /// Whether commands that are obeyed are shown, too.
    echo: bool,
    batch: Vec<LogLine>,
    /// When lines were last written.
    flushed: Option<Instant>,
    /// The last time that was read, as text and as such: lines that came together have the same.
    time: (String, Timestamp),
}

impl Lines<'_> {
    async fn take(&mut self, line: &sandbox::log::Line, bytes: &[u8], out: &mpsc::Sender<Report>) {
        let text = String::from_utf8_lossy(bytes);
        let Some(shown) = self.meaning(&text, out).await else { return };
        if line.end <= self.known {
            return;
        }
        let stream = match line.stream {
            Stream::Stdout => OutputStream::Stdout,
            Stream::Stderr => OutputStream::Stderr,
        };
        if self.time.0 != line.time {
            self.time = (line.time.clone(), line.time.parse().unwrap_or_else(|_| store::now()));
        }
        let at = self.time.1;
        self.batch.push(LogLine {
            at,
            attempt: self.place.attempt,
            step: self.step,
            stream,
            text: self.place.mask(&shown),
            source_end_bytes: line.end,
        });
    }

    /// Obeys the command that a line may be, and tells what the log shows of it.
    async fn meaning<'t>(&mut self, text: &'t str, out: &mpsc::Sender<Report>) -> Option<Cow<'t, str>> {
        let echoed = self.echo.then_some(Cow::Borrowed(text));
        match self.reader.read(text) {
            command::Line::Text | command::Line::ResumeCommands | command::Line::Ignored { .. } => {
                if let Some(problem) = matchers::scan(self.place, text) {
                    let shown = format!("##[{}]{}", level(problem.annotation.level), problem.shown);
                    self.annotate(problem.annotation);
                    return Some(shown.into());
                }
                Some(text.into())
            }
            command::Line::AddMask(value) => {
                self.mask(value, out).await;
                self.echo.then_some("::add-mask::***".into())
            }
            command::Line::StopCommands { token } => {
                // A short token would hide half of the log.
                if token.len() > 6 {
                    self.place.hide(&token);
                }
                None
            }
            command::Line::SetOutput { name, value } => {
                self.outputs.push((name, value));
                echoed
            }
            command::Line::SaveState { name, value } => {
                self.state.push((name, value));
                echoed
            }
            command::Line::Disabled { command } => {
                let why = format!("the command `{command}` is disabled; write to $GITHUB_ENV or $GITHUB_PATH");
                self.error = Some(why.clone());
                Some(format!("##[error]{why}").into())
            }
            command::Line::SetEnv { name, value } => {
                self.env.push((name, value));
                echoed
            }
            command::Line::AddPath(folder) => {
                self.paths.push(folder);
                echoed
            }
            command::Line::AddMatcher(path) => {
                let told = matchers::add(self.place, &path);
                (!told.starts_with("##[debug]") || self.place.debug == Debug::Shown).then_some(told.into())
            }
            command::Line::RemoveMatcher(which) => matchers::remove(self.place, &which).map(Cow::Owned),
            command::Line::Wrong(why) => {
                self.error = Some(why.clone());
                Some(format!("##[error]{why}").into())
            }
            command::Line::Debug(message) => {
                (self.place.debug == Debug::Shown).then(|| format!("##[debug]{message}").into())
            }
            command::Line::Echo { on } => {
                self.echo = on;
                None
            }
            command::Line::Annotation(annotation) => {
                let told = told(&annotation);
                self.annotate(annotation);
                Some(told.into())
            }
            command::Line::Group(title) => Some(format!("##[group]{title}").into()),
            command::Line::EndGroup => Some("##[endgroup]".into()),
            command::Line::Invalid(why) => Some(format!("##[warning]{why}").into()),
        }
    }

    /// Keeps an annotation, masked, if there are not too many of its level.
    fn annotate(&mut self, mut annotation: Annotation) {
        let alike = self.annotations.iter().filter(|it| it.level == annotation.level).count();
        if alike < ANNOTATIONS_MAX {
            annotation.message = self.place.mask(&annotation.message);
            annotation.title = annotation.title.map(|title| self.place.mask(&title));
            self.annotations.push(matchers::relative(self.place, annotation));
        }
    }

    async fn mask(&mut self, value: String, out: &mpsc::Sender<Report>) {
        self.place.hide(&value);
        if let Err(error) = jobs::keep_mask(&self.place.folder, &value) {
            tracing::error!(%error, "a mask could not be kept for a restart");
        }
        // The receiver lives as long as the driver.
        let _ = out.send(Report::Mask(self.place.key.clone(), value)).await;
    }

    async fn flush(&mut self) {
        self.place.log.lock().await.append(&self.batch).await;
        self.batch.clear();
        self.flushed = Some(Instant::now());
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
    }
}

/// An annotation as the log shows it.
fn told(annotation: &Annotation) -> String {
    let place = annotation.file.as_ref().map(|file| {
        let line = annotation.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{file}{line}: ")
    });
    let level = level(annotation.level);
    format!("##[{level}]{}{}", place.unwrap_or_default(), annotation.message)
}
