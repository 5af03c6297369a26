//! Sets of fields, as a tree of their paths.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{path::Step, shape::Shape};

/// Paths of fields. A path can be in the set while paths below it are not, and the other way round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    members: BTreeSet<Step>,
    below: BTreeMap<Step, FieldSet>,
}

/// A managed field nests no deeper than an object can.
const DEPTH_MAX: usize = 128;

impl FieldSet {
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.below.values().all(Self::is_empty)
    }

    pub fn insert(&mut self, path: &[Step]) {
        match path {
            [] => {}
            [last] => drop(self.members.insert(last.clone())),
            [first, rest @ ..] => self.below.entry(first.clone()).or_default().insert(rest),
        }
    }

    /// Whether the step itself is in the set.
    pub fn has(&self, step: &Step) -> bool {
        self.members.contains(step)
    }

    /// What of the set lies below a step.
    pub fn under(&self, step: &Step) -> Option<&Self> {
        self.below.get(step)
    }

    /// Whether this very path is in the set.
    pub fn contains(&self, path: &[Step]) -> bool {
        match path {
            [] => false,
            [last] => self.has(last),
            [first, rest @ ..] => self.under(first).is_some_and(|set| set.contains(rest)),
        }
    }

    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut result = self.clone();
        result.members.extend(other.members.iter().cloned());
        for (step, set) in &other.below {
            let here = result.below.entry(step.clone()).or_default();
            *here = here.union(set);
        }
        result
    }

    /// The paths that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let members = self.members.intersection(&other.members).cloned().collect();
        let both = |(step, set): (&Step, &Self)| Some((step.clone(), set.intersection(other.below.get(step)?)));
        let below = self.below.iter().filter_map(both);
        Self { members, below: below.filter(|(_, set)| !set.is_empty()).collect() }
    }

    /// The paths that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let members = self.members.difference(&other.members).cloned().collect();
        let left = |(step, set): (&Step, &Self)| {
            let rest = other.below.get(step).map_or_else(|| set.clone(), |other| set.difference(other));
            (step.clone(), rest)
        };
        let below = self.below.iter().map(left);
        Self { members, below: below.filter(|(_, set)| !set.is_empty()).collect() }
    }

    /// The paths that are neither in `other` nor below one of its paths.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let members = self.members.difference(&other.members).cloned().collect();
        let left = |(step, set): (&Step, &Self)| {
            if other.members.contains(step) {
                return None;
            }
            let rest = other.below.get(step).map_or_else(|| set.clone(), |other| set.without(other));
            Some((step.clone(), rest))
        };
        let below = self.below.iter().filter_map(left);
        Self { members, below: below.filter(|(_, set)| !set.is_empty()).collect() }
    }

    /// The set with every declared field on the way to a path as a path of its own.
    #[must_use]
    pub fn with_named_fields(&self, shape: Shape) -> Self {
        let mut members = self.members.clone();
        let mut below = BTreeMap::new();
        for (step, set) in &self.below {
            if let Step::Field(name) = step
                && shape.declares(name)
            {
                members.insert(step.clone());
            }
            below.insert(step.clone(), set.with_named_fields(shape.at(step)));
        }
        Self { members, below }
    }

    /// All paths: of each level its own first, then those below.
    pub fn paths(&self) -> Vec<Vec<Step>> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut Vec<Step>, paths: &mut Vec<Vec<Step>>) {
        for step in &self.members {
            prefix.push(step.clone());
            paths.push(prefix.clone());
            prefix.pop();
        }
        for (step, set) in &self.below {
            prefix.push(step.clone());
            set.collect(prefix, paths);
            prefix.pop();
        }
    }

    /// As `fieldsV1` holds it.
    pub fn to_value(&self) -> Value {
        let mut fields = Map::new();
        let steps: BTreeSet<&Step> = self.members.iter().chain(self.below.keys()).collect();
        for step in steps {
            let below = self.below.get(step).filter(|set| !set.is_empty());
            let member = self.members.contains(step);
            if !member && below.is_none() {
                continue;
            }
            let mut value = below.map_or_else(|| Value::Object(Map::new()), Self::to_value);
            if let (true, Some(_), Value::Object(inner)) = (member, below, &mut value) {
                inner.insert(".".to_owned(), Value::Object(Map::new()));
                // The point comes before all names.
                let mut ordered = Map::new();
                ordered.extend(inner.shift_remove_entry("."));
                ordered.extend(std::mem::take(inner));
                *inner = ordered;
            }
            fields.insert(step.write(), value);
        }
        Value::Object(fields)
    }

    /// Reads `fieldsV1`; `None` when it is malformed.
    pub fn read(value: &Value) -> Option<Self> {
        Self::read_at(value, 0)
    }

    fn read_at(value: &Value, depth: usize) -> Option<Self> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut set = Self::default();
        for (name, inner) in value.as_object()? {
            if name == "." {
                continue;
            }
            let step = Step::read(name)?;
            let inner = inner.as_object()?;
            if inner.is_empty() || inner.contains_key(".") {
                set.members.insert(step.clone());
            }
            let below = Self::read_at(&Value::Object(inner.clone()), depth + 1)?;
            if !below.is_empty() {
                set.below.insert(step, below);
            }
        }
        Some(set)
    }
}

impl FromIterator<Vec<Step>> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Vec<Step>>>(paths: I) -> Self {
        let mut set = Self::default();
        paths.into_iter().for_each(|path| set.insert(&path));
        set
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sets_are_read_and_written_alike() {
        let value = json!({
            "f:metadata": { "f:labels": { ".": {}, "f:app": {} } },
            "f:spec": { "f:ports": { ".": {}, "k:{\"port\":80}": { ".": {}, "f:port": {} } }, "f:type": {} },
        });
        assert_eq!(FieldSet::read(&value).expect("a set").to_value(), value);
        assert_eq!(FieldSet::read(&json!({ "spec": {} })), None);
    }

    #[test]
    fn taking_away_a_path_leaves_what_lies_below_it() {
        let set = FieldSet::read(&json!({ "f:a": { ".": {}, "f:b": {} }, "f:c": {} })).expect("a set");
        let path = FieldSet::read(&json!({ "f:a": {} })).expect("a set");
        assert_eq!(set.difference(&path).to_value(), json!({ "f:a": { "f:b": {} }, "f:c": {} }));
        assert_eq!(set.without(&path).to_value(), json!({ "f:c": {} }));
        assert_eq!(set.intersection(&path).to_value(), json!({ "f:a": {} }));
        assert_eq!(set.union(&path), set);
    }
}
