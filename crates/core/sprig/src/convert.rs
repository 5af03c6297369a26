//! Templates' way to YAML, JSON and TOML and back.

use gotemplate::{
    ANY_LIST, ANY_MAP, Answer, Entries, FunctionError, Functions, Signature, Text, Type, Value,
};

use crate::{
    Edition,
    arguments::{any, room, text},
    json::{self, Escape, Form, JsonError, Layout},
    toml, yaml_text,
};

pub(crate) fn add(all: &mut Functions, edition: Edition) {
    add_yaml(all, edition);
    add_json(all);
    add_json_readers(all);
    let written = Signature::new(&[Type::Any], Type::String);
    all.add("toToml", written, |call, arguments| {
        if any(arguments, 0).is_nil() {
            return Err(NO_TYPE.into());
        }
        let toml = toml::write(any(arguments, 0)).unwrap_or_else(|error| error.to_string());
        room(call, toml.len())?;
        Ok(toml.into())
    });
    if edition == Edition::Helm4 {
        all.add("mustToToml", written, |call, arguments| {
            if any(arguments, 0).is_nil() {
                return Err(NO_TYPE.into());
            }
            let toml = toml::write(any(arguments, 0)).map_err(|it| it.to_string())?;
            room(call, toml.len())?;
            Ok(toml.into())
        });
    }
    all.add(
        "fromToml",
        Signature::new(&[Type::String], ANY_MAP),
        |call, arguments| {
            room(call, text(arguments, 0).len().saturating_mul(4))?;
            Ok(match toml::read(&text(arguments, 0).to_str()) {
                Ok(map) => Value::map(map),
                Err(error) => error_map(error.to_string()),
            })
        },
    );
}

/// What Go's reflection says of nothing.
pub(crate) const NO_TYPE: &str = "reflect: call of reflect.Value.Type on zero Value";

fn add_yaml(all: &mut Functions, edition: Edition) {
    let written = Signature::new(&[Type::Any], Type::String);
    all.add("toYaml", written, |call, arguments| {
        let yaml = yaml_text::to_yaml(any(arguments, 0)).unwrap_or_default();
        room(call, yaml.len())?;
        Ok(yaml.into())
    });
    all.add("toYamlPretty", written, |call, arguments| {
        let yaml = yaml_text::to_yaml_pretty(any(arguments, 0)).unwrap_or_default();
        room(call, yaml.len())?;
        Ok(yaml.into())
    });
    if edition == Edition::Helm4 {
        all.add("mustToYaml", written, |call, arguments| {
            let yaml = yaml_text::to_yaml(any(arguments, 0)).map_err(|it| it.to_string())?;
            room(call, yaml.len())?;
            Ok(yaml.into())
        });
    }
    all.add(
        "fromYaml",
        Signature::new(&[Type::String], ANY_MAP),
        |call, arguments| {
            room(call, text(arguments, 0).len().saturating_mul(4))?;
            Ok(match yaml_text::from_yaml(text(arguments, 0).as_bytes()) {
                Ok(Value::Nil) => Value::map(Entries::new()),
                Ok(value) => as_map(value, "error unmarshaling JSON: while decoding JSON: "),
                Err(error) => error_map(error.to_string()),
            })
        },
    );
    all.add(
        "fromYamlArray",
        Signature::new(&[Type::String], ANY_LIST),
        |call, arguments| {
            room(call, text(arguments, 0).len().saturating_mul(4))?;
            Ok(match yaml_text::from_yaml(text(arguments, 0).as_bytes()) {
                Ok(Value::Nil) => Value::list(Vec::new()),
                Ok(value) => as_list(value, "error unmarshaling JSON: while decoding JSON: "),
                Err(error) => Value::list(vec![error.to_string().into()]),
            })
        },
    );
}

fn add_json(all: &mut Functions) {
    let written = Signature::new(&[Type::Any], Type::String);
    let forms = [
        ("toJson", "mustToJson", Escape::Html, Layout::Compact),
        (
            "toPrettyJson",
            "mustToPrettyJson",
            Escape::Html,
            Layout::Pretty,
        ),
        ("toRawJson", "mustToRawJson", Escape::Raw, Layout::Compact),
    ];
    for (name, must, escape, layout) in forms {
        let make = move |value: &Value, dialect| {
            json::write(
                value,
                Form {
                    escape,
                    layout,
                    dialect,
                },
            )
        };
        all.add(name, written, move |call, arguments| {
            let json = match make(any(arguments, 0), call.options().dialect) {
                Ok(json) => json,
                Err(error) if escape == Escape::Raw => return Err(failed(&error)),
                Err(_) => String::new(),
            };
            room(call, json.len())?;
            Ok(json.into())
        });
        all.add(must, written, move |call, arguments| {
            let json = make(any(arguments, 0), call.options().dialect).map_err(|it| failed(&it))?;
            room(call, json.len())?;
            Ok(json.into())
        });
    }
}

fn failed(error: &JsonError) -> FunctionError {
    FunctionError::new(error.to_string())
}

fn add_json_readers(all: &mut Functions) {
    all.add(
        "fromJson",
        Signature::new(&[Type::String], ANY_MAP),
        |call, arguments| {
            room(call, text(arguments, 0).len().saturating_mul(4))?;
            Ok(
                match json::read(text(arguments, 0).as_bytes(), call.options().dialect) {
                    Ok(value) => as_map(value, ""),
                    Err(error) => error_map(error.to_string()),
                },
            )
        },
    );
    all.add(
        "fromJsonArray",
        Signature::new(&[Type::String], ANY_LIST),
        |call, arguments| {
            room(call, text(arguments, 0).len().saturating_mul(4))?;
            Ok(
                match json::read(text(arguments, 0).as_bytes(), call.options().dialect) {
                    Ok(value) => as_list(value, ""),
                    Err(error) => Value::list(vec![error.to_string().into()]),
                },
            )
        },
    );
    all.add(
        "mustFromJson",
        Signature::new(&[Type::String], Type::Any),
        |call, arguments| -> Answer {
            room(call, text(arguments, 0).len().saturating_mul(4))?;
            json::read(text(arguments, 0).as_bytes(), call.options().dialect)
                .map_err(|it| failed(&it))
        },
    );
}

fn error_map(message: String) -> Value {
    Value::map(Entries::from([(
        Text::from_static("Error"),
        message.into(),
    )]))
}

/// Go reads into a map: null empties it, anything else is an error in it.
fn as_map(value: Value, lead: &str) -> Value {
    match value {
        Value::Map(_) => value,
        Value::Nil => Value::zero(ANY_MAP),
        other => error_map(format!(
            "{lead}{}",
            mismatch(&other, "map[string]interface {}")
        )),
    }
}

fn as_list(value: Value, lead: &str) -> Value {
    match value {
        Value::List(_) => value,
        Value::Nil => Value::zero(ANY_LIST),
        other => {
            let message = format!("{lead}{}", mismatch(&other, "[]interface {}"));
            Value::list(vec![message.into()])
        }
    }
}

fn mismatch(value: &Value, target: &str) -> String {
    let found = match value {
        Value::Bool(_) => "bool",
        Value::String(_) => "string",
        Value::Map(_) => "object",
        Value::List(_) => "array",
        _ => "number",
    };
    format!("json: cannot unmarshal {found} into Go value of type {target}")
}
