//! The order in which kinds are installed, which is also the order of the output.

use std::cmp::Ordering;

use crate::Compat;

const INSTALL_ORDER: [&str; 36] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
];

/// Known since Helm 4, which installs them last.
const SINCE_HELM_4: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

fn position(kind: &str, compat: Compat) -> Option<usize> {
    let known = INSTALL_ORDER.iter().position(|it| *it == kind);
    known.or_else(|| {
        let late = SINCE_HELM_4.iter().position(|it| *it == kind)?;
        (compat == Compat::Helm4).then_some(INSTALL_ORDER.len() + late)
    })
}

/// Compares two kinds; unknown ones come last, by name.
pub(crate) fn by_kind(a: &str, b: &str, compat: Compat) -> Ordering {
    match (position(a, compat), position(b, compat)) {
        (None, None) => a.cmp(b),
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => a.cmp(&b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_are_known_to_helm_4_only() {
        let sorted = |compat| {
            let mut kinds = vec!["ValidatingWebhookConfiguration", "Foo", "APIService", "Secret"];
            kinds.sort_by(|a, b| by_kind(a, b, compat));
            kinds
        };
        assert_eq!(
            sorted(Compat::Helm4),
            ["Secret", "APIService", "ValidatingWebhookConfiguration", "Foo"]
        );
        assert_eq!(
            sorted(Compat::Helm3),
            ["Secret", "APIService", "Foo", "ValidatingWebhookConfiguration"]
        );
    }
}
