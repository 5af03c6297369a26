//! The table of kinds the API server serves.
//!
//! A kind that nobody acts on is absent: clients then say "no matches for kind", which is honest.

/// One served kind and how clients may name it.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Empty for the core group.
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    pub plural: &'static str,
    pub singular: &'static str,
    pub short_names: &'static [&'static str],
    pub categories: &'static [&'static str],
    pub namespaced: bool,
    pub subresources: &'static [&'static str],
    pub verbs: &'static [&'static str],
}

const STORED: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
/// Namespaces and services could not be deleted as a collection before 1.26; namespaces still cannot.
const NO_COLLECTION: &[&str] = &[
    "create", "delete", "get", "list", "patch", "update", "watch",
];
const REVIEW: &[&str] = &["create"];

const PLAIN: Kind = Kind {
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short_names: &[],
    categories: &[],
    namespaced: true,
    subresources: &[],
    verbs: STORED,
};

static KINDS: &[Kind] = &[
    Kind {
        kind: "Namespace",
        plural: "namespaces",
        singular: "namespace",
        short_names: &["ns"],
        namespaced: false,
        subresources: &["status", "finalize"],
        verbs: NO_COLLECTION,
        ..PLAIN
    },
    Kind {
        kind: "Pod",
        plural: "pods",
        singular: "pod",
        short_names: &["po"],
        categories: &["all"],
        subresources: &[
            "status",
            "log",
            "exec",
            "attach",
            "portforward",
            "binding",
            "eviction",
        ],
        ..PLAIN
    },
    Kind {
        kind: "Service",
        plural: "services",
        singular: "service",
        short_names: &["svc"],
        categories: &["all"],
        subresources: &["status"],
        ..PLAIN
    },
    Kind {
        kind: "Endpoints",
        plural: "endpoints",
        singular: "endpoints",
        short_names: &["ep"],
        ..PLAIN
    },
    Kind {
        kind: "ConfigMap",
        plural: "configmaps",
        singular: "configmap",
        short_names: &["cm"],
        ..PLAIN
    },
    Kind {
        kind: "Secret",
        plural: "secrets",
        singular: "secret",
        ..PLAIN
    },
    Kind {
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        singular: "serviceaccount",
        short_names: &["sa"],
        subresources: &["token"],
        ..PLAIN
    },
    Kind {
        kind: "Event",
        plural: "events",
        singular: "event",
        short_names: &["ev"],
        ..PLAIN
    },
    Kind {
        kind: "Node",
        plural: "nodes",
        singular: "node",
        short_names: &["no"],
        namespaced: false,
        subresources: &["status"],
        ..PLAIN
    },
    Kind {
        group: "apps",
        kind: "Deployment",
        plural: "deployments",
        singular: "deployment",
        short_names: &["deploy"],
        categories: &["all"],
        subresources: &["status", "scale"],
        ..PLAIN
    },
    Kind {
        group: "apps",
        kind: "ReplicaSet",
        plural: "replicasets",
        singular: "replicaset",
        short_names: &["rs"],
        categories: &["all"],
        subresources: &["status", "scale"],
        ..PLAIN
    },
    Kind {
        group: "discovery.k8s.io",
        kind: "EndpointSlice",
        plural: "endpointslices",
        singular: "endpointslice",
        ..PLAIN
    },
    Kind {
        group: "events.k8s.io",
        kind: "Event",
        plural: "events",
        singular: "event",
        short_names: &["ev"],
        ..PLAIN
    },
    Kind {
        group: "coordination.k8s.io",
        kind: "Lease",
        plural: "leases",
        singular: "lease",
        ..PLAIN
    },
    Kind {
        group: "authentication.k8s.io",
        kind: "TokenReview",
        plural: "tokenreviews",
        singular: "tokenreview",
        namespaced: false,
        verbs: REVIEW,
        ..PLAIN
    },
    Kind {
        group: "authentication.k8s.io",
        kind: "SelfSubjectReview",
        plural: "selfsubjectreviews",
        singular: "selfsubjectreview",
        namespaced: false,
        verbs: REVIEW,
        ..PLAIN
    },
    Kind {
        group: "authorization.k8s.io",
        kind: "SelfSubjectAccessReview",
        plural: "selfsubjectaccessreviews",
        singular: "selfsubjectaccessreview",
        namespaced: false,
        verbs: REVIEW,
        ..PLAIN
    },
];

/// Every served kind, the core group first.
pub fn kinds() -> &'static [Kind] {
    KINDS
}

/// Finds a kind by the parts of its URL.
pub fn by_plural(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    KINDS
        .iter()
        .find(|it| it.group == group && it.version == version && it.plural == plural)
}

/// Finds a kind by an object's `apiVersion` and `kind`.
pub fn by_kind(api_version: &str, kind: &str) -> Option<&'static Kind> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    KINDS
        .iter()
        .find(|it| it.group == group && it.version == version && it.kind == kind)
}

impl Kind {
    /// The `apiVersion` of its objects, e.g. `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The `kind` of its lists, e.g. `DeploymentList`.
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }

    /// How messages name the resource, e.g. `deployments.apps`.
    pub fn qualified_plural(&self) -> String {
        qualify(self.plural, self.group)
    }

    /// How messages name the kind, e.g. `Deployment.apps`.
    pub fn qualified_kind(&self) -> String {
        qualify(self.kind, self.group)
    }

    /// Whether objects of this kind are kept, and not only answered like a review.
    pub fn is_stored(&self) -> bool {
        self.verbs.contains(&"get")
    }

    /// The OpenAPI document that describes it, e.g. `apis/apps/v1`.
    pub fn openapi_path(&self) -> String {
        if self.group.is_empty() {
            format!("api/{}", self.version)
        } else {
            format!("apis/{}/{}", self.group, self.version)
        }
    }
}

fn qualify(name: &str, group: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{group}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployment_is_found_both_ways() {
        let kind = by_kind("apps/v1", "Deployment").expect("served");
        assert_eq!(by_plural("apps", "v1", "deployments"), Some(kind));
        assert_eq!(
            [
                kind.api_version(),
                kind.qualified_plural(),
                kind.qualified_kind(),
                kind.openapi_path()
            ],
            [
                "apps/v1",
                "deployments.apps",
                "Deployment.apps",
                "apis/apps/v1"
            ]
        );
    }

    #[test]
    fn core_kinds_carry_no_group() {
        let kind = by_kind("v1", "Pod").expect("served");
        assert_eq!(
            [
                kind.api_version(),
                kind.qualified_plural(),
                kind.openapi_path()
            ],
            ["v1", "pods", "api/v1"]
        );
    }

    #[test]
    fn kinds_nobody_acts_on_are_not_served() {
        assert_eq!(by_kind("apps/v1", "StatefulSet"), None);
    }
}
