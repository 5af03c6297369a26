//! Where a node keeps the files of its pods.

use std::path::{Path, PathBuf};

use sandbox::{NetworkName, ParseNameError, Process, SandboxId, Signal};
use serde::{Deserialize, Serialize};

/// The state folder of one node.
#[derive(Debug, Clone)]
pub struct Folders {
    root: PathBuf,
}

impl Folders {
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn addresses(&self) -> PathBuf {
        self.root.join("addresses")
    }

    pub fn pods(&self) -> PathBuf {
        self.root.join("pods")
    }

    /// Folders of pods that are over; removed in the background.
    pub fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    pub fn pod(&self, uid: &str) -> PodFolder {
        PodFolder {
            root: self.pods().join(uid),
        }
    }
}

/// The folder of one pod.
#[derive(Debug, Clone)]
pub struct PodFolder {
    root: PathBuf,
}

impl PodFolder {
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    pub fn hosts(&self) -> PathBuf {
        self.root.join("hosts")
    }

    pub fn resolv_conf(&self) -> PathBuf {
        self.root.join("resolv.conf")
    }

    /// Where the `index`th mount of a container holds its `subPath`.
    pub fn pin(&self, container: &str, index: usize) -> PathBuf {
        self.root
            .join("pins")
            .join(container)
            .join(index.to_string())
    }

    pub fn attempt(&self, container: &str, attempt: u32) -> AttemptFolder {
        AttemptFolder {
            root: self
                .root
                .join("containers")
                .join(container)
                .join(attempt.to_string()),
        }
    }
}

/// The folder of one run of a container.
#[derive(Debug, Clone)]
pub struct AttemptFolder {
    root: PathBuf,
}

impl AttemptFolder {
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    pub fn message(&self) -> PathBuf {
        self.root.join("message")
    }

    /// How further processes are started and how the container is asked to end; see [`Template`].
    pub fn template(&self) -> PathBuf {
        self.root.join("template.json")
    }
}

/// What outlives the agent about a running container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The main process; probes, hooks and `exec` take its user, folder and variables.
    pub process: Process,
    pub stop_signal: Signal,
}

/// One run of a container, as its sandbox is named and labelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunName {
    pub uid: String,
    pub container: String,
    pub attempt: u32,
}

pub const NODE_LABEL: &str = "node";
pub const POD_LABEL: &str = "pod";
pub const CONTAINER_LABEL: &str = "container";
pub const ATTEMPT_LABEL: &str = "attempt";

impl RunName {
    pub fn sandbox(&self) -> Result<SandboxId, ParseNameError> {
        format!("{}.{}.{}", self.uid, self.container, self.attempt).parse()
    }

    /// Reads the labels that [`RunName::labels`] gave.
    pub fn from_labels(labels: &std::collections::BTreeMap<String, String>) -> Option<Self> {
        let label = |name: &str| labels.get(name).cloned();
        let attempt = label(ATTEMPT_LABEL)?.parse().ok()?;
        Some(Self {
            uid: label(POD_LABEL)?,
            container: label(CONTAINER_LABEL)?,
            attempt,
        })
    }

    pub fn labels(&self, node: &str) -> std::collections::BTreeMap<String, String> {
        let attempt = self.attempt.to_string();
        [
            (NODE_LABEL, node),
            (POD_LABEL, &self.uid),
            (CONTAINER_LABEL, &self.container),
            (ATTEMPT_LABEL, &attempt),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

/// The network of a pod is named by the pod's unique ID.
pub fn network_name(uid: &str) -> Result<NetworkName, ParseNameError> {
    uid.parse()
}
