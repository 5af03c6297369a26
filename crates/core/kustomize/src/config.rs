//! Which fields the transformers write: the built-in lists and those of `configurations`.

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use crate::{
    decode::Decode,
    error::BuildError,
    field::merge_specs,
    id::Gvk,
    kustomization::{FieldSpec, is_field, steering_yaml},
};

/// Which fields the transformers write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub name_prefix: Vec<FieldSpec>,
    pub name_suffix: Vec<FieldSpec>,
    pub namespace: Vec<FieldSpec>,
    pub common_labels: Vec<FieldSpec>,
    pub labels: Vec<FieldSpec>,
    pub template_labels: Vec<FieldSpec>,
    pub common_annotations: Vec<FieldSpec>,
    pub name_reference: Vec<NameReference>,
    pub var_reference: Vec<FieldSpec>,
    pub images: Vec<FieldSpec>,
    pub replicas: Vec<FieldSpec>,
}

/// Which fields name objects of a kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NameReference {
    pub target: Gvk,
    pub referrers: Vec<FieldSpec>,
}

static DEFAULT: LazyLock<Arc<Config>> = LazyLock::new(|| {
    Arc::new(Config::from_table(include_str!("../data/defaults.txt")).unwrap_or_default())
});

impl Config {
    /// The built-in lists.
    pub fn built_in() -> Arc<Self> {
        Arc::clone(&DEFAULT)
    }

    fn from_table(table: &str) -> Result<Self, BuildError> {
        let mut config = Self::default();
        let mut section = "";
        for line in table.lines() {
            let part = |word: &str| {
                if word == "-" {
                    String::new()
                } else {
                    word.to_owned()
                }
            };
            if let Some(head) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
                let mut words = head.split(' ');
                section = words.next().unwrap_or_default();
                if let (Some(group), Some(version), Some(kind)) =
                    (words.next(), words.next(), words.next())
                {
                    config.name_reference.push(NameReference {
                        target: Gvk {
                            group: part(group),
                            version: part(version),
                            kind: part(kind),
                        },
                        referrers: Vec::new(),
                    });
                }
                continue;
            }
            let mut words = line.split(' ');
            let (Some(group), Some(version), Some(kind), Some(path)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                continue;
            };
            let spec = FieldSpec {
                group: part(group),
                version: part(version),
                kind: part(kind),
                path: path.to_owned(),
                create: words.next() == Some("create"),
            };
            let list = match section {
                "nameReference" => config.name_reference.last_mut().map(|it| &mut it.referrers),
                name => config.list(name),
            };
            if let Some(list) = list {
                merge_specs(list, &[spec])?;
            }
        }
        config.name_suffix = config.name_prefix.clone();
        config.sort();
        Ok(config)
    }

    fn list(&mut self, name: &str) -> Option<&mut Vec<FieldSpec>> {
        Some(match name {
            "namePrefix" => &mut self.name_prefix,
            "nameSuffix" => &mut self.name_suffix,
            "namespace" => &mut self.namespace,
            "commonLabels" => &mut self.common_labels,
            "labels" => &mut self.labels,
            "templateLabels" => &mut self.template_labels,
            "commonAnnotations" => &mut self.common_annotations,
            "varReference" => &mut self.var_reference,
            "images" => &mut self.images,
            "replicas" => &mut self.replicas,
            _ => return None,
        })
    }

    fn sort(&mut self) {
        for name in [
            "namePrefix",
            "nameSuffix",
            "namespace",
            "commonLabels",
            "labels",
            "templateLabels",
            "commonAnnotations",
            "varReference",
            "images",
            "replicas",
        ] {
            if let Some(list) = self.list(name) {
                list.sort_by_cached_key(|it| order(&it.gvk()));
            }
        }
        self.name_reference.sort_by_cached_key(|it| order(&it.target));
    }

    /// Reads a transformer configuration; what it does not know is passed over, as in the original.
    ///
    /// # Errors
    ///
    /// Syntax, wrong types, specs that disagree.
    pub fn parse(text: &str, file: &str) -> Result<Self, BuildError> {
        let value = steering_yaml(text, file)?;
        Self::from_value(&value).map_err(|error| error.in_file(file))
    }

    fn from_value(value: &Value) -> Result<Self, BuildError> {
        let mut config = Self::default();
        let Value::Object(map) = value else {
            return if value.is_null() {
                Ok(config)
            } else {
                Err(BuildError::new("expected a mapping of field specs"))
            };
        };
        for (key, value) in map {
            if key == "nameReference" {
                for entry in value.as_array().into_iter().flatten() {
                    let specs = entry.get("fieldSpecs").unwrap_or(&Value::Null);
                    let text = |key| entry.get(key).and_then(Value::as_str).unwrap_or_default();
                    config.add_reference(NameReference {
                        target: Gvk {
                            group: text("group").to_owned(),
                            version: text("version").to_owned(),
                            kind: text("kind").to_owned(),
                        },
                        referrers: field_specs(specs, "nameReference.fieldSpecs")?,
                    })?;
                }
            } else if let Some(list) = config.list(key) {
                *list = field_specs(value, key)?;
            }
        }
        config.sort();
        Ok(config)
    }

    fn add_reference(&mut self, reference: NameReference) -> Result<(), BuildError> {
        match self
            .name_reference
            .iter_mut()
            .find(|it| it.target == reference.target)
        {
            Some(old) => merge_specs(&mut old.referrers, &reference.referrers),
            None => {
                self.name_reference.push(reference);
                Ok(())
            }
        }
    }

    /// Adds the field specs of another configuration.
    ///
    /// # Errors
    ///
    /// Specs that disagree.
    pub fn merge(&mut self, other: &Self) -> Result<(), BuildError> {
        let pairs = [
            (&mut self.name_prefix, &other.name_prefix),
            (&mut self.name_suffix, &other.name_suffix),
            (&mut self.namespace, &other.namespace),
            (&mut self.common_labels, &other.common_labels),
            (&mut self.labels, &other.labels),
            (&mut self.template_labels, &other.template_labels),
            (&mut self.common_annotations, &other.common_annotations),
            (&mut self.var_reference, &other.var_reference),
            (&mut self.images, &other.images),
            (&mut self.replicas, &other.replicas),
        ];
        for (into, more) in pairs {
            merge_specs(into, more)?;
        }
        for reference in &other.name_reference {
            self.add_reference(reference.clone())?;
        }
        self.sort();
        Ok(())
    }
}

