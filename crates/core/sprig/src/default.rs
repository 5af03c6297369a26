//! Defaults and choices: what counts as empty, and what to take instead.

use gotemplate::{FunctionError, Functions, Kind, Signature, Type, Value};

use crate::arguments::any;

pub(crate) fn add(all: &mut Functions) {
    let any_of = Signature::variadic(&[Type::Any], Type::Any);
    all.add(
        "default",
        Signature::variadic(&[Type::Any, Type::Any], Type::Any),
        |_, arguments| match arguments {
            [_, given, ..] if !is_empty(given) => Ok(given.clone()),
            _ => Ok(any(arguments, 0).clone()),
        },
    );
    all.add(
        "empty",
        Signature::new(&[Type::Any], Type::Bool),
        |_, arguments| Ok(Value::Bool(is_empty(any(arguments, 0)))),
    );
    all.add("coalesce", any_of, |_, arguments| {
        let first = arguments.iter().find(|it| !is_empty(it));
        Ok(first.cloned().unwrap_or_default())
    });
    let judged = Signature::variadic(&[Type::Any], Type::Bool);
    all.add("all", judged, |_, arguments| {
        Ok(Value::Bool(!arguments.iter().any(is_empty)))
    });
    all.add("any", judged, |_, arguments| {
        Ok(Value::Bool(!arguments.iter().all(is_empty)))
    });
    all.add(
        "ternary",
        Signature::new(&[Type::Any, Type::Any, Type::Bool], Type::Any),
        |_, arguments| {
            let chosen = usize::from(!any(arguments, 2).is_true());
            Ok(any(arguments, chosen).clone())
        },
    );
    all.add("hello", Signature::new(&[], Type::String), |_, _| {
        Ok(Value::text("Hello!"))
    });
    // Names are never looked up: a render must not depend on the network.
    all.add(
        "getHostByName",
        Signature::new(&[Type::String], Type::String),
        |_, _| Ok(Value::text("")),
    );
    for name in ["deepCopy", "mustDeepCopy"] {
        all.add(
            name,
            Signature::new(&[Type::Any], Type::Any),
            |call, arguments| {
                let copied = any(arguments, 0);
                if copied.is_nil() {
                    return Err(FunctionError::new(crate::convert::NO_TYPE));
                }
                crate::dict::deep_copy(call, copied)
            },
        );
    }
}

/// Zero, false, nothing, or a collection without elements. Structs never are.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(object) => match object.kind() {
            Kind::Struct | Kind::Pointer => false,
            _ => !value.is_true(),
        },
        _ => !value.is_true(),
    }
}
