//! Who owns whom, and what must go because its owners went.
//!
//! The graph is fed from watches. An owner that is not in it may only not have
//! been seen yet, so before anything is deleted for its sake the server is asked
//! ([`Finding::Ask`]).

use std::collections::{HashMap, HashSet};

use serde_json::json;

use crate::{
    Meta,
    action::{Action, Kind, Propagation, Target, as_value},
    meta::OwnerReference,
};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// All objects with their owners, by uid.
#[derive(Debug, Default)]
pub struct Graph {
    objects: HashMap<String, Entry>,
    dependents: HashMap<String, HashSet<String>>,
    /// Owners that certainly do not exist; kept as long as somebody names them.
    absent: HashSet<String>,
}

#[derive(Debug)]
struct Entry {
    target: Target,
    owners: Vec<OwnerReference>,
    finalizers: Vec<String>,
    resource_version: String,
    going: bool,
}

/// What to do about one object.
#[derive(Debug, PartialEq)]
pub enum Finding {
    Fine,
    Act(Vec<Action>),
    /// Find out whether this owner of an object in this namespace exists, then look again.
    Ask(OwnerReference, String),
}

impl Graph {
    /// Takes in an object's state; says whom to look at.
    pub fn saw(&mut self, kind: Kind, meta: &Meta) -> Vec<String> {
        if let Some(old) = self.objects.remove(&meta.uid) {
            self.unlink(&meta.uid, &old.owners);
        }
        for owner in &meta.owner_references {
            self.dependents.entry(owner.uid.clone()).or_default().insert(meta.uid.clone());
        }
        self.absent.remove(&meta.uid);
        let entry = Entry {
            target: Target::of(kind, meta),
            owners: meta.owner_references.clone(),
            finalizers: meta.finalizers.clone(),
            resource_version: meta.resource_version.clone(),
            going: meta.is_going(),
        };
        let concerned = entry.going || !entry.owners.is_empty();
        self.objects.insert(meta.uid.clone(), entry);
        let mut look_at: Vec<String> = concerned.then(|| meta.uid.clone()).into_iter().collect();
        if meta.is_going() {
            // A waiting owner may be free when one it waits for changes.
            look_at.extend(meta.owner_references.iter().map(|owner| owner.uid.clone()));
        }
        look_at
    }

    /// The object is gone; says whom to look at.
    pub fn lost(&mut self, uid: &str) -> Vec<String> {
        let mut look_at: Vec<String> = self.dependents.get(uid).into_iter().flatten().cloned().collect();
        look_at.sort();
        if let Some(old) = self.objects.remove(uid) {
            self.unlink(uid, &old.owners);
            look_at.extend(old.owners.into_iter().map(|owner| owner.uid));
        }
        self.is_absent(uid);
        look_at
    }

    /// The server said that this owner does not exist.
    pub fn is_absent(&mut self, uid: &str) {
        if self.dependents.contains_key(uid) {
            self.absent.insert(uid.to_owned());
        }
    }

    fn unlink(&mut self, uid: &str, owners: &[OwnerReference]) {
        for owner in owners {
            if let Some(siblings) = self.dependents.get_mut(&owner.uid) {
                siblings.remove(uid);
                if siblings.is_empty() {
                    self.dependents.remove(&owner.uid);
                    self.absent.remove(&owner.uid);
                }
            }
        }
    }

    /// Judges one object.
    pub fn judge(&self, uid: &str) -> Finding {
        let Some(entry) = self.objects.get(uid) else { return Finding::Fine };
        let holds = |finalizer: &str| entry.going && entry.finalizers.iter().any(|it| it == finalizer);
        if holds(ORPHAN) {
            return self.set_free(uid, entry);
        }
        if holds(FOREGROUND) {
            return self.await_dependents(uid, entry);
        }
        if entry.going || entry.owners.is_empty() {
            return Finding::Fine;
        }
        self.follow_owners(entry)
    }

    fn dependents_of(&self, uid: &str) -> Vec<&Entry> {
        let mut found: Vec<&Entry> =
            self.dependents.get(uid).into_iter().flatten().filter_map(|uid| self.objects.get(uid)).collect();
        found.sort_by(|a, b| a.target.cmp(&b.target));
        found
    }

    fn set_free(&self, uid: &str, entry: &Entry) -> Finding {
        let free = |dependent: &&Entry| without_owners(dependent, |owner| owner.uid == uid);
        let mut actions: Vec<Action> = self.dependents_of(uid).iter().map(free).collect();
        actions.push(without_finalizer(entry, ORPHAN));
        Finding::Act(actions)
    }

    fn await_dependents(&self, uid: &str, entry: &Entry) -> Finding {
        let dependents = self.dependents_of(uid);
        let blocks = |it: &&Entry| it.owners.iter().any(|owner| owner.uid == uid && owner.block_owner_deletion);
        let mut actions: Vec<Action> = dependents
            .iter()
            .filter(|it| !it.going)
            .map(|it| {
                let has_own = self.dependents.contains_key(&it.target.uid);
                let propagation = if has_own { Propagation::Foreground } else { Propagation::Background };
                Action::Delete { target: it.target.clone(), propagation }
            })
            .collect();
        if !dependents.iter().any(blocks) {
            actions.push(without_finalizer(entry, FOREGROUND));
        }
        if actions.is_empty() { Finding::Fine } else { Finding::Act(actions) }
    }

