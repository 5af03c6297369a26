//! Lays the values of a chart, its subcharts and the user over each other.
//!
//! Maps are shared on purpose where Helm shares them: a change through one name shows under the other.

use std::rc::Rc;

use gotemplate::{Map, Text, Value};

use super::tree::deep_copy;
use crate::{Compat, working::WorkingChart};

/// What happens to nulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// A null deletes the key (Helm's coalescing).
    Delete,
    /// Nulls stay for a later step (Helm's merging).
    Keep,
}

/// A subchart's section of the values is no map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("type mismatch on {chart}: {shown}")]
pub struct TypeMismatch {
    pub chart: String,
    /// The value as Go's `%t` prints it.
    pub shown: String,
}

/// Lays `values` over the defaults of `chart` and its subcharts.
pub(crate) fn coalesce_values(
    chart: &WorkingChart,
    values: &Value,
    nulls: Nulls,
    compat: Compat,
) -> Result<Rc<Map>, TypeMismatch> {
    let copy = match deep_copy(values) {
        Value::Map(map) => map,
        _ => Rc::new(Map::new(gotemplate::Entries::new())),
    };
    let context = Context { compat, nulls };
    context.chart(chart, &copy)?;
    Ok(copy)
}

#[derive(Clone, Copy)]
struct Context {
    compat: Compat,
    nulls: Nulls,
}

impl Context {
    fn chart(self, chart: &WorkingChart, dest: &Rc<Map>) -> Result<(), TypeMismatch> {
        self.own_values(chart, dest);
        for child in &chart.dependencies {
            let child = child.borrow();
            let name = child.name();
            let section = match dest.get(name) {
                None => {
                    let section = Rc::new(Map::new(gotemplate::Entries::new()));
                    dest.insert(Text::from(name), Value::Map(Rc::clone(&section)));
                    section
                }
                Some(Value::Map(section)) => section,
                Some(other) => {
                    return Err(TypeMismatch {
                        chart: name.to_owned(),
                        shown: gotemplate::format::sprintf("%t", &[other]).to_string(),
                    });
                }
            };
            self.globals(&section, dest);
            self.chart(&child, &section)?;
        }
        Ok(())
    }

    fn own_values(self, chart: &WorkingChart, dest: &Rc<Map>) {
        let Value::Map(defaults) = deep_copy(&chart.values) else {
            return;
        };
        for (key, default) in defaults.snapshot() {
            match dest.get(&key) {
                Some(Value::Nil) if self.nulls == Nulls::Delete => {
                    dest.remove(&key);
                }
                Some(Value::Map(section)) => {
                    let Value::Map(default) = default else {
                        continue;
                    };
                    let is_child = chart
                        .dependencies
                        .iter()
                        .any(|child| child.borrow().name().as_bytes() == key.as_bytes());
                    let nulls = if is_child { Nulls::Keep } else { self.nulls };
                    if nulls == Nulls::Delete && self.compat == Compat::Helm4 {
                        remove_nulls(&default);
                    }
                    merge_tables(&section, &default, nulls, self.compat);
                }
                Some(_) => {}
                None => {
                    if self.nulls == Nulls::Delete && self.compat == Compat::Helm4 {
                        match &default {
                            Value::Nil => continue,
                            Value::Map(map) => remove_nulls(map),
                            _ => {}
                        }
                    }
                    dest.insert(key, default);
                }
            }
        }
    }

    /// Copies `global` of the parent's values down into the child's; the parent wins.
    fn globals(self, child: &Rc<Map>, parent: &Rc<Map>) {
        let own = match child.get("global") {
            None => Rc::new(Map::new(gotemplate::Entries::new())),
            Some(Value::Map(map)) => map,
            Some(_) => return,
        };
        let from = match parent.get("global") {
            None => Vec::new(),
            Some(Value::Map(map)) => map.snapshot(),
            Some(_) => return,
        };
        for (key, value) in from {
            match (value, own.get(&key)) {
                (Value::Map(above), below) => {
                    // One level deep is a copy; what lies below stays shared with the parent.
                    let copy = Rc::new(Map::new(above.entries().clone()));
                    match below {
                        None => {
                            own.insert(key, Value::Map(copy));
                        }
                        Some(Value::Map(below)) => {
                            merge_tables(&copy, &below, Nulls::Keep, self.compat);
                            own.insert(key, Value::Map(copy));
                        }
                        Some(_) => {}
                    }
                }
                (_, Some(Value::Map(_))) => {}
                (value, _) => {
                    own.insert(key, value);
                }
            }
        }
        child.insert(Text::from_static("global"), Value::Map(own));
    }
}

/// Lays `src` under `dest`, which wins.
pub(crate) fn merge_tables(dest: &Rc<Map>, src: &Rc<Map>, nulls: Nulls, compat: Compat) {
    if Rc::ptr_eq(dest, src) {
        return;
    }
    for (key, below) in src.snapshot() {
        match dest.get(&key) {
            None => {
                dest.insert(key, below);
            }
            Some(Value::Nil) => {
                // Helm 4 lets a null stay that stands against a null.
                let stays = compat == Compat::Helm4 && below.is_nil();
                if nulls == Nulls::Delete && !stays {
                    dest.remove(&key);
                }
            }
            Some(Value::Map(above)) => {
                if let Value::Map(below) = below {
                    merge_tables(&above, &below, nulls, compat);
                }
            }
            Some(_) => {}
        }
    }
}

fn remove_nulls(map: &Rc<Map>) {
    for (key, value) in map.snapshot() {
        match value {
            Value::Nil => {
                map.remove(&key);
            }
            Value::Map(inner) => remove_nulls(&inner),
            _ => {}
        }
    }
}
