//! Who an object is: group, version, kind, name, namespace.

use std::{collections::HashSet, fmt, sync::LazyLock};

use crate::node::Node;

/// The namespace of objects that have none because they belong to the cluster.
const NO_NAMESPACE: &str = "_non_namespaceable_";
const DEFAULT_NAMESPACE: &str = "default";

/// Group, version and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Gvk {
    pub group: String,
    pub version: String,
    pub kind: String,
}

/// Who an object is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Id {
    pub gvk: Gvk,
    pub name: String,
    pub namespace: String,
}

/// Kinds of Kubernetes 1.21.2 that belong to the cluster; all others count as namespaced.
static CLUSTER_KINDS: LazyLock<HashSet<(&'static str, &'static str)>> = LazyLock::new(|| {
    include_str!("../data/cluster.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .collect()
});

impl Gvk {
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = split_api_version(api_version);
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        }
    }

    pub fn of(node: &Node) -> Self {
        let text = |key| node.get(key).map(Node::as_text).unwrap_or_default();
        Self::new(text("apiVersion"), text("kind"))
    }

    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    pub fn is_cluster_scoped(&self) -> bool {
        CLUSTER_KINDS.contains(&(self.api_version().as_str(), self.kind.as_str()))
    }

    /// Whether each part of `pattern` that is not empty is ours.
    pub fn is_selected(&self, pattern: &Self) -> bool {
        (pattern.group.is_empty() || pattern.group == self.group)
            && (pattern.version.is_empty() || pattern.version == self.version)
            && (pattern.kind.is_empty() || pattern.kind == self.kind)
    }
}

/// `apps/v1` in two; a version without group is of the core group.
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |text: &'static str, it: &str| {
            if it.is_empty() {
                format!("[no{text}]")
            } else {
                it.to_owned()
            }
        };
        write!(
            f,
            "{}.{}.{}",
            part("Kind", &self.kind),
            part("Ver", &self.version),
            part("Grp", &self.group)
        )
    }
}

impl Id {
    pub fn of(node: &Node) -> Self {
        let meta = |key| {
            node.find(&["metadata", key])
                .map(Node::as_text)
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            gvk: Gvk::of(node),
            name: meta("name"),
            namespace: meta("namespace"),
        }
    }

    pub fn is_cluster_scoped(&self) -> bool {
        self.gvk.is_cluster_scoped()
    }

    /// The namespace that counts: `default` when none is said, none for objects of the cluster.
    pub fn effective_namespace(&self) -> &str {
        if self.is_cluster_scoped() {
            NO_NAMESPACE
        } else if self.namespace.is_empty() {
            DEFAULT_NAMESPACE
        } else {
            &self.namespace
        }
    }

    pub fn same_namespace(&self, other: &Self) -> bool {
        self.effective_namespace() == other.effective_namespace()
    }

    /// Whether both are the same object, `default` and no namespace being one.
    pub fn same(&self, other: &Self) -> bool {
        self.gvk == other.gvk && self.name == other.name && self.same_namespace(other)
    }

    /// Whether every part of `pattern` that is not empty is ours.
    pub fn is_selected(&self, pattern: &Self) -> bool {
        (pattern.name.is_empty() || pattern.name == self.name)
            && (pattern.namespace.is_empty() || pattern.same_namespace(self))
            && self.gvk.is_selected(&pattern.gvk)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() {
            "[noName]"
        } else {
            &self.name
        };
        let namespace = if self.namespace.is_empty() {
            "[noNs]"
        } else {
            &self.namespace
        };
        write!(f, "{}/{name}.{namespace}", self.gvk)
    }
}
