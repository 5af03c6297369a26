//! Follows runs to their end: their records and the logs of their jobs.

use std::{collections::HashMap, time::Duration};

use api::{Conclusion, Record as _, Run, Status};
use futures_util::StreamExt as _;
use names::{Digest, RunId};
use store::{Change, LogLine, LogName, Logs, Revision};
use tokio::{sync::mpsc, task::JoinSet};

use super::{engine::Engine, interrupt::Interrupts, picture::JobId, screen::Screen};

/// How often the tree is drawn, and logs that were not there yet are looked for.
const TICK: Duration = Duration::from_millis(100);

/// Lines that wait to be shown.
const LINES: usize = 1024;

/// How following ended.
pub enum Ended {
    Over,
    /// Somebody wants it to end at once; the exit code says who.
    AtOnce(u8),
}

/// What the task that reads a log tells.
enum Piece {
    Line(JobId, LogLine),
    /// It read to the end of what there was, or of the whole log.
    End(JobId, Extent),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    SoFar,
    Whole,
}

/// How far a log is read.
#[derive(Default)]
struct Reading {
    lines: usize,
    is_read: bool,
    is_whole: bool,
}

struct Follower<'a> {
    logs: Logs,
    screen: &'a mut Screen,
    readings: HashMap<JobId, Reading>,
    tasks: JoinSet<()>,
    out: mpsc::Sender<Piece>,
}

/// Shows the runs until all of them, and those that they start, are over.
pub async fn follow(
    engine: &mut Engine,
    first: &[RunId],
    screen: &mut Screen,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Ended> {
    let mut changes = engine.records.watch(Run::KIND, Revision(0)).await?;
    let (out, mut pieces) = mpsc::channel(LINES);
    let mut follower =
        Follower { logs: engine.logs.clone(), screen, readings: HashMap::new(), tasks: JoinSet::new(), out };
    let mut tick = tokio::time::interval(TICK);
    let mut cancelling = false;
    loop {
        let shown = tokio::select! {
            change = changes.next() => match change? {
                Change::Put(stored) => {
                    let mut run: Run = serde_json::from_slice(&stored.value)?;
                    run.machine = serde_json::Value::Null;
                    follower.screen.update(run)
                }
                Change::Deleted { .. } => Ok(()),
            },
            Some(piece) = pieces.recv() => {
                let is_line = matches!(piece, Piece::Line(..));
                let taken = follower.take(piece);
                if is_line && taken.is_ok() {
                    continue;
                }
                taken
            }
            _ = tick.tick() => follower.screen.draw(),
            code = interrupts.next() => {
                if cancelling {
                    return Ok(Ended::AtOnce(code));
                }
                cancelling = true;
                eprintln!("cancelling; press Ctrl-C again to stop at once");
                engine.cancel(super::engine::BY_HAND).await?;
                Ok(())
            }
            fault = engine.fault() => return Err(fault),
        };
        // Nobody reads any more, as with `| head`.
        if shown.and_then(|()| follower.catch_up()).is_err() {
            return Ok(Ended::AtOnce(super::super::exit::FAILED));
        }
        let known = &follower.screen.picture.runs;
        let begun = first.iter().all(|id| known.contains_key(id));
        let over = begun && known.values().all(|run| run.status == Status::Completed);
        if over && follower.is_read() {
            return Ok(Ended::Over);
        }
    }
}

impl Follower<'_> {
    fn take(&mut self, piece: Piece) -> std::io::Result<()> {
        match piece {
            Piece::Line(id, line) => {
                self.readings.entry(id.clone()).or_default().lines += 1;
                self.screen.line(&id, line)
            }
            Piece::End(id, extent) => {
                let reading = self.readings.entry(id).or_default();
                reading.is_read = false;
                reading.is_whole = extent == Extent::Whole;
                Ok(())
            }
        }
    }

    /// Reads the logs that nobody reads, and tells which jobs are over.
    fn catch_up(&mut self) -> std::io::Result<()> {
        let mut over = Vec::new();
        for run in self.screen.picture.runs.values() {
            for job in &run.jobs {
                let id = (run.id.clone(), job.id.clone());
                let reading = self.readings.entry(id.clone()).or_default();
                if reading.is_whole {
                    over.push(id);
                    continue;
                }
                if reading.is_read || job.status == Status::Queued {
                    continue;
                }
                let has_none = job.log.is_none()
                    && job.status == Status::Completed
                    && (job.conclusion == Some(Conclusion::Skipped) || run.status == Status::Completed);
                if has_none {
                    reading.is_whole = true;
                    over.push(id);
                    continue;
                }
                reading.is_read = true;
                let name = LogName::new(&run.id, &job.id);
                self.tasks.spawn(read(self.logs.clone(), name, job.log, reading.lines, id, self.out.clone()));
            }
        }
        while self.tasks.try_join_next().is_some() {}
        over.iter().try_for_each(|id| self.screen.job_is_over(id))
    }

    fn is_read(&self) -> bool {
        let jobs = self.screen.picture.runs.values().flat_map(|run| run.jobs.iter().map(|job| (run.id.clone(), job.id.clone())));
        let mut jobs = jobs.map(|id| self.readings.get(&id).is_some_and(|it| it.is_whole));
        jobs.all(|it| it)
    }
}

/// Reads a log from a line on; what cannot be read is tried again.
async fn read(logs: Logs, name: LogName, sealed: Option<Digest>, from: usize, id: JobId, out: mpsc::Sender<Piece>) {
    if let Ok(lines) = logs.follow(&name, sealed).await {
        let mut lines = lines.skip(from);
        while let Some(Ok(line)) = lines.next().await {
            if out.send(Piece::Line(id.clone(), line)).await.is_err() {
                return;
            }
        }
    }
    if sealed.is_none() {
        // A log that is not there yet is looked for again, but not without a pause.
        tokio::time::sleep(TICK / 4).await;
    }
    let extent = if sealed.is_some() { Extent::Whole } else { Extent::SoFar };
    // Nobody follows any more then.
    let _ = out.send(Piece::End(id, extent)).await;
}
