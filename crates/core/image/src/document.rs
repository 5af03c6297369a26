//! Manifests and indexes, told apart by their media type and never by guesswork.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Descriptor, config::or_default, media};

/// Registries must take manifests of this size, and need not take larger ones.
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// One image for one platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    #[serde(rename = "schemaVersion")]
    pub schema_version: u32,
    #[serde(rename = "mediaType", default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    #[serde(rename = "artifactType", default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    pub config: Descriptor,
    #[serde(default, deserialize_with = "or_default")]
    pub layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Images for several platforms, or whatever else belongs together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    #[serde(rename = "schemaVersion")]
    pub schema_version: u32,
    #[serde(rename = "mediaType", default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    #[serde(rename = "artifactType", default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub manifests: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What the bytes behind a tag are.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one is held at a time, and most are manifests")]
pub enum Document {
    Manifest(Manifest),
    Index(Index),
}

/// Why bytes are neither a manifest nor an index.
#[derive(Debug, thiserror::Error)]
pub enum ParseDocumentError {
    #[error("the manifest has {0} bytes, more than {MAX_MANIFEST_BYTES}")]
    TooLarge(usize),
    #[error("the manifest is not the JSON it should be: {0}")]
    Json(#[from] serde_json::Error),
    #[error("expected the media type of a manifest or an index, found `{0}`")]
    UnknownType(String),
    #[error("the manifest was sent as `{sent}` but calls itself `{written}`")]
    TypesDiffer { sent: String, written: String },
    #[error("the manifest has both `layers` and `manifests`, so it could be read in two ways")]
    Ambiguous,
    #[error("expected schema version 2, found {0}")]
    SchemaVersion(u64),
}

#[derive(Deserialize)]
struct Outline {
    #[serde(rename = "schemaVersion", default)]
    schema_version: u64,
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    config: Option<Value>,
    layers: Option<Value>,
    manifests: Option<Value>,
}

impl Document {
    /// Reads `bytes` that were named `media_type` by whoever pointed to them.
    ///
    /// A document that could be read both as a manifest and as an index is
    /// refused: two readers of one digest must not see two things.
    pub fn parse(bytes: &[u8], media_type: Option<&str>) -> Result<Self, ParseDocumentError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ParseDocumentError::TooLarge(bytes.len()));
        }
        let outline: Outline = serde_json::from_slice(bytes)?;
        if outline.schema_version != 2 {
            return Err(ParseDocumentError::SchemaVersion(outline.schema_version));
        }
        if outline.manifests.is_some() && (outline.layers.is_some() || outline.config.is_some()) {
            return Err(ParseDocumentError::Ambiguous);
        }
        match kind_of(&outline, media_type)? {
            media::Kind::Manifest => Ok(Self::Manifest(serde_json::from_slice(bytes)?)),
            media::Kind::Index => Ok(Self::Index(serde_json::from_slice(bytes)?)),
        }
    }

    /// Everything the document points to, `subject` left out.
    pub fn children(&self) -> Vec<&Descriptor> {
        match self {
            Self::Manifest(manifest) => std::iter::once(&manifest.config).chain(&manifest.layers).collect(),
            Self::Index(index) => index.manifests.iter().collect(),
        }
    }
}

fn kind_of(outline: &Outline, sent: Option<&str>) -> Result<media::Kind, ParseDocumentError> {
    let sent = sent.map(media::essence).filter(|sent| media::kind(sent).is_some());
    match (sent, outline.media_type.as_deref()) {
        (Some(sent), Some(written)) if sent != written => Err(ParseDocumentError::TypesDiffer {
            sent: sent.to_owned(),
            written: written.to_owned(),
        }),
        (Some(named), _) | (None, Some(named)) => {
            media::kind(named).ok_or_else(|| ParseDocumentError::UnknownType(named.to_owned()))
        }
        (None, None) if outline.manifests.is_some() => Ok(media::Kind::Index),
        (None, None) if outline.config.is_some() => Ok(media::Kind::Manifest),
        (None, None) => Err(ParseDocumentError::UnknownType(String::new())),
    }
}

impl Manifest {
    /// A manifest in OCI form.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media::OCI_MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
            rest: Map::new(),
        }
    }

    /// The bytes by which this manifest is stored; only for manifests made here.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest has text keys only")
    }
}

impl Default for Index {
    fn default() -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media::OCI_INDEX.to_owned()),
            artifact_type: None,
            manifests: Vec::new(),
            subject: None,
            annotations: BTreeMap::new(),
            rest: Map::new(),
        }
    }
}

impl Index {
    /// The bytes by which this index is stored; only for indexes made here.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an index has text keys only")
    }
}

#[cfg(test)]
mod tests {
    use names::Digest;

    use super::*;

    fn manifest() -> String {
        let config = Descriptor::new(media::OCI_CONFIG, Digest::of(b"{}"), 2);
        String::from_utf8(Manifest::new(config, Vec::new()).to_bytes()).expect("text")
    }

    #[test]
    fn the_media_type_decides() {
        let manifest = manifest();
        check(&manifest, Some(media::OCI_MANIFEST), "manifest");
        check(&manifest, Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"), "manifest");
        check(&manifest, Some("application/json"), "manifest");
        check(&manifest, None, "manifest");
        check(r#"{"schemaVersion":2,"manifests":[]}"#, None, "index");
        check(r#"{"schemaVersion":2,"manifests":[]}"#, Some(media::DOCKER_LIST), "index");
    }

    #[test]
    fn what_could_be_two_things_is_refused() {
        check(
            &manifest(),
            Some(media::OCI_INDEX),
            "the manifest was sent as `application/vnd.oci.image.index.v1+json` but calls itself `application/vnd.oci.image.manifest.v1+json`",
        );
        check(
            r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#,
            None,
            "the manifest has both `layers` and `manifests`, so it could be read in two ways",
        );
        check(r#"{"schemaVersion":1}"#, None, "expected schema version 2, found 1");
        check(r#"{"schemaVersion":2}"#, None, "expected the media type of a manifest or an index, found ``");
    }

    #[track_caller]
    fn check(text: &str, media_type: Option<&str>, expected: &str) {
        let found = match Document::parse(text.as_bytes(), media_type) {
            Ok(Document::Manifest(_)) => "manifest".to_owned(),
            Ok(Document::Index(_)) => "index".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }
}
