//! Which lists a strategic merge joins item by item.
//!
//! Built in is what Kubernetes 1.21.2 says, because that is what the original
//! embeds; an `openapi` file takes its place.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use serde_json::Value;

use crate::{error::BuildError, kustomization::steering_yaml};

/// The types of one OpenAPI document, cut down to lists that merge and the ways to them.
#[derive(Debug, Default)]
pub struct Schemas {
    kinds: HashMap<(String, String), usize>,
    types: Vec<Type>,
}

#[derive(Debug, Default)]
struct Type {
    fields: HashMap<String, Field>,
    /// The values of a free mapping.
    values: Option<Box<Field>>,
}

#[derive(Clone, Debug, Default)]
struct Field {
    /// What it is, or what its items or values are.
    target: Option<usize>,
    shape: FieldShape,
    /// How its items are told apart; `None` when the list is replaced as a whole.
    keys: Option<Arc<[String]>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum FieldShape {
    #[default]
    Plain,
    List,
    Map,
}

/// A place in the schema of some kind.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    schemas: &'a Schemas,
    field: Field,
}

static BUILT_IN: LazyLock<Schemas> =
    LazyLock::new(|| Schemas::from_table(include_str!("../data/schema.txt")));

impl Schemas {
    /// What Kubernetes 1.21.2 says.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    fn from_table(table: &str) -> Self {
        let mut names: HashMap<&str, usize> = HashMap::new();
        let mut found = Self::default();
        let mut open = None;
        for line in table.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("kind") => {
                    if let (Some(version), Some(kind), Some(name)) =
                        (words.next(), words.next(), words.next())
                    {
                        let index = found.index(&mut names, name);
                        found
                            .kinds
                            .insert((version.to_owned(), kind.to_owned()), index);
                    }
                }
                Some("type") => {
                    open = words.next().map(|name| found.index(&mut names, name));
                }
                Some(name) if line.starts_with(' ') => {
                    let (Some(shape), Some(target), Some(index)) =
                        (words.next(), words.next(), open)
                    else {
                        continue;
                    };
                    let target = (target != "-").then(|| found.index(&mut names, target));
                    let keys = words.next().map(|keys| match keys {
                        "=" => Arc::from([]),
                        keys => keys.split(',').map(str::to_owned).collect(),
                    });
                    let shape = match shape {
                        "[]" => FieldShape::List,
                        "{}" => FieldShape::Map,
                        _ => FieldShape::Plain,
                    };
                    if let Some(it) = found.types.get_mut(index) {
                        it.fields.insert(
                            name.to_owned(),
                            Field {
                                target,
                                shape,
                                keys,
                            },
                        );
                    }
                }
                _ => {}
            }
        }
        found
    }

    fn index<'t>(&mut self, names: &mut HashMap<&'t str, usize>, name: &'t str) -> usize {
        *names.entry(name).or_insert_with(|| {
            self.types.push(Type::default());
            self.types.len() - 1
        })
    }

    /// Reads an OpenAPI 2 document, JSON or YAML.
    ///
    /// # Errors
    ///
    /// What is no document, or has no definitions.
    pub fn from_openapi(text: &str, file: &str) -> Result<Self, BuildError> {
        let value = steering_yaml(text, file)?;
        let definitions = value.get("definitions").and_then(Value::as_object);
        let Some(definitions) = definitions else {
            return Err(
                BuildError::new("expected `definitions` of an OpenAPI 2 schema").in_file(file),
            );
        };
        let mut found = Self::default();
        let names: HashMap<&str, usize> = definitions
            .keys()
            .enumerate()
            .map(|(index, name)| (name.as_str(), index))
            .collect();
        found.types.resize_with(definitions.len(), Type::default);
        for (index, schema) in definitions.values().enumerate() {
            let read = found.read_type(schema, &names);
            if let Some(place) = found.types.get_mut(index) {
                *place = read;
            }
            let named = schema
                .get("x-kubernetes-group-version-kind")
                .and_then(Value::as_array);
            for name in named.into_iter().flatten() {
                let part = |key| name.get(key).and_then(Value::as_str).unwrap_or_default();
                let version = match part("group") {
                    "" => part("version").to_owned(),
                    group => format!("{group}/{}", part("version")),
                };
                found
                    .kinds
                    .insert((version, part("kind").to_owned()), index);
            }
        }
        Ok(found)
    }

    fn read_type(&mut self, schema: &Value, names: &HashMap<&str, usize>) -> Type {
        let mut it = Type::default();
        for (name, field) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            it.fields
                .insert(name.clone(), self.read_field(field, names));
        }
        if let Some(values) = schema
            .get("additionalProperties")
            .filter(|it| it.is_object())
        {
            it.values = Some(Box::new(self.read_field(values, names)));
        }
        it
    }

    fn read_field(&mut self, schema: &Value, names: &HashMap<&str, usize>) -> Field {
        let text = |key| schema.get(key).and_then(Value::as_str);
        let strategy = text("x-kubernetes-patch-strategy").unwrap_or_default();
        let keys = schema
            .get("x-kubernetes-list-map-keys")
            .and_then(Value::as_array)
            .map(|keys| {
                keys.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            })
            .or_else(|| {
                let key = text("x-kubernetes-patch-merge-key");
                Some(
                    key.into_iter()
                        .map(str::to_owned)
                        .collect::<Arc<[String]>>(),
                )
            })
            .filter(|_| strategy.split(',').any(|it| it == "merge"));
        let (shape, inner) = match schema.get("items") {
            Some(items) => (FieldShape::List, items),
            None => (FieldShape::Plain, schema),
        };
        let reference = inner
            .get("$ref")
            .or_else(|| inner.pointer("/allOf/0/$ref"))
            .and_then(Value::as_str)
            .and_then(|it| it.rsplit('/').next())
            .and_then(|name| names.get(name).copied());
        let target = reference.or_else(|| {
            (inner.get("properties").is_some() || inner.get("additionalProperties").is_some()).then(
                || {
                    let it = self.read_type(inner, names);
                    self.types.push(it);
                    self.types.len() - 1
                },
            )
        });
        Field {
            target,
            shape,
            keys,
        }
    }

    /// The schema of a kind.
    pub fn of(&self, api_version: &str, kind: &str) -> Option<Place<'_>> {
        let index = self.kinds.get(&(api_version.to_owned(), kind.to_owned()))?;
        Some(Place {
            schemas: self,
            field: Field {
                target: Some(*index),
                ..Field::default()
            },
        })
    }
}

