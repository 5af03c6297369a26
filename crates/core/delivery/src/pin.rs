//! Images in manifests: finding them, and naming them by digest.

use std::collections::BTreeMap;

use serde_json::Value;

/// The fields of a pod's specification that hold containers.
const CONTAINER_LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// All images that containers anywhere in `document` name, each once, in order.
///
/// It looks at whole objects and at patches of them alike: a container is an
/// entry of a list called `containers` or `initContainers`.
pub fn images_in(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    visit(&mut document.clone(), &mut |image| {
        if !found.contains(image) {
            found.push(image.clone());
        }
    });
    found
}

/// Replaces every image of a container that `pinned` names.
pub fn pin(document: &mut Value, pinned: &BTreeMap<String, String>) {
    visit(document, &mut |image| {
        if let Some(better) = pinned.get(image) {
            image.clone_from(better);
        }
    });
}

fn visit(value: &mut Value, act: &mut dyn FnMut(&mut String)) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if CONTAINER_LISTS.contains(&name.as_str()) {
                    for container in field.as_array_mut().into_iter().flatten() {
                        if let Some(Value::String(image)) = container.get_mut("image") {
                            act(image);
                        }
                    }
                } else {
                    visit(field, act);
                }
            }
        }
        // A JSON patch is a list of operations whose values are such documents.
        Value::Array(entries) => entries.iter_mut().for_each(|entry| visit_operation(entry, act)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn visit_operation(entry: &mut Value, act: &mut dyn FnMut(&mut String)) {
    let is_image = entry.get("op").is_some()
        && entry.get("path").and_then(Value::as_str).is_some_and(is_image_path);
    match entry.get_mut("value") {
        Some(Value::String(image)) if is_image => act(image),
        _ => visit(entry, act),
    }
}

/// Whether a JSON pointer ends in the image of a container.
fn is_image_path(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    parts.next() == Some("image")
        && parts.next().is_some()
        && parts.next().is_some_and(|list| CONTAINER_LISTS.contains(&list))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn images_are_found_in_objects_and_patches() {
        let object = json!({"kind": "Deployment", "spec": {"template": {"spec": {
            "initContainers": [{"image": "b"}], "containers": [{"image": "a"}, {"image": "b"}, {"name": "x"}]}}},
            "metadata": {"annotations": {"image": "no"}}});
        assert_eq!(images_in(&object), ["b", "a"]);
        let patch = json!([
            {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "c"},
            {"op": "add", "path": "/metadata/labels/image", "value": "no"},
        ]);
        assert_eq!(images_in(&patch), ["c"]);
    }

    #[test]
    fn only_known_images_are_pinned() {
        let mut object = json!({"spec": {"containers": [{"image": "a"}, {"image": "b"}]}});
        pin(&mut object, &BTreeMap::from([("a".to_owned(), "a@sha256:1".to_owned())]));
        assert_eq!(object, json!({"spec": {"containers": [{"image": "a@sha256:1"}, {"image": "b"}]}}));
    }
}