/// Merges configurations that are shared until one of them says more.
///
/// # Errors
///
/// As [`Config::merge`].
pub fn merge_shared(into: &mut Arc<Config>, more: &Arc<Config>) -> Result<(), BuildError> {
    if Arc::ptr_eq(into, more) {
        return Ok(());
    }
    if **into == Config::default() && Arc::ptr_eq(more, &DEFAULT) {
        *into = Arc::clone(more);
        return Ok(());
    }
    // Merging into nothing finds specs that cover each other and disagree, as in the original.
    Arc::make_mut(into).merge(more)
}

/// A list of field specs; keys that a spec does not have are passed over.
///
/// # Errors
///
/// Wrong types.
pub fn field_specs(value: &Value, at: &str) -> Result<Vec<FieldSpec>, BuildError> {
    let mut value = value.clone();
    for entry in value.as_array_mut().into_iter().flatten() {
        if let Some(map) = entry.as_object_mut() {
            map.retain(|key, _| is_field::<FieldSpec>(key));
        }
    }
    Decode::decode(&value, at)
}

/// The order in which the original goes through its specs: cluster first things first, then by text.
fn order(gvk: &Gvk) -> (i32, String) {
    const FIRST: [&str; 14] = [
        "Namespace",
        "ResourceQuota",
        "StorageClass",
        "CustomResourceDefinition",
        "ServiceAccount",
        "PodSecurityPolicy",
        "Role",
        "ClusterRole",
        "RoleBinding",
        "ClusterRoleBinding",
        "ConfigMap",
        "Secret",
        "Endpoints",
        "Service",
    ];
    let rank = FIRST
        .iter()
        .position(|it| *it == gvk.kind)
        .map_or(0, |index| {
            i32::try_from(index).unwrap_or_default()
                - i32::try_from(FIRST.len()).unwrap_or_default()
        });
    (rank, gvk.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_lists_have_the_lengths_of_the_original() {
        let config = Config::built_in();
        let references: usize = config
            .name_reference
            .iter()
            .map(|it| it.referrers.len())
            .sum();
        assert_eq!(
            (
                config.name_reference.len(),
                references,
                config.common_labels.len(),
                config.common_annotations.len(),
                config.var_reference.len(),
                config.images.len(),
            ),
            (16, 166, 32, 9, 72, 6)
        );
    }
}