impl<'a> Place<'a> {
    fn target(&self) -> Option<&'a Type> {
        self.schemas.types.get(self.field.target?)
    }

    fn at(&self, field: &Field) -> Self {
        Place {
            schemas: self.schemas,
            field: field.clone(),
        }
    }

    /// The field `name` of this object; a free mapping has every field.
    pub fn field(&self, name: &str) -> Option<Self> {
        if self.field.shape == FieldShape::Map {
            return Some(self.items());
        }
        let target = self.target()?;
        let field = target.fields.get(name).or(target.values.as_deref())?;
        Some(self.at(field))
    }

    /// The items of this list.
    pub fn items(&self) -> Self {
        Place {
            schemas: self.schemas,
            field: Field {
                target: self.field.target,
                ..Field::default()
            },
        }
    }

    /// How the items of this list are told apart: by these fields, or, when there
    /// are none, by themselves. `None` when the list is replaced as a whole.
    pub fn merge_keys(&self) -> Option<&[String]> {
        self.field.keys.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_told_apart_by_name_and_ports_by_two_keys() {
        let place = Schemas::built_in()
            .of("apps/v1", "Deployment")
            .expect("known");
        let containers = ["spec", "template", "spec", "containers"]
            .iter()
            .try_fold(place, |place, name| place.field(name))
            .expect("described");
        assert_eq!(containers.merge_keys(), Some(&["name".to_owned()][..]));
        let ports = containers.items().field("ports").expect("described");
        assert_eq!(
            ports.merge_keys(),
            Some(&["containerPort".to_owned(), "protocol".to_owned()][..])
        );
        assert!(containers.items().field("args").is_none());
    }

    #[test]
    fn schema_of_a_custom_kind_is_read_from_openapi() {
        let text = r##"{"definitions": {
            "v1.Job": {
                "properties": {"spec": {"properties": {"steps": {
                    "items": {"$ref": "#/definitions/v1.Step"}, "type": "array",
                    "x-kubernetes-patch-merge-key": "id", "x-kubernetes-patch-strategy": "merge"}}}},
                "x-kubernetes-group-version-kind": [{"group": "ci.example", "kind": "Job", "version": "v1"}]},
            "v1.Step": {"properties": {"id": {"type": "string"}}}}}"##;
        let schemas = Schemas::from_openapi(text, "schema.json").expect("schema");
        let steps = schemas
            .of("ci.example/v1", "Job")
            .and_then(|it| it.field("spec"))
            .and_then(|it| it.field("steps"))
            .expect("described");
        assert_eq!(steps.merge_keys(), Some(&["id".to_owned()][..]));
    }
}
