//! Pushing: what the registry lacks, layers first, the manifest last.

use api::ImageManifest;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use image::{Descriptor, Document, MAX_MANIFEST_BYTES, media};
use names::{Digest, ImageRef};
use reqwest::{Body, Method, StatusCode, header};
use store::{BlobError, TypedError};

use super::client::{RemoteError, Session, TRIES, pause};
use crate::{
    images::{ImageError, Images, parse},
    keychain::Keychain,
};

/// As many as registries let one client have.
const LAYERS_AT_ONCE: usize = 4;
/// Looking for a mount must stay cheaper than an upload.
const NEIGHBOURS_ASKED: usize = 64;

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub digest: Digest,
    pub place: Place,
}

/// Where a pushed image now is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Only here: the name is our own, or nobody gave credentials for its registry.
    Local,
    /// Also at the registry of its name.
    Registry(String),
}

/// Why an image could not be pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error("no image `{name}` to push: `{local}` is not in the local store; build or tag it under this name first")]
    Missing { name: String, local: String },
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error("{digest} could not be read")]
    Blob { digest: Digest, source: BlobError },
    #[error(transparent)]
    Store(#[from] TypedError),
}

impl Images {
    /// Sends the image that `name` means here to its registry.
    ///
    /// An image of this installation's own registry is where it belongs already,
    /// and without credentials for another registry it stays local too.
    pub async fn push(&self, name: &ImageRef, keychain: &Keychain) -> Result<Pushed, PushError> {
        let Some(digest) = self.find(name).await? else {
            return Err(PushError::Missing { name: name.familiar(), local: self.repository(name) });
        };
        let credentials = keychain.find(name);
        if self.is_own(name) || credentials.is_none() {
            return Ok(Pushed { digest, place: Place::Local });
        }
        let session = self.client.session(name, "pull,push", credentials)?;
        let reference = name.tag.as_ref().map_or_else(|| digest.to_string(), ToString::to_string);
        self.push_document(&session, name, digest, &reference).await?;
        Ok(Pushed { digest, place: Place::Registry(name.registry.clone()) })
    }

    async fn push_document(
        &self,
        session: &Session,
        name: &ImageRef,
        digest: Digest,
        reference: &str,
    ) -> Result<(), PushError> {
        let bytes = self.blob(digest, "manifest", MAX_MANIFEST_BYTES as u64).await?;
        let media_type = match parse(digest, &bytes)? {
            Document::Manifest(manifest) => {
                let layers = manifest.layers.iter().filter(|it| !media::is_foreign_layer(&it.media_type));
                let blobs = std::iter::once(&manifest.config).chain(layers);
                // Boxed, because the compiler cannot see that a stream of bare futures may change threads.
                let sent: Vec<BoxFuture<'_, Result<(), PushError>>> =
                    blobs.map(|blob| self.push_blob(session, name, blob).boxed()).collect();
                let mut sent = futures_util::stream::iter(sent).buffer_unordered(LAYERS_AT_ONCE);
                while let Some(done) = sent.next().await {
                    done?;
                }
                manifest.media_type.unwrap_or_else(|| media::OCI_MANIFEST.to_owned())
            }
            Document::Index(index) => {
                for child in &index.manifests {
                    // A pull takes only what runs on this machine, so not every platform need be here.
                    if self.blobs.stat(child.digest).await.map_err(|source| PushError::Blob { digest: child.digest, source })?.is_some() {
                        Box::pin(self.push_document(session, name, child.digest, &child.digest.to_string())).await?;
                    }
                }
                index.media_type.unwrap_or_else(|| media::OCI_INDEX.to_owned())
            }
        };
        let url = session.url(&format!("manifests/{reference}"))?;
        let response = session.send(Method::PUT, url, |request| {
            request.header(header::CONTENT_TYPE, &media_type).body(bytes.clone())
        });
        let response = response.await?;
        match response.status().is_success() {
            true => Ok(()),
            false => Err(session.refused(response, &format!("manifest `{reference}`")).await.into()),
        }
    }

