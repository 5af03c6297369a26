//! Go's built-in template functions.

mod compare;
mod escape;
mod index;

use crate::{
    error::FunctionError,
    exec::{Call, can_be_nil},
    function::{Answer, Builtin, Function, Signature},
    gotype::Type,
    text::Text,
    value::Value,
};

const ONE: Signature = Signature::new(&[Type::Reflect], Type::Reflect);
const TWO: Signature = Signature::new(&[Type::Reflect, Type::Reflect], Type::Bool);
const SOME: Signature = Signature::variadic(&[Type::Reflect, Type::Reflect], Type::Reflect);
const ANYS: Signature = Signature::variadic(&[Type::Any], Type::String);

/// All of them.
pub(crate) fn all() -> Vec<Function> {
    vec![
        Function::builtin(Builtin::And, "and", SOME, |_, _| Ok(Value::Nil)),
        Function::builtin(Builtin::Or, "or", SOME, |_, _| Ok(Value::Nil)),
        Function::builtin(Builtin::Call, "call", SOME, call_function),
        Function::builtin(Builtin::Len, "len", ONE, |_, arguments| {
            index::length(&arguments[0])
        }),
        Function::new("not", ONE, |_, arguments| {
            Ok(Value::Bool(!arguments[0].is_true()))
        }),
        Function::new("index", SOME, |_, arguments| {
            index::index(&arguments[0], &arguments[1..])
        }),
        Function::builtin(Builtin::Slice, "slice", SOME, |call, arguments| {
            index::slice(call, &arguments[0], &arguments[1..])
        }),
        Function::new("eq", SOME, |call, arguments| {
            compare::eq(call.options().dialect, arguments).map(Value::Bool)
        }),
        Function::new("ne", TWO, |call, arguments| {
            compare::eq(call.options().dialect, arguments).map(|eq| Value::Bool(!eq))
        }),
        Function::new("lt", TWO, |call, arguments| {
            compare::lt(call.options().dialect, arguments).map(Value::Bool)
        }),
        Function::new("le", TWO, |call, arguments| {
            compare::le(call.options().dialect, arguments).map(Value::Bool)
        }),
        Function::new("gt", TWO, |call, arguments| {
            compare::le(call.options().dialect, arguments).map(|le| Value::Bool(!le))
        }),
        Function::new("ge", TWO, |call, arguments| {
            compare::lt(call.options().dialect, arguments).map(|lt| Value::Bool(!lt))
        }),
        Function::new("print", ANYS, |call, arguments| {
            call.printed(|printer| printer.print(arguments))
                .map(Value::String)
        }),
        Function::new("println", ANYS, |call, arguments| {
            call.printed(|printer| printer.println(arguments))
                .map(Value::String)
        }),
        Function::builtin(
            Builtin::Printf,
            "printf",
            Signature::variadic(&[Type::String, Type::Any], Type::String),
            |call, arguments| {
                let format = arguments[0].as_text().map_or(&[][..], Text::as_bytes);
                call.printed(|printer| printer.printf(format, &arguments[1..]))
                    .map(Value::String)
            },
        ),
        Function::new("html", ANYS, |call, arguments| {
            escape::escape(call, arguments, escape::html)
        }),
        Function::new("js", ANYS, |call, arguments| {
            escape::escape(call, arguments, escape::js)
        }),
        Function::new("urlquery", ANYS, |call, arguments| {
            escape::escape(call, arguments, escape::url_query)
        }),
    ]
}

/// `call`: the first argument is the text of the callee, for errors.
fn call_function(call: &mut Call<'_>, arguments: &[Value]) -> Answer {
    let name = arguments[0].as_text().cloned().unwrap_or_default();
    match &arguments[1] {
        Value::Nil => Err("call of nil".into()),
        Value::Function(function) => apply_named(call, function, &name.to_str(), &arguments[2..]),
        other => Err(format!("non-function {name} of type {}", other.type_name()).into()),
    }
}

/// Calls a function value, its arguments checked against its signature.
pub(crate) fn apply(call: &mut Call<'_>, function: &Function, arguments: &[Value]) -> Answer {
    apply_named(call, function, function.name(), arguments)
}

fn apply_named(
    call: &mut Call<'_>,
    function: &Function,
    name: &str,
    arguments: &[Value],
) -> Answer {
    let signature = function.signature();
    let (given, params) = (arguments.len(), signature.params.len());
    if signature.variadic {
        if given < params - 1 {
            return Err(format!(
                "wrong number of args for {name}: got {given} want at least {}",
                params - 1
            )
            .into());
        }
    } else if given != params {
        return Err(format!("wrong number of args for {name}: got {given} want {params}").into());
    }
    let mut values = Vec::with_capacity(given);
    for (index, argument) in arguments.iter().enumerate() {
        let ty = signature.params[index.min(params - 1)];
        values.push(
            prepare(argument, ty)
                .map_err(|message| FunctionError::new(format!("arg {index}: {message}")))?,
        );
    }
    function.call(call, &values)
}

/// Fits an argument to a type, converting between integers.
fn prepare(value: &Value, ty: Type) -> Result<Value, String> {
    let Some(actual) = value.go_type() else {
        if can_be_nil(ty) {
            return Ok(Value::zero(ty));
        }
        return Err(format!("value is nil; should be of type {ty}"));
    };
    if matches!(ty, Type::Reflect) || actual.assignable_to(ty) {
        return Ok(value.clone());
    }
    let bits = value
        .as_signed()
        .or_else(|| value.as_unsigned().map(u64::cast_signed));
    bits.and_then(|bits| convert(bits, ty))
        .ok_or_else(|| format!("value has type {actual}; should be {ty}"))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as Go converts"
)]
fn convert(bits: i64, ty: Type) -> Option<Value> {
    Some(match ty {
        Type::Int => Value::Int(bits),
        Type::Int32 => Value::Int32(bits as i32),
        Type::Int64 => Value::Int64(bits),
        Type::Uint => Value::Uint(bits as u64),
        Type::Uint8 => Value::Uint8(bits as u8),
        Type::Uint32 => Value::Uint32(bits as u32),
        Type::Uint64 => Value::Uint64(bits as u64),
        _ => return None,
    })
}
