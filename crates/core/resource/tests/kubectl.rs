//! Asks the machine's own kubectl, where there is one, what a strategic patch makes of an object.

use std::{fs, path::Path, process::Command};

use resource::{kinds, patch};
use serde_json::Value;

#[test]
fn kubectl_applies_patches_to_the_same_effect() {
    if Command::new("kubectl")
        .args(["version", "--client"])
        .output()
        .is_err()
    {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/strategic.jsonl");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut differences = Vec::new();
    for (number, line) in fs::read_to_string(root)
        .expect("recorded answers")
        .lines()
        .enumerate()
    {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let (object, text) = (&line["question"]["object"], &line["question"]["text"]);
        let text = text.as_str().expect("a patch");
        let file = folder.join(format!("patched-{number}.json"));
        fs::write(&file, object.to_string()).expect("the object's file");
        let expected = kubectl(&file, text);

        let part = |name: &str| object[name].as_str().unwrap_or_default();
        let kind = kinds::by_kind(part("apiVersion"), part("kind")).expect("a served kind");
        let patch = serde_json::from_str(text).expect("JSON");
        let found = patch::strategic(kind, object, &patch).ok();
        if let (Some(found), Some(expected)) = (found, expected)
            && tidy(found.clone()) != tidy(expected.clone())
        {
            differences.push(format!(
                "line {}\n  found    {found}\n  expected {expected}",
                number + 1
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn kubectl(file: &Path, patch: &str) -> Option<Value> {
    let output = Command::new("kubectl")
        .args([
            "patch",
            "--local",
            "--type=strategic",
            "-o",
            "json",
            "-p",
            patch,
            "-f",
        ])
        .arg(file)
        .output()
        .ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

/// kubectl prints typed objects: empty maps and lists and null times come and go with the type.
fn tidy(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, it)| (name, tidy(it)));
            Value::Object(fields.filter(|(_, it)| !is_empty(it)).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(tidy).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.as_object().is_some_and(serde_json::Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
}
