//! `crds`: which fields of custom kinds hold labels, annotations and names.

use serde_json::{Map, Value};

use crate::{
    config::{Config, NameReference},
    error::BuildError,
    id::Gvk,
    kustomization::{FieldSpec, steering_yaml},
};

/// How deep definitions may refer to others: the original follows a cycle forever.
const DEPTH_MAX: usize = 32;

/// Reads definitions and gives the field specs that their marks ask for.
///
/// # Errors
///
/// What is no mapping of definitions.
pub fn config(text: &str, file: &str) -> Result<Config, BuildError> {
    let value = steering_yaml(text, file)?;
    let Value::Object(definitions) = &value else {
        return Err(BuildError::new("unable to parse open API definitions").in_file(file));
    };
    let mut found = Config::default();
    for (name, definition) in definitions {
        let Some(properties) = properties(definition) else {
            continue;
        };
        if ["kind", "apiVersion", "metadata"]
            .iter()
            .any(|it| !properties.contains_key(*it))
        {
            continue;
        }
        let kind = name.rsplit('.').next().unwrap_or(name);
        let mut config = Config::default();
        walk(&mut config, definitions, kind, properties, &mut Vec::new())?;
        found.merge(&config).map_err(|error| error.in_file(file))?;
    }
    Ok(found)
}

fn properties(definition: &Value) -> Option<&Map<String, Value>> {
    let field = |value: &'_ Value, name: &str| -> Option<String> {
        value
            .as_object()?
            .keys()
            .find(|it| it.eq_ignore_ascii_case(name))
            .cloned()
    };
    let schema = definition.get(field(definition, "schema")?)?;
    schema.get(field(schema, "properties")?)?.as_object()
}

fn walk(
    config: &mut Config,
    definitions: &Map<String, Value>,
    kind: &str,
    properties: &Map<String, Value>,
    path: &mut Vec<String>,
) -> Result<(), BuildError> {
    if path.len() > DEPTH_MAX {
        return Err(BuildError::new(format!(
            "definitions of `{kind}` refer to each other more than {DEPTH_MAX} times"
        )));
    }
    for (name, property) in properties {
        path.push(name.clone());
        let spec = |path: &[String]| FieldSpec::new(&path.join("/"), false).of_kind("", kind);
        let text = |key: &str| property.get(key).and_then(Value::as_str);
        if text("x-kubernetes-annotation").is_some() {
            config.common_annotations.push(spec(path));
        }
        if text("x-kubernetes-label-selector").is_some() {
            config.common_labels.push(spec(path));
        }
        if text("x-kubernetes-identity").is_some() {
            config.name_prefix.push(spec(path));
        }
        if let (Some(version), Some(target)) = (
            text("x-kubernetes-object-ref-api-version"),
            text("x-kubernetes-object-ref-kind"),
        ) {
            path.push(
                text("x-kubernetes-object-ref-name-key")
                    .unwrap_or("name")
                    .to_owned(),
            );
            config.name_reference.push(NameReference {
                target: Gvk {
                    group: String::new(),
                    version: version.to_owned(),
                    kind: target.to_owned(),
                },
                referrers: vec![spec(path)],
            });
            path.pop();
        }
        if let Some(inner) = text("$ref")
            .and_then(|it| definitions.get(it))
            .and_then(self::properties)
        {
            walk(config, definitions, kind, inner, path)?;
        }
        path.pop();
    }
    Ok(())
}
