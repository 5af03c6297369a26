//! Compares with answers that Kubernetes 1.34.2 itself gave.
//!
//! Each line of `recorded/*.jsonl` is one question and its answer; `xtask/resource-data/referee`
//! says how they were made.

use std::{collections::BTreeSet, fs, path::Path};

use names::Timestamp;
use resource::{Kind, defaults, kinds, ownership, patch, quantity::Quantity, schema, status, table, validate};
use serde_json::{Value, json};

#[test]
fn defaults_are_those_of_kubernetes() {
    check("default", |question, answer| {
        let mut object = question["object"].clone();
        defaults::apply(kind_of(&object), &mut object);
        (object, without_nulls(&answer["object"]))
    });
}

/// An absent time is a null to the original and absent to us; clients read both alike.
fn without_nulls(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, it| !it.is_null());
    }
    value
}

#[test]
fn new_objects_break_the_same_rules() {
    check("create", |question, answer| {
        let mut object = question["object"].clone();
        let kind = kind_of(&object);
        defaults::apply(kind, &mut object);
        (
            lines(&validate::create(kind, &object)),
            expected_lines(answer),
        )
    });
}

#[test]
fn updated_objects_break_the_same_rules() {
    check("update", |question, answer| {
        let (mut new, mut old) = (question["object"].clone(), question["old"].clone());
        let kind = kind_of(&new);
        defaults::apply(kind, &mut new);
        defaults::apply(kind, &mut old);
        (
            lines(&validate::update(kind, &new, &old)),
            expected_lines(answer),
        )
    });
}

#[test]
fn a_message_is_put_together_the_same_way() {
    check("update", |question, answer| {
        let (mut new, mut old) = (question["object"].clone(), question["old"].clone());
        let kind = kind_of(&new);
        defaults::apply(kind, &mut new);
        defaults::apply(kind, &mut old);
        let causes = validate::update(kind, &new, &old);
        if causes.is_empty() {
            return (Value::Null, answer["message"].clone());
        }
        let name = new["metadata"]["name"].as_str().unwrap_or_default();
        let message = status::invalid(kind, name, &causes).message;
        (
            first_line(&message),
            first_line(answer["message"].as_str().unwrap_or_default()),
        )
    });
}

#[test]
fn rows_are_printed_the_same_way() {
    // The recorded objects have no creation time and restarts of long ago.
    let now: Timestamp = "2026-11-22T00:00:00Z".parse().expect("a time");
    check("table", |question, answer| {
        let mut object = question["object"].clone();
        let kind = kind_of(&object);
        defaults::apply(kind, &mut object);
        let cells = table::cells(kind, &object, now);
        assert_eq!(cells.len(), table::columns(kind).len());
        (json!(cells), answer["cells"].clone())
    });
}

#[test]
fn strategic_patches_apply_the_same_way() {
    check("strategic", |question, answer| {
        let text = question["text"].as_str().expect("a patch");
        let patch: Value = serde_json::from_str(text).expect("JSON");
        let object = &question["object"];
        match patch::strategic(kind_of(object), object, &patch) {
            Ok(result) => (result, answer["object"].clone()),
            Err(_) => (Value::Null, answer["object"].clone()),
        }
    });
}

#[test]
fn three_way_patches_are_computed_the_same_way() {
    check("three_way", |question, answer| {
        let (modified, live) = (&question["object"], &question["live"]);
        let original = Some(&question["old"]).filter(|it| !it.is_null());
        let patch = patch::three_way(kind_of(modified), original, modified, live);
        (patch.expect("a patch"), answer["object"].clone())
    });
}

#[test]
fn fields_that_do_not_fit_are_named_the_same_way() {
    check("strict", |question, answer| {
        let text = question["text"].as_str().expect("a text");
        let object: Value = serde_json::from_str(text).expect("JSON");
        let kind = kind_of(&object);
        let problems = schema::in_order(text.as_bytes(), schema::check(kind, &object));
        if problems.is_empty() {
            return (json!({}), answer.clone());
        }
        let message = status::undecodable(kind, &problems).message;
        let why = message
            .split_once(&format!("as a {}: ", kind.kind))
            .map(|(_, why)| why.to_owned());
        (json!({ "error": why }), answer.clone())
    });
}

