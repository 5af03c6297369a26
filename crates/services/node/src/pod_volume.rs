//! The volume half of the pod view.

use serde::Deserialize;
use serde_json::Value;

use crate::pod::{FieldRef, ResourceFieldRef, Texts};

/// A volume: its name and the one field that says where its content comes from.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Volume {
    pub name: String,
    #[serde(flatten)]
    pub source: serde_json::Map<String, Value>,
}

/// Where a volume's content comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum VolumeSource {
    EmptyDir(EmptyDir),
    HostPath(HostPath),
    /// Files made from API objects; ConfigMaps, Secrets and the downward API alone are one-part projections.
    Projected(Projected),
}

/// Why a volume cannot be set up here at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VolumeKindError {
    #[error("volume plugin `{0}` is not supported by this node")]
    Unsupported(String),
    #[error("volume source `{0}` is malformed: {1}")]
    Malformed(String, String),
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EmptyDir {
    pub medium: String,
    pub size_limit: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HostPath {
    pub path: String,
    #[serde(rename = "type")]
    pub kind: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Projected {
    pub sources: Vec<Projection>,
    pub default_mode: u32,
}

impl Default for Projected {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            default_mode: 0o644,
        }
    }
}

/// One part of a projected volume; exactly one field is set.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Projection {
    pub config_map: Option<ObjectFiles>,
    pub secret: Option<ObjectFiles>,
    #[serde(rename = "downwardAPI")]
    pub downward_api: Option<DownwardFiles>,
    pub service_account_token: Option<TokenFile>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectFiles {
    #[serde(alias = "secretName")]
    pub name: String,
    pub items: Vec<KeyToPath>,
    pub optional: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct KeyToPath {
    pub key: String,
    pub path: String,
    pub mode: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DownwardFiles {
    pub items: Vec<DownwardFile>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DownwardFile {
    pub path: String,
    pub field_ref: Option<FieldRef>,
    pub resource_field_ref: Option<ResourceFieldRef>,
    pub mode: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenFile {
    pub audience: String,
    pub expiration_seconds: Option<u64>,
    pub path: String,
}

impl Volume {
    /// Parses the source; a kind this node does not know is refused by its name.
    pub fn source(&self) -> Result<VolumeSource, VolumeKindError> {
        let Some((kind, value)) = self.source.iter().next() else {
            return Ok(VolumeSource::EmptyDir(EmptyDir::default()));
        };
        let malformed =
            |error: serde_json::Error| VolumeKindError::Malformed(kind.clone(), error.to_string());
        let value = value.clone();
        let default_mode = value.get("defaultMode").and_then(Value::as_u64);
        let default_mode = default_mode
            .and_then(|mode| u32::try_from(mode).ok())
            .unwrap_or(0o644);
        let one = |part| {
            VolumeSource::Projected(Projected {
                sources: vec![part],
                default_mode,
            })
        };
        Ok(match kind.as_str() {
            "emptyDir" => VolumeSource::EmptyDir(serde_json::from_value(value).map_err(malformed)?),
            "hostPath" => VolumeSource::HostPath(serde_json::from_value(value).map_err(malformed)?),
            "projected" => {
                VolumeSource::Projected(serde_json::from_value(value).map_err(malformed)?)
            }
            "configMap" => {
                let files = Some(serde_json::from_value(value).map_err(malformed)?);
                one(Projection {
                    config_map: files,
                    ..Projection::default()
                })
            }
            "secret" => {
                let files = Some(serde_json::from_value(value).map_err(malformed)?);
                one(Projection {
                    secret: files,
                    ..Projection::default()
                })
            }
            "downwardAPI" => {
                let files = Some(serde_json::from_value(value).map_err(malformed)?);
                one(Projection {
                    downward_api: files,
                    ..Projection::default()
                })
            }
            other => return Err(VolumeKindError::Unsupported(other.to_owned())),
        })
    }
}

/// The data of a ConfigMap or a Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectData {
    pub files: std::collections::BTreeMap<String, Vec<u8>>,
}

impl ObjectData {
    /// Reads a ConfigMap (`data`, `binaryData`) or a Secret (`data` in base64).
    pub fn read(object: &Value) -> Self {
        use base64::Engine as _;
        let texts = |field: &str| -> Texts {
            let entries = object.get(field).and_then(Value::as_object);
            let text =
                |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
            entries.into_iter().flatten().filter_map(text).collect()
        };
        let decode = |(key, text): (String, String)| {
            Some((
                key,
                base64::engine::general_purpose::STANDARD
                    .decode(text)
                    .ok()?,
            ))
        };
        let is_secret = object.get("kind").and_then(Value::as_str) == Some("Secret");
        let mut files: std::collections::BTreeMap<_, _> = if is_secret {
            texts("data").into_iter().filter_map(decode).collect()
        } else {
            texts("data")
                .into_iter()
                .map(|(key, text)| (key, text.into_bytes()))
                .collect()
        };
        files.extend(texts("binaryData").into_iter().filter_map(decode));
        Self { files }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn known_kinds_are_read_and_others_named() {
        let volume =
            |source: Value| -> Volume { serde_json::from_value(source).expect("a volume") };
        let secret =
            volume(json!({ "name": "v", "secret": { "secretName": "s", "defaultMode": 256 } }));
        let files = ObjectFiles {
            name: "s".to_owned(),
            ..ObjectFiles::default()
        };
        let expected = Projected {
            sources: vec![Projection {
                secret: Some(files),
                ..Projection::default()
            }],
            default_mode: 0o400,
        };
        assert_eq!(secret.source(), Ok(VolumeSource::Projected(expected)));
        let claim = volume(json!({ "name": "v", "persistentVolumeClaim": { "claimName": "c" } }));
        assert_eq!(
            claim.source(),
            Err(VolumeKindError::Unsupported(
                "persistentVolumeClaim".to_owned()
            ))
        );
        assert_eq!(
            volume(json!({ "name": "v" })).source(),
            Ok(VolumeSource::EmptyDir(EmptyDir::default()))
        );
    }

    #[test]
    fn secrets_are_decoded_and_config_maps_are_not() {
        let secret = ObjectData::read(&json!({ "kind": "Secret", "data": { "a": "aGk=" } }));
        let config = ObjectData::read(
            &json!({ "kind": "ConfigMap", "data": { "a": "hi" }, "binaryData": { "b": "AAE=" } }),
        );
        assert_eq!(secret.files.get("a").map(Vec::as_slice), Some(&b"hi"[..]));
        assert_eq!(config.files.get("a").map(Vec::as_slice), Some(&b"hi"[..]));
        assert_eq!(config.files.get("b").map(Vec::as_slice), Some(&[0, 1][..]));
    }
}
