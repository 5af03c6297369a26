//! The log of one job while it runs: several steps may write to it at the same time.

use std::collections::{HashMap, HashSet};

use futures_util::StreamExt as _;
use store::{LogError, LogLine, LogName, LogWriter, Logs, OutputStream};

use crate::place::SET_UP;

/// Appends to the log of a job and knows how far each step's output is told.
pub struct JobLog {
    writer: LogWriter,
    attempt: u32,
    /// How many bytes of a step's raw output the log holds.
    reached: HashMap<u32, u64>,
    /// What a server that was killed said itself, so that it is not said twice.
    said: HashSet<(u32, String)>,
}

impl JobLog {
    /// Opens the log of an attempt at a job, new or half written.
    pub async fn open(logs: &Logs, name: &LogName, attempt: u32) -> Result<Self, LogError> {
        let writer = logs.writer(name).await?;
        let mut log = Self { writer, attempt, reached: HashMap::new(), said: HashSet::new() };
        if log.writer.last().is_some() {
            let mut lines = logs.so_far(name, None).await?;
            while let Some(line) = lines.next().await {
                let line = line?;
                if line.attempt != attempt {
                    continue;
                }
                let reached = log.reached.entry(line.step).or_default();
                *reached = (*reached).max(line.source_end_bytes);
                if line.stream == OutputStream::Landfall {
                    log.said.insert((line.step, line.text));
                }
            }
        }
        Ok(log)
    }

    /// How many bytes of the output of `step` are in the log.
    pub fn reached(&self, step: u32) -> u64 {
        self.reached.get(&step).copied().unwrap_or_default()
    }

    /// Appends lines of a step as they stand in a log; its output is told up to `end` then.
    pub async fn append_written(&mut self, step: u32, end: u64, text: &[u8]) {
        let reached = self.reached.entry(step).or_default();
        *reached = (*reached).max(end);
        if let Err(error) = self.writer.append_written(text).await {
            tracing::error!(%error, "lines of a log are lost");
        }
    }

    /// Adds lines of Landfall's own, masked already, but for those that a server that was killed added.
    pub async fn say(&mut self, step: u32, texts: impl IntoIterator<Item = String>) {
        // A server that is killed may be told again to set a job up whose steps have begun.
        let begun = self.reached.keys().chain(self.said.iter().map(|(step, _)| step)).any(|it| *it != SET_UP);
        if step == SET_UP && begun {
            return;
        }
        let (at, attempt, source_end_bytes) = (store::now(), self.attempt, self.reached(step));
        let mut lines = Vec::new();
        for text in texts {
            if !self.said.remove(&(step, text.clone())) {
                lines.push(LogLine { at, attempt, step, stream: OutputStream::Landfall, text, source_end_bytes });
            }
        }
        if lines.is_empty() {
            return;
        }
        self.reached.entry(step).or_default();
        if let Err(error) = self.writer.append(&lines).await {
            tracing::error!(%error, "lines of a log are lost");
        }
    }

    pub async fn seal(&mut self) -> Result<names::Digest, LogError> {
        self.writer.seal().await
    }
}
