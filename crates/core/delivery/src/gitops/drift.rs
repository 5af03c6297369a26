//! Finds the fields in which a live object differs from what Git says, and who wrote them.

use api::{DriftField, IgnoreRule};
use serde_json::{Map, Value};

use super::jq_path::JqPath;
use crate::sight::{list, text};

/// More differing fields than this of one object are not told; the first say enough.
const FIELDS_MAX: usize = 100;

/// The differences between `live` and `wanted`, which is the live object as it would be after a
/// dry run of the apply: what the apply would not change is no difference.
pub fn drift(live: &Value, wanted: &Value, rules: &[IgnoreRule]) -> Vec<DriftField> {
    let rules = rules_for(rules, live);
    let mut found = Vec::new();
    compare(&meant(live, &rules), &meant(wanted, &rules), &mut Vec::new(), &mut found);
    found.retain(|(path, ..)| !rules.iter().any(|rule| rule.is_of_manager(live, path)));
    let is_secret = text(live, "/kind") == "Secret";
    let hide = |path: &[String], value: Option<Value>| match value {
        Some(_) if is_secret && path.first().is_some_and(|it| it == "data" || it == "stringData") => Some(Value::from(HIDDEN)),
        value => value,
    };
    let field = |(path, wanted, live_value): (Vec<String>, Option<Value>, Option<Value>)| DriftField {
        writer: writer(live, &path),
        wanted: hide(&path, wanted),
        live: hide(&path, live_value),
        path: show(&path),
    };
    found.into_iter().take(FIELDS_MAX).map(field).collect()
}

/// Stands where a secret value would be read by people, and be kept in a record.
const HIDDEN: &str = "(hidden)";

/// A rule for one object, with its expressions read.
pub(super) struct Rule<'a> {
    rule: &'a IgnoreRule,
    jq: Vec<JqPath>,
}

/// The rules that speak of an object.
pub(super) fn rules_for<'a>(rules: &'a [IgnoreRule], object: &Value) -> Vec<Rule<'a>> {
    let read = |rule: &'a IgnoreRule| {
        // An expression that is none is refused when the app is read.
        let jq = rule.jq.iter().filter_map(|text| JqPath::parse(text).ok()).collect();
        Rule { rule, jq }
    };
    rules.iter().filter(|rule| applies(rule, object)).map(read).collect()
}

impl Rule<'_> {
    /// Places in a document that are not compared.
    fn places(&self, document: &Value) -> Vec<Vec<String>> {
        let pointers = self.rule.json_pointers.iter().filter(|it| !it.is_empty()).map(|it| steps(it));
        pointers.chain(self.jq.iter().flat_map(|it| it.places(document))).collect()
    }

    fn is_of_manager(&self, live: &Value, path: &[String]) -> bool {
        !self.rule.managers.is_empty() && writer(live, path).is_some_and(|writer| self.rule.managers.contains(&writer))
    }

    /// Whether a place of `manifest` is left to others.
    pub(super) fn covers(&self, live: &Value, manifest: &Value, path: &[String]) -> bool {
        let places = self.places(live).into_iter().chain(self.places(manifest));
        places.into_iter().any(|place| path.starts_with(&place)) || self.is_of_manager(live, path)
    }
}