    fn follow_owners(&self, entry: &Entry) -> Finding {
        let mut alive = 0;
        for owner in &entry.owners {
            if self.objects.contains_key(&owner.uid) {
                alive += 1;
            } else if !self.absent.contains(&owner.uid) {
                return Finding::Ask(owner.clone(), entry.target.key.namespace.clone());
            }
        }
        if alive == entry.owners.len() {
            return Finding::Fine;
        }
        if alive > 0 {
            return Finding::Act(vec![without_owners(entry, |owner| self.absent.contains(&owner.uid))]);
        }
        Finding::Act(vec![Action::Delete { target: entry.target.clone(), propagation: Propagation::Background }])
    }
}

/// The revision goes along, so that a list that somebody else changed meanwhile is not overwritten.
fn patch(entry: &Entry, field: &str, value: serde_json::Value) -> Action {
    let mut metadata = json!({ "uid": entry.target.uid, "resourceVersion": entry.resource_version });
    metadata[field] = value;
    Action::Patch { target: entry.target.clone(), patch: json!({ "metadata": metadata }) }
}

fn without_owners(entry: &Entry, drop: impl Fn(&OwnerReference) -> bool) -> Action {
    let kept: Vec<&OwnerReference> = entry.owners.iter().filter(|owner| !drop(owner)).collect();
    patch(entry, "ownerReferences", as_value(&kept))
}

fn without_finalizer(entry: &Entry, finalizer: &str) -> Action {
    let kept: Vec<&String> = entry.finalizers.iter().filter(|it| *it != finalizer).collect();
    patch(entry, "finalizers", as_value(&kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependents_follow_their_owner() {
        check("d, s<d, p<s, lost d", "delete ReplicaSet n/s");
        check("d, s<d, p<s, lost d, lost s", "delete ReplicaSet n/p");
        check("d, e, s<d<e, lost d", r#"patch ReplicaSet n/s {"metadata":{"uid":"s","resourceVersion":"1","ownerReferences":[{"apiVersion":"","kind":"","name":"e","uid":"e","blockOwnerDeletion":true}]}}"#);
    }

    #[test]
    fn unseen_owners_are_asked_for() {
        check("s<d", "ask d");
        check("s<d, absent d", "delete ReplicaSet n/s");
    }

    #[test]
    fn foreground_waits_for_dependents() {
        check("d!foregroundDeletion, s<d", "delete ReplicaSet n/s");
        check("d!foregroundDeletion, s!x<d", "");
        check("d!foregroundDeletion", r#"patch ReplicaSet n/d {"metadata":{"uid":"d","resourceVersion":"1","finalizers":[]}}"#);
    }

    #[test]
    fn orphans_are_set_free_before_the_owner_goes() {
        check(
            "d!orphan, s<d",
            "patch ReplicaSet n/s {\"metadata\":{\"uid\":\"s\",\"resourceVersion\":\"1\",\"ownerReferences\":[]}}\n\
             patch ReplicaSet n/d {\"metadata\":{\"uid\":\"d\",\"resourceVersion\":\"1\",\"finalizers\":[]}}",
        );
    }

    /// Objects are `name<owner`, with `!finalizer` when on their way out.
    #[track_caller]
    fn check(story: &str, expected: &str) {
        let mut graph = Graph::default();
        let mut uids = Vec::new();
        for event in story.split(", ") {
            if let Some(uid) = event.strip_prefix("lost ") {
                graph.lost(uid);
            } else if let Some(uid) = event.strip_prefix("absent ") {
                graph.is_absent(uid);
            } else {
                let mut parts = event.split('<');
                let (name, finalizer) = parts.next().map(|it| it.split_once('!').unwrap_or((it, ""))).expect("a name");
                let owner = |name: &str| OwnerReference { name: name.into(), uid: name.into(), block_owner_deletion: true, ..Default::default() };
                let meta = Meta {
                    name: name.into(),
                    namespace: "n".into(),
                    uid: name.into(),
                    resource_version: "1".into(),
                    owner_references: parts.map(owner).collect(),
                    deletion_timestamp: (!finalizer.is_empty()).then(names::Timestamp::default),
                    finalizers: (!finalizer.is_empty()).then(|| finalizer.to_owned()).into_iter().collect(),
                    ..Meta::default()
                };
                graph.saw(Kind::ReplicaSet, &meta);
                uids.push(name.to_owned());
            }
        }
        let lines = uids.iter().flat_map(|uid| match graph.judge(uid) {
            Finding::Fine => Vec::new(),
            Finding::Act(actions) => actions.iter().map(ToString::to_string).collect(),
            Finding::Ask(owner, _) => vec![format!("ask {}", owner.uid)],
        });
        assert_eq!(lines.collect::<Vec<_>>().join("\n"), expected);
    }
}
