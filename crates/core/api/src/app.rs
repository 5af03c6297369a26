//! An app: a path of a Git repository that a cluster follows, and how that goes.

use std::{collections::BTreeMap, fmt};

use names::{CommitId, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Cause, ObjectRef, Record, RolloutPlan, RolloutProgress, WorkloadStatus};

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
    /// A chart of a chart repository or of an OCI registry, which `repository` then is; `revision` is its version or a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
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
    /// Deletes what the app brought, then the app.
    Remove,
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
