//! The records that services exchange, one file per kind.
//!
//! A record is what a service knows and others may watch. It is stored as JSON
//! under its kind and key; fields are only ever added.

mod agent;
mod app;
mod approval;
mod artifact;
mod cache;
mod check;
mod drill;
mod grant;
mod group;
mod image;
mod push;
mod release;
mod rollout;
mod run;
mod secret;
mod test_case;
mod test_flaky;
mod test_report;
mod test_reuse;
mod test_split;

pub use agent::ClusterAgent;
pub use app::{
    App, AppCondition, AppRequest, AppResource, AppSource, AppSpec, AppStatus, Automated, Deployment, DeploymentState,
    DirectorySource, DriftField, Health, HelmParameter, HelmSource, IgnoreRule, KeptManifests, KustomizeSource, NamespaceMarks,
    Propagation, Quarantine, Retry, Revision, SyncOperation, SyncOptions, SyncState,
};
pub use approval::{Approval, ApprovalState, EnvironmentRules};
pub use artifact::{Artifact, ArtifactContent};
pub use cache::{CacheContent, CacheEntry, CachedTree, Packing};
pub use check::{
    AnnotationLevel, CheckAnnotation, CheckConclusion, CheckRun, CheckStatus, CommitStatus, StatusState,
};
pub use drill::{Drill, DrillFinding, DrillState, DrillStep, DrillStepState, DrillWeight};
pub use group::{ConcurrencyGroup, GroupMember};
pub use grant::{JobGrant, Permission, Trust};
pub use image::{BuildStep, ImageManifest, ImageTag};
pub use push::{Project, Push};
pub use release::{
    Cause, Change, ObjectRef, Release, ReleaseState, ReleasedImage, ServiceAddress, WorkloadStatus,
};
pub use rollout::{
    AnalysisPlan, AnalysisProgress, BlueGreenPlan, CanaryPlan, CanaryStep, MeasuredVerdict, Measurement, PrometheusCheck,
    RolloutPhase, RolloutPlan, RolloutProgress, TrafficSplit, WorkloadRollout,
};
pub use run::{Annotation, COMPLETE_SECTION, Conclusion, Job, JobCancel, JobsAgain, Run, SET_UP_SECTION, Status, Step};
pub use secret::{Forks, ProjectHook, ProjectSecret, ProjectVariable};
pub use test_case::{TestCase, TestCounts, TestOutcome};
pub use test_flaky::{FlakyEvidence, FlakyTest, TestedBy};
pub use test_report::{TestReport, TestReportFile};
pub use test_reuse::{JobClaim, JobProof, JobProofOutcome};
pub use test_split::{TestHistory, TestHistoryEntry, TestRerun, TestSplit};

/// A kind of record: where it is stored and under which key.
pub trait Record: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static {
    /// The name of the kind in the store.
    const KIND: &'static str;

    /// The key of this record; keys of one kind sort as their records should be listed.
    fn key(&self) -> String;
}
