//! Walks over values by their shape: which fields there are, which differ, merging, taking away.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    path::Step,
    set::FieldSet,
    shape::{Fields, List, Shape},
};

/// The fields of a value.
pub fn fields_of(shape: Shape, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    collect(shape, value, &mut Vec::new(), &mut set);
    set
}

fn collect(shape: Shape, value: &Value, path: &mut Vec<Step>, set: &mut FieldSet) {
    match (value, shape.list()) {
        (Value::Object(_), _) if shape.fields() == Fields::Whole => set.insert(path),
        (Value::Object(fields), _) => {
            for (name, value) in fields {
                path.push(Step::Field(name.clone()));
                collect(shape.field(name), value, path, set);
                let bare = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if bare || !shape.declares(name) {
                    set.insert(path);
                }
                path.pop();
            }
        }
        (Value::Array(_), List::Whole) => set.insert(path),
        (Value::Array(items), list) => {
            for (step, items) in by_step(shape, list, items).0 {
                path.push(step);
                if let [item] = items[..] {
                    collect(shape.items(), item, path, set);
                }
                set.insert(path);
                path.pop();
            }
        }
        (Value::Null, _) => {}
        (Value::Bool(_) | Value::Number(_) | Value::String(_), _) => set.insert(path),
    }
}

type Items<'a> = BTreeMap<Step, Vec<&'a Value>>;

/// The items by what they are known by, and the order of those names.
fn by_step(shape: Shape, list: List, items: &[Value]) -> (Items<'_>, Vec<Step>) {
    let (mut found, mut order) = (Items::new(), Vec::new());
    for item in items {
        let Some(step) = shape.item(list, item) else { continue };
        let here = found.entry(step.clone()).or_default();
        if here.is_empty() {
            order.push(step);
        }
        here.push(item);
    }
    (found, order)
}

/// What changed between two values.
#[derive(Debug, Default)]
pub struct Comparison {
    pub removed: FieldSet,
    pub modified: FieldSet,
    pub added: FieldSet,
}

impl Comparison {
    pub fn of(shape: Shape, old: &Value, new: &Value) -> Self {
        let mut comparison = Self::default();
        comparison.compare(shape, Some(old), Some(new), &mut Vec::new());
        comparison
    }

    /// The comparison without what lies in `ignored`.
    pub fn without(&self, ignored: &FieldSet) -> Self {
        Self {
            removed: self.removed.without(ignored),
            modified: self.modified.without(ignored),
            added: self.added.without(ignored),
        }
    }

    fn compare(&mut self, shape: Shape, old: Option<&Value>, new: Option<&Value>, path: &mut Vec<Step>) {
        let is = |test: fn(&Value) -> bool| old.is_some_and(test) || new.is_some_and(test);
        let descended = if is(Value::is_object) {
            self.compare_fields(shape, old, new, path)
        } else if is(Value::is_array) {
            self.compare_items(shape, old, new, path)
        } else {
            false
        };
        match (old, new) {
            (None, Some(_)) => self.added.insert(path),
            (Some(_), None) => self.removed.insert(path),
            (Some(old), Some(new)) if !descended && !same(old, new) => self.modified.insert(path),
            _ => {}
        }
    }

    /// Compares field by field unless the object counts as one piece.
    fn compare_fields(&mut self, shape: Shape, old: Option<&Value>, new: Option<&Value>, path: &mut Vec<Step>) -> bool {
        let none = Map::new();
        let old = old.and_then(Value::as_object).unwrap_or(&none);
        let new = new.and_then(Value::as_object).unwrap_or(&none);
        if shape.fields() == Fields::Whole || (old.is_empty() && new.is_empty()) {
            return false;
        }
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            path.push(Step::Field(name.clone()));
            self.compare(shape.field(name), old.get(name), new.get(name), path);
            path.pop();
        }
        true
    }

    fn compare_items(&mut self, shape: Shape, old: Option<&Value>, new: Option<&Value>, path: &mut Vec<Step>) -> bool {
        fn items(value: Option<&Value>) -> &[Value] {
            value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
        }
        let (old, new, list) = (items(old), items(new), shape.list());
        if matches!(list, List::Whole) || (old.is_empty() && new.is_empty()) {
            return false;
        }
        let (old, _) = by_step(shape, list, old);
        let (new, _) = by_step(shape, list, new);
        let steps: BTreeSet<&Step> = old.keys().chain(new.keys()).collect();
        for step in steps {
            let (old, new) = (old.get(step).cloned().unwrap_or_default(), new.get(step).cloned().unwrap_or_default());
            path.push(step.clone());
            match (&old[..], &new[..]) {
                ([] | [_], [] | [_]) => self.compare(shape.items(), old.first().copied(), new.first().copied(), path),
                // Items that stand twice are compared as one piece.
                ([_, _, ..], [_, _, ..]) if old != new => self.modified.insert(path),
                ([_, _, ..], [_, _, ..]) => {}
                ([_, _, ..], _) => {
                    if let Some(new) = new.first() {
                        self.compare(shape.items(), None, Some(new), path);
                    }
                    self.removed.insert(path);
                }
                (_, [_, _, ..]) => {
                    if let Some(old) = old.first() {
                        self.compare(shape.items(), Some(old), None, path);
                    }
                    self.added.insert(path);
                }
            }
            path.pop();
        }
        true
    }
}

/// Equal as Kubernetes sees it: `1` and `1.0` are one number.
fn same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Number(old), Value::Number(new)) => old == new || old.as_f64() == new.as_f64(),
        _ => old == new,
    }
}

