//! Manifests: kept and given as exactly the bytes that were pushed.

use access::Principal;
use api::{ImageManifest, ImageTag};
use axum::{
    body::{Body, Bytes},
    http::{HeaderName, Method, StatusCode, header, request::Parts},
    response::Response,
};
use image::{Document, MAX_MANIFEST_BYTES, media};
use names::{Digest, Tag};
use serde_json::Value;

use crate::{
    Registry,
    answer::{CONTENT_DIGEST, Code, Refusal, insert},
    blob::{etag, is_known},
    empty,
    route::Reference,
    visibility::named_blobs,
};

const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

pub async fn get(registry: &Registry, name: &str, reference: &Reference, request: &Parts) -> Result<Response, Refusal> {
    let manifest = find(registry, name, reference).await?;
    let digest = manifest.digest;
    if is_known(&request.headers, digest) {
        let mut response = empty(StatusCode::NOT_MODIFIED);
        insert(&mut response, header::ETAG, &etag(digest));
        return Ok(response);
    }
    let bytes = read(registry, &manifest).await?;
    let length = bytes.len();
    let body = if request.method == Method::HEAD { Body::empty() } else { Body::from(bytes) };
    let mut response = Response::new(body);
    insert(&mut response, header::CONTENT_TYPE, &manifest.media_type);
    insert(&mut response, header::CONTENT_LENGTH, &length.to_string());
    insert(&mut response, header::ETAG, &etag(digest));
    insert(&mut response, CONTENT_DIGEST, &digest.to_string());
    Ok(response)
}

pub async fn put(
    registry: &Registry,
    name: &str,
    reference: &Reference,
    principal: &Principal,
    request: &Parts,
    body: Body,
) -> Result<Response, Refusal> {
    let sent_type = request.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let bytes = axum::body::to_bytes(body, MAX_MANIFEST_BYTES).await.map_err(|_| {
        let message = format!("a manifest has at most {MAX_MANIFEST_BYTES} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid, message)
    })?;
    let digest = Digest::of(&bytes);
    if let Reference::Digest(named) = reference
        && *named != digest
    {
        let message = format!("the bytes that were sent are {digest}, not `{named}`");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, Code::DigestInvalid, message));
    }
    let read = Read::parse(&bytes, sent_type.as_deref())?;
    check_blobs(registry, name, &read, &bytes).await?;
    if let Reference::Tag(tag) = reference {
        check_immutable(registry, name, tag, digest).await?;
    }

    let size_bytes = bytes.len() as u64;
    store::put_bytes(&*registry.blobs, bytes).await?;
    let (run, commit) = match principal {
        Principal::Job { run, commit, .. } => (Some(run.clone()), Some(*commit)),
        Principal::Admin | Principal::Agent { .. } | Principal::ServiceAccount { .. } | Principal::Component { .. } => (None, None),
    };
    let record = ImageManifest {
        repository: name.to_owned(),
        digest,
        media_type: read.media_type,
        size_bytes,
        subject: read.subject,
        pushed: store::now(),
        run: run.clone(),
        commit,
    };
    store::create(&*registry.records, &record).await?;
    if let Reference::Tag(tag) = reference {
        let repository = name.to_owned();
        let tag = ImageTag { repository, tag: tag.clone(), digest, pushed: store::now(), run, commit };
        oci::put_tag(&*registry.records, tag).await?;
    }

    let mut response = empty(StatusCode::CREATED);
    insert(&mut response, header::LOCATION, &format!("/v2/{name}/manifests/{digest}"));
    insert(&mut response, CONTENT_DIGEST, &digest.to_string());
    if let Some(subject) = record.subject {
        insert(&mut response, OCI_SUBJECT, &subject.to_string());
    }
    Ok(response)
}

/// By tag the tag goes; by digest the manifest and all its tags go.
pub async fn delete(registry: &Registry, name: &str, reference: &Reference) -> Result<Response, Refusal> {
    let manifest = find(registry, name, reference).await?;
    let tags: Vec<ImageTag> = store::list(&*registry.records, &format!("{name}:")).await?;
    let going: Vec<_> = match reference {
        Reference::Tag(tag) => tags.into_iter().filter(|it| it.tag == *tag).collect(),
        Reference::Digest(digest) => tags.into_iter().filter(|it| it.digest == *digest).collect(),
    };
    if let Some(kept) = going.iter().find(|it| oci::is_immutable(it.tag.as_str())) {
        let message = format!("the tag `{}` names a commit and stays", kept.tag);
        return Err(Refusal::new(StatusCode::FORBIDDEN, Code::Denied, message));
    }
    for tag in going {
        store::remove::<ImageTag>(&*registry.records, &ImageTag::key_of(name, &tag.tag)).await?;
    }
    if let Reference::Digest(digest) = reference {
        store::remove::<ImageManifest>(&*registry.records, &ImageManifest::key_of(name, *digest)).await?;
    }
    tracing::info!(repository = name, %reference, digest = %manifest.digest, "deleted from the registry");
    Ok(empty(StatusCode::ACCEPTED))
}

