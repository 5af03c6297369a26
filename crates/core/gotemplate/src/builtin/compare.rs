//! `eq`, `lt` and their kin: kinds must agree, but for the sign of integers.

use std::cmp::Ordering;

use crate::{error::FunctionError, exec::Dialect, format, gotype::Kind, value::Value};

/// What Go calls a basic kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Basic {
    Bool,
    Complex,
    Int,
    Float,
    String,
    Uint,
    None,
}

fn basic(value: &Value) -> Basic {
    match value.kind() {
        Kind::Bool => Basic::Bool,
        Kind::Int | Kind::Int32 | Kind::Int64 => Basic::Int,
        Kind::Uint | Kind::Uint8 | Kind::Uint32 | Kind::Uint64 => Basic::Uint,
        Kind::Float32 | Kind::Float64 => Basic::Float,
        Kind::Complex128 => Basic::Complex,
        Kind::String => Basic::String,
        Kind::Invalid
        | Kind::Slice
        | Kind::Map
        | Kind::Struct
        | Kind::Pointer
        | Kind::Func
        | Kind::Interface => Basic::None,
    }
}

fn incompatible(dialect: Dialect, a: &Value, b: &Value) -> FunctionError {
    match dialect {
        Dialect::Go127 => format!(
            "incompatible types for comparison: {} and {}",
            type_of(a),
            type_of(b)
        )
        .into(),
        Dialect::Go124 => "incompatible types for comparison".into(),
    }
}

fn type_of(value: &Value) -> String {
    value.type_name().into_owned()
}

/// Whether the first argument equals any of the others.
pub(super) fn eq(dialect: Dialect, arguments: &[Value]) -> Result<bool, FunctionError> {
    let [first, others @ ..] = arguments else {
        return Err("missing argument for comparison".into());
    };
    if others.is_empty() {
        return Err("missing argument for comparison".into());
    }
    for other in others {
        if eq_one(dialect, first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn eq_one(dialect: Dialect, a: &Value, b: &Value) -> Result<bool, FunctionError> {
    // Strings by far most often.
    if let (Value::String(a), Value::String(b)) = (a, b) {
        return Ok(a == b);
    }
    let kinds = (basic(a), basic(b));
    match kinds {
        (Basic::Int, Basic::Uint) | (Basic::Uint, Basic::Int) => Ok(integer(a) == integer(b)),
        (Basic::None, Basic::None) => eq_other(a, b),
        (x, y) if x != y => {
            if a.is_nil() || b.is_nil() {
                Ok(false)
            } else {
                Err(incompatible(dialect, a, b))
            }
        }
        (Basic::Int | Basic::Uint, _) => Ok(integer(a) == integer(b)),
        (Basic::Float, _) => Ok(a.as_float() == b.as_float()),
        _ => Ok(plain(a).shallow_equal(&plain(b))),
    }
}

/// The value without the name of its type.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(object) => object.underlying().unwrap_or_else(|| value.clone()),
        _ => value.clone(),
    }
}

fn eq_other(a: &Value, b: &Value) -> Result<bool, FunctionError> {
    let (kind_a, kind_b) = (a.kind(), b.kind());
    if kind_a != kind_b && !a.is_nil() && !b.is_nil() {
        // Go's own text mixes up values and types.
        let values = [
            a.clone(),
            Value::from(type_of(a)),
            Value::from(type_of(b)),
            b.clone(),
        ];
        return Err(FunctionError::new(
            format::sprintf("non-comparable types %s: %v, %s: %v", &values).to_str(),
        ));
    }
    if a.is_nil_or_nil_container() || b.is_nil_or_nil_container() {
        return Ok(a.is_nil_or_nil_container() == b.is_nil_or_nil_container());
    }
    let comparable = match b {
        Value::Object(object) => object.is_comparable(),
        _ => !matches!(kind_b, Kind::Slice | Kind::Map | Kind::Func),
    };
    if !comparable {
        let values = [b.clone(), Value::from(type_of(b))];
        return Err(FunctionError::new(
            format::sprintf("non-comparable type %s: %v", &values).to_str(),
        ));
    }
    Ok(a.shallow_equal(b))
}

/// An integer of either sign.
fn integer(value: &Value) -> i128 {
    match (value.as_signed(), value.as_unsigned()) {
        (Some(signed), _) => i128::from(signed),
        (None, Some(unsigned)) => i128::from(unsigned),
        (None, None) => 0,
    }
}

/// Whether the first argument is less than the second.
pub(super) fn lt(dialect: Dialect, arguments: &[Value]) -> Result<bool, FunctionError> {
    Ok(order(dialect, arguments)? == Some(Ordering::Less))
}

/// Whether the first argument is less than or equal to the second.
pub(super) fn le(dialect: Dialect, arguments: &[Value]) -> Result<bool, FunctionError> {
    Ok(matches!(
        order(dialect, arguments)?,
        Some(Ordering::Less | Ordering::Equal)
    ))
}

/// `None` where a float is not a number.
fn order(dialect: Dialect, arguments: &[Value]) -> Result<Option<Ordering>, FunctionError> {
    let [a, b] = arguments else {
        return Err("missing argument for comparison".into());
    };
    let (kind_a, kind_b) = (basic(a), basic(b));
    if kind_a == Basic::None || kind_b == Basic::None {
        return Err("invalid type for comparison".into());
    }
    match (kind_a, kind_b) {
        (Basic::Int | Basic::Uint, Basic::Int | Basic::Uint) => {
            Ok(Some(integer(a).cmp(&integer(b))))
        }
        (x, y) if x != y => Err(incompatible(dialect, a, b)),
        (Basic::Float, _) => Ok(a.as_float().partial_cmp(&b.as_float())),
        (Basic::String, _) => match (&plain(a), &plain(b)) {
            (Value::String(a), Value::String(b)) => Ok(Some(a.cmp(b))),
            _ => Err("invalid type for comparison".into()),
        },
        _ => Err("invalid type for comparison".into()),
    }
}
