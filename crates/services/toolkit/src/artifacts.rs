//! The artifact service that current clients use, the fourth of its kind.

use api::{Artifact, JobGrant};
use keep::{ARTIFACT_BYTES_MAX, ArtifactError, NewArtifact};
use names::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Toolkit, blobs,
    staging::StagingError,
    token::{backend_id_of_job, backend_id_of_run},
    twirp::{Code, Fault, number, optional_number},
};

#[derive(Debug, Deserialize)]
pub struct Create {
    #[serde(flatten)]
    place: Place,
    name: String,
    #[serde(default, alias = "expiresAt")]
    expires_at: Option<Timestamp>,
    #[serde(default, alias = "mimeType")]
    mime_type: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Finish {
    #[serde(flatten)]
    place: Place,
    name: String,
    #[serde(default, deserialize_with = "number")]
    size: u64,
    #[serde(default)]
    hash: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct List {
    #[serde(flatten)]
    place: Place,
    #[serde(default, alias = "nameFilter")]
    name_filter: Option<String>,
    #[serde(default, alias = "idFilter", deserialize_with = "optional_number")]
    id_filter: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub struct Named {
    #[serde(flatten)]
    place: Place,
    name: String,
}

/// The run that a client read out of its token; the job in it does not matter.
#[derive(Debug, Deserialize)]
struct Place {
    #[serde(alias = "workflowRunBackendId")]
    workflow_run_backend_id: String,
}

impl Place {
    /// A job gets at the artifacts of its own run; others are reached through the REST interface.
    fn check(&self, grant: &JobGrant) -> Result<(), Fault> {
        if self.workflow_run_backend_id == backend_id_of_run(&grant.run) {
            return Ok(());
        }
        Err(Fault::new(Code::PermissionDenied, "the token is for another run"))
    }
}

/// Makes an artifact and tells where its bytes go.
pub async fn create(toolkit: &Toolkit, grant: &JobGrant, call: Create) -> Result<Value, Fault> {
    call.place.check(grant)?;
    let now = store::now();
    let new = NewArtifact {
        run: grant.run.clone(),
        job: grant.job.clone(),
        attempt: grant.attempt,
        name: call.name,
        media_type: call.mime_type.filter(|it| !it.is_empty()).unwrap_or_else(|| "application/zip".to_owned()),
        expires: call.expires_at,
    };
    let (_, upload) = toolkit.artifacts.create(new, now).await?;
    Ok(json!({ "ok": true, "signed_upload_url": blobs::upload_address(toolkit, "artifact", &upload, now) }))
}

/// Makes an artifact of what was uploaded.
pub async fn finish(toolkit: &Toolkit, grant: &JobGrant, call: Finish) -> Result<Value, Fault> {
    call.place.check(grant)?;
    let (artifact, upload) = toolkit.artifacts.uploading(&grant.run, grant.attempt, &call.name).await?;
    let (content, size) = toolkit.staging.content(&upload, ARTIFACT_BYTES_MAX).await?;
    if size != call.size {
        return Err(ArtifactError::WrongSize { expected: call.size, found: size }.into());
    }
    let (digest, size) = toolkit.holdings.put(content).await.map_err(ArtifactError::from)?;
    if let Some(expected) = call.hash.filter(|hash| *hash != digest.to_string()) {
        return Err(ArtifactError::WrongDigest { expected, found: digest }.into());
    }
    let filled = toolkit.artifacts.fill(&artifact, digest, size).await?;
    toolkit.staging.discard(&upload).await.map_err(StagingError::from)?;
    Ok(json!({ "ok": true, "artifact_id": filled.number.to_string() }))
}

/// The artifacts of the run, those of earlier attempts included.
pub async fn list(toolkit: &Toolkit, grant: &JobGrant, call: List) -> Result<Value, Fault> {
    call.place.check(grant)?;
    let mut found = toolkit.artifacts.of_run(&grant.run).await?;
    found.retain(|it| call.name_filter.as_ref().is_none_or(|name| *name == it.name));
    found.retain(|it| call.id_filter.is_none_or(|number| number == it.number));
    let shown: Vec<Value> = found.iter().map(|artifact| listed(artifact, grant)).collect();
    Ok(json!({ "artifacts": shown }))
}

fn listed(artifact: &Artifact, grant: &JobGrant) -> Value {
    json!({
        "workflow_run_backend_id": backend_id_of_run(&artifact.run),
        "workflow_job_run_backend_id": backend_id_of_job(grant),
        "database_id": artifact.number.to_string(),
        "name": artifact.name,
        "size": artifact.size_bytes.to_string(),
        "created_at": artifact.created,
        "digest": artifact.digest(),
    })
}

/// Where the bytes of an artifact are.
pub async fn address(toolkit: &Toolkit, grant: &JobGrant, call: Named) -> Result<Value, Fault> {
    call.place.check(grant)?;
    let artifact = toolkit.artifacts.find(&grant.run, &call.name).await?;
    let address = blobs::artifact_address(toolkit, &artifact, store::now());
    let address = address.ok_or(ArtifactError::NotFound(call.name))?;
    Ok(json!({ "signed_url": address }))
}

/// Deletes an artifact.
pub async fn delete(toolkit: &Toolkit, grant: &JobGrant, call: Named) -> Result<Value, Fault> {
    call.place.check(grant)?;
    let artifact = toolkit.artifacts.find(&grant.run, &call.name).await?;
    toolkit.artifacts.delete(&artifact).await?;
    Ok(json!({ "ok": true, "artifact_id": artifact.number.to_string() }))
}

impl From<ArtifactError> for Fault {
    fn from(error: ArtifactError) -> Self {
        let code = match &error {
            ArtifactError::Exists(_) => Code::AlreadyExists,
            ArtifactError::BadName(_)
            | ArtifactError::TooMany
            | ArtifactError::WrongSize { .. }
            | ArtifactError::WrongDigest { .. } => Code::InvalidArgument,
            ArtifactError::NotFound(_) => Code::NotFound,
            ArtifactError::Keep(_) => return Self::internal(&error),
        };
        Self::new(code, error.to_string())
    }
}
