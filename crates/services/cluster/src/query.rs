//! The query parameters that Kubernetes knows.

use std::time::Duration;

use resource::{
    Kind,
    selector::{FieldSelector, LabelSelector, SelectorError},
    status::{self, Status},
};

use crate::store::Mode;

/// The parameters of a URL, decoded, in their order.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

/// What to do about fields the schema does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// Which objects of a kind are meant.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub labels: LabelSelector,
    pub fields: FieldSelector,
}

impl Query {
    pub fn parse(text: Option<&str>) -> Self {
        let decode = |part: &str| {
            let spaced = part.replace('+', " ");
            percent_encoding::percent_decode_str(&spaced)
                .decode_utf8_lossy()
                .into_owned()
        };
        let pairs = text
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name), decode(value))
            });
        Self(pairs.collect())
    }

    /// The value of a parameter; a missing and an empty one are the same.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Whether a parameter is set to something true, as Go reads it.
    pub fn is_set(&self, name: &str) -> bool {
        self.0.iter().any(|(it, value)| {
            it == name && !matches!(value.as_str(), "0" | "f" | "F" | "false" | "False")
        })
    }

    pub fn number(&self, name: &str) -> Result<Option<u64>, Status> {
        self.get(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    status::bad_request(format!("invalid value for `{name}`: `{text}`"))
                })
            })
            .transpose()
    }

    /// `resourceVersion` as a number; 0 and nothing both mean any.
    pub fn resource_version(&self) -> Result<Option<u64>, Status> {
        let Some(text) = self.get("resourceVersion") else {
            return Ok(None);
        };
        let revision = text.parse().map_err(|_| {
            status::bad_request(format!(
                "Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
            ))
        })?;
        Ok(Some(revision))
    }

    pub fn timeout(&self) -> Result<Option<Duration>, Status> {
        Ok(self
            .number("timeoutSeconds")?
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs))
    }

    pub fn selection(&self, kind: &Kind) -> Result<Selection, Status> {
        let refused = |error: SelectorError| status::bad_request(error.to_string());
        let labels = self
            .get("labelSelector")
            .map(LabelSelector::parse)
            .transpose()
            .map_err(refused)?;
        let fields = self
            .get("fieldSelector")
            .map(|text| FieldSelector::parse(kind, text))
            .transpose()
            .map_err(refused)?;
        Ok(Selection {
            labels: labels.unwrap_or_default(),
            fields: fields.unwrap_or_default(),
        })
    }

    pub fn mode(&self) -> Result<Mode, Status> {
        match self.get("dryRun") {
            None => Ok(Mode::Commit),
            Some("All") => Ok(Mode::DryRun),
            Some(other) => Err(status::bad_request(format!(
                "Invalid value: \"{other}\": dryRun: Unsupported value: \"{other}\": supported values: \"All\""
            ))),
        }
    }

    /// Kubernetes warns when nothing is asked for.
    pub fn field_validation(&self) -> Result<FieldValidation, Status> {
        match self.get("fieldValidation") {
            None | Some("Warn") => Ok(FieldValidation::Warn),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some(other) => Err(status::bad_request(format!(
                "fieldValidation: Unsupported value: \"{other}\": supported values: \"Ignore\", \"Strict\", \"Warn\""
            ))),
        }
    }
}

impl Selection {
    pub fn matches(&self, object: &serde_json::Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }

    pub fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}
