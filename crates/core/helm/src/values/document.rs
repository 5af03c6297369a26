//! YAML documents of values, read as sigs.k8s.io/yaml reads them into a map.

use serde_json::{Map, Value};

use super::{merge_maps, numbers_to_float};
use crate::{decode::kind, yaml_text};

pub use crate::yaml_text::YamlError;

/// Why a document of values cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Helm 4 reads document by document and says so.
    #[error("cannot unmarshal yaml document: {0}")]
    Several(Box<DocumentError>),
    #[error("{0}")]
    Yaml(YamlError),
    #[error(
        "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {0} into Go value of type map[string]interface {{}}"
    )]
    NoMap(&'static str),
}

/// Reads the first document only, as Helm 3 does.
pub(crate) fn load_first(text: &str) -> Result<Map<String, Value>, DocumentError> {
    let value = yaml_text::first_document(text).map_err(DocumentError::Yaml)?;
    match numbers_to_float(value) {
        Value::Null => Ok(Map::new()),
        Value::Object(entries) => Ok(entries),
        other => Err(DocumentError::NoMap(kind(&other))),
    }
}

/// Reads all documents and lays later ones over earlier ones, as Helm 4 does.
pub(crate) fn load_merged(text: &str) -> Result<Map<String, Value>, DocumentError> {
    let mut values = Map::new();
    for document in yaml_text::split(text) {
        let loaded =
            load_first(document).map_err(|error| DocumentError::Several(Box::new(error)))?;
        merge_maps(&mut values, loaded);
    }
    Ok(values)
}