/// Without what the server keeps for itself and what is not compared.
fn meant(object: &Value, rules: &[Rule<'_>]) -> Value {
    let mut object = crate::kept(object);
    let mut places: Vec<_> = rules.iter().flat_map(|rule| rule.places(&object)).collect();
    // The last first: what is taken out of a list moves those behind it.
    places.sort_by_key(|place| place.iter().map(|part| (part.parse::<usize>().ok(), part.clone())).collect::<Vec<_>>());
    places.dedup();
    for place in places.iter().rev() {
        take_out(&mut object, place);
    }
    object
}

fn take_out(object: &mut Value, place: &[String]) {
    let Some((last, above)) = place.split_last() else { return };
    let parent = above.iter().try_fold(object, |value, part| match value {
        Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
        other => other.get_mut(part),
    });
    match parent {
        Some(Value::Object(fields)) => drop(fields.shift_remove(last)),
        Some(Value::Array(items)) => {
            if let Some(index) = last.parse::<usize>().ok().filter(|it| *it < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

fn applies(rule: &IgnoreRule, object: &Value) -> bool {
    let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == "*" || wanted == found;
    let group = text(object, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
    (rule.group == group || rule.group == "*")
        && fits(&rule.kind, text(object, "/kind"))
        && fits(&rule.name, text(object, "/metadata/name"))
        && fits(&rule.namespace, text(object, "/metadata/namespace"))
}

/// The parts of a JSON pointer.
fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

type Found = (Vec<String>, Option<Value>, Option<Value>);

fn compare(live: &Value, wanted: &Value, path: &mut Vec<String>, found: &mut Vec<Found>) {
    if found.len() > FIELDS_MAX || live == wanted {
        return;
    }
    match (live, wanted) {
        (Value::Object(left), Value::Object(right)) => compare_fields(left, right, path, found),
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                path.push(index.to_string());
                compare(left, right, path, found);
                path.pop();
            }
        }
        _ => found.push((path.clone(), Some(wanted.clone()), Some(live.clone()))),
    }
}

fn compare_fields(live: &Map<String, Value>, wanted: &Map<String, Value>, path: &mut Vec<String>, found: &mut Vec<Found>) {
    for (name, wanted) in wanted {
        path.push(name.clone());
        match live.get(name) {
            Some(live) => compare(live, wanted, path, found),
            None => found.push((path.clone(), Some(wanted.clone()), None)),
        }
        path.pop();
    }
    for (name, live) in live.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
        path.push(name.clone());
        found.push((path.clone(), None, Some(live.clone())));
        path.pop();
    }
}

/// `.spec.containers[0].image`, with quotes around names that need them.
fn show(path: &[String]) -> String {
    let part = |part: &String| {
        let plain = |text: &str| text.chars().all(|it| it.is_ascii_alphanumeric() || it == '_' || it == '-');
        match part.parse::<usize>() {
            Ok(index) => format!("[{index}]"),
            Err(_) if plain(part) => format!(".{part}"),
            Err(_) => format!("[\"{part}\"]"),
        }
    };
    path.iter().map(part).collect()
}

/// The manager that owns a field of the live object; the last writer if several do.
fn writer(live: &Value, path: &[String]) -> Option<String> {
    let entries = list(live, "/metadata/managedFields");
    let owners = entries.iter().filter(|entry| owns(&entry["fieldsV1"], live, path));
    let newest = owners.max_by_key(|entry| text(entry, "/time").to_owned())?;
    Some(text(newest, "/manager").to_owned())
}

/// Whether a set of fields holds the path or, where it stops, all below.
fn owns(fields: &Value, live: &Value, path: &[String]) -> bool {
    let (mut fields, mut live) = (fields, live);
    for part in path {
        let Some(set) = fields.as_object() else { return false };
        let next = match live {
            Value::Array(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)).and_then(|item| {
                set.iter().find(|(name, _)| names(name, item)).map(|(_, fields)| (fields, item))
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => set.get(&format!("f:{part}")).map(|fields| (fields, live.get(part).unwrap_or(&Value::Null))),
        };
        match next {
            Some((below, value)) => (fields, live) = (below, value),
            None => return set.is_empty(),
        }
    }
    true
}

/// Whether `k:{…}` or `v:…` names this item.
fn names(name: &str, item: &Value) -> bool {
    if let Some(keys) = name.strip_prefix("k:").and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok()) {
        return keys.iter().all(|(key, value)| item.get(key) == Some(value));
    }
    name.strip_prefix("v:").and_then(|text| serde_json::from_str::<Value>(text).ok()).is_some_and(|value| value == *item)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "uid": "1", "managedFields": [
                {"manager": "kubectl", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                {"manager": "landfall", "time": "2026-01-01T00:00:00Z", "fieldsV1": {
                    "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {"f:image": {}}}},
                }},
            ]},
            "spec": {"replicas": 5, "containers": [{"name": "web", "image": "a:2"}], "extra": true},
            "status": {"replicas": 5},
        })
    }

    #[track_caller]
    fn check(rules: &[IgnoreRule], expected: &[&str]) {
        let wanted = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "uid": "2"},
            "spec": {"replicas": 3, "containers": [{"name": "web", "image": "a:1"}], "paused": false},
        });
        let show = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        let found: Vec<_> = drift(&live(), &wanted, rules)
            .iter()
            .map(|it| format!("{} {} -> {} by {}", it.path, show(&it.live), show(&it.wanted), it.writer.as_deref().unwrap_or("-")))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn secrets_are_not_told() {
        let secret = |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"key": value}});
        let found = drift(&secret("b25l"), &secret("dHdv"), &[]);
        let told: Vec<_> = found.iter().map(|it| (it.path.as_str(), it.wanted.clone(), it.live.clone())).collect();
        assert_eq!(told, [(".data.key", Some(json!("(hidden)")), Some(json!("(hidden)")))]);
    }

    #[test]
    fn differing_fields_are_named_with_their_writers() {
        check(
            &[],
            &[
                ".spec.replicas 5 -> 3 by kubectl",
                ".spec.containers[0].image \"a:2\" -> \"a:1\" by landfall",
                ".spec.paused - -> false by -",
                ".spec.extra true -> - by -",
            ],
        );
    }

    #[test]
    fn what_is_ignored_is_no_difference() {
        let rule = |rule: Value| serde_json::from_value::<IgnoreRule>(rule).expect("a rule");
        let by_pointer = rule(json!({"group": "apps", "kind": "Deployment", "json_pointers": ["/spec/replicas", "/spec/extra"]}));
        let by_manager = rule(json!({"group": "*", "kind": "*", "managers": ["landfall"]}));
        let of_another = rule(json!({"group": "apps", "kind": "Deployment", "name": "other", "json_pointers": ["/spec"]}));
        check(&[by_pointer, by_manager, of_another], &[".spec.paused - -> false by -"]);
    }
}
