//! Finds fields that a kind does not know and values of the wrong type.

use std::fmt;

use base64::{DecodeError, Engine as _, prelude::BASE64_STANDARD};
use names::Timestamp;
use serde_json::Value;

use super::{Place, named, of};
use crate::kinds::Kind;

/// One field that does not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldProblem {
    /// Dropped unless the client asks for strict validation.
    Unknown { path: String },
    /// The last value wins unless the client asks for strict validation.
    Duplicate { path: String },
    /// Refused whatever the client asks for; the text as the decoder words it.
    WrongType { message: String },
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { path } => write!(f, "unknown field \"{path}\""),
            Self::Duplicate { path } => write!(f, "duplicate field \"{path}\""),
            Self::WrongType { message } => f.write_str(message),
        }
    }
}

/// The unknown fields and wrong types of an object, in the order of its fields.
pub fn check(kind: &Kind, object: &Value) -> Vec<FieldProblem> {
    of(kind)
        .map(|place| problems(place, object))
        .unwrap_or_default()
}

/// Like [`check`], for kinds that are only bodies of subresources, such as `Scale`.
pub fn check_as(api_version: &str, kind: &str, object: &Value) -> Vec<FieldProblem> {
    named(api_version, kind)
        .map(|place| problems(place, object))
        .unwrap_or_default()
}

fn problems(place: Place, object: &Value) -> Vec<FieldProblem> {
    let mut walk = Walk::default();
    walk.value(place, object, &Position::default());
    walk.problems
}

/// Where the walk is, in the two spellings messages use.
#[derive(Clone, Default)]
struct Position {
    /// With indexes, as unknown fields are named: `spec.containers[0].image`.
    indexed: String,
    /// Without, as the type errors of the decoder name it: `spec.containers.image`.
    plain: String,
    /// The innermost struct, e.g. `Container`.
    owner: &'static str,
}

impl Position {
    fn child(&self, name: &str, owner: &'static str) -> Self {
        Self {
            indexed: join(&self.indexed, name),
            plain: join(&self.plain, name),
            owner,
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            indexed: format!("{}[{index}]", self.indexed),
            ..self.clone()
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[derive(Default)]
struct Walk {
    problems: Vec<FieldProblem>,
}

impl Walk {
    fn value(&mut self, place: Place, value: &Value, position: &Position) {
        if value.is_null() {
            return;
        }
        let target = place.target;
        match (target.kind.as_deref(), target.format.as_deref()) {
            (_, Some("int-or-string")) => {
                let small = value.as_i64().is_some_and(|it| i32::try_from(it).is_ok());
                self.expect(value.is_string() || small, place, value, position);
            }
            _ if place.name == "Quantity" => self.quantity(value),
            (Some("object"), _) => self.object(place, value, position),
            (Some("array"), _) => self.array(place, value, position),
            (Some("string"), format) => {
                self.expect(value.is_string(), place, value, position);
                if let Some(text) = value.as_str() {
                    self.text(text, place, format);
                }
            }
            (Some("boolean"), _) => self.expect(value.is_boolean(), place, value, position),
            (Some("integer"), format) => {
                let whole = value
                    .as_i64()
                    .is_some_and(|number| format != Some("int32") || i32::try_from(number).is_ok());
                self.expect(whole, place, value, position);
            }
            (Some("number"), _) => self.expect(value.is_number(), place, value, position),
            _ => {}
        }
    }

    fn object(&mut self, place: Place, value: &Value, position: &Position) {
        let target = place.target;
        let (properties, additional) = (target.properties.as_ref(), target.additional.as_ref());
        // A schema without either says nothing about its fields: raw extensions and the like.
        if properties.is_none() && additional.is_none() {
            return;
        }
        let Some(fields) = value.as_object() else {
            return self.expect(false, place, value, position);
        };
        let owner = if properties.is_some() {
            place.name
        } else {
            position.owner
        };
        for (name, value) in fields {
            let child = position.child(name, owner);
            match place.field(name) {
                // Keys of a free map are no part of the name a type error gives.
                Some(field) if properties.is_none() => {
                    let plain = position.plain.clone();
                    self.value(field, value, &Position { plain, ..child });
                }
                Some(field) => self.value(field, value, &child),
                None => self.problems.push(FieldProblem::Unknown {
                    path: child.indexed,
                }),
            }
        }
    }

    fn array(&mut self, place: Place, value: &Value, position: &Position) {
        let Some(list) = value.as_array() else {
            return self.expect(false, place, value, position);
        };
        let Some(items) = place.items() else { return };
        for (index, value) in list.iter().enumerate() {
            self.value(items, value, &position.item(index));
        }
    }

    fn expect(&mut self, fits: bool, place: Place, value: &Value, position: &Position) {
        if fits {
            return;
        }
        let expected = match named_text(position) {
            Some(name) if place.target.kind.as_deref() == Some("string") => format!("v1.{name}"),
            _ => go_type(place),
        };
        let numeric = matches!(expected.as_str(), "int32" | "int64");
        let found = describe(value, numeric);
        let message = if position.plain.is_empty() {
            format!("json: cannot unmarshal {found} into Go value of type {expected}")
        } else {
            let (owner, path) = (position.owner, &position.plain);
            format!(
                "json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {expected}"
            )
        };
        self.problems.push(FieldProblem::WrongType { message });
    }

    /// Texts that stand for something else must say it well.
    fn text(&mut self, text: &str, place: Place, format: Option<&str>) {
        let message = match format {
            Some("byte") => match BASE64_STANDARD.decode(text) {
                Ok(_) => return,
                Err(error) => format!(
                    "illegal base64 data at input byte {}",
                    base64_offset(&error, text)
                ),
            },
            Some("date-time") if text.parse::<Timestamp>().is_err() => {
                let fraction = if place.name == "MicroTime" {
                    ".000000"
                } else {
                    ""
                };
                let layout = format!("2006-01-02T15:04:05{fraction}Z07:00");
                format!(
                    "parsing time \"{text}\" as \"{layout}\": cannot parse \"{text}\" as \"2006\""
                )
            }
            _ => return,
        };
        self.problems.push(FieldProblem::WrongType { message });
    }

    fn quantity(&mut self, value: &Value) {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        if let Err(error) = text.parse::<crate::quantity::Quantity>() {
            self.problems.push(FieldProblem::WrongType {
                message: error.to_string(),
            });
        }
    }
}

/// The decoder works in groups of four and names the group's start.
fn base64_offset(error: &DecodeError, text: &str) -> usize {
    match error {
        DecodeError::InvalidByte(offset, _) | DecodeError::InvalidLastSymbol(offset, _) => *offset,
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => text.len() / 4 * 4,
    }
}

/// The decoder's word for what it found; a number is shown where another number was expected.
fn describe(value: &Value, numeric: bool) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if numeric => format!("number {number}"),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    }
}

/// The Go names of the strings that have one; the documents do not tell them.
fn named_text(position: &Position) -> Option<&'static str> {
    let field = position.plain.rsplit('.').next().unwrap_or_default();
    Some(match (position.owner, field) {
        (_, "imagePullPolicy") => "PullPolicy",
        (_, "protocol") => "Protocol",
        ("PodSpec", "restartPolicy") => "RestartPolicy",
        ("PodSpec", "dnsPolicy") => "DNSPolicy",
        (_, "terminationMessagePolicy") => "TerminationMessagePolicy",
        ("ServiceSpec", "type") => "ServiceType",
        ("ServiceSpec", "sessionAffinity") => "ServiceAffinity",
        ("DeploymentStrategy", "type") => "DeploymentStrategyType",
        ("Secret", "type") => "SecretType",
        _ => return None,
    })
}