/// `wanted` merged into `live`; where both say something, `wanted` is right.
pub fn merge(shape: Shape, live: &Value, wanted: &Value) -> Value {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) if shape.fields() == Fields::Each => {
            let mut merged = live.clone();
            for (name, value) in wanted {
                let value = match live.get(name) {
                    Some(live) => merge(shape.field(name), live, value),
                    None => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(wanted)) if !matches!(shape.list(), List::Whole) => {
            Value::Array(merge_items(shape, live, wanted))
        }
        _ => wanted.clone(),
    }
}

/// Merges two lists: the items of both keep the order of `wanted`; those only in `live` stay
/// before the item of both that followed them.
fn merge_items(shape: Shape, live: &[Value], wanted: &[Value]) -> Vec<Value> {
    let list = shape.list();
    let steps_of = |items: &[Value]| items.iter().filter_map(|item| shape.item(list, item)).collect::<Vec<_>>();
    let (live_steps, wanted_order) = (steps_of(live), by_step(shape, list, wanted).1);
    let live_items: Vec<&Value> = live.iter().filter(|item| shape.item(list, item).is_some()).collect();
    let (by_live, _) = by_step(shape, list, live);
    let (by_wanted, _) = by_step(shape, list, wanted);
    // An item that stands twice has no counterpart to merge with.
    let counterpart = |step: &Step| by_live.get(step).filter(|items| items.len() == 1).map(|items| items[0]);
    let merged = |step: &Step| {
        let wanted = by_wanted.get(step).map(|items| items[0]);
        match (counterpart(step), wanted) {
            (Some(live), Some(wanted)) => Some(merge(shape.items(), live, wanted)),
            (live, wanted) => wanted.or(live).cloned(),
        }
    };
    let mut shared = wanted_order.iter().filter(|step| by_live.contains_key(step)).peekable();
    let mut done = BTreeSet::new();
    let (mut result, mut at_live, mut at_wanted) = (Vec::new(), 0, 0);
    while at_live < live_steps.len() || at_wanted < wanted_order.len() {
        if let (Some(left), Some(right)) = (live_steps.get(at_live), wanted_order.get(at_wanted)) {
            if left == right {
                done.insert(left.clone());
                result.extend(merged(left));
                (at_live, at_wanted) = (at_live + 1, at_wanted + 1);
                shared.next();
                continue;
            }
            if by_wanted.contains_key(left) && shared.peek().is_some_and(|next| *next != left) {
                at_live += 1;
                continue;
            }
        }
        if let Some(left) = live_steps.get(at_live) {
            if !by_wanted.contains_key(left) {
                result.push(live_items[at_live].clone());
                at_live += 1;
                continue;
            }
            if done.contains(left) {
                at_live += 1;
            }
        }
        if let Some(right) = wanted_order.get(at_wanted) {
            done.insert(right.clone());
            result.extend(merged(right));
            at_wanted += 1;
            if shared.peek().is_some_and(|next| *next == right) {
                shared.next();
            }
        }
    }
    result
}

/// The value without the parts in `set`; `None` when nothing is left.
pub fn remove(shape: Shape, value: &Value, set: &FieldSet) -> Option<Value> {
    let part = |step: &Step, value: &Value| {
        if set.has(step) {
            return None;
        }
        match set.under(step).filter(|set| !set.is_empty()) {
            Some(set) => Some(remove(shape.at(step), value, set).unwrap_or(Value::Null)),
            None => Some(value.clone()),
        }
    };
    match value {
        Value::Object(fields) if shape.fields() == Fields::Each => {
            let left = fields.iter().filter_map(|(name, value)| Some((name.clone(), part(&Step::Field(name.clone()), value)?)));
            let left: Map<String, Value> = left.collect();
            (!left.is_empty()).then_some(Value::Object(left))
        }
        Value::Array(items) if !matches!(shape.list(), List::Whole) => {
            let left = items.iter().filter_map(|item| match shape.item(shape.list(), item) {
                Some(step) => part(&step, item),
                None => Some(item.clone()),
            });
            let left: Vec<Value> = left.collect();
            (!left.is_empty()).then_some(Value::Array(left))
        }
        Value::Object(_) | Value::Array(_) => None,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value.clone()),
    }
}

/// What of a value an applier may not send: fields without a place in the schema, items that
/// cannot be told apart.
pub fn problems(shape: Shape, value: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    check(shape, value, &mut Vec::new(), &mut problems);
    problems
}

fn check(shape: Shape, value: &Value, path: &mut Vec<Step>, problems: &mut Vec<String>) {
    let Shape::Known(place) = shape else { return };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                path.push(Step::Field(name.clone()));
                if place.has_fields() && place.field(name).is_none() {
                    problems.push(format!("{}: field not declared in schema", super::path::show(path)));
                }
                check(shape.field(name), value, path, problems);
                path.pop();
            }
        }
        Value::Array(items) => {
            let list = shape.list();
            let mut seen = BTreeSet::new();
            for (index, item) in items.iter().enumerate() {
                let step = match (list, shape.item(list, item)) {
                    (List::Whole, _) => Step::Index(i64::try_from(index).unwrap_or(i64::MAX)),
                    (_, Some(step)) => step,
                    (List::Keyed(keys), None) => {
                        let (path, keys) = (super::path::show(path), keys.join(" "));
                        problems.push(format!("{path}: element {index}: associative list with keys has an element that omits all key fields [{keys}] (and doesn't have default values for any key fields)"));
                        continue;
                    }
                    (List::Set, None) => {
                        let path = super::path::show(path);
                        problems.push(format!("{path}: element {index}: associative list without keys has an element that's a map type"));
                        continue;
                    }
                };
                if !matches!(list, List::Whole) && !seen.insert(step.clone()) {
                    problems.push(format!("{}: duplicate entries for key {step}", super::path::show(path)));
                }
                path.push(step);
                check(shape.items(), item, path, problems);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
