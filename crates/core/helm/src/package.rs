//! Charts as archives and as entries of a repository's index.

use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use gotemplate::Value;
use serde_json::{Map, Value as Plain, json};

use crate::{Chart, values::tree::from_plain};

/// Media types of charts in OCI registries.
pub const CONFIG_MEDIA_TYPE: &str = "application/vnd.cncf.helm.config.v1+json";
pub const LAYER_MEDIA_TYPE: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// Why a chart cannot be packed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    #[error("Invalid JSON in values.schema.json")]
    Schema,
    #[error("`{0}` cannot be part of an archive: {1}")]
    File(String, String),
}

impl Chart {
    /// The usual name of the archive.
    pub fn archive_name(&self) -> String {
        format!("{}-{}.tgz", self.metadata.name, self.metadata.version)
    }

    /// The archive: the same bytes for the same chart, whenever and wherever it is packed.
    ///
    /// # Errors
    ///
    /// A schema that is no JSON, or a path that tar cannot hold.
    pub fn package(&self) -> Result<Vec<u8>, PackageError> {
        let mut archive = tar::Builder::new(Vec::new());
        self.append(&mut archive, "")?;
        let plain = archive
            .into_inner()
            .map_err(|error| PackageError::File(self.archive_name(), error.to_string()))?;
        let mut encoder = GzBuilder::new()
            .mtime(0)
            .comment("Helm")
            .write(Vec::new(), Compression::default());
        let packed = encoder.write_all(&plain).and_then(|()| encoder.finish());
        packed.map_err(|error| PackageError::File(self.archive_name(), error.to_string()))
    }

    fn append(&self, archive: &mut tar::Builder<Vec<u8>>, prefix: &str) -> Result<(), PackageError> {
        let base = format!("{prefix}{}", self.metadata.name);
        add(archive, &format!("{base}/Chart.yaml"), self.chart_yaml().as_bytes())?;
        if let (Some(lock), "v2") = (&self.lock, self.metadata.api_version.as_str()) {
            add(archive, &format!("{base}/Chart.lock"), yaml_of(lock).as_bytes())?;
        }
        if let Some(values) = self.raw.iter().find(|file| file.name == "values.yaml") {
            add(archive, &format!("{base}/values.yaml"), &values.data)?;
        }
        if let Some(schema) = &self.schema {
            serde_json::from_slice::<Plain>(schema).map_err(|_| PackageError::Schema)?;
            add(archive, &format!("{base}/values.schema.json"), schema)?;
        }
        for file in self.templates.iter().chain(&self.files) {
            add(archive, &format!("{base}/{}", file.name), &file.data)?;
        }
        for child in &self.dependencies {
            child.append(archive, &format!("{base}/charts/"))?;
        }
        Ok(())
    }

    /// Chart.yaml in one form; version 1 keeps its dependencies elsewhere.
    fn chart_yaml(&self) -> String {
        let mut metadata = Plain::from(&self.metadata);
        if let (Some(entries), "v1") = (metadata.as_object_mut(), self.metadata.api_version.as_str()) {
            entries.remove("dependencies");
        }
        yaml_of(&metadata)
    }

    /// The config of the chart as an OCI artifact.
    pub fn oci_config(&self) -> Plain {
        Plain::from(&self.metadata)
    }

    /// The tag of the chart in an OCI registry, which knows no `+`.
    pub fn oci_tag(&self) -> String {
        self.metadata.version.replace('+', "_")
    }

    /// The entry of the chart in a repository's index; `digest` is the archive's SHA-256 in hex,
    /// `created` RFC 3339.
    pub fn index_entry(&self, urls: &[String], digest: &str, created: &str) -> Plain {
        let mut entry = match Plain::from(&self.metadata) {
            Plain::Object(entries) => entries,
            _ => Map::new(),
        };
        entry.insert("urls".to_owned(), json!(urls));
        entry.insert("created".to_owned(), created.into());
        entry.insert("digest".to_owned(), digest.into());
        Plain::Object(entry)
    }
}

/// The text of a repository's index.yaml; the newest version of each chart comes first.
pub fn repository_index(entries: Vec<Plain>, generated: &str) -> String {
    let mut charts: Map<String, Plain> = Map::new();
    for entry in entries {
        let name = entry.get("name").and_then(Plain::as_str).unwrap_or_default().to_owned();
        let all = charts.entry(name).or_insert_with(|| Plain::Array(Vec::new()));
        if let Plain::Array(all) = all {
            all.push(entry);
        }
    }
    for all in charts.values_mut() {
        if let Plain::Array(all) = all {
            all.sort_by_key(|entry| std::cmp::Reverse(version_of(entry)));
        }
    }
    yaml_of(&json!({"apiVersion": "v1", "entries": charts, "generated": generated}))
}

fn version_of(entry: &Plain) -> Option<sprig::Version> {
    entry.get("version")?.as_str()?.parse().ok()
}

fn add(archive: &mut tar::Builder<Vec<u8>>, name: &str, bytes: &[u8]) -> Result<(), PackageError> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(bytes.len() as u64);
    header.set_mtime(0);
    archive
        .append_data(&mut header, name, bytes)
        .map_err(|error| PackageError::File(name.to_owned(), error.to_string()))
}

fn yaml_of(plain: &Plain) -> String {
    let value: Value = from_plain(plain);
    format!("{}\n", sprig::to_yaml(&value).unwrap_or_default())
}
