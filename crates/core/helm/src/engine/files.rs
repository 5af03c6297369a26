//! `.Files`: the files of a chart that are no templates.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use gotemplate::{
    Answer, BYTES, Call, Entries, FunctionError, Method, Named, STRING_LIST, Signature, Text, Type,
    Value,
};

use crate::{Compat, chart::ChartFile, load::Glob};

/// Go's type of `.Files`; its methods differ in one.
fn files_type(compat: Compat) -> Type {
    static HELM4: Named = Named {
        name: "engine.files",
        underlying: Type::Map(&BYTES),
        methods: &methods(lines),
    };
    static HELM3: Named = Named {
        name: "engine.files",
        underlying: Type::Map(&BYTES),
        methods: &methods(lines_of_full_files),
    };
    Type::Named(match compat {
        Compat::Helm4 => &HELM4,
        Compat::Helm3 => &HELM3,
    })
}

type Body = fn(&mut Call<'_>, &Value, &[Value]) -> Answer;

const fn methods(lines: Body) -> [Method; 6] {
    [
    Method {
        name: "Get",
        signature: Signature::new(&[Type::String], Type::String),
        call: get,
    },
    Method {
        name: "GetBytes",
        signature: Signature::new(&[Type::String], BYTES),
        call: get_bytes,
    },
    Method {
        name: "Glob",
        // Its own type cannot be named here: it is made of these methods.
        signature: Signature::new(&[Type::String], Type::Map(&BYTES)),
        call: glob,
    },
    Method {
        name: "AsConfig",
        signature: Signature::new(&[], Type::String),
        call: as_config,
    },
    Method {
        name: "AsSecrets",
        signature: Signature::new(&[], Type::String),
        call: as_secrets,
    },
    Method {
        name: "Lines",
        signature: Signature::new(&[Type::String], STRING_LIST),
        call: lines,
    },
]
}

/// The `.Files` of a chart.
pub(super) fn files(files: &[ChartFile], compat: Compat) -> Value {
    let entries = files.iter().map(|file| {
        let bytes = Value::Bytes(file.data.as_ref().into());
        (Text::from(file.name.as_str()), bytes)
    });
    Value::typed_map(files_type(compat), entries.collect())
}

fn bytes(receiver: &Value, arguments: &[Value]) -> Option<Value> {
    let name = arguments.first().and_then(Value::as_text)?;
    receiver.as_map()?.get(name)
}

fn get(_: &mut Call<'_>, receiver: &Value, arguments: &[Value]) -> Answer {
    Ok(match bytes(receiver, arguments) {
        Some(Value::Bytes(bytes)) => Value::String(Text::from_bytes(&bytes)),
        _ => Value::text(""),
    })
}

fn get_bytes(_: &mut Call<'_>, receiver: &Value, arguments: &[Value]) -> Answer {
    Ok(bytes(receiver, arguments).unwrap_or_else(|| Value::Bytes([].into())))
}

fn glob(_: &mut Call<'_>, receiver: &Value, arguments: &[Value]) -> Answer {
    let pattern = arguments.first().and_then(Value::as_text);
    let glob = Glob::new(&pattern.map(|it| it.to_str()).unwrap_or_default());
    let mut found = Entries::new();
    if let Some(map) = receiver.as_map() {
        for (name, bytes) in map.entries().iter() {
            if glob.matches(&name.to_str()) {
                found.insert(name.clone(), bytes.clone());
            }
        }
    }
    let ty = receiver.go_type().unwrap_or(Type::Map(&BYTES));
    Ok(Value::typed_map(ty, found))
}

fn as_config(_: &mut Call<'_>, receiver: &Value, _: &[Value]) -> Answer {
    Ok(by_base_name(receiver, |bytes| Value::String(Text::from_bytes(bytes))))
}

fn as_secrets(_: &mut Call<'_>, receiver: &Value, _: &[Value]) -> Answer {
    Ok(by_base_name(receiver, |bytes| BASE64_STANDARD.encode(bytes).into()))
}

/// YAML of the files, each under the last part of its path.
fn by_base_name(receiver: &Value, show: impl Fn(&[u8]) -> Value) -> Value {
    let mut found = Entries::new();
    if let Some(map) = receiver.as_map() {
        for (name, value) in map.entries().iter() {
            if let Value::Bytes(bytes) = value {
                let name = name.to_str();
                found.insert(Text::from(files::file_name(&name)), show(bytes));
            }
        }
    }
    Value::from(sprig::to_yaml(&Value::map(found)).unwrap_or_default())
}

fn lines(_: &mut Call<'_>, receiver: &Value, arguments: &[Value]) -> Answer {
    let Some(Value::Bytes(bytes)) = bytes(receiver, arguments) else {
        return Ok(Value::strings(Vec::<Text>::new()));
    };
    if bytes.is_empty() {
        return Ok(Value::strings(Vec::<Text>::new()));
    }
    let whole = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let lines = whole.split(|byte| *byte == b'\n');
    Ok(Value::strings(lines.map(Text::from_bytes)))
}

/// Helm 3 looks at the last byte of a file without asking whether there is one.
fn lines_of_full_files(call: &mut Call<'_>, receiver: &Value, arguments: &[Value]) -> Answer {
    match bytes(receiver, arguments) {
        Some(Value::Bytes(bytes)) if bytes.is_empty() => {
            Err(FunctionError::new("runtime error: index out of range [-1]"))
        }
        _ => lines(call, receiver, arguments),
    }
}
