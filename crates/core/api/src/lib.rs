//! The records that services exchange, one file per kind.
//!
//! A record is what a service knows and others may watch. It is stored as JSON
//! under its kind and key; fields are only ever added.

mod app;
mod approval;
mod artifact;
mod cache;
mod check;
mod grant;
mod group;
mod image;
mod push;
mod release;
mod run;
mod secret;

pub use app::{
    AnalysisPlan, App, AppCondition, AppRequest, AppResource, AppSource, AppSpec, AppStatus, Automated,
    BlueGreenPlan, CanaryPlan, CanaryStep, Deployment, DeploymentState, DirectorySource, DriftField,
    Health, HelmParameter, HelmSource, IgnoreRule, KeptManifests, KustomizeSource, PrometheusCheck, Propagation, Quarantine,
    Retry, Revision, RolloutPlan, RolloutProgress, SyncOperation, SyncOptions, SyncState,
};
pub use approval::{Approval, ApprovalState, EnvironmentRules};
pub use artifact::{Artifact, ArtifactContent};
pub use cache::{CacheContent, CacheEntry, CachedTree};
pub use check::{
    AnnotationLevel, CheckAnnotation, CheckConclusion, CheckRun, CheckStatus, CommitStatus, StatusState,
};
pub use group::{ConcurrencyGroup, GroupMember};
pub use grant::{JobGrant, Permission, Trust};
pub use image::{BuildStep, ImageManifest, ImageTag};
pub use push::{Project, Push};
pub use release::{
    Cause, Change, ObjectRef, Release, ReleaseState, ReleasedImage, ServiceAddress, WorkloadStatus,
};
pub use run::{Annotation, COMPLETE_SECTION, Conclusion, Job, JobCancel, JobsAgain, Run, SET_UP_SECTION, Status, Step};
pub use secret::{ProjectHook, ProjectSecret, ProjectVariable};

/// A kind of record: where it is stored and under which key.
pub trait Record: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static {
    /// The name of the kind in the store.
    const KIND: &'static str;

    /// The key of this record; keys of one kind sort as their records should be listed.
    fn key(&self) -> String;
}
