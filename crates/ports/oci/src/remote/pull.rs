//! Pulling: manifest, config and layers, each checked against its digest while it streams.

use std::{io, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt as _;
use image::{Descriptor, Document, MAX_MANIFEST_BYTES, media};
use names::{Digest, ImageRef};
use reqwest::{Method, StatusCode, header};
use store::{BlobError, ByteStream};

use super::client::{RemoteError, Session, TRIES, limited, pause};
use crate::{
    blob_io::Hash,
    images::{ImageError, Images, Origin, TagError, no_platform, parse},
    keychain::Keychain,
};

/// As many as registries let one client have.
const LAYERS_AT_ONCE: usize = 4;

/// Why an image could not be pulled.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error("`{registry}` sent other bytes for {expected}: they are {found}")]
    WrongDigest { registry: String, expected: Digest, found: Digest },
    #[error("{digest} could not be fetched: {source}")]
    Blob { digest: Digest, source: BlobError },
    #[error(transparent)]
    Tag(#[from] TagError),
}

impl Images {
    /// Pulls `name` from its registry for this machine, whatever is here already, and tags it here.
    ///
    /// Returns the digest the registry has under the name, an index if it is one.
    pub async fn pull(&self, name: &ImageRef, keychain: &Keychain) -> Result<Digest, PullError> {
        let session = Arc::new(self.client.session(name, "pull", keychain.find(name))?);
        let reference = match (&name.digest, &name.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.to_string(),
            (None, None) => "latest".to_owned(),
        };
        let (digest, document) = self.fetch_manifest(&session, &reference, name.digest).await?;
        let manifest = match document {
            Document::Manifest(manifest) => manifest,
            Document::Index(index) => {
                let chosen = image::select(&index, &self.machine)
                    .ok_or_else(|| no_platform(digest, &index, &self.machine))?
                    .digest;
                match self.fetch_manifest(&session, &chosen.to_string(), Some(chosen)).await? {
                    (_, Document::Manifest(manifest)) => {
                        // Visible on its own: it is what runs.
                        self.fetch_children(&session, &manifest).await?;
                        self.tag(&name.at(chosen), chosen, &Origin::default()).await?;
                        self.tag(name, digest, &Origin::default()).await?;
                        return Ok(digest);
                    }
                    (_, Document::Index(_)) => return Err(ImageError::TooDeep(digest).into()),
                }
            }
        };
        self.fetch_children(&session, &manifest).await?;
        self.tag(name, digest, &Origin::default()).await?;
        Ok(digest)
    }

    async fn fetch_children(&self, session: &Arc<Session>, manifest: &image::Manifest) -> Result<(), PullError> {
        let blobs = std::iter::once(&manifest.config).chain(&manifest.layers);
        // Boxed: a closure over borrowed descriptors would make callers' futures not `Send`.
        let fetched: Vec<futures_util::future::BoxFuture<'_, Result<(), PullError>>> =
            blobs.map(|blob| -> futures_util::future::BoxFuture<'_, _> { Box::pin(self.fetch_blob(session, blob)) }).collect();
        let mut fetched = futures_util::stream::iter(fetched).buffer_unordered(LAYERS_AT_ONCE);
        while let Some(done) = fetched.next().await {
            done?;
        }
        Ok(())
    }

    async fn fetch_manifest(
        &self,
        session: &Session,
        reference: &str,
        expected: Option<Digest>,
    ) -> Result<(Digest, Document), PullError> {
        let what = format!("manifest `{reference}`");
        let url = session.url(&format!("manifests/{reference}"))?;
        let accept = media::ACCEPTED.join(", ");
        let response = session.send(Method::GET, url, |it| it.header(header::ACCEPT, &accept)).await?;
        if !response.status().is_success() {
            return Err(session.refused(response, &what).await.into());
        }
        let promised = response.headers().get("docker-content-digest").and_then(|it| it.to_str().ok()?.parse().ok());
        let body = limited(response, MAX_MANIFEST_BYTES).await.map_err(|reason| session.answer(&what, reason))?;
        let found = Digest::of(&body);
        if let Some(expected) = expected.or(promised)
            && expected != found
        {
            return Err(PullError::WrongDigest { registry: session.registry.clone(), expected, found });
        }
        let document = parse(found, &body)?;
        let stored = store::put_bytes(&*self.blobs, body).await;
        stored.map_err(|source| PullError::Blob { digest: found, source })?;
        Ok((found, document))
    }

    async fn fetch_blob(&self, session: &Arc<Session>, blob: &Descriptor) -> Result<(), PullError> {
        let digest = blob.digest;
        let failed = |source| PullError::Blob { digest, source };
        if self.blobs.stat(digest).await.map_err(failed)?.is_some() {
            return Ok(());
        }
        let stream = Download {
            session: session.clone(),
            digest,
            size: blob.size,
            got: 0,
            tries: 0,
            hash: Some(Hash::new()),
            body: None,
        };
        self.blobs.put(stream.into_stream()).await.map(drop).map_err(failed)
    }
}

/// A blob on its way; continues where it broke off, and fails if it is not what was asked for.
struct Download {
    session: Arc<Session>,
    digest: Digest,
    size: u64,
    got: u64,
    tries: u32,
    /// `None` once the end was checked.
    hash: Option<Hash>,
    body: Option<reqwest::Response>,
}

impl Download {
    fn into_stream(self) -> ByteStream {
        Box::pin(futures_util::stream::unfold(Some(self), |download| async move {
            let mut download = download?;
            match download.next().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(download))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        }))
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if self.got == self.size {
                return self.check_end().map(|()| None);
            }
            let Some(body) = &mut self.body else {
                self.open().await?;
                continue;
            };
            match body.chunk().await {
                Ok(Some(chunk)) => {
                    self.got += chunk.len() as u64;
                    if self.got > self.size {
                        return Err(io::Error::other(format!("it is larger than the {} bytes announced", self.size)));
                    }
                    if let Some(hash) = &mut self.hash {
                        hash.update(&chunk);
                    }
                    return Ok(Some(chunk));
                }
                Ok(None) | Err(_) if self.tries < TRIES => {
                    tokio::time::sleep(pause(self.tries, None)).await;
                    self.body = None;
                }
                Ok(None) => return Err(io::Error::other(format!("it ended after {} of {} bytes", self.got, self.size))),
                Err(error) => return Err(io::Error::other(self.session.unreachable(&error))),
            }
        }
    }

    async fn open(&mut self) -> io::Result<()> {
        self.tries += 1;
        let url = self.session.url(&format!("blobs/{}", self.digest)).map_err(io::Error::other)?;
        let range = (self.got > 0).then(|| format!("bytes={}-", self.got));
        let response = self.session.send(Method::GET, url, |request| match &range {
            Some(range) => request.header(header::RANGE, range),
            None => request,
        });
        let response = response.await.map_err(io::Error::other)?;
        match response.status() {
            StatusCode::OK if self.got > 0 => {
                // It does not continue, so everything comes again.
                let mut response = response;
                let mut skip = self.got;
                while skip > 0 {
                    let chunk = response.chunk().await.map_err(|error| io::Error::other(self.session.unreachable(&error)))?;
                    let length = chunk.map_or(0, |chunk| chunk.len() as u64);
                    if length == 0 || length > skip {
                        return Err(io::Error::other("it cannot be continued where it broke off"));
                    }
                    skip -= length;
                }
                self.body = Some(response);
                Ok(())
            }
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {
                self.body = Some(response);
                Ok(())
            }
            _ => {
                let what = format!("blob `{}`", self.digest);
                Err(io::Error::other(self.session.refused(response, &what).await))
            }
        }
    }

    fn check_end(&mut self) -> io::Result<()> {
        match self.hash.take().map(Hash::finish) {
            Some(found) if found != self.digest => {
                Err(io::Error::other(format!("`{}` sent other bytes: they are {found}", self.session.registry)))
            }
            _ => Ok(()),
        }
    }
}
