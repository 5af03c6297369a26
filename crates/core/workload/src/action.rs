//! What a controller wants done, as values that print.

use std::fmt;

use names::Timestamp;
use serde_json::Value;

use crate::{Key, Meta};

macro_rules! kinds {
    ($($kind:ident $api_version:literal $plural:literal $scope:ident;)+) => {
        /// The kinds that the controllers watch or write.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($kind),+ }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),+];

            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => stringify!($kind)),+ }
            }

            pub fn api_version(self) -> &'static str {
                match self { $(Kind::$kind => $api_version),+ }
            }

            pub fn plural(self) -> &'static str {
                match self { $(Kind::$kind => $plural),+ }
            }

            pub fn scope(self) -> Scope {
                match self { $(Kind::$kind => Scope::$scope),+ }
            }
        }
    };
}

/// Whether objects of a kind lie in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Namespaced,
    Cluster,
}

kinds! {
    Namespace "v1" "namespaces" Cluster;
    Node "v1" "nodes" Cluster;
    Pod "v1" "pods" Namespaced;
    Service "v1" "services" Namespaced;
    Endpoints "v1" "endpoints" Namespaced;
    ConfigMap "v1" "configmaps" Namespaced;
    Secret "v1" "secrets" Namespaced;
    ServiceAccount "v1" "serviceaccounts" Namespaced;
    Event "v1" "events" Namespaced;
    Deployment "apps/v1" "deployments" Namespaced;
    ReplicaSet "apps/v1" "replicasets" Namespaced;
    EndpointSlice "discovery.k8s.io/v1" "endpointslices" Namespaced;
    Lease "coordination.k8s.io/v1" "leases" Namespaced;
}

impl Kind {
    pub fn find(api_version: &str, name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.api_version() == api_version && kind.name() == name)
    }
}

/// One object, exactly this one: a new object of the same name has another uid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    pub kind: Kind,
    pub key: Key,
    pub uid: String,
}

impl Target {
    pub fn of(kind: Kind, meta: &Meta) -> Self {
        Self { kind, key: meta.key(), uid: meta.uid.clone() }
    }
}

/// What becomes of the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    Background,
    Foreground,
}

/// One thing to do. All of them may be done twice without harm.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Create { kind: Kind, manifest: Value },
    /// A merge patch of the object itself.
    Patch { target: Target, patch: Value },
    /// A merge patch of its status.
    PatchStatus { target: Target, patch: Value },
    Delete { target: Target, propagation: Propagation },
    /// Deletes without waiting for a node agent, because there is none left to ask.
    Kill { target: Target },
    /// Tells people, as an Event object.
    Tell { about: Target, notice: Notice },
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weight {
    Normal,
    Warning,
}

/// The text of an Event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notice {
    pub weight: Weight,
    pub reason: &'static str,
    pub message: String,
}

impl Notice {
    pub fn normal(reason: &'static str, message: String) -> Self {
        Self { weight: Weight::Normal, reason, message }
    }

    pub fn warning(reason: &'static str, message: String) -> Self {
        Self { weight: Weight::Warning, reason, message }
    }
}

/// What to do now, and when to look again even if nothing changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub actions: Vec<Action>,
    pub wake: Option<Timestamp>,
}

impl Plan {
    pub(crate) fn wake_at(&mut self, time: Timestamp) {
        self.wake = Some(self.wake.map_or(time, |earlier| earlier.min(time)));
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.key)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { kind, manifest } => {
                let meta = &manifest["metadata"];
                let name = meta["name"].as_str().or(meta["generateName"].as_str()).unwrap_or_default();
                write!(f, "create {} {name}", kind.name())?;
                match manifest["spec"]["replicas"].as_i64() {
                    Some(replicas) => write!(f, " x{replicas}"),
                    None => Ok(()),
                }
            }
            Self::Patch { target, patch } => write!(f, "patch {target} {patch}"),
            Self::PatchStatus { target, patch } => write!(f, "status {target} {}", patch["status"]),
            Self::Delete { target, .. } => write!(f, "delete {target}"),
            Self::Kill { target } => write!(f, "kill {target}"),
            Self::Tell { about, notice } => write!(f, "tell {about} {}: {}", notice.reason, notice.message),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.actions.iter().try_for_each(|action| writeln!(f, "{action}"))?;
        match self.wake {
            Some(time) => writeln!(f, "wake {time}"),
            None => Ok(()),
        }
    }
}

/// The merge patch that turns one status into another; `None` when they are equal.
pub fn status_patch<S: serde::Serialize>(target: Target, old: &S, new: &S) -> Option<Action> {
    let (old, mut new) = (as_value(old), as_value(new));
    if old == new {
        return None;
    }
    if let (Some(old), Some(new)) = (old.as_object(), new.as_object_mut()) {
        for key in old.keys() {
            new.entry(key.clone()).or_insert(Value::Null);
        }
    }
    Some(Action::PatchStatus { target, patch: serde_json::json!({ "status": new }) })
}

/// The views are plain structs with text keys, which JSON can always hold.
pub(crate) fn as_value<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
