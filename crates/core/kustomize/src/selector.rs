//! Which objects a patch or a replacement means.

use regex::Regex;
use resource::selector::LabelSelector;
use serde_json::{Map, Value};

use crate::{error::BuildError, id::Id, kustomization::Selector, resource::Resource};

/// A text or a regular expression that has to match as a whole; empty matches everything.
#[derive(Debug)]
enum Pattern {
    Any,
    Exact(String),
    Regex(Regex),
}

impl Pattern {
    fn new(text: &str) -> Result<Self, BuildError> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        if text
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_' || it == b'/')
        {
            return Ok(Self::Exact(text.to_owned()));
        }
        Regex::new(&format!("^(?:{text})$"))
            .map(Self::Regex)
            .map_err(|error| BuildError::new(format!("`{text}` is no regular expression: {error}")))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(it) => it == text,
            Self::Regex(it) => it.is_match(text),
        }
    }
}

/// A [`Selector`] ready to be used.
#[derive(Debug)]
pub struct Matcher {
    group: Pattern,
    version: Pattern,
    kind: Pattern,
    name: Pattern,
    namespace: Pattern,
    labels: Option<LabelSelector>,
    annotations: Option<LabelSelector>,
    /// No part of an id was named.
    pub names_nothing: bool,
}

impl Matcher {
    /// Compiles the parts of a selector.
    ///
    /// # Errors
    ///
    /// A regular expression or a label selector that is none.
    pub fn new(selector: &Selector) -> Result<Self, BuildError> {
        Ok(Self {
            group: Pattern::new(&selector.group)?,
            version: Pattern::new(&selector.version)?,
            kind: Pattern::new(&selector.kind)?,
            name: Pattern::new(&selector.name)?,
            namespace: Pattern::new(&selector.namespace)?,
            labels: labels(&selector.label_selector)?,
            annotations: labels(&selector.annotation_selector)?,
            names_nothing: [
                &selector.group,
                &selector.version,
                &selector.kind,
                &selector.name,
                &selector.namespace,
            ]
            .iter()
            .all(|it| it.is_empty()),
        })
    }

    /// Whether the object, as it is or as it was first, is meant.
    pub fn selects(&self, resource: &Resource) -> bool {
        let now = resource.id();
        let first = resource.original_id();
        (self.namespace.matches(first.effective_namespace())
            || self.namespace.matches(now.effective_namespace()))
            && (self.name.matches(&first.name) || self.name.matches(&now.name))
            && self.matches_gvk(now)
            && self.matches_labels(resource)
            && self.matches_annotations(resource)
    }

    fn matches_gvk(&self, id: &Id) -> bool {
        self.group.matches(&id.gvk.group)
            && self.version.matches(&id.gvk.version)
            && self.kind.matches(&id.gvk.kind)
    }

    /// Whether one id is meant, labels apart.
    pub fn selects_id(&self, id: &Id) -> bool {
        self.matches_gvk(id)
            && self.name.matches(&id.name)
            && (matches!(self.namespace, Pattern::Any)
                || self.namespace.matches(id.effective_namespace()))
    }

    pub fn matches_labels(&self, resource: &Resource) -> bool {
        matches(self.labels.as_ref(), resource, "labels")
    }

    pub fn matches_annotations(&self, resource: &Resource) -> bool {
        matches(self.annotations.as_ref(), resource, "annotations")
    }

    pub fn has_label_selectors(&self) -> bool {
        self.labels.is_some() || self.annotations.is_some()
    }
}

fn labels(text: &str) -> Result<Option<LabelSelector>, BuildError> {
    if text.is_empty() {
        return Ok(None);
    }
    LabelSelector::parse(text)
        .map(Some)
        .map_err(|error| BuildError::new(format!("`{text}` is no selector: {error}")))
}

fn matches(selector: Option<&LabelSelector>, resource: &Resource, field: &str) -> bool {
    selector.is_none_or(|selector| {
        let labels: Map<String, Value> = resource
            .texts(field)
            .into_iter()
            .map(|(key, value)| (key.to_string(), Value::from(&*value)))
            .collect();
        selector.matches_labels(&Value::Object(labels))
    })
}
