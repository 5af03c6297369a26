//! What was seen of a namespace at one moment, and how its objects belong together.

use serde_json::Value;

/// The objects of a namespace that tell how a release does.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    pub deployments: Vec<Value>,
    pub replica_sets: Vec<Value>,
    pub pods: Vec<Value>,
    pub events: Vec<Value>,
    /// The last lines of containers that ended badly, by pod and container.
    pub last_lines: Vec<((String, String), Vec<String>)>,
}

/// The text at a JSON pointer, or nothing.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The whole number at a JSON pointer, or zero.
pub(crate) fn number(object: &Value, pointer: &str) -> u64 {
    object.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

/// The list at a JSON pointer, or nothing.
pub(crate) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn is_owned_by(object: &Value, owner: &Value) -> bool {
    let uid = text(owner, "/metadata/uid");
    list(object, "/metadata/ownerReferences").iter().any(|it| text(it, "/uid") == uid)
}

impl Sight {
    pub(crate) fn deployment(&self, name: &str) -> Option<&Value> {
        self.deployments.iter().find(|it| text(it, "/metadata/name") == name)
    }

    pub(crate) fn pod(&self, name: &str) -> Option<&Value> {
        self.pods.iter().find(|it| text(it, "/metadata/name") == name)
    }

    /// The pods that a deployment's newest template made.
    pub(crate) fn newest_pods(&self, deployment: &Value) -> Vec<&Value> {
        let revision = |set: &&Value| -> u64 {
            let annotation = "/metadata/annotations/deployment.kubernetes.io~1revision";
            text(set, annotation).parse().unwrap_or_default()
        };
        let sets = self.replica_sets.iter().filter(|set| is_owned_by(set, deployment));
        let Some(newest) = sets.max_by_key(revision) else { return Vec::new() };
        self.pods.iter().filter(|pod| is_owned_by(pod, newest)).collect()
    }

    /// The messages of the events about the object called `name`, newest last, warnings only.
    pub(crate) fn warnings(&self, name: &str) -> Vec<(&str, &str)> {
        let about = |event: &&Value| {
            text(event, "/involvedObject/name") == name && text(event, "/type") == "Warning"
        };
        let mut events: Vec<_> = self.events.iter().filter(about).collect();
        events.sort_by_key(|event| text(event, "/lastTimestamp"));
        events.iter().map(|event| (text(event, "/reason"), text(event, "/message"))).collect()
    }

    pub(crate) fn last_lines(&self, pod: &str, container: &str) -> &[String] {
        let place = self.last_lines.iter().find(|((p, c), _)| p == pod && c == container);
        place.map(|(_, lines)| lines.as_slice()).unwrap_or_default()
    }
}
