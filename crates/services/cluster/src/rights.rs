//! Who may do what in the cluster.
//!
//! The owner and Landfall's own parts may do everything. A pod may read its own
//! namespace, but neither secrets nor the inside of other pods. Jobs come through
//! the release proxy, which is a part of Landfall; directly they may do nothing.

use access::Principal;
use resource::status::{self, Status};

use crate::path::Target;

/// What a request does, in the words of Kubernetes' access control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Get,
            Self::List,
            Self::Watch,
            Self::Create,
            Self::Update,
            Self::Patch,
            Self::Delete,
            Self::DeleteCollection,
        ]
        .into_iter()
        .find(|it| it.as_str() == text)
    }

    pub fn reads(self) -> bool {
        matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// What a request wants to reach, by name, whether or not it is served.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub plural: &'a str,
    pub namespace: Option<&'a str>,
    pub subresource: Option<&'a str>,
}

/// Whether `principal` may do this.
pub fn allows(principal: &Principal, verb: Verb, wanted: Wanted<'_>) -> bool {
    match principal {
        Principal::Admin | Principal::Component { .. } => true,
        Principal::ServiceAccount { namespace, .. } => {
            let asks_about_itself = verb == Verb::Create
                && matches!(
                    wanted.plural,
                    "selfsubjectreviews" | "selfsubjectaccessreviews"
                );
            let reads_its_namespace = verb.reads()
                && wanted.namespace == Some(namespace.as_str())
                && wanted.plural != "secrets"
                && !matches!(
                    wanted.subresource,
                    Some("exec" | "attach" | "portforward" | "proxy")
                );
            asks_about_itself || reads_its_namespace
        }
        Principal::Job { .. } | Principal::Agent { .. } => false,
    }
}

/// Refuses what `principal` may not do, in Kubernetes' words.
pub fn check(principal: &Principal, verb: Verb, target: &Target) -> Result<(), Status> {
    let wanted = Wanted {
        plural: target.kind.plural,
        namespace: target.namespace.as_deref(),
        subresource: target.subresource.as_deref(),
    };
    if allows(principal, verb, wanted) {
        return Ok(());
    }
    let user = user_name(principal);
    Err(status::access_denied(
        target.kind,
        target.name(),
        &user,
        verb.as_str(),
        target.namespace.as_deref(),
    ))
}

/// The user's name as Kubernetes shows it.
pub fn user_name(principal: &Principal) -> String {
    match principal {
        Principal::Admin => "kubernetes-admin".to_owned(),
        Principal::Component { .. } | Principal::ServiceAccount { .. } | Principal::Job { .. } | Principal::Agent { .. } => {
            principal.to_string()
        }
    }
}

/// The user's groups as Kubernetes shows them.
pub fn groups(principal: &Principal) -> Vec<String> {
    let mut groups = match principal {
        Principal::Admin | Principal::Component { .. } => vec!["system:masters".to_owned()],
        Principal::ServiceAccount { namespace, .. } => {
            vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
            ]
        }
        Principal::Job { .. } | Principal::Agent { .. } => Vec::new(),
    };
    groups.push("system:authenticated".to_owned());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_reads_its_own_namespace_only() {
        check_pod(Verb::List, "pods", Some("shop"), None, true);
        check_pod(Verb::Get, "pods", Some("shop"), Some("log"), true);
        check_pod(Verb::Get, "pods", Some("shop"), Some("exec"), false);
        check_pod(Verb::Get, "secrets", Some("shop"), None, false);
        check_pod(Verb::List, "pods", Some("bank"), None, false);
        check_pod(Verb::List, "pods", None, None, false);
        check_pod(Verb::Patch, "pods", Some("shop"), None, false);
        check_pod(Verb::Create, "selfsubjectreviews", None, None, true);
    }

    #[track_caller]
    fn check_pod(
        verb: Verb,
        plural: &str,
        namespace: Option<&str>,
        subresource: Option<&str>,
        expected: bool,
    ) {
        let pod = Principal::ServiceAccount {
            namespace: "shop".into(),
            name: "default".into(),
        };
        assert_eq!(
            allows(
                &pod,
                verb,
                Wanted {
                    plural,
                    namespace,
                    subresource
                }
            ),
            expected
        );
    }
}
