//! `-o`: objects as JSON, YAML, names, columns or by a template.

use serde_json::{Map, Value};

use super::{discovery::Resource, json_path::JsonPath, table, text};
use crate::{
    Console,
    failure::Failure,
    flags::Parsed,
    go_template::{Missing, Template},
};

/// How objects are shown.
pub enum Output {
    /// The command's own words.
    Words,
    Wide,
    Json,
    Yaml,
    Name,
    JsonPath(JsonPath),
    Columns(Vec<(String, JsonPath)>),
    Template(Template),
}

impl Output {
    /// Reads `-o`.
    pub fn of(line: &Parsed) -> Result<Self, Failure> {
        let Some(format) = line.last("output") else { return Ok(Self::Words) };
        let wrong_path = |error: super::json_path::PathError| Failure::new(format!("error: error parsing jsonpath: {error}"));
        let (kind, rest) = format.split_once('=').unwrap_or((format, ""));
        // The template may also stand in a flag of its own.
        let rest = if rest.is_empty() { line.last("template").unwrap_or_default() } else { rest };
        Ok(match kind {
            "" => Self::Words,
            "wide" => Self::Wide,
            "json" => Self::Json,
            "yaml" => Self::Yaml,
            "name" => Self::Name,
            "jsonpath" => Self::JsonPath(JsonPath::parse(rest).map_err(wrong_path)?),
            "go-template" | "template" => Self::Template(Template::parse(rest).map_err(|it| Failure::new(format!("error: {it}")))?),
            "custom-columns" => {
                let mut columns = Vec::new();
                for column in rest.split(',') {
                    let Some((title, path)) = column.split_once(':') else {
                        return Err(Failure::new(format!("error: unexpected custom-columns spec: {column}, expected <header>:<json-path-expr>")));
                    };
                    columns.push((title.to_owned(), JsonPath::relaxed(path).map_err(wrong_path)?));
                }
                Self::Columns(columns)
            }
            _ => {
                return Err(Failure::new(format!(
                    "error: unable to match a printer suitable for the output format \"{kind}\", allowed formats are: custom-columns,go-template,json,jsonpath,name,wide,yaml"
                )));
            }
        })
    }

    /// Whether the objects themselves are needed, not the server's table.
    pub fn wants_objects(&self) -> bool {
        !matches!(self, Self::Words | Self::Wide)
    }

    /// Shows one object, or a list of them.
    pub fn show(&self, object: &Value, console: &mut Console) -> Result<(), Failure> {
        match self {
            Self::Words | Self::Wide => {}
            Self::Json => console.out(json(object)),
            Self::Yaml => console.write_out(yaml::to_string(object).as_bytes()),
            Self::Name => {
                for item in items(object) {
                    console.out(name(item));
                }
            }
            Self::JsonPath(path) => {
                let text = path.fill(object).map_err(|it| Failure::new(format!("error: error executing jsonpath: {it}")))?;
                console.write_out(text.as_bytes());
            }
            Self::Template(template) => {
                let text = template.fill(object, Missing::NoValue).map_err(|it| Failure::new(format!("error: {it}")))?;
                console.write_out(text.as_bytes());
            }
            Self::Columns(columns) => {
                let mut lines = vec![columns.iter().map(|(title, _)| title.clone()).collect::<Vec<_>>()];
                for item in items(object) {
                    lines.push(columns.iter().map(|(_, path)| path.cell(item)).collect());
                }
                for line in table::aligned(&lines) {
                    console.out(line);
                }
            }
        }
        Ok(())
    }
}

/// The objects of a list, or the object alone.
fn items(object: &Value) -> Vec<&Value> {
    match object["items"].as_array() {
        Some(items) if text(&object["kind"]).ends_with("List") => items.iter().collect(),
        _ => vec![object],
    }
}

/// `pod/web`, `deployment.apps/web`: from the object alone.
fn name(object: &Value) -> String {
    let group = text(&object["apiVersion"]).split_once('/').map_or("", |(group, _)| group);
    let kind = text(&object["kind"]).to_lowercase();
    let kind = if group.is_empty() { kind } else { format!("{kind}.{group}") };
    format!("{kind}/{}", text(&object["metadata"]["name"]))
}

/// JSON as Go indents it: keys in order, signs of HTML escaped.
pub fn json(value: &Value) -> String {
    let mut bytes = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, format);
    serde::Serialize::serialize(&sorted(value), &mut writer).expect("a value is JSON");
    escaped(&String::from_utf8(bytes).expect("JSON is UTF-8"))
}

/// JSON on one line, as Go writes it.
pub fn compact_json(value: &Value) -> String {
    escaped(&sorted(value).to_string())
}

/// These signs stand in JSON only within texts.
fn escaped(json: &str) -> String {
    let signs = [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    signs.iter().fold(json.to_owned(), |text, (sign, code)| if text.contains(*sign) { text.replace(*sign, code) } else { text })
}

/// The same value with all keys in order.
pub fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(name, _)| *name);
            Value::Object(entries.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// An object without what only the server reads.
pub fn without_managed_fields(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.shift_remove("managedFields");
    }
}

/// What a change is said to be, or the object after it.
pub fn told(output: &Output, resource: &Resource, object: &mut Value, done: &str, console: &mut Console) -> Result<(), Failure> {
    let name = text(&object["metadata"]["name"]).to_owned();
    match output {
        Output::Words | Output::Wide => console.out(format!("{} {done}", resource.named(&name))),
        Output::Name => console.out(resource.named(&name)),
        _ => {
            without_managed_fields(object);
            output.show(object, console)?;
        }
    }
    Ok(())
}
