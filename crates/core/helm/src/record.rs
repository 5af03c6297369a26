//! The record of a release as Helm keeps it in the cluster: a Secret with gzipped JSON.

use std::{collections::BTreeMap, io::Read as _, io::Write as _};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Map, Value, json};

use crate::{Chart, ChartFile, Hook, Rendered};

/// A record unpacks to at most this much; the cluster does not take larger ones than 1 MiB packed.
const MAX_RECORD_BYTES: u64 = 256 << 20;

/// One revision of a release, in the form that `helm list` and `helm rollback` read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReleaseRecord {
    pub name: String,
    pub namespace: String,
    pub revision: i64,
    pub status: Status,
    /// RFC 3339, as are all times of the record.
    pub first_deployed: String,
    pub last_deployed: String,
    /// Empty unless it was uninstalled.
    pub deleted: String,
    pub description: String,
    pub notes: String,
    pub manifest: String,
    /// The user's values.
    pub config: Map<String, Value>,
    /// The chart in Helm's JSON.
    pub chart: Value,
    /// The hooks in Helm's JSON.
    pub hooks: Vec<Value>,
    /// Labels of the user, which lie on the Secret and not in the record.
    pub labels: BTreeMap<String, String>,
    /// What this version of Landfall does not know; it is written back unchanged.
    pub rest: Map<String, Value>,
}

/// What became of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Unknown,
    Deployed,
    Uninstalled,
    Superseded,
    Failed,
    Uninstalling,
    PendingInstall,
    PendingUpgrade,
    PendingRollback,
}

/// Which time a Secret is labelled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    Created,
    Modified,
}

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("the Secret is no record of a release: {0}")]
    NoRecord(&'static str),
    #[error("the record cannot be unpacked: {0}")]
    Packed(String),
    #[error("the record is no JSON: {0}")]
    Json(String),
}

const STATUSES: [(Status, &str); 9] = [
    (Status::Unknown, "unknown"),
    (Status::Deployed, "deployed"),
    (Status::Uninstalled, "uninstalled"),
    (Status::Superseded, "superseded"),
    (Status::Failed, "failed"),
    (Status::Uninstalling, "uninstalling"),
    (Status::PendingInstall, "pending-install"),
    (Status::PendingUpgrade, "pending-upgrade"),
    (Status::PendingRollback, "pending-rollback"),
];

impl Status {
    pub fn as_str(self) -> &'static str {
        let found = STATUSES.iter().find(|(status, _)| *status == self);
        found.map_or("unknown", |(_, text)| text)
    }

    fn read(text: &str) -> Self {
        let found = STATUSES.iter().find(|(_, it)| *it == text);
        found.map_or(Self::Unknown, |(status, _)| *status)
    }
}

impl ReleaseRecord {
    /// The record of what was just rendered; `now` is RFC 3339.
    pub fn new(
        release: &crate::Release,
        chart: &Chart,
        config: &Map<String, Value>,
        rendered: &Rendered,
        now: &str,
    ) -> Self {
        Self {
            name: release.name.clone(),
            namespace: release.namespace.clone(),
            revision: release.revision,
            status: Status::PendingInstall,
            first_deployed: now.to_owned(),
            last_deployed: now.to_owned(),
            deleted: String::new(),
            description: String::new(),
            notes: rendered.notes.clone().unwrap_or_default(),
            manifest: rendered.body(),
            config: whole_map(config),
            chart: chart_json(chart),
            hooks: rendered.hooks.iter().map(hook_json).collect(),
            labels: BTreeMap::new(),
            rest: Map::new(),
        }
    }

    /// The name of the Secret.
    pub fn secret_name(&self) -> String {
        format!("sh.helm.release.v1.{}.v{}", self.name, self.revision)
    }

    /// What lies in the Secret under `release`, before Kubernetes' own base64.
    pub fn encode(&self) -> String {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let written = encoder
            .write_all(self.to_json().to_string().as_bytes())
            .and_then(|()| encoder.finish());
        BASE64_STANDARD.encode(written.expect("writing to memory"))
    }

