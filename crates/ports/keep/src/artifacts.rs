//! Artifacts: made by name, filled once, listed with the newest attempt first, gone after their time.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use api::{Artifact, ArtifactContent, Record as _};
use names::{Digest, ProjectName, RunId, Timestamp};

use crate::{Holdings, KeepError, upload_name};

/// How long artifacts stay if nobody says otherwise; GitHub's own figure.
pub const RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// The longest that a workflow may ask for; GitHub's own figure.
pub const RETENTION_MAX: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// Larger than any artifact one should keep; an endless upload ends here.
pub const ARTIFACT_BYTES_MAX: u64 = 32 * 1024 * 1024 * 1024;
/// GitHub's limit for the artifacts of one job is 500; a run of many jobs may have more.
const ARTIFACTS_OF_RUN_MAX: usize = 10_000;
/// Longer names fit into no file system.
const NAME_LENGTH_MAX: usize = 255;
/// An upload that a killed job left blocks its name no longer than this.
const UPLOAD_KEPT: Duration = Duration::from_secs(60 * 60);

/// Why an artifact could not be made, filled or found.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    #[error("an artifact with this name already exists on the workflow run: `{0}`")]
    Exists(String),
    #[error("{0}")]
    BadName(String),
    #[error("a run has at most {ARTIFACTS_OF_RUN_MAX} artifacts")]
    TooMany,
    #[error("there is no artifact `{0}` in this run")]
    NotFound(String),
    #[error("expected {expected} bytes in the artifact, found {found}")]
    WrongSize { expected: u64, found: u64 },
    #[error("expected the digest `{expected}` of the artifact, found `{found}`")]
    WrongDigest { expected: String, found: Digest },
    #[error(transparent)]
    Keep(#[from] KeepError),
}

impl From<store::TypedError> for ArtifactError {
    fn from(error: store::TypedError) -> Self {
        Self::Keep(error.into())
    }
}

/// An artifact that a job wants to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewArtifact {
    pub run: RunId,
    pub job: String,
    pub attempt: u32,
    pub name: String,
    pub media_type: String,
    /// Cut at [`RETENTION_MAX`]; [`RETENTION`] from now without it.
    pub expires: Option<Timestamp>,
}

/// All artifacts.
#[derive(Clone)]
pub struct Artifacts {
    holdings: Holdings,
}

impl Artifacts {
    pub fn new(holdings: Holdings) -> Self {
        Self { holdings }
    }

    /// Makes an artifact whose bytes are still to come; its upload has a name of its own.
    pub async fn create(&self, new: NewArtifact, now: Timestamp) -> Result<(Artifact, String), ArtifactError> {
        check_name(&new.name)?;
        if self.of_run(&new.run).await?.len() >= ARTIFACTS_OF_RUN_MAX {
            return Err(ArtifactError::TooMany);
        }
        let upload = upload_name().map_err(|error| KeepError::Blob(error.into()))?;
        let expires = new.expires.unwrap_or(now + RETENTION).clamp(now, now + RETENTION_MAX);
        let artifact = Artifact {
            run: new.run,
            number: number(now),
            name: new.name,
            job: new.job,
            attempt: new.attempt,
            media_type: new.media_type,
            content: ArtifactContent::Uploading { upload: upload.clone() },
            size_bytes: 0,
            created: now,
            expires,
        };
        if store::create(self.holdings.records(), &artifact).await? {
            return Ok((artifact, upload));
        }
        let (mut won, key) = (false, artifact.key());
        let taken = store::modify::<Artifact>(self.holdings.records(), &key, |it| {
            let stale = it.job == artifact.job || now.since(it.created) > UPLOAD_KEPT;
            won = stale && matches!(it.content, ArtifactContent::Uploading { .. });
            if won {
                it.clone_from(&artifact);
            }
        });
        match taken.await {
            Ok(artifact) if won => Ok((artifact, upload)),
            Ok(_) | Err(store::TypedError::NotFound { .. }) => Err(ArtifactError::Exists(artifact.name)),
            Err(error) => Err(error.into()),
        }
    }

