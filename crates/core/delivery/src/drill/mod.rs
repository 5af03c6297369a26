//! Drills: what a copy of an environment is made of, what would stand in the way back, what differs afterwards.

mod compare;
mod copy;
mod immutable;
mod needs;

use api::{DrillFinding, DrillState, DrillWeight, ObjectRef};
use serde_json::Value;

pub use compare::{differences, images_of_pods};
pub use copy::{Copy, copy, copied_name};
pub use immutable::immutable_fields;
pub use needs::{Need, needs};

/// Marks a hook whose work cannot be undone.
pub const IRREVERSIBLE: &str = "landfall.dev/irreversible";

/// Objects with their names in the API.
pub type Objects = Vec<(ObjectRef, Value)>;

/// Whether an object says that what it does cannot be undone.
pub fn is_irreversible(manifest: &Value) -> bool {
    manifest.pointer("/metadata/annotations").and_then(|it| it.get(IRREVERSIBLE)).and_then(Value::as_str) == Some("true")
}

/// What can be said of a way back from `from` to `to` without trying it.
pub fn obstacles(from: &Objects, to: &Objects) -> Vec<DrillFinding> {
    let mut found = Vec::new();
    for (object, manifest) in from {
        if is_irreversible(manifest) {
            found.push(DrillFinding {
                weight: DrillWeight::Blocks,
                code: "LF-D0303".to_owned(),
                object: Some(object.clone()),
                message: format!("{object} says that what it does cannot be undone"),
                help: "go forward with a fix, or make the older version work with what the hook leaves behind".to_owned(),
            });
        }
        let Some((_, earlier)) = to.iter().find(|(other, _)| other == object) else { continue };
        let fields = immutable_fields(manifest, earlier);
        if !fields.is_empty() {
            found.push(DrillFinding {
                weight: DrillWeight::Blocks,
                code: "LF-D0302".to_owned(),
                object: Some(object.clone()),
                message: format!("{object} differs in {}, which cannot be changed in place", fields.join(", ")),
                help: "give the object another name in the newer version, so that both can stand side by side".to_owned(),
            });
        }
    }
    found
}

/// The verdict of a drill that went through all its steps, or of one that did not.
pub fn verdict(findings: &[DrillFinding], complete: bool) -> DrillState {
    if findings.iter().any(|it| it.weight == DrillWeight::Blocks) {
        return DrillState::Blocked;
    }
    if complete { DrillState::Proven } else { DrillState::Unproven }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str) -> ObjectRef {
        ObjectRef { api_version: "v1".into(), kind: kind.into(), plural: String::new(), namespace: Some("shop".into()), name: name.into() }
    }

    #[test]
    fn what_stands_in_the_way_is_said_before_it_is_tried() {
        let hook = json!({"kind": "Job", "metadata": {"annotations": {"argocd.argoproj.io/hook": "PreSync", IRREVERSIBLE: "true"}}});
        let settings = |value: &str| json!({"kind": "ConfigMap", "immutable": true, "data": {"a": value}});
        let from = vec![(object("Job", "migrate"), hook), (object("ConfigMap", "a"), settings("2"))];
        let to = vec![(object("ConfigMap", "a"), settings("1"))];
        let told: Vec<_> = obstacles(&from, &to).into_iter().map(|it| format!("{} {}", it.code, it.message)).collect();
        assert_eq!(
            told,
            [
                "LF-D0303 Job/migrate says that what it does cannot be undone",
                "LF-D0302 ConfigMap/a differs in .data, which cannot be changed in place",
            ]
        );
    }

    #[test]
    fn only_what_was_tried_to_the_end_is_proven() {
        let finding = |weight| DrillFinding { weight, code: String::new(), object: None, message: String::new(), help: String::new() };
        assert_eq!(verdict(&[], true), DrillState::Proven);
        assert_eq!(verdict(&[finding(DrillWeight::Unproven)], true), DrillState::Proven);
        assert_eq!(verdict(&[], false), DrillState::Unproven);
        assert_eq!(verdict(&[finding(DrillWeight::Blocks)], true), DrillState::Blocked);
    }
}
