//! Shows a thread as it grows: new lines once, and on a terminal what runs at this moment.

use std::{
    collections::HashMap,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use api::Status;
use delivery::Thread;
use names::format_duration;

/// How often the line of what runs is drawn again.
pub const REDRAW: Duration = Duration::from_millis(200);

/// Where a thread is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// With a last line that is drawn again and again.
    Terminal,
    /// One event a line.
    Pipe,
    /// Nothing is shown before the end.
    Silent,
}

impl Screen {
    /// What standard output is.
    pub fn detect() -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|it| it == "dumb");
        if io::stdout().is_terminal() && !dumb { Self::Terminal } else { Self::Pipe }
    }
}

/// Prints what was not printed yet.
#[derive(Debug)]
pub struct Progress {
    screen: Screen,
    /// How often each line was printed; two steps may say the same.
    printed: HashMap<String, usize>,
    /// What stands in the last line of the terminal.
    status: String,
}

impl Progress {
    pub fn new(screen: Screen) -> Self {
        Self { screen, printed: HashMap::new(), status: String::new() }
    }

    pub fn is_live(&self) -> bool {
        self.screen == Screen::Terminal
    }

    /// Prints the lines that are new, and below them what runs.
    pub fn show(&mut self, lines: &[String], running: String) -> io::Result<()> {
        let fresh = self.fresh(lines);
        match self.screen {
            Screen::Silent => Ok(()),
            Screen::Pipe => {
                let mut out = io::stdout().lock();
                for line in &fresh {
                    writeln!(out, "{line}")?;
                }
                out.flush()
            }
            Screen::Terminal => self.draw(&fresh, running),
        }
    }

    /// Takes the line of what runs away.
    pub fn end(&mut self) -> io::Result<()> {
        if self.screen == Screen::Terminal { self.draw(&[], String::new()) } else { Ok(()) }
    }

    fn fresh(&mut self, lines: &[String]) -> Vec<String> {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut fresh = Vec::new();
        for line in lines {
            let count = seen.entry(line).or_default();
            *count += 1;
            let printed = self.printed.entry(line.clone()).or_default();
            if *count > *printed {
                *printed += 1;
                fresh.push(line.clone());
            }
        }
        fresh
    }

    /// One write, so that the terminal never shows a half-drawn state.
    fn draw(&mut self, fresh: &[String], running: String) -> io::Result<()> {
        if fresh.is_empty() && running == self.status {
            return Ok(());
        }
        let mut text = String::from("\r");
        for line in fresh {
            text.push_str(&format!("{line}\x1b[K\n"));
        }
        // A terminal that does not know its width says 0.
        let width = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|it| usize::from(it.ws_col)).filter(|it| *it > 0);
        let width = width.unwrap_or(80);
        text.extend(running.chars().take(width.saturating_sub(1)));
        text.push_str("\x1b[K");
        self.status = running;
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// What of a thread runs now, on one line.
pub fn running(thread: &Thread) -> String {
    let now = store::now();
    let mut parts = Vec::new();
    let open = thread.runs.iter().filter(|run| run.status != Status::Completed);
    for job in open.flat_map(|run| &run.jobs).filter(|job| job.status == Status::Running) {
        let step = job.steps.iter().find(|step| step.status == Status::Running);
        parts.push(match step {
            Some(step) => {
                let since = step.started.map(|at| format!(" {}", format_duration(now.since(at)))).unwrap_or_default();
                format!("{} / {}{since}", job.name, step.name)
            }
            None => job.name.clone(),
        });
    }
    for release in thread.releases.iter().filter(|release| !release.state.is_final()) {
        let (ready, desired) = release.workloads.iter().fold((0, 0), |(ready, desired), it| (ready + it.ready, desired + it.desired));
        parts.push(format!("{} {} {ready}/{desired} ready", release.id, release.state));
    }
    if parts.is_empty() { String::new() } else { format!("… {}", parts.join("   ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_new_as_often_as_it_stands_there() {
        let mut progress = Progress::new(Screen::Silent);
        check(&mut progress, "a,b", "a,b");
        check(&mut progress, "a,x,b,a", "x,a");
        check(&mut progress, "a,x,b,a", "");
    }

    #[track_caller]
    fn check(progress: &mut Progress, lines: &str, expected: &str) {
        let lines: Vec<_> = lines.split(',').map(str::to_owned).collect();
        assert_eq!(progress.fresh(&lines).join(","), expected);
    }
}