/// The Go type the real server would name.
fn go_type(place: Place) -> String {
    let target = place.target;
    match (target.kind.as_deref(), target.format.as_deref()) {
        (_, Some("int-or-string")) => "int32".to_owned(),
        (Some("boolean"), _) => "bool".to_owned(),
        (Some("integer"), Some(format)) => format.to_owned(),
        (Some("number"), _) => "float64".to_owned(),
        (Some("string"), Some("byte")) => "[]uint8".to_owned(),
        (Some("array"), _) => match place.items() {
            Some(items) => format!("[]{}", go_type(items)),
            None => "[]interface {}".to_owned(),
        },
        (Some("object"), _) if !place.name.is_empty() => format!("v1.{}", place.name),
        (Some("object"), _) => match target.additional.as_deref() {
            Some(additional) if place.at(additional).name == "Quantity" => {
                "v1.ResourceList".to_owned()
            }
            Some(additional) => format!("map[string]{}", go_type(place.at(additional))),
            None => "map[string]interface {}".to_owned(),
        },
        _ => "string".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds;

    #[test]
    fn misspelt_field_is_named_with_its_path() {
        let container = json!({"name": "web", "imagee": "nginx"});
        check_deployment(
            json!({"spec": {"template": {"spec": {"containers": [container]}}}}),
            &[r#"unknown field "spec.template.spec.containers[0].imagee""#],
        );
    }

    #[test]
    fn wrong_types_are_worded_as_the_decoder_does() {
        let container = json!({"name": 3, "ports": [{"containerPort": "http"}]});
        check_deployment(
            json!({
                "metadata": {"labels": {"app": 1}},
                "spec": {"replicas": "three", "template": {"spec": {"containers": [container]}}},
            }),
            &[
                "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
                "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.name of type string",
                "json: cannot unmarshal string into Go struct field ContainerPort.spec.template.spec.containers.ports.containerPort of type int32",
            ],
        );
    }

    #[test]
    fn free_maps_nulls_and_either_types_are_accepted() {
        check_deployment(
            json!({
                "metadata": {"creationTimestamp": null, "annotations": {"any.key/x": "y"}},
                "spec": {"strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}}},
                "status": {},
            }),
            &[],
        );
    }

    #[track_caller]
    fn check_deployment(object: Value, expected: &[&str]) {
        let kind = kinds::by_kind("apps/v1", "Deployment").expect("served");
        let found: Vec<String> = check(kind, &object)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expected);
    }
}