#[test]
fn quantities_are_read_the_same_way() {
    check("quantity", |question, answer| {
        let found = match question["text"]
            .as_str()
            .expect("a text")
            .parse::<Quantity>()
        {
            Ok(quantity) => json!({
                "milli": quantity.as_milli(),
                "text": quantity.to_string(),
                "value": quantity.as_units(),
            }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        (found, answer.clone())
    });
}

fn kind_of(object: &Value) -> &'static Kind {
    let part = |name: &str| object[name].as_str().unwrap_or_default();
    kinds::by_kind(part("apiVersion"), part("kind")).expect("a served kind")
}

fn first_line(text: &str) -> Value {
    json!(text.lines().next())
}

/// Causes as sorted texts: Go's maps have no order, so neither have its messages. Only the first
/// line counts, because below it the original may print its own data structures.
fn lines(causes: &[validate::Cause]) -> Value {
    let lines: BTreeSet<String> = causes
        .iter()
        .map(|it| format!("{} {}: {}", it.reason, it.field, it.message))
        .collect();
    json!(lines)
}

fn expected_lines(answer: &Value) -> Value {
    let part = |cause: &Value, name: &str| cause[name].as_str().unwrap_or_default().to_owned();
    let lines: BTreeSet<String> = answer["causes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| {
            let message = part(it, "message")
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            format!("{} {}: {message}", part(it, "reason"), part(it, "field"))
        })
        .collect();
    json!(lines)
}

/// Asks every recorded question of a file and shows all that differ.
#[track_caller]
fn check(file: &str, ask: impl Fn(&Value, &Value) -> (Value, Value)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recorded/{file}.jsonl"));
    let text = fs::read_to_string(path).expect("recorded answers");
    let mut differences = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let (found, expected) = ask(&line["question"], &line["answer"]);
        if found != expected {
            differences.push(format!(
                "line {}\n  found    {found}\n  expected {expected}",
                number + 1
            ));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differ\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn owners_of_fields_are_tracked_the_same_way() {
    check("ownership", |question, answer| {
        let mut live: Option<Value> = None;
        let steps = question["steps"].as_array().expect("steps");
        let found = steps.iter().map(|step| match carry_out(step, live.as_ref()) {
            Ok(object) => {
                live = Some(object.clone());
                shown(&object)
            }
            Err(refused) => json!(refused),
        });
        let found: Value = found.collect();
        let expected = answer.as_array().expect("answers").iter().map(|answer| match &answer["object"] {
            Value::Null => answer.get("message").or(answer.get("error")).cloned().unwrap_or_default(),
            object => shown(object),
        });
        (found, expected.collect())
    });
}

fn carry_out(step: &Value, live: Option<&Value>) -> Result<Value, String> {
    let mut object = step["object"].clone();
    let kind = kind_of(&object);
    let writer = ownership::Writer {
        manager: step["manager"].as_str().unwrap_or_default(),
        subresource: step["subresource"].as_str().unwrap_or_default(),
        now: "2026-11-22T00:00:00Z".parse().expect("a time"),
    };
    if step["do"] == "apply" {
        let force = if step["force"] == true { ownership::Force::Yes } else { ownership::Force::No };
        let mut object = ownership::apply(kind, live, &object, writer, force).map_err(|error| error.to_string())?;
        defaults::apply(kind, &mut object);
        return Ok(object);
    }
    defaults::apply(kind, &mut object);
    let managed = ownership::update(kind, live, &object, writer);
    object["metadata"]["managedFields"] = managed.unwrap_or_default();
    Ok(object)
}

/// An object without what Go's own types always write, and the owners of its fields without times.
fn shown(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    metadata.shift_remove("uid");
    let mut entries = metadata.shift_remove("managedFields").unwrap_or_default();
    for entry in entries.as_array_mut().into_iter().flatten() {
        entry.as_object_mut().expect("an entry").shift_remove("time");
    }
    json!({ "object": without_empties(&object), "owners": entries })
}

fn without_empties(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), without_empties(value)));
            let empty = |name: &str, value: &Value| match value {
                Value::Object(fields) => fields.is_empty(),
                Value::Array(items) => items.is_empty(),
                Value::Bool(false) => name == "paused",
                value => value.is_null(),
            };
            fields.filter(|(name, value)| !empty(name, value)).collect()
        }
        Value::Array(items) => items.iter().map(without_empties).collect(),
        other => other.clone(),
    }
}
