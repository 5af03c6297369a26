//! An app: a path of a Git repository that a cluster follows, and how that goes.

use std::{collections::BTreeMap, fmt};

use names::{CommitId, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Cause, ObjectRef, Record, WorkloadStatus};

/// What a person asked to be followed, and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct App {
    /// Unique in the installation; a DNS label.
    pub name: String,
    pub spec: AppSpec,
    /// Counts changes of `spec` and of requests, so that work for an older one stops.
    pub generation: u64,
    /// A sync or rollback that a person asked for; gone when it is taken up.
    #[serde(default)]
    pub request: Option<AppRequest>,
    #[serde(default)]
    pub status: AppStatus,
}

/// What is to be followed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AppSpec {
    /// The project it belongs to; rights are given by project.
    pub project: String,
    /// Rendered one after another; of an object that several have, the last one counts.
    pub sources: Vec<AppSource>,
    /// Where objects go that name no namespace themselves.
    pub namespace: String,
    /// The cluster elsewhere whose agent follows the sources; `None` for the cluster of the installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Sync by itself, or only when asked.
    #[serde(default)]
    pub automated: Option<Automated>,
    #[serde(default)]
    pub options: SyncOptions,
    #[serde(default)]
    pub retry: Retry,
    #[serde(default)]
    pub ignore: Vec<IgnoreRule>,
    /// How many past deployments are kept to go back to.
    pub history: u32,
    /// How Deployments of the app change over.
    #[serde(default)]
    pub rollout: RolloutPlan,
    /// How long a deployment may take to become healthy, in seconds.
    pub deadline_seconds: u64,
    /// What the namespace is marked with that the app makes for itself.
    #[serde(default)]
    pub namespace_marks: NamespaceMarks,
    /// The `landfall.yaml` that asks for it, if it is not an `Application`: `PROJECT`.
    #[serde(default)]
    pub declared_by: Option<String>,
}

/// Labels and annotations of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceMarks {
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// One place that manifests come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AppSource {
    /// A project of this installation, or the address of a repository.
    pub repository: String,
    /// A branch, a tag, a commit, `HEAD`, or a range of versions of tags.
    pub revision: String,
    /// A folder of the repository; empty for its top.
    #[serde(default)]
    pub path: String,
    /// The name by which value files of other sources refer to this one (`$name/…`).
    #[serde(default)]
    pub reference: Option<String>,
    #[serde(default)]
    pub helm: HelmSource,
    #[serde(default)]
    pub kustomize: KustomizeSource,
    #[serde(default)]
    pub directory: DirectorySource,
}

/// How a chart is rendered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HelmSource {
    #[serde(default)]
    pub release_name: Option<String>,
    #[serde(default)]
    pub value_files: Vec<String>,
    #[serde(default)]
    pub ignore_missing_value_files: bool,
    /// YAML text.
    #[serde(default)]
    pub values: Option<String>,
    #[serde(default)]
    pub values_object: Option<Value>,
    #[serde(default)]
    pub parameters: Vec<HelmParameter>,
    #[serde(default)]
    pub skip_crds: bool,
    #[serde(default)]
    pub namespace: Option<String>,
    #[serde(default)]
    pub kube_version: Option<String>,
    #[serde(default)]
    pub api_versions: Vec<String>,
    /// 3 or 4.
    #[serde(default)]
    pub version: Option<u8>,
}

/// One `--set`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelmParameter {
    pub name: String,
    pub value: String,
    #[serde(default)]
    pub force_string: bool,
}

/// Edits to a kustomization before it is built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KustomizeSource {
    #[serde(default)]
    pub images: Vec<String>,
    #[serde(default)]
    pub name_prefix: Option<String>,
    #[serde(default)]
    pub name_suffix: Option<String>,
    #[serde(default)]
    pub common_labels: BTreeMap<String, String>,
    #[serde(default)]
    pub common_annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub namespace: Option<String>,
    #[serde(default)]
    pub replicas: Vec<(String, u32)>,
    #[serde(default)]
    pub components: Vec<String>,
    #[serde(default)]
    pub patches: Vec<Value>,
}

/// Which files of a folder of plain manifests count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectorySource {
    #[serde(default)]
    pub recurse: bool,
    /// A glob, or several in braces.
    #[serde(default)]
    pub include: Option<String>,
    #[serde(default)]
    pub exclude: Option<String>,
}

/// What happens without being asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Automated {
    /// Objects that left Git are deleted.
    #[serde(default)]
    pub prune: bool,
    /// What somebody else changed is changed back.
    #[serde(default)]
    pub self_heal: bool,
    /// Deleting every object needs no question.
    #[serde(default)]
    pub allow_empty: bool,
}

/// How objects are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncOptions {
    pub create_namespace: bool,
    pub prune_last: bool,
    pub apply_out_of_sync_only: bool,
    pub replace: bool,
    pub validate: bool,
    pub respect_ignore_differences: bool,
    pub propagation: Propagation,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            create_namespace: false,
            prune_last: false,
            apply_out_of_sync_only: false,
            replace: false,
            validate: true,
            respect_ignore_differences: false,
            propagation: Propagation::Foreground,
        }
    }
}

/// What happens to what a deleted object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Propagation {
    #[default]
    Foreground,
    Background,
    Orphan,
}

/// How often a failed sync is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Negative: without end.
    pub limit: i64,
    pub seconds: u64,
    pub factor: u64,
    pub seconds_max: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { limit: 5, seconds: 5, factor: 2, seconds_max: 180 }
    }
}

