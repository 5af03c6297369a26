//! Reads what a step prints: commands are obeyed, secrets masked, lines kept in the job's log.

use std::time::Duration;

use sandbox::{
    Attached, Exit,
    log::{Followed, Stream},
};
use store::{LogLine, OutputStream};
use tokio::sync::mpsc;
use workflow::{Masker, command};

use crate::{drive::Report, jobs::{self, JobPlace}};

/// Lines wait at most this long for company: a person notices a tenth of a second, a disk fewer writes.
const FLUSH: Duration = Duration::from_millis(15);

/// More lines than this are written at once.
const BATCH: usize = 512;

/// Longer lines are cut: no page and no terminal is served by more.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// What a step told through its output.
pub struct Told {
    pub exit: Exit,
    pub outputs: Vec<(String, String)>,
    /// Why the step fails although it may have exited well.
    pub error: Option<String>,
}

/// Reads the output of a step to its end.
///
/// After a restart all of it is read again for its commands, and only what the
/// log does not hold yet is added to it.
pub async fn read(
    place: &JobPlace,
    step: usize,
    attached: Attached,
    out: &mpsc::Sender<Report>,
) -> Result<Told, sandbox::Error> {
    let step = u32::try_from(step).unwrap_or(u32::MAX);
    let known = place.log.lock().await.last().map_or(0, |line| reached(line, place, step));
    let mut lines = Lines {
        place,
        step,
        known,
        masker: place.secrets.masker().clone(),
        reader: command::Reader::default(),
        outputs: Vec::new(),
        error: None,
        batch: Vec::new(),
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
            match tokio::time::timeout(FLUSH, follow.next()).await {
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
                return Ok(Told { exit, outputs: lines.outputs, error: lines.error });
            }
            None => {
                let gone = std::io::Error::other("the output ended without an exit");
                return Err(sandbox::Error::SpawnerGone(gone));
            }
        }
    }
}

/// How much of a step's raw output is told by the log whose last line this is.
fn reached(last: &LogLine, place: &JobPlace, step: u32) -> u64 {
    if (last.attempt, last.step) == (place.attempt, step) { last.source_end_bytes } else { 0 }
}

/// Adds a line of Landfall's own to the log of a job, unless a server that was killed just did.
pub async fn say(place: &JobPlace, step: usize, text: &str) {
    let step = u32::try_from(step).unwrap_or(u32::MAX);
    let mut log = place.log.lock().await;
    let line = LogLine {
        at: store::now(),
        attempt: place.attempt,
        step,
        stream: OutputStream::Landfall,
        text: place.secrets.masker().mask(text),
        source_end_bytes: log.last().map_or(0, |line| reached(line, place, step)),
    };
    let is_same = |last: &LogLine| LogLine { at: line.at, ..last.clone() } == line;
    if log.last().is_some_and(is_same) {
        return;
    }
    if let Err(error) = log.append(&[line]).await {
        tracing::error!(%error, "a line of a log is lost");
    }
}

struct Lines<'a> {
    place: &'a JobPlace,
    step: u32,
    /// How much of the raw output the log holds already.
    known: u64,
    masker: Masker,
    reader: command::Reader,
    outputs: Vec<(String, String)>,
    error: Option<String>,
    batch: Vec<LogLine>,
}

impl Lines<'_> {
    async fn take(&mut self, line: &sandbox::log::Line, bytes: &[u8], out: &mpsc::Sender<Report>) {
        let text = String::from_utf8_lossy(bytes);
        let shown = match self.reader.read(&text) {
            command::Line::AddMask(value) => {
                self.mask(value, out).await;
                return;
            }
            command::Line::StopCommands { token } => {
                self.masker.add(&token);
                return;
            }
            command::Line::SetOutput { name, value } => {
                self.outputs.push((name, value));
                return;
            }
            command::Line::Disabled { command } => {
                let why = format!("the command `{command}` is disabled; write to $GITHUB_ENV or $GITHUB_PATH");
                self.error = Some(why.clone());
                format!("##[error]{why}")
            }
            command::Line::Debug(_) | command::Line::SaveState { .. } | command::Line::Echo { .. } => return,
            command::Line::Annotation(annotation) => {
                let level = match annotation.level {
                    command::Level::Error => "error",
                    command::Level::Warning => "warning",
                    command::Level::Notice => "notice",
                };
                let place = annotation.file.map(|file| {
                    let line = annotation.line.map(|line| format!(":{line}")).unwrap_or_default();
                    format!("{file}{line}: ")
                });
                format!("##[{level}]{}{}", place.unwrap_or_default(), annotation.message)
            }
            command::Line::Group(title) => format!("##[group]{title}"),
            command::Line::EndGroup => "##[endgroup]".to_owned(),
            command::Line::Invalid(why) => format!("##[warning]{why}"),
            command::Line::Text | command::Line::ResumeCommands | command::Line::Ignored { .. } => {
                text.into_owned()
            }
        };
        if line.end <= self.known {
            return;
        }
        let stream = match line.stream {
            Stream::Stdout => OutputStream::Stdout,
            Stream::Stderr => OutputStream::Stderr,
        };
        self.batch.push(LogLine {
            at: line.time.parse().unwrap_or_else(|_| store::now()),
            attempt: self.place.attempt,
            step: self.step,
            stream,
            text: self.masker.mask(&shown),
            source_end_bytes: line.end,
        });
    }

    async fn mask(&mut self, value: String, out: &mpsc::Sender<Report>) {
        self.masker.add(&value);
        if let Err(error) = jobs::keep_mask(&self.place.folder, &value) {
            tracing::error!(%error, "a mask could not be kept for a restart");
        }
        // The receiver lives as long as the driver.
        let _ = out.send(Report::Mask(self.place.key.clone(), value)).await;
    }

    async fn flush(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.place.log.lock().await.append(&batch).await {
            tracing::error!(%error, "lines of a log are lost");
        }
    }
}
