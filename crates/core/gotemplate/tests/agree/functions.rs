//! The functions that the referee has too.

use gotemplate::{
    ANY_LIST, ANY_MAP, Entries, FunctionError, Functions, STRING_LIST, Signature, Text, Type,
    Value, format,
};

pub fn all() -> Functions {
    let mut functions = Functions::builtins();
    let text = |value: &Value| {
        value
            .as_text()
            .expect("checked by the signature")
            .to_str()
            .into_owned()
    };
    functions
        .add(
            "upper",
            Signature::new(&[Type::String], Type::String).with_text("func(string) string"),
            move |_, arguments| Ok(text(&arguments[0]).to_uppercase().into()),
        )
        .add(
            "add",
            Signature::new(&[Type::Int, Type::Int], Type::Int).with_text("func(int, int) int"),
            |_, arguments| {
                let (a, b) = (
                    arguments[0].as_signed().unwrap_or(0),
                    arguments[1].as_signed().unwrap_or(0),
                );
                Ok(Value::Int(a.wrapping_add(b)))
            },
        )
        .add(
            "half",
            Signature::new(&[Type::Float64], Type::Float64).with_text("func(float64) float64"),
            |_, arguments| Ok(Value::Float64(arguments[0].as_float().unwrap_or(0.0) / 2.0)),
        )
        .add(
            "big",
            Signature::new(&[Type::Int64], Type::Int64).with_text("func(int64) int64"),
            |_, arguments| {
                Ok(Value::Int64(
                    arguments[0].as_signed().unwrap_or(0).wrapping_mul(3),
                ))
            },
        )
        .add(
            "byte",
            Signature::new(&[Type::Uint8], Type::Uint8).with_text("func(uint8) uint8"),
            |_, arguments| Ok(arguments[0].clone()),
        )
        .add(
            "yes",
            Signature::new(&[Type::Bool], Type::String).with_text("func(bool) string"),
            |_, arguments| Ok(format!("yes {}", arguments[0].is_true()).into()),
        )
        .add(
            "list",
            Signature::variadic(&[Type::Any], ANY_LIST)
                .with_text("func(...interface {}) []interface {}"),
            |_, arguments| {
                if arguments.is_empty() {
                    return Ok(Value::zero(ANY_LIST));
                }
                Ok(Value::list(arguments.to_vec()))
            },
        )
        .add(
            "count",
            Signature::new(&[STRING_LIST], Type::Int).with_text("func([]string) int"),
            |_, arguments| {
                Ok(Value::Int(
                    i64::try_from(arguments[0].as_list().map_or(0, |list| list.len())).unwrap_or(0),
                ))
            },
        )
        .add(
            "size",
            Signature::new(&[ANY_MAP], Type::Int).with_text("func(map[string]interface {}) int"),
            |_, arguments| {
                Ok(Value::Int(
                    i64::try_from(arguments[0].as_map().map_or(0, |map| map.len())).unwrap_or(0),
                ))
            },
        )
        .add(
            "sum",
            Signature::variadic(&[Type::String, Type::Int], Type::String)
                .with_text("func(string, ...int) string"),
            |_, arguments| {
                let numbers = Value::typed_list(gotemplate::INT_LIST, arguments[1..].to_vec());
                Ok(Value::String(format::sprint(&[
                    arguments[0].clone(),
                    numbers,
                ])))
            },
        )
        .add(
            "same",
            Signature::new(&[Type::Any], Type::Any).with_text("func(interface {}) interface {}"),
            |_, arguments| Ok(arguments[0].clone()),
        )
        .add(
            "none",
            Signature::new(&[], Type::Any).with_text("func() interface {}"),
            |_, _| Ok(Value::Nil),
        )
        .add(
            "fail",
            Signature::new(&[Type::String], Type::String).with_text("func(string) (string, error)"),
            move |_, arguments| Err(text(&arguments[0]).into()),
        )
        .add(
            "wrap",
            Signature::new(&[Type::String], Type::String).with_text("func(string) (string, error)"),
            move |_, arguments| {
                let inner = FunctionError::new(text(&arguments[0]));
                Err(FunctionError::wrap(format!("wrapped: {inner}"), inner))
            },
        )
        .add(
            "kind",
            Signature::new(&[Type::Any], Type::String).with_text("func(interface {}) string"),
            |_, arguments| Ok(arguments[0].type_name().into_owned().into()),
        )
        .add(
            "dict",
            Signature::variadic(&[Type::Any], ANY_MAP)
                .with_text("func(...interface {}) map[string]interface {}"),
            |_, arguments| {
                let mut entries = Entries::new();
                for pair in arguments.chunks_exact(2) {
                    entries.insert(format::sprint(&pair[..1]), pair[1].clone());
                }
                Ok(Value::map(entries))
            },
        )
        .add(
            "include",
            Signature::new(&[Type::String, Type::Any], Type::String),
            |call, arguments| {
                let name: Text = arguments[0].as_text().cloned().unwrap_or_default();
                Ok(Value::String(call.execute(&name.to_str(), &arguments[1])?))
            },
        );
    functions
}