    /// The artifact of this attempt that is being uploaded, with the name of its upload.
    pub async fn uploading(&self, run: &RunId, attempt: u32, name: &str) -> Result<(Artifact, String), ArtifactError> {
        let key = Artifact::key_of(run, attempt, name);
        let found = store::find::<Artifact>(self.holdings.records(), &key).await?;
        let artifact = found.ok_or_else(|| ArtifactError::NotFound(name.to_owned()))?;
        match &artifact.content {
            ArtifactContent::Uploading { upload } => {
                let upload = upload.clone();
                Ok((artifact, upload))
            }
            ArtifactContent::Stored { .. } => Err(ArtifactError::Exists(name.to_owned())),
        }
    }

    /// Gives an artifact the bytes that were put into the holdings.
    pub async fn fill(&self, artifact: &Artifact, digest: Digest, size_bytes: u64) -> Result<Artifact, ArtifactError> {
        let key = artifact.key();
        let written = store::modify::<Artifact>(self.holdings.records(), &key, |it| {
            if it.content == artifact.content {
                it.content = ArtifactContent::Stored { digest };
                it.size_bytes = size_bytes;
            }
        });
        let filled = self.holdings.enter(digest, written).await?;
        if filled.digest() != Some(digest) {
            return Err(ArtifactError::Exists(filled.name));
        }
        Ok(filled)
    }

    /// The artifacts of a run that are whole; of several attempts' artifacts of one name, the newest.
    pub async fn of_run(&self, run: &RunId) -> Result<Vec<Artifact>, ArtifactError> {
        let all = store::list::<Artifact>(self.holdings.records(), &Artifact::prefix_of(run)).await?;
        let mut newest = BTreeMap::new();
        // Keys sort by attempt, so later ones replace earlier ones.
        for artifact in all.into_iter().filter(|it| it.digest().is_some()) {
            newest.insert(artifact.name.clone(), artifact);
        }
        Ok(newest.into_values().collect())
    }

    /// The newest artifact of this name.
    pub async fn find(&self, run: &RunId, name: &str) -> Result<Artifact, ArtifactError> {
        let found = self.of_run(run).await?.into_iter().find(|it| it.name == name);
        found.ok_or_else(|| ArtifactError::NotFound(name.to_owned()))
    }

    /// All artifacts of a project that are whole, the newest first.
    pub async fn of_project(&self, project: &ProjectName) -> Result<Vec<Artifact>, ArtifactError> {
        let mut all = store::list::<Artifact>(self.holdings.records(), &format!("{project}/")).await?;
        all.retain(|it| it.digest().is_some());
        all.sort_by_key(|it| std::cmp::Reverse(it.number));
        Ok(all)
    }

    /// Deletes an artifact and, if no other needs them, its bytes.
    pub async fn delete(&self, artifact: &Artifact) -> Result<(), ArtifactError> {
        store::remove::<Artifact>(self.holdings.records(), &artifact.key()).await?;
        if let Some(digest) = artifact.digest() {
            self.holdings.give_up(digest).await?;
        }
        Ok(())
    }

    /// Deletes what is over its time; returns what went.
    pub async fn expire(&self, now: Timestamp) -> Result<Vec<Artifact>, ArtifactError> {
        let mut gone = store::list::<Artifact>(self.holdings.records(), "").await?;
        gone.retain(|it| it.expires <= now || (it.digest().is_none() && now.since(it.created) > RETENTION));
        for artifact in &gone {
            self.delete(artifact).await?;
        }
        Ok(gone)
    }
}

/// GitHub's rule: a name must be good as a file name on every system.
pub fn check_name(name: &str) -> Result<(), ArtifactError> {
    let forbidden = |c: char| matches!(c, '"' | ':' | '<' | '>' | '|' | '*' | '?' | '\r' | '\n' | '\\' | '/');
    let why = if name.is_empty() {
        "it is empty".to_owned()
    } else if name.len() > NAME_LENGTH_MAX {
        format!("it has more than {NAME_LENGTH_MAX} bytes")
    } else if let Some(found) = name.chars().find(|c| forbidden(*c)) {
        format!("it contains {found:?}")
    } else {
        return Ok(());
    };
    let shown: String = name.chars().take(64).collect();
    Err(ArtifactError::BadName(format!("the artifact name `{shown}` is not valid: {why}")))
}

/// A number that grows with time and is never given twice; clients take the largest for the newest.
pub fn number(now: Timestamp) -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let wanted = u64::try_from(now.as_micros()).unwrap_or_default();
    let last = LAST.fetch_max(wanted, Ordering::Relaxed);
    if wanted > last { wanted } else { LAST.fetch_add(1, Ordering::Relaxed) + 1 }
}

#[cfg(test)]
mod tests;
