//! Lists. None of these functions changes the list it gets.

use gotemplate::{ANY_LIST, Answer, FunctionError, Functions, Signature, Type, Value};

use crate::{
    arguments::{NIL_POINTER, any, elements, integer, list_or, room_for},
    cast,
    default::is_empty,
};

pub(crate) fn add(all: &mut Functions) {
    add_making(all);
    add_ends(all);
    add_choosing(all);
    add_cutting(all);
}

fn each(all: &mut Functions, names: &[&str], signature: Signature, body: fn(&[Value]) -> Answer) {
    for name in names {
        all.add(name, signature, move |call, arguments| {
            let answer = body(arguments)?;
            if let Value::List(list) = &answer {
                room_for(call, list.len())?;
            }
            Ok(answer)
        });
    }
}

fn add_making(all: &mut Functions) {
    let made = Signature::variadic(&[Type::Any], ANY_LIST);
    each(all, &["list", "tuple"], made, |arguments| {
        Ok(match arguments {
            // Go passes no arguments as a nil slice, yet reflection makes an empty one of it.
            [] => Value::list(Vec::new()),
            _ => Value::list(arguments.to_vec()),
        })
    });
    let two = Signature::new(&[Type::Any, Type::Any], ANY_LIST);
    each(
        all,
        &["append", "push", "mustAppend", "mustPush"],
        two,
        |arguments| {
            let mut items = list_or(any(arguments, 0), "Cannot push on type")?.into_owned();
            items.push(any(arguments, 1).clone());
            Ok(Value::list(items))
        },
    );
    each(all, &["prepend", "mustPrepend"], two, |arguments| {
        let mut items = vec![any(arguments, 1).clone()];
        items.extend_from_slice(&list_or(any(arguments, 0), "Cannot prepend on type")?);
        Ok(Value::list(items))
    });
    let joined = Signature::variadic(&[Type::Any], Type::Any);
    each(all, &["concat"], joined, |arguments| {
        let mut items = Vec::new();
        for list in arguments {
            let Some(more) = elements(list) else {
                return Err(match list.is_nil() {
                    true => FunctionError::new(NIL_POINTER),
                    false => format!("Cannot concat type {} as list", list.kind().name()).into(),
                });
            };
            items.extend_from_slice(&more);
        }
        Ok(match items.is_empty() {
            true => Value::zero(ANY_LIST),
            false => Value::list(items),
        })
    });
}

fn add_ends(all: &mut Functions) {
    let one = Signature::new(&[Type::Any], Type::Any);
    let some = Signature::new(&[Type::Any], ANY_LIST);
    each(all, &["first", "mustFirst"], one, |arguments| {
        let items = list_or(any(arguments, 0), "Cannot find first on type")?;
        Ok(items.first().cloned().unwrap_or_default())
    });
    each(all, &["last", "mustLast"], one, |arguments| {
        let items = list_or(any(arguments, 0), "Cannot find last on type")?;
        Ok(items.last().cloned().unwrap_or_default())
    });
    each(all, &["rest", "mustRest"], some, |arguments| {
        let items = list_or(any(arguments, 0), "Cannot find rest on type")?;
        Ok(match items.split_first() {
            Some((_, rest)) => Value::list(rest.to_vec()),
            None => Value::zero(ANY_LIST),
        })
    });
    each(all, &["initial", "mustInitial"], some, |arguments| {
        let items = list_or(any(arguments, 0), "Cannot find initial on type")?;
        Ok(match items.split_last() {
            Some((_, initial)) => Value::list(initial.to_vec()),
            None => Value::zero(ANY_LIST),
        })
    });
    each(all, &["reverse", "mustReverse"], some, |arguments| {
        let items = list_or(any(arguments, 0), "Cannot find reverse on type")?;
        Ok(Value::list(items.iter().rev().cloned().collect()))
    });
}

fn add_choosing(all: &mut Functions) {
    let some = Signature::new(&[Type::Any], ANY_LIST);
    each(all, &["compact", "mustCompact"], some, |arguments| {
        let items = list_or(any(arguments, 0), "Cannot compact on type")?;
        let kept = items.iter().filter(|it| !is_empty(it));
        Ok(Value::list(kept.cloned().collect()))
    });
    each(all, &["uniq", "mustUniq"], some, |arguments| {
        let items = list_or(any(arguments, 0), "Cannot find uniq on type")?;
        Ok(Value::list(unique(&items)))
    });
    let less = Signature::variadic(&[Type::Any, Type::Any], ANY_LIST);
    each(all, &["without", "mustWithout"], less, |arguments| {
        let items = list_or(any(arguments, 0), "Cannot find without on type")?;
        let omitted = arguments.get(1..).unwrap_or_default();
        let kept = items.iter().filter(|it| !contains(omitted, it));
        Ok(Value::list(kept.cloned().collect()))
    });
    let asked = Signature::new(&[Type::Any, Type::Any], Type::Bool);
    each(all, &["has", "mustHas"], asked, |arguments| {
        let haystack = any(arguments, 1);
        if haystack.is_nil() {
            return Ok(Value::FALSE);
        }
        let items = list_or(haystack, "Cannot find has on type")?;
        Ok(Value::Bool(contains(&items, any(arguments, 0))))
    });
}

fn contains(items: &[Value], wanted: &Value) -> bool {
    items.iter().any(|it| it.deep_equal(wanted))
}

fn unique(items: &[Value]) -> Vec<Value> {
    // Lists of texts alone are long at times; those need no comparison of each with each.
    if let Some(texts) = items.iter().map(Value::as_text).collect::<Option<Vec<_>>>() {
        let mut seen = std::collections::HashSet::new();
        return items
            .iter()
            .zip(texts)
            .filter(|(_, text)| seen.insert(*text))
            .map(|(item, _)| item.clone())
            .collect();
    }
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        if !contains(&kept, item) {
            kept.push(item.clone());
        }
    }
    kept
}

fn add_cutting(all: &mut Functions) {
    let cut = Signature::variadic(&[Type::Any, Type::Any], Type::Any);
    each(all, &["slice", "mustSlice"], cut, |arguments| {
        let list = any(arguments, 0);
        let items = list_or(list, "list should be type of slice or array but")?;
        if items.is_empty() {
            return Ok(Value::Nil);
        }
        let bound = |at: usize| arguments.get(at).map(cast::integer);
        let start = bound(1).unwrap_or(0);
        let end = bound(2).unwrap_or_else(|| i64::try_from(items.len()).unwrap_or(i64::MAX));
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let Some(part) = range.and_then(|(start, end)| items.get(start..end)) else {
            return Err("reflect.Value.Slice: slice index out of bounds".into());
        };
        Ok(match list {
            Value::List(list) => Value::typed_list(list.go_type(), part.to_vec()),
            _ => Value::Bytes(
                part.iter()
                    .filter_map(|it| u8::try_from(it.as_unsigned()?).ok())
                    .collect(),
            ),
        })
    });
    let chunked = Signature::new(&[Type::Int, Type::Any], Type::List(&ANY_LIST));
    each(all, &["chunk", "mustChunk"], chunked, |arguments| {
        let items = list_or(any(arguments, 1), "Cannot chunk type")?;
        let Some(size) = usize::try_from(integer(arguments, 0))
            .ok()
            .filter(|it| *it > 0)
        else {
            return Err("runtime error: makeslice: len out of range".into());
        };
        let chunks = items.chunks(size).map(|it| Value::list(it.to_vec()));
        Ok(Value::typed_list(Type::List(&ANY_LIST), chunks.collect()))
    });
}
