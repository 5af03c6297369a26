//! What a build tells while it runs.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Progress {
    /// A finding that does not stop the build.
    Warning { file: String, line: usize, column: usize, code: String, message: String, help: String },
    /// The base images are known and this many steps follow.
    Planned { steps: usize },
    /// A base image is looked for or pulled.
    Base { image: String },
    /// A step begins.
    Step { step: usize, steps: usize, stage: String, line: usize, instruction: String },
    /// A line that a command wrote.
    Output { step: usize, stream: OutputStream, line: String },
    /// A step is done.
    Done { step: usize, cached: bool, millis: u64 },
    /// The image is stored under this name.
    Tagged { name: String, digest: names::Digest },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    Stdout,
    Stderr,
}

/// Sends progress; a receiver that went away is no error.
#[derive(Clone)]
pub(crate) struct Reporter(pub mpsc::Sender<Progress>);

impl Reporter {
    pub async fn tell(&self, progress: Progress) {
        // Who stopped listening still wants the image.
        let _ = self.0.send(progress).await;
    }
}