async fn find(registry: &Registry, name: &str, reference: &Reference) -> Result<ImageManifest, Refusal> {
    let missing = || Refusal::no_manifest(name, &reference.to_string());
    let digest = match reference {
        Reference::Digest(digest) => *digest,
        Reference::Tag(tag) => {
            let tag = store::find::<ImageTag>(&*registry.records, &ImageTag::key_of(name, tag)).await?;
            tag.ok_or_else(missing)?.digest
        }
    };
    let found = store::find(&*registry.records, &ImageManifest::key_of(name, digest)).await?;
    found.ok_or_else(missing)
}

pub async fn read(registry: &Registry, manifest: &ImageManifest) -> Result<Bytes, Refusal> {
    Ok(store::get_bytes(&*registry.blobs, manifest.digest, MAX_MANIFEST_BYTES as u64).await?)
}

/// What the registry has to know of a manifest.
struct Read {
    media_type: String,
    subject: Option<Digest>,
    foreign: Vec<Digest>,
}

impl Read {
    fn parse(bytes: &[u8], sent_type: Option<&str>) -> Result<Self, Refusal> {
        let invalid = |message: String| Refusal::new(StatusCode::BAD_REQUEST, Code::ManifestInvalid, message);
        let value: Value = serde_json::from_slice(bytes).map_err(|error| invalid(format!("the manifest is no JSON: {error}")))?;
        let written = value.get("mediaType").and_then(Value::as_str);
        let media_type = sent_type.map(media::essence).filter(|it| !it.is_empty() && *it != "application/json");
        let media_type = media_type.or(written).unwrap_or(media::OCI_MANIFEST).to_owned();
        let digest_of = |it: &Value| it.get("digest")?.as_str()?.parse::<Digest>().ok();
        let mut foreign = Vec::new();
        if media::kind(&media_type).is_some() {
            // Of other types nothing is known but that they are JSON.
            match Document::parse(bytes, Some(&media_type)).map_err(|error| invalid(error.to_string()))? {
                Document::Manifest(manifest) => {
                    let layers = manifest.layers.iter();
                    foreign = layers.filter(|it| media::is_foreign_layer(&it.media_type)).map(|it| it.digest).collect();
                }
                Document::Index(_) => {}
            }
        }
        let subject = value.get("subject").filter(|it| !it.is_null());
        let subject = match subject {
            Some(subject) => {
                Some(digest_of(subject).ok_or_else(|| invalid("its `subject` has no digest".to_owned()))?)
            }
            None => None,
        };
        Ok(Self { media_type, subject, foreign })
    }
}

/// Manifests of an index may come later or never; the blobs of a manifest must be here.
async fn check_blobs(registry: &Registry, name: &str, read: &Read, bytes: &[u8]) -> Result<(), Refusal> {
    for blob in named_blobs(bytes) {
        if !read.foreign.contains(&blob)
            && (!registry.visible.contains(registry, name, blob).await? || registry.blobs.stat(blob).await?.is_none())
        {
            let message = format!("the manifest names the blob `{blob}`, which was not pushed");
            return Err(Refusal::new(StatusCode::NOT_FOUND, Code::ManifestBlobUnknown, message));
        }
    }
    Ok(())
}

/// Refused before anything is stored; `oci::put_tag` decides again when two pushes race.
async fn check_immutable(registry: &Registry, name: &str, tag: &Tag, digest: Digest) -> Result<(), Refusal> {
    if !oci::is_immutable(tag.as_str()) {
        return Ok(());
    }
    match store::find::<ImageTag>(&*registry.records, &ImageTag::key_of(name, tag)).await? {
        Some(existing) if existing.digest != digest => Err(oci::TagError::Immutable {
            repository: name.to_owned(),
            tag: tag.to_string(),
            existing: existing.digest,
            digest,
        }
        .into()),
        _ => Ok(()),
    }
}
