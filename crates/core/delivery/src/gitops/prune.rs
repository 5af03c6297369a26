//! What left Git and is to be deleted, and when to ask before.

use api::ObjectRef;

/// An app of at least this many objects is asked about before most of them go.
const GUARDED_MIN: usize = 4;

/// Whether a deletion goes on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PruneGuard {
    Go,
    /// A person must confirm; says why.
    Ask(String),
}

/// Objects of earlier deployments that the rendered ones do not have any more.
///
/// Objects are the same when group, kind, namespace and name are; a new version of the API is no new object.
pub fn to_prune(inventory: &[ObjectRef], rendered: &[ObjectRef]) -> Vec<ObjectRef> {
    let same = |left: &ObjectRef, right: &ObjectRef| {
        let group = |object: &ObjectRef| object.api_version.split_once('/').map_or(String::new(), |(group, _)| group.to_owned());
        left.kind == right.kind && left.namespace == right.namespace && left.name == right.name && group(left) == group(right)
    };
    inventory.iter().filter(|old| !rendered.iter().any(|new| same(old, new))).cloned().collect()
}

/// Whether deleting `pruned` of `known` objects needs a person's word.
///
/// A mistake in a generator or a moved folder looks like a wish to delete everything.
pub fn guard(known: usize, pruned: usize, rendered: usize, allow_empty: bool) -> PruneGuard {
    if pruned == 0 {
        return PruneGuard::Go;
    }
    if rendered == 0 && !allow_empty {
        return PruneGuard::Ask(format!("nothing is rendered any more, so all {pruned} objects would be deleted"));
    }
    if rendered > 0 && known >= GUARDED_MIN && pruned * 2 > known {
        return PruneGuard::Ask(format!("{pruned} of {known} objects would be deleted"));
    }
    PruneGuard::Go
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> ObjectRef {
        let [api_version, kind, name] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("three words: {text}") };
        ObjectRef { api_version: api_version.into(), kind: kind.into(), plural: String::new(), namespace: None, name: name.into() }
    }

    #[test]
    fn what_is_not_rendered_any_more_goes_whatever_its_version() {
        let all = |texts: &[&str]| texts.iter().map(|text| object(text)).collect::<Vec<_>>();
        let old = all(&["apps/v1beta1 Deployment web", "v1 ConfigMap a", "v1 ConfigMap b"]);
        let new = all(&["apps/v1 Deployment web", "v1 ConfigMap b"]);
        assert_eq!(to_prune(&old, &new), all(&["v1 ConfigMap a"]));
    }

    #[test]
    fn deleting_most_or_all_is_asked_about() {
        let ask = |text: &str| PruneGuard::Ask(text.to_owned());
        assert_eq!(guard(3, 2, 1, false), PruneGuard::Go);
        assert_eq!(guard(10, 5, 5, false), PruneGuard::Go);
        assert_eq!(guard(10, 6, 4, false), ask("6 of 10 objects would be deleted"));
        assert_eq!(guard(1, 1, 0, false), ask("nothing is rendered any more, so all 1 objects would be deleted"));
        assert_eq!(guard(9, 9, 0, true), PruneGuard::Go);
    }
}