    async fn push_blob(&self, session: &Session, name: &ImageRef, blob: &Descriptor) -> Result<(), PushError> {
        let digest = blob.digest;
        let url = session.url(&format!("blobs/{digest}"))?;
        if session.send(Method::HEAD, url, |it| it).await?.status().is_success() {
            return Ok(());
        }
        let neighbour = self.neighbour_with(name, digest).await?;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.upload(session, blob, neighbour.as_deref()).await? {
                Upload::Done => return Ok(()),
                Upload::Failed(_) if tries < TRIES => tokio::time::sleep(pause(tries, None)).await,
                Upload::Failed(error) => return Err(error.into()),
            }
        }
    }

    /// Another repository of the same registry that, as far as is known here, has the blob.
    async fn neighbour_with(&self, name: &ImageRef, blob: Digest) -> Result<Option<String>, PushError> {
        let own = self.repository(name);
        let prefix = own.strip_suffix(&name.repository).unwrap_or_default();
        let manifests: Vec<ImageManifest> = store::list(&*self.records, prefix).await?;
        let others = manifests.iter().filter(|it| it.repository != own && !prefix.is_empty());
        for manifest in others.take(NEIGHBOURS_ASKED) {
            let bytes = self.blob(manifest.digest, "manifest", MAX_MANIFEST_BYTES as u64).await;
            let holds = bytes.and_then(|bytes| parse(manifest.digest, &bytes));
            if holds.is_ok_and(|document| document.children().iter().any(|it| it.digest == blob)) {
                return Ok(manifest.repository.strip_prefix(prefix).map(str::to_owned));
            }
        }
        Ok(None)
    }

    async fn upload(&self, session: &Session, blob: &Descriptor, neighbour: Option<&str>) -> Result<Upload, PushError> {
        let (digest, what) = (blob.digest, format!("the upload of blob `{}`", blob.digest));
        let mut begin = session.url("blobs/uploads/")?;
        if let Some(neighbour) = neighbour {
            begin.query_pairs_mut().append_pair("mount", &digest.to_string()).append_pair("from", neighbour);
        }
        let begun = session.send(Method::POST, begin, |it| it.header(header::CONTENT_LENGTH, 0)).await?;
        if begun.status() == StatusCode::CREATED {
            return Ok(Upload::Done);
        }
        if begun.status() != StatusCode::ACCEPTED {
            return Err(session.refused(begun, &what).await.into());
        }
        let location = begun.headers().get(header::LOCATION).and_then(|it| it.to_str().ok());
        let location = location.ok_or_else(|| session.answer(&what, "it has no location".to_owned()))?;
        let mut url = session.resolve(location)?;
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        let size = self.blobs.stat(digest).await.map_err(|source| PushError::Blob { digest, source })?;
        let size = size.ok_or(PushError::Blob { digest, source: BlobError::NotFound(digest) })?;
        let content = self.blobs.get(digest, None).await.map_err(|source| PushError::Blob { digest, source })?;
        // A stream can be sent only once; `send` has been let in by the POST, so it needs one try.
        let content = std::sync::Mutex::new(Some(content));
        let sent = session.send(Method::PUT, url, |request| {
            let content = content.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            let request = request.header(header::CONTENT_TYPE, "application/octet-stream").header(header::CONTENT_LENGTH, size);
            match content {
                Some(stream) => request.body(Body::wrap_stream(stream)),
                None => request.body(Body::wrap_stream(futures_util::stream::once(async {
                    Err::<bytes::Bytes, _>(std::io::Error::other("the content was sent before"))
                }))),
            }
        });
        match sent.await {
            Ok(response) if response.status().is_success() => Ok(Upload::Done),
            Ok(response) if response.status().is_server_error() => Ok(Upload::Failed(session.refused(response, &what).await)),
            Ok(response) => Err(session.refused(response, &what).await.into()),
            Err(error) => Ok(Upload::Failed(error)),
        }
    }
}

enum Upload {
    Done,
    Failed(RemoteError),
}
