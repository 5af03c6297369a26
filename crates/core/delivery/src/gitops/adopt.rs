//! Writes what somebody changed in the cluster into the manifests, line by line, so that it stays.

use std::ops::Range;

use api::{DriftField, ObjectRef};
use serde_json::Value;
use yaml::{Node, NodeValue, ScalarStyle};

/// Why a live value cannot become a line of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdoptError {
    #[error("no manifest says `{0}` in so many words; what a chart or a kustomization makes is changed there")]
    NoManifest(ObjectRef),
    #[error("{0} is a Secret: write its values where secrets are kept")]
    Secret(ObjectRef),
    #[error("{object} {path} is not written in `{file}`, so there is no line to change")]
    NoLine { object: ObjectRef, path: String, file: String },
    #[error("{object} {path} is not a single value; write it by hand")]
    NoScalar { object: ObjectRef, path: String },
    #[error("{object} {path} is not set any more in the cluster; remove the line by hand")]
    Unset { object: ObjectRef, path: String },
}

/// A file with the live values in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    pub path: String,
    pub text: String,
}

/// Puts the live values of `drift` into the file that describes `object`; `files` are names and texts.
///
/// # Errors
///
/// The first field that cannot be written; then nothing is.
pub fn adopt(files: &[(String, String)], object: &ObjectRef, drift: &[DriftField], namespace: &str) -> Result<Adopted, AdoptError> {
    if object.kind == "Secret" {
        return Err(AdoptError::Secret(object.clone()));
    }
    for (path, text) in files {
        let Ok(documents) = yaml::parse(text, path, yaml::Flavor::Go11) else { continue };
        let Some(document) = documents.iter().find(|it| describes(&it.root, object, namespace)) else { continue };
        let mut edits = Vec::new();
        for field in drift {
            edits.push(edit(&document.root, object, field, path)?);
        }
        edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
        let mut text = text.clone();
        for (range, with) in edits {
            text.replace_range(range, &with);
        }
        return Ok(Adopted { path: path.clone(), text });
    }
    Err(AdoptError::NoManifest(object.clone()))
}

fn describes(root: &Node, object: &ObjectRef, namespace: &str) -> bool {
    let text = |path: &[&str]| path.iter().try_fold(root, |node, key| node.get(key)).and_then(Node::text).unwrap_or_default();
    let own = text(&["metadata", "namespace"]);
    let is_there = own == object.namespace.as_deref().unwrap_or_default() || own.is_empty() && object.namespace.as_deref() == Some(namespace) || object.namespace.is_none();
    text(&["apiVersion"]) == object.api_version && text(&["kind"]) == object.kind && text(&["metadata", "name"]) == object.name && is_there
}

fn edit(root: &Node, object: &ObjectRef, field: &DriftField, file: &str) -> Result<(Range<usize>, String), AdoptError> {
    let Some(live) = &field.live else { return Err(AdoptError::Unset { object: object.clone(), path: field.path.clone() }) };
    let found = steps(&field.path).iter().try_fold(root, |node, step| match (&node.value, step) {
        (NodeValue::Sequence(items), Step::Index(index)) => items.get(*index),
        (NodeValue::Mapping(_), Step::Name(name)) => node.get(name),
        _ => None,
    });
    // A list may stand in another order in the cluster; then the place holds something else.
    let line = found.filter(|node| field.wanted.as_ref().is_none_or(|wanted| means(node, wanted)));
    let Some(line) = line else {
        return Err(AdoptError::NoLine { object: object.clone(), path: field.path.clone(), file: file.to_owned() });
    };
    let NodeValue::Scalar { style, .. } = &line.value else {
        return Err(AdoptError::NoScalar { object: object.clone(), path: field.path.clone() });
    };
    if live.is_object() || live.is_array() {
        return Err(AdoptError::NoScalar { object: object.clone(), path: field.path.clone() });
    }
    Ok((line.span.start..line.span.end, written(live, *style)))
}

fn means(node: &Node, wanted: &Value) -> bool {
    let said = node.to_json();
    // The API server writes some numbers as text, and the other way round.
    said == *wanted || node.text().is_some_and(|text| wanted.as_str() == Some(text))
}

