//! Which subcharts take part, under which name, and which of their values the parent imports.

use std::{cell::RefCell, rc::Rc};

use gotemplate::{Entries, Map, Text, Value};
use serde_json::{Value as Plain, json};

use crate::{
    Compat,
    metadata::Dependency,
    values::{
        coalesce::{Nulls, TypeMismatch, coalesce_values, merge_tables},
        tree::deep_copy,
    },
    version::in_range,
    working::WorkingChart,
};

/// Applies aliases, tags, conditions and imports to the whole tree.
pub(crate) fn process(
    chart: &mut WorkingChart,
    values: &Value,
    compat: Compat,
) -> Result<(), TypeMismatch> {
    enable(chart, values, "", compat)?;
    import_all(chart, compat)
}

fn enable(
    chart: &mut WorkingChart,
    values: &Value,
    path: &str,
    compat: Compat,
) -> Result<(), TypeMismatch> {
    if !chart.declares {
        return Ok(());
    }
    let mut wanted = chart.metadata.dependencies.clone();
    chart.dependencies = matched(chart, &wanted);
    for dependency in &mut wanted {
        if !dependency.alias.is_empty() {
            dependency.name.clone_from(&dependency.alias);
        }
        dependency.enabled = true;
    }
    let coalesced = coalesce_values(chart, values, Nulls::Delete, compat)?;
    apply_tags(&mut wanted, &coalesced);
    apply_conditions(&mut wanted, &coalesced, path);

    let disabled: Vec<String> = wanted
        .iter()
        .filter(|it| !it.enabled)
        .map(|it| it.name.clone())
        .collect();
    let stays = |name: &str| !disabled.iter().any(|it| it == name);
    chart.dependencies.retain(|child| stays(child.borrow().name()));
    wanted.retain(|it| stays(&it.name));

    let coalesced = Value::Map(coalesced);
    for child in &chart.dependencies {
        let mut child = child.borrow_mut();
        let below = format!("{path}{}.", child.name());
        enable(&mut child, &coalesced, &below, compat)?;
    }
    chart.declares = !wanted.is_empty();
    Rc::make_mut(&mut chart.metadata).dependencies = wanted;
    Ok(())
}

/// First the charts that Chart.yaml does not speak of, then those that it does, in its order.
fn matched(chart: &WorkingChart, wanted: &[Dependency]) -> Vec<Rc<RefCell<WorkingChart>>> {
    let fits = |child: &WorkingChart, wanted: &Dependency| {
        child.name() == wanted.name && in_range(&wanted.version, &child.metadata.version)
    };
    let mut found: Vec<_> = chart
        .dependencies
        .iter()
        .filter(|child| !wanted.iter().any(|it| fits(&child.borrow(), it)))
        .cloned()
        .collect();
    for dependency in wanted {
        let child = chart
            .dependencies
            .iter()
            .find(|child| fits(&child.borrow(), dependency));
        let Some(child) = child else { continue };
        let mut copy = child.borrow().separate();
        if !dependency.alias.is_empty() {
            Rc::make_mut(&mut copy.metadata).name.clone_from(&dependency.alias);
        }
        found.push(Rc::new(RefCell::new(copy)));
    }
    found
}

fn apply_tags(wanted: &mut [Dependency], values: &Map) {
    let Some(Value::Map(tags)) = values.get("tags") else {
        return;
    };
    for dependency in wanted {
        let flags: Vec<bool> = dependency
            .tags
            .iter()
            .filter_map(|tag| tags.get(tag).and_then(|it| it.as_bool()))
            .collect();
        dependency.enabled = flags.contains(&true) || flags.is_empty();
    }
}

fn apply_conditions(wanted: &mut [Dependency], values: &Rc<Map>, path: &str) {
    for dependency in wanted {
        for condition in dependency.condition.trim().split(',') {
            if condition.is_empty() {
                continue;
            }
            let found = path_value(values, &format!("{path}{condition}"));
            if let Some(Value::Bool(flag)) = found {
                dependency.enabled = flag;
                break;
            }
        }
    }
}

/// The value at a dotted path, unless it is a map.
pub(crate) fn path_value(values: &Rc<Map>, path: &str) -> Option<Value> {
    let (tables, key) = match path.rsplit_once('.') {
        Some((tables, key)) => (table(values, tables)?, key),
        None => (Rc::clone(values), path),
    };
    tables.get(key).filter(|it| !matches!(it, Value::Map(_)))
}

/// The map at a dotted path.
pub(crate) fn table(values: &Rc<Map>, path: &str) -> Option<Rc<Map>> {
    let mut table = Rc::clone(values);
    for key in path.split('.') {
        table = match table.get(key) {
            Some(Value::Map(inner)) => inner,
            _ => return None,
        };
    }
    Some(table)
}

fn import_all(chart: &mut WorkingChart, compat: Compat) -> Result<(), TypeMismatch> {
    for child in &chart.dependencies {
        import_all(&mut child.borrow_mut(), compat)?;
    }
    import(chart, compat)
}

fn import(chart: &mut WorkingChart, compat: Compat) -> Result<(), TypeMismatch> {
    if !chart.declares {
        return Ok(());
    }
    let nothing = Value::map(Entries::new());
    let values = coalesce_values(chart, &nothing, Nulls::Keep, compat)?;
    let imported = Rc::new(Map::new(Entries::new()));
    let metadata = Rc::make_mut(&mut chart.metadata);
    for dependency in &mut metadata.dependencies {
        let mut written = Vec::new();
        for import in &dependency.import_values {
            let (child, parent) = match import {
                Plain::String(name) => (format!("exports.{name}"), ".".to_owned()),
                Plain::Object(entries) => {
                    let shown = |key: &str| shown(entries.get(key));
                    (shown("child"), shown("parent"))
                }
                _ => continue,
            };
            written.push(json!({"child": child, "parent": parent}));
            let Some(found) = table(&values, &format!("{}.{child}", dependency.name)) else {
                continue;
            };
            let at_parent = match parent.as_str() {
                "." => found,
                path => nested(path, found),
            };
            merge_tables(&imported, &at_parent, Nulls::Keep, compat);
        }
        dependency.import_values = written;
    }
    let Value::Map(copy) = deep_copy(&Value::Map(values)) else {
        return Ok(());
    };
    merge_tables(&copy, &imported, Nulls::Keep, compat);
    chart.values = Value::Map(copy);
    Ok(())
}

/// Go's `%v` of a part of an import.
fn shown(value: Option<&Plain>) -> String {
    match value {
        None | Some(Plain::Null) => "<nil>".to_owned(),
        Some(Plain::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn nested(path: &str, inner: Rc<Map>) -> Rc<Map> {
    path.rsplit('.').fold(inner, |inner, key| {
        let entries = Entries::from([(Text::from(key), Value::Map(inner))]);
        Rc::new(Map::new(entries))
    })
}
