//! Random patches for objects that are there.

use serde_json::{Map, Value, json};

use super::{
    Dice,
    objects::{port, text, variable},
};

/// A strategic merge patch that touches some fields of `object`.
pub fn strategic(dice: &mut Dice, object: &Value) -> Value {
    let mut patch = json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "metadata": {"name": object["metadata"]["name"]},
    });
    if let Some(namespace) = object["metadata"].get("namespace") {
        patch["metadata"]["namespace"] = namespace.clone();
    }
    if dice.chance(3) {
        patch["$patch"] = Value::from("delete");
        return patch;
    }
    if dice.chance(30) {
        patch["metadata"]["labels"] = json!({"patched": text(dice)});
    }
    if dice.chance(20) {
        patch["metadata"]["annotations"] = json!({"note": null, "more": text(dice)});
    }
    for field in ["spec", "data", "rules", "subjects", "webhooks"] {
        if let Some(value) = object.get(field)
            && dice.chance(80)
        {
            patch[field] = change(dice, value, 0);
        }
    }
    patch
}

fn change(dice: &mut Dice, value: &Value, depth: usize) -> Value {
    match value {
        Value::Object(map) => {
            let mut patch = Map::new();
            for (key, value) in map {
                if key == "name" || dice.chance(45) {
                    let keep = matches!(
                        key.as_str(),
                        "name" | "containerPort" | "port" | "mountPath"
                    );
                    let new = if keep {
                        value.clone()
                    } else {
                        change(dice, value, depth + 1)
                    };
                    patch.insert(key.clone(), new);
                }
            }
            if dice.chance(15) {
                patch.insert("added".to_owned(), json!({"x": text(dice), "gone": null}));
            }
            if depth > 0 && dice.chance(7) {
                patch.insert(
                    "$patch".to_owned(),
                    Value::from(*dice.pick(&["replace", "delete", "merge"])),
                );
            }
            Value::Object(patch)
        }
        Value::Array(items) => {
            let mut patch: Vec<Value> = Vec::new();
            for item in items {
                if dice.chance(60) {
                    patch.push(change(dice, item, depth + 1));
                }
            }
            let first = items.first();
            if dice.chance(30) {
                patch.push(match first {
                    Some(it) if it.get("containerPort").is_some() => port(dice, "containerPort"),
                    Some(it) if it.get("port").is_some() => port(dice, "port"),
                    Some(it) if it.get("value").is_some() || it.get("valueFrom").is_some() => {
                        variable(dice)
                    }
                    Some(it) if it.is_object() => json!({"name": "extra", "image": "busybox"}),
                    _ => Value::from(text(dice)),
                });
            }
            if dice.chance(4) {
                patch.insert(0, json!({"$patch": "replace"}));
            }
            Value::Array(patch)
        }
        _ if dice.chance(8) => Value::Null,
        Value::String(_) => Value::from(text(dice)),
        Value::Number(_) => Value::from(dice.below(1000)),
        Value::Bool(it) => Value::from(!it),
        Value::Null => Value::Null,
    }
}

/// Operations on paths that mostly exist.
pub fn json6902(dice: &mut Dice, object: &Value) -> Value {
    let mut operations = Vec::new();
    for _ in 0..dice.range(1, 4) {
        let mut path = String::new();
        let mut value = object;
        loop {
            let (part, next) = match value {
                Value::Object(map) if !map.is_empty() => {
                    let keys: Vec<&String> = map.keys().collect();
                    let key = (*dice.pick(&keys)).clone();
                    (key.replace('~', "~0").replace('/', "~1"), &map[&key])
                }
                Value::Array(items) if !items.is_empty() => {
                    let index = dice.below(items.len());
                    (index.to_string(), &items[index])
                }
                _ => break,
            };
            path.push('/');
            path.push_str(&part);
            value = next;
            if dice.chance(25) {
                break;
            }
        }
        if ["/apiVersion", "/kind", "/metadata", "/metadata/name"].contains(&path.as_str()) {
            "/metadata/labels".clone_into(&mut path);
            operations.push(json!({"op": "add", "path": path, "value": {"from": "json"}}));
            continue;
        }
        operations.push(match dice.below(10) {
            0..=3 => json!({"op": "replace", "path": path, "value": content(dice, value)}),
            4..=6 => json!({"op": "add", "path": path, "value": content(dice, value)}),
            7 => json!({"op": "remove", "path": path}),
            // A test of null within a value makes the original crash.
            8 if !value.to_string().contains("null") => {
                json!({"op": "test", "path": path, "value": value})
            }
            // The original's notes would be copied along with the annotations.
            _ if path == "/metadata/annotations" => json!({"op": "remove", "path": path}),
            _ => json!({"op": "copy", "from": path, "path": "/copied"}),
        });
    }
    Value::from(operations)
}

fn content(dice: &mut Dice, old: &Value) -> Value {
    match dice.below(5) {
        0 => json!({"k": text(dice)}),
        1 => json!([text(dice), 1]),
        2 => Value::from(dice.below(100)),
        3 => old.clone(),
        _ => Value::from(text(dice)),
    }
}
