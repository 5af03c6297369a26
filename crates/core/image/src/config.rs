//! The config of an image: how it was made and how it is run.

use std::collections::{BTreeMap, BTreeSet};

use names::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The config document; fields it does not know are kept in `rest`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(default)]
    pub architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    #[serde(default)]
    pub os: String,
    #[serde(default, deserialize_with = "or_default")]
    pub config: RunConfig,
    #[serde(default, deserialize_with = "or_default")]
    pub rootfs: RootFs,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub history: Vec<History>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The layers as they are uncompressed, the lowest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RootFs {
    #[serde(rename = "type", default = "layers")]
    pub kind: String,
    #[serde(default, deserialize_with = "or_default")]
    pub diff_ids: Vec<Digest>,
}

/// One step that led to the image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub empty_layer: bool,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What a container of the image gets when nobody says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunConfig {
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub user: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", with = "keys")]
    pub exposed_ports: BTreeSet<String>,
    /// `NAME=VALUE`, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub env: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty", with = "keys")]
    pub volumes: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub working_dir: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub on_build: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// `HEALTHCHECK` of a Dockerfile; spans are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub test: Vec<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interval: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timeout: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_period: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: i64,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Config {
    /// The config of an image without layers, as `FROM scratch` starts.
    pub fn scratch(platform: &crate::Platform) -> Self {
        Self {
            created: None,
            author: None,
            architecture: platform.architecture.clone(),
            variant: platform.variant.clone(),
            os: platform.os.clone(),
            config: RunConfig::default(),
            rootfs: RootFs::default(),
            history: Vec::new(),
            rest: Map::new(),
        }
    }

    /// The bytes by which this config is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a config has text keys only")
    }
}

impl RunConfig {
    /// The value of an environment variable; the last one wins.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find_map(|pair| {
            let (found, value) = pair.split_once('=')?;
            (found == name).then_some(value)
        })
    }
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: layers(), diff_ids: Vec::new() }
    }
}

fn layers() -> String {
    "layers".to_owned()
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// Go writes an empty list or map as `null`.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A set written as an object whose values are empty objects.
mod keys {
    use super::*;

    pub fn serialize<S: Serializer>(set: &BTreeSet<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(set.iter().map(|key| (key, Map::new())))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
        let map: Option<BTreeMap<String, Value>> = Option::deserialize(deserializer)?;
        Ok(map.unwrap_or_default().into_keys().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"{"created":"2026-01-02T03:04:05Z","architecture":"amd64","os":"linux","config":{"User":"app","ExposedPorts":{"80/tcp":{}},"Env":["PATH=/bin","A=1"],"Entrypoint":["/app"],"Cmd":["serve"],"Healthcheck":{"Test":["CMD","true"],"Interval":1000},"Volumes":{"/data":{}},"WorkingDir":"/srv","OnBuild":["RUN x"],"Labels":{"a":"b"},"StopSignal":"SIGINT","Shell":["/bin/bash","-c"],"ArgsEscaped":true},"rootfs":{"type":"layers","diff_ids":[]},"history":[{"created_by":"RUN x","empty_layer":true}],"moby.buildkit.buildinfo.v1":"x"}"#;

    #[test]
    fn every_field_survives() {
        check(FULL, FULL);
    }

    #[test]
    fn what_go_writes_as_null_is_empty() {
        check(
            r#"{"os":"linux","architecture":"amd64","config":{"Env":null,"Cmd":null,"Volumes":null},"rootfs":{"type":"layers","diff_ids":null},"history":null}"#,
            r#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#,
        );
    }

    #[test]
    fn the_last_variable_wins() {
        let config = RunConfig { env: vec!["A=1".into(), "A=2".into()], ..RunConfig::default() };
        assert_eq!((config.env("A"), config.env("B")), (Some("2"), None));
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let config: Config = serde_json::from_str(text).expect("a config");
        assert_eq!(String::from_utf8(config.to_bytes()).expect("text"), expected);
    }
}
