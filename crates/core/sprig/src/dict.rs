//! Maps: making, reading, changing and copying them. All who hold a map see its changes.

use std::collections::HashSet;

use gotemplate::{
    ANY_LIST, ANY_MAP, Answer, Call, Entries, FunctionError, Functions, STRING_LIST, Signature,
    Text, Type, Value,
};

use crate::{
    arguments::{any, map, room_for, text},
    merge::{self, Overwrite},
    show,
};

pub(crate) fn add(all: &mut Functions) {
    add_making(all);
    add_reading(all);
    add_changing(all);
}

fn add_making(all: &mut Functions) {
    all.add(
        "dict",
        Signature::variadic(&[Type::Any], ANY_MAP),
        |call, arguments| {
            room_for(call, arguments.len())?;
            let pairs = arguments.chunks(2).map(|pair| match pair {
                [key, value] => (show::show(key), value.clone()),
                [key, ..] => (show::show(key), Value::text("")),
                [] => (Text::EMPTY, Value::Nil),
            });
            Ok(Value::map(pairs.collect()))
        },
    );
    let chosen = Signature::variadic(&[ANY_MAP, Type::String], ANY_MAP);
    all.add("pick", chosen, |call, arguments| {
        let mut picked = Entries::new();
        if let Some(map) = map(arguments, 0) {
            for key in arguments.iter().skip(1).filter_map(Value::as_text) {
                if let Some(value) = map.get(key) {
                    picked.insert(key.clone(), value);
                }
            }
        }
        room_for(call, picked.len())?;
        Ok(Value::map(picked))
    });
    all.add("omit", chosen, |call, arguments| {
        let omitted: Vec<&Text> = arguments
            .iter()
            .skip(1)
            .filter_map(Value::as_text)
            .collect();
        let mut kept = Entries::new();
        if let Some(map) = map(arguments, 0) {
            let entries = map.entries();
            let entries = entries.iter().filter(|(key, _)| !omitted.contains(key));
            kept.extend(entries.map(|(key, value)| (key.clone(), value.clone())));
        }
        room_for(call, kept.len())?;
        Ok(Value::map(kept))
    });
}

fn add_reading(all: &mut Functions) {
    all.add(
        "get",
        Signature::new(&[ANY_MAP, Type::String], Type::Any),
        |_, arguments| {
            let found = map(arguments, 0).and_then(|it| it.get(text(arguments, 1)));
            Ok(found.unwrap_or(Value::text("")))
        },
    );
    all.add(
        "hasKey",
        Signature::new(&[ANY_MAP, Type::String], Type::Bool),
        |_, arguments| {
            let found = map(arguments, 0).is_some_and(|it| it.contains(text(arguments, 1)));
            Ok(Value::Bool(found))
        },
    );
    all.add(
        "pluck",
        Signature::variadic(&[Type::String, ANY_MAP], ANY_LIST),
        |_, arguments| {
            let maps = arguments.iter().skip(1).filter_map(Value::as_map);
            let found = maps.filter_map(|it| it.get(text(arguments, 0)));
            Ok(Value::list(found.collect()))
        },
    );
    // Go gives keys and values in an order of chance; ours is that of the keys.
    all.add(
        "keys",
        Signature::variadic(&[ANY_MAP], STRING_LIST),
        |call, arguments| {
            let mut keys: Vec<Text> = Vec::new();
            for map in arguments.iter().filter_map(Value::as_map) {
                keys.extend(map.entries().keys().cloned());
            }
            room_for(call, keys.len())?;
            Ok(Value::strings(keys))
        },
    );
    all.add(
        "values",
        Signature::new(&[ANY_MAP], ANY_LIST),
        |call, arguments| {
            let values = map(arguments, 0).map(|it| it.entries().values().cloned().collect());
            let values: Vec<Value> = values.unwrap_or_default();
            room_for(call, values.len())?;
            Ok(Value::list(values))
        },
    );
    all.add(
        "dig",
        Signature::variadic(&[Type::Any], Type::Any),
        |_, arguments| dig(arguments),
    );
}

