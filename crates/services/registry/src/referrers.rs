//! What speaks about a manifest: signatures, bills of materials, attestations.

use std::collections::BTreeSet;

use api::{ImageManifest, ImageTag};
use axum::{
    http::{HeaderName, StatusCode, Uri},
    response::Response,
};
use image::media;
use names::Digest;
use serde_json::{Map, Value, json};

use crate::{
    Registry,
    answer::{self, Refusal, insert},
    manifest,
    upload::query,
};

pub async fn list(registry: &Registry, name: &str, subject: &Digest, uri: &Uri) -> Result<Response, Refusal> {
    let manifests: Vec<ImageManifest> = store::list(&*registry.records, &format!("{name}@")).await?;
    let mut found = Vec::new();
    for referrer in manifests.iter().filter(|it| it.subject == Some(*subject)) {
        let bytes = manifest::read(registry, referrer).await?;
        found.push(descriptor(referrer, &bytes));
    }
    found.extend(fallback(registry, name, subject).await?);
    let mut seen = BTreeSet::new();
    found.retain(|it| seen.insert(it["digest"].to_string()));

    let wanted = query(uri, "artifactType").filter(|it| !it.is_empty());
    if let Some(wanted) = &wanted {
        found.retain(|it| it["artifactType"].as_str() == Some(wanted));
    }
    let body = json!({ "schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": found });
    let mut response = answer::json(StatusCode::OK, media::OCI_INDEX, body.to_string().into_bytes());
    if wanted.is_some() {
        insert(&mut response, HeaderName::from_static("oci-filters-applied"), "artifactType");
    }
    Ok(response)
}

fn descriptor(referrer: &ImageManifest, bytes: &[u8]) -> Value {
    let manifest: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let mut descriptor = Map::new();
    descriptor.insert("mediaType".to_owned(), json!(referrer.media_type));
    descriptor.insert("digest".to_owned(), json!(referrer.digest));
    descriptor.insert("size".to_owned(), json!(referrer.size_bytes));
    let own = manifest.get("artifactType").filter(|it| it.as_str().is_some_and(|it| !it.is_empty()));
    let config = manifest.get("config").and_then(|config| config.get("mediaType"));
    if let Some(artifact_type) = own.or(config) {
        descriptor.insert("artifactType".to_owned(), artifact_type.clone());
    }
    if let Some(annotations) = manifest.get("annotations").filter(|it| it.is_object()) {
        descriptor.insert("annotations".to_owned(), annotations.clone());
    }
    Value::Object(descriptor)
}

/// Clients that do not trust a registry to list referrers keep an index of them under a tag.
async fn fallback(registry: &Registry, name: &str, subject: &Digest) -> Result<Vec<Value>, Refusal> {
    let Ok(tag) = format!("sha256-{}", subject.hex()).parse() else { return Ok(Vec::new()) };
    let Some(tag) = store::find::<ImageTag>(&*registry.records, &ImageTag::key_of(name, &tag)).await? else {
        return Ok(Vec::new());
    };
    let key = ImageManifest::key_of(name, tag.digest);
    let Some(index) = store::find::<ImageManifest>(&*registry.records, &key).await? else {
        return Ok(Vec::new());
    };
    let bytes = manifest::read(registry, &index).await?;
    let index: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok(index.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default())
}
