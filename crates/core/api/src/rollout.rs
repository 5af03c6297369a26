//! How a Deployment of an app changes over: what was asked for, and how far it is.

use std::fmt;

use names::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Cause, ObjectRef};

/// How a Deployment of the app changes over to a new version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "strategy")]
pub enum RolloutPlan {
    /// As the Deployment itself says.
    #[default]
    Rolling,
    Canary(CanaryPlan),
    BlueGreen(BlueGreenPlan),
}

/// Steps of a canary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CanaryPlan {
    pub steps: Vec<CanaryStep>,
    #[serde(default)]
    pub analysis: Option<AnalysisPlan>,
}

/// One step of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CanaryStep {
    /// So many of a hundred requests go to the new version.
    Weight(u8),
    /// Seconds; none waits for a person.
    Pause(Option<u64>),
}

/// A new version stands beside the old one, then takes over at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BlueGreenPlan {
    /// A Service that shows the new version before it takes over.
    #[serde(default)]
    pub preview: Option<String>,
    /// Takes over by itself after so many seconds; none waits for a person.
    #[serde(default)]
    pub promote_after_seconds: Option<u64>,
    /// How long the old version stays, in seconds.
    pub keep_seconds: u64,
    #[serde(default)]
    pub analysis: Option<AnalysisPlan>,
}

/// What must hold while a new version is tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnalysisPlan {
    /// Of a hundred requests, at most so many may fail.
    #[serde(default)]
    pub errors_percent_max: Option<f64>,
    /// Half of the requests are answered within so many milliseconds.
    #[serde(default)]
    pub latency_p50_ms_max: Option<f64>,
    /// Of twenty requests, nineteen are answered within so many milliseconds.
    #[serde(default)]
    pub latency_p95_ms_max: Option<f64>,
    #[serde(default)]
    pub prometheus: Option<PrometheusCheck>,
    pub interval_seconds: u64,
    /// So many measurements may fail.
    #[serde(default)]
    pub failures_max: u32,
    /// Fewer requests than this in an interval say nothing.
    pub requests_min: u64,
}

/// A number that a Prometheus gives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PrometheusCheck {
    pub address: String,
    pub query: String,
    #[serde(default)]
    pub max: Option<f64>,
    #[serde(default)]
    pub min: Option<f64>,
}

/// How far the canaries and blue-green changes of one deployment are; they pass or go back together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutProgress {
    /// The deployment that is tried.
    pub deployment: u64,
    /// The rendered manifests that the versions before come from.
    pub stable: Digest,
    pub split: TrafficSplit,
    pub workloads: Vec<WorkloadRollout>,
    /// Why it goes back, if it does.
    #[serde(default)]
    pub failed: Option<Cause>,
    /// When it passed.
    #[serde(default)]
    pub passed: Option<Timestamp>,
    /// The hooks that come after everything else have run, or there are none.
    #[serde(default)]
    pub followed: bool,
}

/// Who divides requests between two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficSplit {
    /// The proxy of this installation, request by request.
    Proxy,
    /// Somebody else, who sends each pod the same share: the numbers of pods have to say it.
    Replicas,
}

/// How far one Deployment is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkloadRollout {
    pub object: ObjectRef,
    pub plan: RolloutPlan,
    /// The Services whose requests are divided, by name.
    pub services: Vec<String>,
    /// What the pod templates of both versions are known by.
    pub stable: String,
    pub canary: String,
    /// So many pods each version has when it serves alone.
    pub replicas_stable: u32,
    pub replicas_canary: u32,
    pub phase: RolloutPhase,
    pub step: usize,
    /// So many of a hundred requests go to the new version.
    pub weight: u8,
    /// When the phase or step began.
    pub since: Timestamp,
    /// Whether the Deployment itself may already hold the new version.
    #[serde(default)]
    pub stable_changed: bool,
    /// Since when the new version is not ready although it was.
    #[serde(default)]
    pub unready_since: Option<Timestamp>,
    #[serde(default)]
    pub analysis: AnalysisProgress,
    /// What is awaited, in words.
    #[serde(default)]
    pub message: String,
    /// Only a person, or new evidence, leads on.
    #[serde(default)]
    pub paused: bool,
}

/// Where the changeover of one Deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutPhase {
    /// The first pods of the new version are awaited.
    Starting,
    Stepping,
    /// All steps are done; other workloads of the deployment are awaited.
    Passed,
    /// The second Deployment serves alone while the first one takes the new version over.
    Promoting,
    /// The first one serves; the second one goes.
    Finishing,
    Done,
    /// Requests go back to the version before.
    Returning,
    /// Requests are back; the second Deployment goes.
    Returned,
    Gone,
}

impl fmt::Display for RolloutPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Stepping => "stepping",
            Self::Passed => "passed",
            Self::Promoting => "promoting",
            Self::Finishing => "finishing",
            Self::Done => "done",
            Self::Returning => "returning",
            Self::Returned => "returned",
            Self::Gone => "gone",
        })
    }
}

/// What was measured so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AnalysisProgress {
    /// When to measure next.
    pub due: Option<Timestamp>,
    /// Counts measurements and changes of the weight; what was counted belongs to one of them.
    pub mark: u64,
    pub failures: u32,
    /// Good measurements at this weight.
    pub good: u32,
    /// Measurements in a row that said nothing.
    pub inconclusive: u32,
    /// Measurements in a row for which the source gave no answer.
    pub errors: u32,
    /// A person went on without evidence at this weight.
    pub waived: bool,
    /// The latest last.
    pub latest: Vec<Measurement>,
}

/// What one measurement said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    pub at: Timestamp,
    pub weight: u8,
    pub verdict: MeasuredVerdict,
    /// What was measured, in words.
    pub readings: Vec<String>,
}

/// From best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredVerdict {
    Good,
    /// Too little was seen to say anything.
    Inconclusive,
    /// The source gave no answer.
    Unknown,
    Bad,
}