    /// Reads what [`encode`](Self::encode) or Helm wrote.
    ///
    /// # Errors
    ///
    /// When it is not packed as Helm packs, or holds no release.
    pub fn decode(text: &str) -> Result<Self, RecordError> {
        let packed = BASE64_STANDARD
            .decode(text.trim())
            .map_err(|error| RecordError::Packed(error.to_string()))?;
        let mut plain = Vec::new();
        // Records from before Helm compressed them are plain JSON.
        if packed.starts_with(&[0x1f, 0x8b, 0x08]) {
            GzDecoder::new(packed.as_slice())
                .take(MAX_RECORD_BYTES)
                .read_to_end(&mut plain)
                .map_err(|error| RecordError::Packed(error.to_string()))?;
        } else {
            plain = packed;
        }
        let value: Value =
            serde_json::from_slice(&plain).map_err(|error| RecordError::Json(error.to_string()))?;
        Self::from_json(value)
    }

    /// The whole Secret; `seconds` since 1970 go into the label of the stamp.
    pub fn to_secret(&self, stamp: Stamp, seconds: i64) -> Value {
        let mut labels = Map::new();
        for (key, value) in &self.labels {
            labels.insert(key.clone(), value.clone().into());
        }
        let time = match stamp {
            Stamp::Created => "createdAt",
            Stamp::Modified => "modifiedAt",
        };
        labels.insert(time.to_owned(), seconds.to_string().into());
        labels.insert("name".to_owned(), self.name.clone().into());
        labels.insert("owner".to_owned(), "helm".into());
        labels.insert("status".to_owned(), self.status.as_str().into());
        labels.insert("version".to_owned(), self.revision.to_string().into());
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.secret_name(),
                "namespace": self.namespace,
                "labels": labels,
            },
            "type": "helm.sh/release.v1",
            "data": { "release": BASE64_STANDARD.encode(self.encode()) },
        })
    }

    /// Reads a Secret of Helm's.
    ///
    /// # Errors
    ///
    /// When it is none, or its record cannot be read.
    pub fn from_secret(secret: &Value) -> Result<Self, RecordError> {
        if secret.get("type").and_then(Value::as_str) != Some("helm.sh/release.v1") {
            return Err(RecordError::NoRecord("its type is not `helm.sh/release.v1`"));
        }
        let data = secret.pointer("/data/release").and_then(Value::as_str);
        let data = data.ok_or(RecordError::NoRecord("it has no `release`"))?;
        let text = BASE64_STANDARD
            .decode(data)
            .map_err(|error| RecordError::Packed(error.to_string()))?;
        let mut record = Self::decode(&String::from_utf8_lossy(&text))?;
        let labels = secret.pointer("/metadata/labels").and_then(Value::as_object);
        for (key, value) in labels.into_iter().flatten() {
            let own = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];
            if let (false, Some(value)) = (own.contains(&key.as_str()), value.as_str()) {
                record.labels.insert(key.clone(), value.to_owned());
            }
        }
        Ok(record)
    }

    fn to_json(&self) -> Value {
        let mut info = Map::new();
        info.insert("first_deployed".to_owned(), self.first_deployed.clone().into());
        info.insert("last_deployed".to_owned(), self.last_deployed.clone().into());
        // Helm 3 writes the field even when there is no time in it.
        info.insert("deleted".to_owned(), self.deleted.clone().into());
        for (key, text) in [("description", &self.description), ("notes", &self.notes)] {
            if !text.is_empty() {
                info.insert(key.to_owned(), text.clone().into());
            }
        }
        info.insert("status".to_owned(), self.status.as_str().into());
        let mut whole = Map::new();
        whole.insert("name".to_owned(), self.name.clone().into());
        whole.insert("info".to_owned(), Value::Object(info));
        whole.insert("chart".to_owned(), self.chart.clone());
        if !self.config.is_empty() {
            whole.insert("config".to_owned(), Value::Object(self.config.clone()));
        }
        whole.insert("manifest".to_owned(), self.manifest.clone().into());
        if !self.hooks.is_empty() {
            whole.insert("hooks".to_owned(), self.hooks.clone().into());
        }
        whole.insert("version".to_owned(), self.revision.into());
        whole.insert("namespace".to_owned(), self.namespace.clone().into());
        whole.extend(self.rest.clone());
        Value::Object(whole)
    }

    fn from_json(value: Value) -> Result<Self, RecordError> {
        let Value::Object(mut whole) = value else {
            return Err(RecordError::NoRecord("it holds no object"));
        };
        let mut take = |key: &str| whole.remove(key).unwrap_or_default();
        let text = |value: Value| match value {
            Value::String(text) => text,
            _ => String::new(),
        };
        let object = |value: Value| match value {
            Value::Object(entries) => entries,
            _ => Map::new(),
        };
        let mut info = object(take("info"));
        let mut of_info = |key: &str| text(info.remove(key).unwrap_or_default());
        let name = text(take("name"));
        if name.is_empty() {
            return Err(RecordError::NoRecord("it names no release"));
        }
        Ok(Self {
            name,
            namespace: text(take("namespace")),
            revision: take("version").as_i64().unwrap_or(0),
            status: Status::read(&of_info("status")),
            first_deployed: of_info("first_deployed"),
            last_deployed: of_info("last_deployed"),
            deleted: of_info("deleted"),
            description: of_info("description"),
            notes: of_info("notes"),
            manifest: text(take("manifest")),
            config: object(take("config")),
            chart: take("chart"),
            hooks: match take("hooks") {
                Value::Array(hooks) => hooks,
                _ => Vec::new(),
            },
            labels: BTreeMap::new(),
            rest: whole,
        })
    }
}