/// A value as one line of YAML.
fn written(value: &Value, style: ScalarStyle) -> String {
    match value {
        Value::String(text) if style == ScalarStyle::Plain && is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether a text means itself without quotes.
fn is_plain(text: &str) -> bool {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || "-_./@".contains(letter);
    let keyword = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&text.to_lowercase().as_str());
    text.starts_with(|it: char| it.is_ascii_alphabetic()) && text.chars().all(is_word) && !keyword
}

enum Step {
    Name(String),
    Index(usize),
}

/// The parts of a path such as `.spec.containers[0]["a/b"]`.
fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some((name, after)) = rest.strip_prefix("[\"").and_then(|it| it.split_once("\"]")) {
            steps.push(Step::Name(name.to_owned()));
            rest = after;
        } else if let Some((index, after)) = rest.strip_prefix('[').and_then(|it| it.split_once(']')) {
            steps.push(index.parse().map_or_else(|_| Step::Name(index.to_owned()), Step::Index));
            rest = after;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            steps.push(Step::Name(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FILE: &str = "# Of the shop.
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {GREETING: hello} # polite
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {a/b: '1'}
spec:
  replicas: 2   # enough
  template: {spec: {containers: [{name: main, image: shop:1}]}}
";

    fn object(api_version: &str, kind: &str, name: &str) -> ObjectRef {
        ObjectRef { api_version: api_version.into(), kind: kind.into(), plural: String::new(), namespace: Some("shop".into()), name: name.into() }
    }

    fn field(path: &str, wanted: Value, live: Value) -> DriftField {
        DriftField { path: path.into(), wanted: Some(wanted), live: (!live.is_null()).then_some(live), writer: None }
    }

    #[track_caller]
    fn check(object: &ObjectRef, drift: &[DriftField], expected: Result<&[(&str, &str)], &str>) {
        let found = adopt(&[("deploy/all.yaml".into(), FILE.into())], object, drift, "shop");
        match (found, expected) {
            (Ok(adopted), Ok(changes)) => {
                let text = changes.iter().fold(FILE.to_owned(), |text, (from, to)| text.replacen(from, to, 1));
                assert_eq!(adopted.text, text);
            }
            (Err(error), Err(expected)) => assert_eq!(error.to_string(), expected),
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn only_the_values_change() {
        let web = object("apps/v1", "Deployment", "web");
        let drift = [
            field(".spec.replicas", json!(2), json!(5)),
            field(".spec.template.spec.containers[0].image", json!("shop:1"), json!("shop:2")),
            field(".metadata.annotations[\"a/b\"]", json!("1"), json!("2")),
        ];
        check(&web, &drift, Ok(&[("replicas: 2", "replicas: 5"), ("image: shop:1", "image: \"shop:2\""), ("a/b: '1'", "a/b: \"2\"")]));
        let settings = object("v1", "ConfigMap", "settings");
        check(&settings, &[field(".data.GREETING", json!("hello"), json!("welcome"))], Ok(&[("hello", "welcome")]));
    }

    #[test]
    fn what_is_no_line_is_left_to_people() {
        let web = object("apps/v1", "Deployment", "web");
        check(&object("v1", "ConfigMap", "other"), &[], Err("no manifest says `ConfigMap/other` in so many words; what a chart or a kustomization makes is changed there"));
        check(&object("v1", "Secret", "keys"), &[], Err("Secret/keys is a Secret: write its values where secrets are kept"));
        check(&web, &[field(".spec.paused", json!(false), json!(true))], Err("Deployment/web .spec.paused is not written in `deploy/all.yaml`, so there is no line to change"));
        check(&web, &[field(".spec.replicas", json!(3), json!(5))], Err("Deployment/web .spec.replicas is not written in `deploy/all.yaml`, so there is no line to change"));
        check(&web, &[field(".spec.replicas", json!(2), Value::Null)], Err("Deployment/web .spec.replicas is not set any more in the cluster; remove the line by hand"));
    }
}
