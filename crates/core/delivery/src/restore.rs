//! Plans the way back: what a bad release changed is restored, what it added is deleted.

use std::{collections::BTreeMap, fmt};

use api::ObjectRef;
use serde_json::Value;

use crate::sight::text;

/// Fields of the metadata that a server writes and nobody restores.
const SERVER_METADATA: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// The deployment controller counts on from the highest; restoring an old number would confuse it.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Kinds that others read when they start, so they go first.
const CONFIGURATION: [&str; 3] = ["ConfigMap", "Secret", "ServiceAccount"];

/// One step back.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Write the object as it was over the live one; the resource version of the live one is in it.
    Replace(ObjectRef, Value),
    /// Make an object again that the release deleted.
    Create(ObjectRef, Value),
    /// Delete what the release added.
    Delete(ObjectRef),
}

/// The part of an object that its author wrote: what is compared, stored and restored.
pub fn kept(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in SERVER_METADATA {
            metadata.shift_remove(name);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.shift_remove(REVISION);
            if annotations.is_empty() {
                metadata.shift_remove("annotations");
            }
        }
    }
    object
}

/// Compares what was with what is, and says what to do.
///
/// `before` holds each object as it was, `None` if it was not there; `live` holds
/// those that are there now. Configuration is restored before the workloads that
/// read it, and deletions come last, so nothing that still runs loses its ground.
pub fn plan(
    before: &BTreeMap<ObjectRef, Option<Value>>,
    live: &BTreeMap<ObjectRef, Value>,
) -> Vec<Step> {
    let mut steps: Vec<Step> =
        before.iter().filter_map(|(object, was)| step(object, was.as_ref(), live.get(object))).collect();
    steps.sort_by_key(Step::rank);
    steps
}

fn step(object: &ObjectRef, was: Option<&Value>, is: Option<&Value>) -> Option<Step> {
    match (was, is) {
        (None, None) => None,
        (None, Some(_)) => Some(Step::Delete(object.clone())),
        (Some(was), None) => Some(Step::Create(object.clone(), kept(was))),
        (Some(was), Some(is)) if kept(was) == kept(is) => None,
        (Some(was), Some(is)) => {
            let mut restored = kept(was);
            let version = text(is, "/metadata/resourceVersion");
            if let Some(metadata) = restored.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.insert("resourceVersion".to_owned(), version.into());
            }
            Some(Step::Replace(object.clone(), restored))
        }
    }
}

impl Step {
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Replace(object, _) | Self::Create(object, _) | Self::Delete(object) => object,
        }
    }

    fn rank(&self) -> u8 {
        let configures = CONFIGURATION.contains(&self.object().kind.as_str());
        match (self, configures) {
            (Self::Replace(..) | Self::Create(..), true) => 0,
            (Self::Replace(..) | Self::Create(..), false) => 1,
            (Self::Delete(_), false) => 2,
            (Self::Delete(_), true) => 3,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replace(object, _) => write!(f, "restore {object}"),
            Self::Create(object, _) => write!(f, "make {object} again"),
            Self::Delete(object) => write!(f, "delete {object}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str) -> ObjectRef {
        let plural = format!("{}s", kind.to_lowercase());
        ObjectRef { api_version: "v1".into(), kind: kind.into(), plural, namespace: None, name: name.into() }
    }

    /// Each object is `Kind/name=value`, or `Kind/name` where it was not there.
    fn state(text: &str) -> BTreeMap<ObjectRef, Option<Value>> {
        let parse = |word: &str| {
            let (name, value) = word.split_once('=').map_or((word, None), |(n, v)| (n, Some(v)));
            let (kind, name) = name.split_once('/').expect("kind and name");
            let value = value.map(|value| {
                json!({"metadata": {"name": name, "resourceVersion": value, "uid": value}, "spec": value, "status": value})
            });
            (object(kind, name), value)
        };
        text.split_whitespace().map(parse).collect()
    }

    #[track_caller]
    fn check(before: &str, live: &str, expected: &[&str]) {
        let live = state(live).into_iter().filter_map(|(object, value)| Some((object, value?))).collect();
        let steps: Vec<_> = plan(&state(before), &live).iter().map(Step::to_string).collect();
        assert_eq!(steps, expected);
    }

    #[test]
    fn what_is_as_it_was_needs_no_step() {
        check("Deployment/web=1 ConfigMap/new", "Deployment/web=1", &[]);
    }

    #[test]
    fn configuration_goes_first_and_deletions_last() {
        check(
            "Deployment/web=1 ConfigMap/settings=1 ConfigMap/extra Deployment/extra Service/gone=1",
            "Deployment/web=2 ConfigMap/settings=2 ConfigMap/extra=1 Deployment/extra=1",
            &[
                "restore ConfigMap/settings",
                "restore Deployment/web",
                "make Service/gone again",
                "delete Deployment/extra",
                "delete ConfigMap/extra",
            ],
        );
    }

    #[test]
    fn a_restored_object_replaces_the_live_version() {
        let live = state("Deployment/web=2").into_iter().filter_map(|(o, v)| Some((o, v?))).collect();
        let steps = plan(&state("Deployment/web=1"), &live);
        let [Step::Replace(_, value)] = steps.as_slice() else { panic!("one step, found {steps:?}") };
        assert_eq!(*value, json!({"metadata": {"name": "web", "resourceVersion": "2"}, "spec": "1"}));
    }
}