fn chart_json(chart: &Chart) -> Value {
    let files = |all: &[ChartFile]| -> Vec<Value> {
        let one = |file: &ChartFile| {
            json!({"name": file.name, "data": BASE64_STANDARD.encode(&file.data)})
        };
        all.iter().map(one).collect()
    };
    json!({
        "metadata": Value::from(&chart.metadata),
        "lock": chart.lock,
        "templates": files(&chart.templates),
        "values": whole_map(&chart.values),
        "schema": chart.schema.as_ref().map(|it| BASE64_STANDARD.encode(it)),
        "files": files(&chart.files),
    })
}

fn hook_json(hook: &Hook) -> Value {
    let events: Vec<&str> = hook.events.iter().map(|it| it.as_str()).collect();
    let mut entries = Map::new();
    entries.insert("name".to_owned(), hook.manifest.name.clone().into());
    entries.insert("kind".to_owned(), hook.manifest.kind.clone().into());
    entries.insert("path".to_owned(), hook.manifest.source.clone().into());
    entries.insert("manifest".to_owned(), hook.manifest.content.clone().into());
    entries.insert("events".to_owned(), json!(events));
    entries.insert("last_run".to_owned(), json!({"started_at": "", "completed_at": "", "phase": ""}));
    if hook.weight != 0 {
        entries.insert("weight".to_owned(), hook.weight.into());
    }
    for (key, all) in [
        ("delete_policies", &hook.delete_policies),
        ("output_log_policies", &hook.output_log_policies),
    ] {
        if !all.is_empty() {
            entries.insert(key.to_owned(), all.clone().into());
        }
    }
    Value::Object(entries)
}

/// Go writes a whole float without a point.
fn whole_map(entries: &Map<String, Value>) -> Map<String, Value> {
    entries.iter().map(|(key, value)| (key.clone(), whole(value))).collect()
}

fn whole(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => crate::values::tree::plain_number(float),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(whole).collect(),
        Value::Object(entries) => Value::Object(whole_map(entries)),
        other => other.clone(),
    }
}
