//! Reads what a step prints: commands are obeyed, secrets masked, lines kept in the job's log.

use std::{borrow::Cow, time::Duration};

use loglines::{Entry, Heading, Scope, Scribe, Sieve, Stream};
use sandbox::{
    Attached, Exit,
    log::{Chunk, FollowedChunk},
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

/// Lines that come soon after others wait this long for company: a person notices a tenth of a
/// second, a disk fewer writes. The first after a pause does not wait.
const GATHER: Duration = Duration::from_millis(15);

/// Where so much comes at once, more is there already.
const MUCH: usize = 64 * 1024;

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
        scribe: Scribe::new(Heading { attempt: place.attempt, step }),
        partial: [Vec::new(), Vec::new()],
        text: Vec::new(),
    };
    let mut follow = attached.follow(0);
    loop {
        match follow.next_chunk().await? {
            Some(FollowedChunk::Lines(chunk)) => {
                lines.take_all(&chunk, out).await;
                if chunk.bytes.len() < MUCH {
                    follow.gather(GATHER).await?;
                } else {
                    // Others have work, too, while a flood lasts.
                    tokio::task::yield_now().await;
                }
            }
            Some(FollowedChunk::Exit(exit)) => {
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
    scribe: Scribe,
    /// What came of lines whose ends have not come yet.
    partial: [Vec<u8>; 2],
    /// What goes to the log next, as it stands there.
    text: Vec<u8>,
}

impl Lines<'_> {
    async fn take_all(&mut self, chunk: &Chunk, out: &mpsc::Sender<Report>) {
        let mut at = 0;
        let mut sieve = self.place.sieve();
        while let Some((entry, next)) = self.next(chunk, at, &sieve) {
            at = next;
            let partial = match entry.stream {
                Stream::Stdout => &mut self.partial[0],
                Stream::Stderr => &mut self.partial[1],
            };
            let end = chunk.start + next as u64;
            if entry.partial || !partial.is_empty() {
                if partial.len() < LINE_BYTES_MAX {
                    partial.extend_from_slice(entry.bytes);
                }
                if !entry.partial {
                    let whole = std::mem::take(partial);
                    self.take(Entry { bytes: &whole, ..entry }, end, out).await;
                }
            } else {
                self.take(entry, end, out).await;
            }
            // It may have told something to hide.
            sieve = self.place.sieve();
        }
        if !self.text.is_empty() {
            self.place.log.lock().await.append_written(self.step, chunk.end(), &self.text).await;
            self.text.clear();
        }
    }

    /// The next entry that must be looked at; what comes before it is copied.
    fn next<'c>(&mut self, chunk: &'c Chunk, at: usize, sieve: &Sieve) -> Option<(Entry<'c>, usize)> {
        if self.partial.iter().any(|it| !it.is_empty()) || matchers::any(self.place) {
            return Entry::next(&chunk.bytes, at);
        }
        let scope = Scope { start: chunk.start, known: self.known, sieve };
        self.scribe.copy(&chunk.bytes, at, scope, &mut self.text)
    }

    async fn take(&mut self, entry: Entry<'_>, end: u64, out: &mpsc::Sender<Report>) {
        let text = String::from_utf8_lossy(entry.bytes);
        let Some(shown) = self.meaning(&text, out).await else { return };
        if end <= self.known {
            return;
        }
        let at = std::str::from_utf8(entry.time).ok().and_then(|time| time.parse().ok()).unwrap_or_else(store::now);
        // The message of a command may have several lines.
        for text in self.place.mask(&shown).split('\n') {
            let line = LogLine {
                at,
                attempt: self.place.attempt,
                step: self.step,
                stream: match entry.stream {
                    Stream::Stdout => OutputStream::Stdout,
                    Stream::Stderr => OutputStream::Stderr,
                },
                text: text.to_owned(),
                source_end_bytes: end,
            };
            line.write(&mut self.text);
        }
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
                let first = self.outputs.is_empty().then_some(("set-output", "GITHUB_OUTPUT"));
                self.outputs.push((name, value));
                first.map_or(echoed, |(old, new)| Some(self.deprecated(old, new)))
            }
            command::Line::SaveState { name, value } => {
                let first = self.state.is_empty().then_some(("save-state", "GITHUB_STATE"));
                self.state.push((name, value));
                first.map_or(echoed, |(old, new)| Some(self.deprecated(old, new)))
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

    /// Says once in a step that a command gave way to a file.
    fn deprecated(&mut self, old: &str, new: &str) -> Cow<'static, str> {
        let message = format!("the command `{old}` is deprecated: write to the file that ${new} names");
        let shown = format!("##[warning]{message}");
        self.annotate(Annotation { level: Level::Warning, message, title: None, file: None, line: None, end_line: None, column: None, end_column: None });
        shown.into()
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
