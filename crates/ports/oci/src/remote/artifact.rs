//! Things in registries that are no images, such as charts: small, and held in memory.

use std::collections::BTreeMap;

use image::{Descriptor, Document, MAX_MANIFEST_BYTES, Manifest, media};
use names::{Digest, ImageRef};
use reqwest::{Method, StatusCode, header};
use serde::Deserialize;

use super::client::{Client, RemoteError, Session, limited};
use crate::keychain::Keychain;

/// A larger part is no artifact of this kind.
const MAX_PART_BYTES: usize = 64 * 1024 * 1024;
const MAX_TAGS_BYTES: usize = 4 * 1024 * 1024;

/// One artifact: a config and layers, each with its media type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifact {
    pub config: Part,
    pub layers: Vec<Part>,
    pub annotations: BTreeMap<String, String>,
}

/// Bytes of some media type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    pub media_type: String,
    pub bytes: Vec<u8>,
}

impl Part {
    fn descriptor(&self) -> Descriptor {
        Descriptor::new(&self.media_type, Digest::of(&self.bytes), self.bytes.len() as u64)
    }
}

#[derive(Deserialize)]
struct TagList {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Artifact {
    /// Sends the artifact to the registry of `name`, and gives the digest of its manifest.
    ///
    /// # Errors
    ///
    /// What the registry said.
    pub async fn push(&self, client: &Client, name: &ImageRef, keychain: &Keychain) -> Result<Digest, RemoteError> {
        let session = client.session(name, "pull,push", keychain.find(name))?;
        for part in self.layers.iter().chain([&self.config]) {
            upload(&session, part).await?;
        }
        let mut manifest = Manifest::new(self.config.descriptor(), self.layers.iter().map(Part::descriptor).collect());
        manifest.annotations.clone_from(&self.annotations);
        let bytes = manifest.to_bytes();
        let digest = Digest::of(&bytes);
        let reference = reference(name).unwrap_or_else(|| digest.to_string());
        let url = session.url(&format!("manifests/{reference}"))?;
        let sent = session.send(Method::PUT, url, |it| it.header(header::CONTENT_TYPE, media::OCI_MANIFEST).body(bytes.clone()));
        let answer = sent.await?;
        if !answer.status().is_success() {
            return Err(session.refused(answer, &format!("manifest `{reference}`")).await);
        }
        Ok(digest)
    }

    /// Fetches the artifact that `name` names, and the digest of its manifest.
    ///
    /// # Errors
    ///
    /// What the registry said; also bytes that are not those of their digest.
    pub async fn pull(client: &Client, name: &ImageRef, keychain: &Keychain) -> Result<(Self, Digest), RemoteError> {
        let session = client.session(name, "pull", keychain.find(name))?;
        let reference = reference(name).unwrap_or_else(|| "latest".to_owned());
        let what = format!("manifest `{reference}`");
        let bytes = get(&session, &format!("manifests/{reference}"), &what, MAX_MANIFEST_BYTES).await?;
        let digest = Digest::of(&bytes);
        if name.digest.is_some_and(|it| it != digest) {
            return Err(session.answer(&what, format!("its bytes are {digest}")));
        }
        let document = Document::parse(&bytes, None).map_err(|error| session.answer(&what, error.to_string()))?;
        let Document::Manifest(manifest) = document else {
            return Err(session.answer(&what, "it is an index of several".to_owned()));
        };
        let mut layers = Vec::new();
        for layer in &manifest.layers {
            layers.push(part(&session, layer).await?);
        }
        let config = part(&session, &manifest.config).await?;
        Ok((Self { config, layers, annotations: manifest.annotations }, digest))
    }
}

/// All tags of a repository, in the registry's order.
///
/// # Errors
///
/// What the registry said.
pub async fn tags(client: &Client, name: &ImageRef, keychain: &Keychain) -> Result<Vec<String>, RemoteError> {
    let session = client.session(name, "pull", keychain.find(name))?;
    let what = format!("tags of `{}`", name.repository);
    let bytes = get(&session, "tags/list", &what, MAX_TAGS_BYTES).await?;
    let list: TagList = serde_json::from_slice(&bytes).map_err(|error| session.answer(&what, error.to_string()))?;
    Ok(list.tags.unwrap_or_default())
}

fn reference(name: &ImageRef) -> Option<String> {
    name.digest.map(|it| it.to_string()).or_else(|| name.tag.as_ref().map(ToString::to_string))
}

async fn get(session: &Session, path: &str, what: &str, limit: usize) -> Result<Vec<u8>, RemoteError> {
    let accept = media::ACCEPTED.join(", ");
    let answer = session.send(Method::GET, session.url(path)?, |it| it.header(header::ACCEPT, &accept)).await?;
    if !answer.status().is_success() {
        return Err(session.refused(answer, what).await);
    }
    limited(answer, limit).await.map_err(|reason| session.answer(what, reason))
}

async fn part(session: &Session, descriptor: &Descriptor) -> Result<Part, RemoteError> {
    let what = format!("blob `{}`", descriptor.digest);
    let bytes = get(session, &format!("blobs/{}", descriptor.digest), &what, MAX_PART_BYTES).await?;
    let found = Digest::of(&bytes);
    if found != descriptor.digest {
        return Err(session.answer(&what, format!("its bytes are {found}")));
    }
    Ok(Part { media_type: descriptor.media_type.clone(), bytes })
}

async fn upload(session: &Session, part: &Part) -> Result<(), RemoteError> {
    let digest = Digest::of(&part.bytes);
    let what = format!("the upload of blob `{digest}`");
    let known = session.send(Method::HEAD, session.url(&format!("blobs/{digest}"))?, |it| it).await?;
    if known.status().is_success() {
        return Ok(());
    }
    let begun = session.send(Method::POST, session.url("blobs/uploads/")?, |it| it.header(header::CONTENT_LENGTH, 0)).await?;
    if begun.status() != StatusCode::ACCEPTED {
        return Err(session.refused(begun, &what).await);
    }
    let location = begun.headers().get(header::LOCATION).and_then(|it| it.to_str().ok());
    let location = location.ok_or_else(|| session.answer(&what, "it has no location".to_owned()))?;
    let mut url = session.resolve(location)?;
    url.query_pairs_mut().append_pair("digest", &digest.to_string());
    let sent = session.send(Method::PUT, url, |it| it.header(header::CONTENT_TYPE, "application/octet-stream").body(part.bytes.clone()));
    let answer = sent.await?;
    if answer.status().is_success() { Ok(()) } else { Err(session.refused(answer, &what).await) }
}
