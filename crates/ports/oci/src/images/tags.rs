//! Names for images, and which of them are set once.

use api::{ImageManifest, ImageTag};
use image::{Document, MAX_MANIFEST_BYTES, media};
use names::{Digest, ImageRef};
use store::{Records, TypedError};

use super::{ImageError, Images, Origin, parse};

/// Why a tag could not be set.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    #[error("the tag `{tag}` of `{repository}` names {existing} for good; {digest} needs another tag")]
    Immutable { repository: String, tag: String, existing: Digest, digest: Digest },
    #[error("the reference `{0}` has no tag to set")]
    NoTag(String),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Store(#[from] TypedError),
}

impl Images {
    /// Lets `name` mean the manifest or index `digest`, which must be here.
    ///
    /// A name with a digest but without a tag only makes the manifest visible in its repository.
    pub async fn tag(&self, name: &ImageRef, digest: Digest, by: &Origin) -> Result<(), TagError> {
        self.tag_as(self.repository(name), name, digest, by).await
    }

    pub(super) async fn tag_as(&self, repository: String, name: &ImageRef, digest: Digest, by: &Origin) -> Result<(), TagError> {
        let bytes = self.blob(digest, "manifest", MAX_MANIFEST_BYTES as u64).await?;
        let document = parse(digest, &bytes)?;
        if name.tag.is_none() && name.digest.is_none() {
            return Err(TagError::NoTag(name.to_string()));
        }
        self.record_manifest(&repository, digest, &document, bytes.len() as u64, by).await?;
        let Some(tag) = &name.tag else { return Ok(()) };
        let record = ImageTag {
            repository,
            tag: tag.clone(),
            digest,
            pushed: store::now(),
            run: by.run.clone(),
            commit: by.commit,
        };
        put_tag(&*self.records, record).await
    }

    async fn record_manifest(
        &self,
        repository: &str,
        digest: Digest,
        document: &Document,
        size_bytes: u64,
        by: &Origin,
    ) -> Result<(), TypedError> {
        let (media_type, subject) = match document {
            Document::Manifest(manifest) => {
                (manifest.media_type.as_deref().unwrap_or(media::OCI_MANIFEST), manifest.subject.as_ref())
            }
            Document::Index(index) => {
                (index.media_type.as_deref().unwrap_or(media::OCI_INDEX), index.subject.as_ref())
            }
        };
        let record = ImageManifest {
            repository: repository.to_owned(),
            digest,
            media_type: media_type.to_owned(),
            size_bytes,
            subject: subject.map(|subject| subject.digest),
            pushed: store::now(),
            run: by.run.clone(),
            commit: by.commit,
        };
        // The first push is the one that is remembered.
        store::create(&*self.records, &record).await.map(drop)
    }
}

/// Writes a tag, unless it is one that never changes and names something else.
///
/// `sha-` and twelve hex digits name a commit; whoever deployed one must find the same image again.
pub async fn put_tag(records: &dyn Records, record: ImageTag) -> Result<(), TagError> {
    if !is_immutable(record.tag.as_str()) {
        return Ok(store::put(records, &record).await.map(drop)?);
    }
    if store::create(records, &record).await? {
        return Ok(());
    }
    let key = ImageTag::key_of(&record.repository, &record.tag);
    match store::find::<ImageTag>(records, &key).await? {
        Some(existing) if existing.digest != record.digest => Err(TagError::Immutable {
            repository: record.repository,
            tag: record.tag.to_string(),
            existing: existing.digest,
            digest: record.digest,
        }),
        _ => Ok(()),
    }
}

/// Whether a tag names a commit and so is set once.
pub fn is_immutable(tag: &str) -> bool {
    tag.strip_prefix("sha-").is_some_and(|hex| {
        hex.len() == 12 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}
