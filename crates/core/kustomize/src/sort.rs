//! The order of the output.

use std::collections::HashMap;

use crate::{error::BuildError, kustomization::SortOptions, set::ResourceSet};

const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
const LAST: [&str; 2] = [
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Brings the objects in the order that the options ask for; the one of old when they ask for none.
///
/// # Errors
///
/// Options that are unknown or do not go together.
pub fn sort(set: &mut ResourceSet, options: Option<&SortOptions>) -> Result<(), BuildError> {
    let legacy = match options {
        None => None,
        Some(it) if it.order == "fifo" => {
            if it.legacy.is_some() {
                return Err(BuildError::new(
                    "the field `sortOptions.legacySortOptions` is set but the selected sort order is `fifo`, not `legacy`",
                ));
            }
            return Ok(());
        }
        Some(it) if it.order == "legacy" => it.legacy.as_ref(),
        Some(it) => {
            return Err(BuildError::new(format!(
                "the field `sortOptions.order` must be one of `fifo` and `legacy`, found `{}`",
                it.order
            )));
        }
    };
    let mut ranks: HashMap<&str, i64> = HashMap::new();
    let (first, last): (Vec<&str>, Vec<&str>) = match legacy {
        None => (FIRST.to_vec(), LAST.to_vec()),
        Some(it) => (
            it.order_first.iter().map(String::as_str).collect(),
            it.order_last.iter().map(String::as_str).collect(),
        ),
    };
    for (index, kind) in (0_i64..).zip(&first) {
        let length = i64::try_from(first.len()).unwrap_or(i64::MAX);
        ranks.insert(kind, index - length);
    }
    for (index, kind) in (1_i64..).zip(&last) {
        ranks.insert(kind, index);
    }
    set.items.sort_by_cached_key(|it| {
        let id = it.id();
        let part = |text: &str, none: &str| {
            if text.is_empty() {
                none.to_owned()
            } else {
                text.to_owned()
            }
        };
        (
            ranks.get(id.gvk.kind.as_str()).copied().unwrap_or_default(),
            format!(
                "{}_{}_{}",
                part(&id.gvk.group, "~G"),
                part(&id.gvk.version, "~V"),
                part(&id.gvk.kind, "~K")
            ),
            format!(
                "{}|{}|{}",
                id.gvk,
                part(&id.namespace, "~X"),
                part(&id.name, "~N")
            ),
        )
    });
    Ok(())
}