/// Differences that do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoreRule {
    /// Empty and `*` fit every group, kind, name and namespace.
    #[serde(default)]
    pub group: String,
    pub kind: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub namespace: String,
    #[serde(default)]
    pub json_pointers: Vec<String>,
    /// Fields that these managers own.
    #[serde(default)]
    pub managers: Vec<String>,
    /// Places that expressions of jq name.
    #[serde(default)]
    pub jq: Vec<String>,
}

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

/// What a person asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum AppRequest {
    Sync {
        /// Instead of the app's own revision.
        #[serde(default)]
        revision: Option<String>,
        prune: bool,
        /// Deleting most of the objects was confirmed.
        #[serde(default)]
        confirmed: bool,
    },
    /// Back to a deployment of the history; the one that is left is quarantined.
    Rollback { deployment: u64 },
    Promote { full: bool },
    Abort,
    /// Somebody told that a source changed, so it is asked now.
    Refresh,
    /// Lifts the quarantine.
    Release,
}

/// Where an app stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppStatus {
    /// What Git says now, if it could be asked.
    pub seen: Option<Revision>,
    /// What the objects in the cluster come from.
    pub deployed: Option<u64>,
    pub sync: SyncState,
    pub health: Health,
    pub resources: Vec<AppResource>,
    pub operation: Option<SyncOperation>,
    pub quarantined: Vec<Quarantine>,
    /// The latest last.
    pub history: Vec<Deployment>,
    /// What keeps the app from being as it should, in words.
    pub conditions: Vec<AppCondition>,
    pub rollout: Option<RolloutProgress>,
    pub observed: u64,
}

/// What a revision is when it is resolved and rendered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The commit of each source.
    pub commits: Vec<CommitId>,
    /// Of the rendered manifests; what is the same renders the same.
    pub rendered: Digest,
}

/// Whether the cluster holds what Git says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    #[default]
    Unknown,
    Synced,
    OutOfSync,
    /// At an older deployment, because the newer one is quarantined.
    Held,
}

/// How an object or a whole app does, from best to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Healthy,
    Suspended,
    Progressing,
    Missing,
    Degraded,
    #[default]
    Unknown,
}

/// One object of an app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppResource {
    pub object: ObjectRef,
    pub sync: SyncState,
    /// `None` for kinds that have no health.
    pub health: Option<Health>,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub drift: Vec<DriftField>,
    /// It left Git and waits to be deleted.
    #[serde(default)]
    pub requires_pruning: bool,
}

/// One field that differs from what Git says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftField {
    /// As `kubectl` spells paths: `.spec.replicas`.
    pub path: String,
    pub wanted: Option<Value>,
    pub live: Option<Value>,
    /// Who wrote the live value, as `managedFields` tells.
    pub writer: Option<String>,
}

/// One attempt to bring objects to the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    pub id: u64,
    pub revision: Revision,
    /// What was written, so that what is gone can be deleted later.
    pub inventory: Vec<ObjectRef>,
    pub state: DeploymentState,
    pub started: Timestamp,
    pub finished: Option<Timestamp>,
    /// Why it failed.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// By a person, or `automatic`.
    pub by: String,
    /// The deployment that this one brought back.
    #[serde(default)]
    pub back_to: Option<u64>,
    #[serde(default)]
    pub workloads: Vec<WorkloadStatus>,
    /// The subject of the commit, for people.
    #[serde(default)]
    pub subject: String,
    /// Hooks that ran and say that what they did cannot be undone.
    #[serde(default)]
    pub irreversible: Vec<ObjectRef>,
}

/// How an attempt went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    Syncing,
    /// Everything is written; its health is awaited.
    Waiting,
    Healthy,
    Failed,
    RolledBack,
    Superseded,
}

/// A rendered state that no sync may choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quarantine {
    pub rendered: Digest,
    pub commits: Vec<CommitId>,
    pub deployment: u64,
    pub since: Timestamp,
    pub cause: Cause,
    /// The commit that takes it back in Git, once it is written.
    #[serde(default)]
    pub reverted_by: Option<CommitId>,
    /// Why the revert is not written yet.
    #[serde(default)]
    pub revert_pending: Option<String>,
}

/// A sync under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncOperation {
    pub deployment: u64,
    pub phase: String,
    pub message: String,
    pub attempt: u32,
    pub retry_at: Option<Timestamp>,
    /// Whether each task is done, by object.
    pub done: Vec<String>,
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

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppCondition {
    /// A word such as `RenderError`.
    pub kind: String,
    pub message: String,
    /// What leads on.
    #[serde(default)]
    pub help: String,
}

impl fmt::Display for SyncState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown",
            Self::Synced => "Synced",
            Self::OutOfSync => "OutOfSync",
            Self::Held => "Held",
        })
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "Healthy",
            Self::Suspended => "Suspended",
            Self::Progressing => "Progressing",
            Self::Missing => "Missing",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
        })
    }
}

impl Record for App {
    const KIND: &'static str = "app";

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// Where rendered manifests are kept, sealed, so that going back needs neither Git nor a renderer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptManifests {
    pub rendered: Digest,
    /// The sealed text.
    pub blob: Digest,
    /// What images were named by digest, by their names in the manifests.
    #[serde(default)]
    pub pinned: BTreeMap<String, String>,
}

impl Record for KeptManifests {
    const KIND: &'static str = "manifests";

    fn key(&self) -> String {
        self.rendered.hex()
    }
}
