//! A chart as it lies in a folder or an archive: loaded once, rendered any number of times.

use std::sync::Arc;

use files::{Files, FilesError};
use serde_json::{Map, Value};

use crate::{
    Compat,
    load::{self, archive::ArchiveError, ignore::IgnoreError},
    metadata::{Metadata, ValidationError},
    parsed::ParsedCache,
    values::DocumentError,
};

/// A chart with its subcharts. Cheap to share between threads; nothing in it changes by rendering.
#[derive(Debug)]
pub struct Chart {
    /// Chart.yaml, with what requirements.yaml adds for charts of version 1.
    pub metadata: Metadata,
    /// values.yaml; numbers are floats, as templates see them.
    pub values: Map<String, Value>,
    /// values.schema.json as it lies there.
    pub schema: Option<Arc<[u8]>>,
    /// Everything below templates/.
    pub templates: Vec<ChartFile>,
    /// What `.Files` shows, and crds/.
    pub files: Vec<ChartFile>,
    /// Every file of the chart in reading order, for archives and release records.
    pub raw: Vec<ChartFile>,
    /// Chart.lock or requirements.lock.
    pub lock: Option<Value>,
    /// The charts below charts/, by folder or archive name.
    pub dependencies: Vec<Arc<Chart>>,
    /// What Helm would say on its error output, but still accepts.
    pub warnings: Vec<String>,
    /// In which mode it was read.
    pub compat: Compat,
    pub(crate) parsed: ParsedCache,
}

/// One file of a chart; the path is relative to the chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartFile {
    pub name: String,
    pub data: Arc<[u8]>,
}

/// Why a chart cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
    #[error("Chart.yaml file is missing")]
    NoChartYaml,
    #[error("`{path}` is neither a chart folder nor a chart archive")]
    NoChart { path: String },
    #[error("cannot load {file}: {reason}")]
    Document { file: String, reason: String },
    #[error("cannot load values.yaml: {0}")]
    Values(DocumentError),
    #[error(transparent)]
    Invalid(#[from] ValidationError),
    /// Helm 4 knows charts of version 3; Landfall does not.
    #[error("{0}")]
    ApiVersion(&'static str),
    #[error("chart file {name:?} is larger than the maximum file size {limit}")]
    TooLarge { name: String, limit: usize },
    #[error("error unpacking subchart {folder} in {chart}: {source}")]
    Subchart {
        folder: String,
        chart: String,
        source: Box<ChartError>,
    },
}

impl Chart {
    /// Loads the chart at `path`: a folder, or a `.tgz` file, of the tree.
    ///
    /// # Errors
    ///
    /// The first fault, in Helm's words where Helm has some.
    pub fn load(files: &dyn Files, path: &str) -> Result<Self, ChartError> {
        Self::load_for(files, path, Compat::default())
    }

    /// As [`load`](Self::load), for one of the modes.
    ///
    /// # Errors
    ///
    /// The first fault, in Helm's words where Helm has some.
    pub fn load_for(files: &dyn Files, path: &str, compat: Compat) -> Result<Self, ChartError> {
        if let Some(bytes) = files.read(path)? {
            return Self::load_archive(&bytes, compat);
        }
        if files.list(path)?.is_none() {
            return Err(ChartError::NoChart {
                path: path.to_owned(),
            });
        }
        let found = load::folder(files, path)?;
        load::chart(found, compat)
    }

    /// Loads a chart from the bytes of a `.tgz` archive.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); also archives with links or paths that lead out of the chart.
    pub fn load_archive(bytes: &[u8], compat: Compat) -> Result<Self, ChartError> {
        load::chart(load::archive::read(bytes)?, compat)
    }

    /// The name in Chart.yaml.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// A file that is no template, by path.
    pub fn file(&self, name: &str) -> Option<&ChartFile> {
        self.files.iter().find(|file| file.name == name)
    }
}