fn dig(arguments: &[Value]) -> Answer {
    let [keys @ .., default, start] = arguments else {
        return Err("dig needs at least three arguments".into());
    };
    if keys.is_empty() {
        return Err("dig needs at least three arguments".into());
    }
    let mut names = Vec::new();
    let mut step = start.clone();
    checked_map(&step)?;
    for key in keys {
        names.push(key.as_text().ok_or_else(|| wrong_type(key, "string"))?);
    }
    for name in names {
        let Some(next) = checked_map(&step)?.get(name) else {
            return Ok(default.clone());
        };
        step = next;
    }
    Ok(step)
}

/// Only the very type will do: a named map is another one.
fn checked_map(value: &Value) -> Result<&gotemplate::Map, FunctionError> {
    match value {
        Value::Map(map) if map.go_type() == ANY_MAP => Ok(map),
        _ => Err(wrong_type(value, "map[string]interface {}")),
    }
}

fn wrong_type(value: &Value, wanted: &str) -> FunctionError {
    let found = match value.is_nil() {
        true => "nil".into(),
        false => value.type_name(),
    };
    FunctionError::new(format!(
        "interface conversion: interface {{}} is {found}, not {wanted}"
    ))
}

fn add_changing(all: &mut Functions) {
    all.add(
        "set",
        Signature::new(&[ANY_MAP, Type::String, Type::Any], ANY_MAP),
        |call, arguments| {
            let Some(map) = map(arguments, 0).filter(|it| !it.is_nil()) else {
                return Err("assignment to entry in nil map".into());
            };
            room_for(call, 1)?;
            map.insert(text(arguments, 1).clone(), any(arguments, 2).clone());
            Ok(any(arguments, 0).clone())
        },
    );
    all.add(
        "unset",
        Signature::new(&[ANY_MAP, Type::String], ANY_MAP),
        |_, arguments| {
            if let Some(map) = map(arguments, 0) {
                map.remove(text(arguments, 1));
            }
            Ok(any(arguments, 0).clone())
        },
    );
    for (name, overwrite) in [
        ("merge", Overwrite::No),
        ("mustMerge", Overwrite::No),
        ("mergeOverwrite", Overwrite::Yes),
        ("mustMergeOverwrite", Overwrite::Yes),
    ] {
        all.add(
            name,
            Signature::variadic(&[ANY_MAP, ANY_MAP], Type::Any),
            move |call, arguments| merge_all(call, arguments, overwrite),
        );
    }
}

fn merge_all(call: &mut Call<'_>, arguments: &[Value], overwrite: Overwrite) -> Answer {
    let Some(first) = map(arguments, 0) else {
        return Ok(Value::Nil);
    };
    let mut target = first.clone();
    for source in arguments.iter().skip(1).filter_map(Value::as_map) {
        if target.is_nil() && !source.is_nil() {
            target = gotemplate::Map::typed(target.go_type(), Entries::new()).into();
        }
        merge::merge(call, &target, source, overwrite)?;
    }
    Ok(Value::Map(target))
}

/// A copy that shares nothing that can change.
pub(crate) fn deep_copy(call: &mut Call<'_>, value: &Value) -> Answer {
    Copier {
        call,
        inside: HashSet::new(),
    }
    .copy(value)
}

struct Copier<'a, 'b> {
    call: &'a mut Call<'b>,
    /// Maps on the way from the root: a map that holds itself has no end.
    inside: HashSet<*const gotemplate::Map>,
}

impl Copier<'_, '_> {
    fn copy(&mut self, value: &Value) -> Answer {
        match value {
            Value::Map(map) if !map.is_nil() => {
                let address = std::rc::Rc::as_ptr(map);
                if !self.inside.insert(address) || self.inside.len() > crate::yaml_text::DEPTH_MAX {
                    return Err("deepCopy error: the map contains itself".into());
                }
                let snapshot = map.snapshot();
                room_for(self.call, snapshot.len())?;
                let mut entries = Entries::new();
                for (key, value) in snapshot {
                    entries.insert(key, self.copy(&value)?);
                }
                self.inside.remove(&address);
                Ok(Value::typed_map(map.go_type(), entries))
            }
            Value::List(list) if !list.is_nil() => {
                room_for(self.call, list.len())?;
                let items: Result<Vec<Value>, _> = list.iter().map(|it| self.copy(it)).collect();
                Ok(Value::typed_list(list.go_type(), items?))
            }
            _ => Ok(value.clone()),
        }
    }
}
