//! Values with their Go kinds, as the referee gets them and as our templates do.

use gotemplate::{
    Answer, Call, Entries, Kind, List, Map, Method, Named, Object, STRING_LIST, STRING_MAP,
    Signature, Text, Type, Value,
};
use serde_json::{Value as Json, json};

/// A value to be built on both sides.
#[derive(Clone, Debug)]
pub enum Data {
    Nil,
    Bool(bool),
    Int(&'static str, i128),
    Float32(f32),
    Float64(f64),
    Complex(f64, f64),
    String(Vec<u8>),
    Bytes(Vec<u8>),
    List(Element, Vec<Data>),
    Map(Element, Vec<(String, Data)>),
    Server(String),
    Pointer(String),
    Level(i64),
    Function(&'static str),
}

/// The element type of a list or map, or what is special about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    Any,
    String,
    Int,
    /// A nil list or map.
    Nil,
    /// The named map.
    Values,
}

impl Element {
    fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::String => "string",
            Self::Int => "int",
            Self::Nil => "nil",
            Self::Values => "Values",
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Data {
    pub fn text(text: &str) -> Self {
        Self::String(text.as_bytes().to_vec())
    }

    pub fn map<const N: usize>(entries: [(&str, Data); N]) -> Self {
        Self::Map(
            Element::Any,
            entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }

    /// For the referee.
    pub fn json(&self) -> Json {
        match self {
            Self::Nil => json!({"k": "nil"}),
            Self::Bool(value) => json!({"k": "bool", "v": value.to_string()}),
            Self::Int(kind, value) => json!({"k": kind, "v": value.to_string()}),
            Self::Float32(value) => json!({"k": "float32", "v": float_text(f64::from(*value))}),
            Self::Float64(value) => json!({"k": "float64", "v": float_text(*value)}),
            Self::Complex(re, im) => {
                json!({"k": "complex128", "v": float_text(*re), "t": float_text(*im)})
            }
            Self::String(bytes) => json!({"k": "string", "v": hex(bytes)}),
            Self::Bytes(bytes) => json!({"k": "bytes", "v": hex(bytes)}),
            Self::List(element, items) => {
                json!({"k": "list", "t": element.name(), "i": items.iter().map(Self::json).collect::<Vec<_>>()})
            }
            Self::Map(element, entries) => {
                let entries: Vec<Json> = entries
                    .iter()
                    .map(|(key, value)| json!({"k": key, "v": value.json()}))
                    .collect();
                json!({"k": "map", "t": element.name(), "e": entries})
            }
            Self::Server(name) => json!({"k": "server", "v": name}),
            Self::Pointer(name) => json!({"k": "pointer", "v": name}),
            Self::Level(level) => json!({"k": "level", "v": level.to_string()}),
            Self::Function(name) => json!({"k": "func", "v": name}),
        }
    }

    /// For our templates.
    pub fn value(&self) -> Value {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(kind, value) => integer(kind, *value),
            Self::Float32(value) => Value::Float32(*value),
            Self::Float64(value) => Value::Float64(*value),
            Self::Complex(re, im) => Value::Complex128(*re, *im),
            Self::String(bytes) => Value::String(Text::from_bytes(bytes)),
            Self::Bytes(bytes) => Value::Bytes(bytes.as_slice().into()),
            Self::List(element, items) => {
                let items = items.iter().map(Self::value).collect();
                match element {
                    Element::String => Value::typed_list(STRING_LIST, items),
                    Element::Int => Value::typed_list(gotemplate::INT_LIST, items),
                    Element::Nil => Value::List(List::nil(gotemplate::ANY_LIST).into()),
                    Element::Any | Element::Values => Value::list(items),
                }
            }
            Self::Map(element, entries) => {
                let entries: Entries = entries
                    .iter()
                    .map(|(key, value)| (Text::from(key.as_str()), value.value()))
                    .collect();
                match element {
                    Element::String => Value::typed_map(STRING_MAP, entries),
                    Element::Values => Value::typed_map(Type::Named(&VALUES), entries),
                    Element::Nil => Value::Map(Map::nil(gotemplate::ANY_MAP).into()),
                    Element::Any | Element::Int => Value::map(entries),
                }
            }
            Self::Server(name) => Value::object(Server {
                name: name.clone(),
                kind: Kind::Struct,
            }),
            Self::Pointer(name) => Value::object(Server {
                name: name.clone(),
                kind: Kind::Pointer,
            }),
            Self::Level(level) => Value::object(Level(*level)),
            Self::Function(name) => {
                let functions = super::functions::all();
                Value::Function(
                    functions
                        .get(name)
                        .expect("a function of the tests")
                        .clone(),
                )
            }
        }
    }
}

fn float_text(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 {
            "+Inf".to_owned()
        } else {
            "-Inf".to_owned()
        };
    }
    format!("{value:e}")
}

fn integer(kind: &str, value: i128) -> Value {
    const FITS: &str = "the generator keeps to the kind";
    match kind {
        "int" => Value::Int(value.try_into().expect(FITS)),
        "int32" => Value::Int32(value.try_into().expect(FITS)),
        "int64" => Value::Int64(value.try_into().expect(FITS)),
        "uint" => Value::Uint(value.try_into().expect(FITS)),
        "uint8" => Value::Uint8(value.try_into().expect(FITS)),
        "uint32" => Value::Uint32(value.try_into().expect(FITS)),
        "uint64" => Value::Uint64(value.try_into().expect(FITS)),
        _ => panic!("unknown kind `{kind}`"),
    }
}

static VALUES: Named = Named {
    name: "main.Values",
    underlying: gotemplate::ANY_MAP,
    methods: VALUES_METHODS,
};

static VALUES_METHODS: &[Method] = &[
    Method {
        name: "Keys",
        signature: Signature::new(&[], STRING_LIST),
        call: keys,
    },
    Method {
        name: "Pick",
        signature: Signature::new(&[Type::String, Type::Any], Type::Any),
        call: pick,
    },
];

fn keys(_: &mut Call<'_>, receiver: &Value, _: &[Value]) -> Answer {
    let map = receiver.as_map().expect("a method of a map");
    Ok(Value::strings(
        map.snapshot().into_iter().map(|(key, _)| key),
    ))
}

fn pick(_: &mut Call<'_>, receiver: &Value, arguments: &[Value]) -> Answer {
    let map = receiver.as_map().expect("a method of a map");
    let name = arguments[0].as_text().expect("checked by the signature");
    Ok(map.get(name).unwrap_or_else(|| arguments[1].clone()))
}

struct Server {
    name: String,
    kind: Kind,
}

static SERVER_METHODS: &[Method] = &[
    Method {
        name: "Greet",
        signature: Signature::new(&[Type::String], Type::String),
        call: greet,
    },
    Method {
        name: "Fail",
        signature: Signature::new(&[], Type::String),
        call: fail,
    },
];

fn greet(_: &mut Call<'_>, receiver: &Value, arguments: &[Value]) -> Answer {
    let server = receiver.downcast::<Server>().expect("a method of a server");
    let values = [arguments[0].clone(), Value::from(server.name.as_str())];
    Ok(Value::String(gotemplate::format::sprintf(
        "hello %s from %s",
        &values,
    )))
}

fn fail(_: &mut Call<'_>, receiver: &Value, _: &[Value]) -> Answer {
    let server = receiver.downcast::<Server>().expect("a method of a server");
    Err(format!("server {} failed", server.name).into())
}

impl Object for Server {
    fn type_name(&self) -> &'static str {
        if self.kind == Kind::Pointer {
            "*main.Server"
        } else {
            "main.Server"
        }
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn methods(&self) -> &'static [Method] {
        SERVER_METHODS
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("Name", Value::from(self.name.as_str())),
            ("Port", Value::Int(80)),
            ("Tags", Value::strings(["a", "b"])),
            (
                "Extra",
                Value::map(Entries::from([(Text::from("x"), Value::Float64(1.5))])),
            ),
            ("hidden", Value::from("h")),
        ]
    }
}

struct Level(i64);

impl Object for Level {
    fn type_name(&self) -> &'static str {
        "main.Level"
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::Int(self.0))
    }

    fn methods(&self) -> &'static [Method] {
        &[]
    }

    fn display(&self) -> Option<Text> {
        Some(format!("level {}", self.0).into())
    }

    fn equals(&self, other: &dyn Object) -> bool {
        (other as &dyn std::any::Any)
            .downcast_ref::<Self>()
            .is_some_and(|other| self.0 == other.0)
    }
}
