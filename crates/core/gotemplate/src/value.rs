//! The values of templates: Go's `interface {}` with the kinds that templates can meet.
//!
//! Values are cheap to clone. Maps are shared and changeable as in Go, so a render lives on one thread.

use std::{any::Any, borrow::Cow, collections::HashSet, fmt, rc::Rc};

use crate::{
    container::{Entries, List, Map},
    function::{Function, Method},
    gotype::{BYTES, Kind, Type},
    object::Object,
    text::Text,
};

/// Any value. The variants are Go's kinds; `Int` is Go's `int`, an integer literal of a template.
#[derive(Clone, Default)]
pub enum Value {
    /// No value at all: an untyped nil.
    #[default]
    Nil,
    Bool(bool),
    Int(i64),
    Int32(i32),
    Int64(i64),
    Uint(u64),
    Uint8(u8),
    Uint32(u32),
    Uint64(u64),
    Float32(f32),
    Float64(f64),
    Complex128(f64, f64),
    String(Text),
    /// `[]uint8`
    Bytes(Rc<[u8]>),
    List(Rc<List>),
    Map(Rc<Map>),
    Object(Rc<dyn Object>),
    Function(Rc<Function>),
}

impl Value {
    pub const TRUE: Self = Self::Bool(true);
    pub const FALSE: Self = Self::Bool(false);

    /// A string of the program itself.
    pub const fn text(text: &'static str) -> Self {
        Self::String(Text::from_static(text))
    }

    /// A list of type `[]interface {}`.
    pub fn list(items: Vec<Value>) -> Self {
        Self::List(Rc::new(List::new(items)))
    }

    /// A list of another type, e.g. [`STRING_LIST`](crate::STRING_LIST).
    pub fn typed_list(ty: Type, items: Vec<Value>) -> Self {
        Self::List(Rc::new(List::typed(ty, items)))
    }

    /// A list of type `[]string`.
    pub fn strings(items: impl IntoIterator<Item = impl Into<Text>>) -> Self {
        let items = items
            .into_iter()
            .map(|item| Self::String(item.into()))
            .collect();
        Self::typed_list(crate::STRING_LIST, items)
    }

    /// A map of type `map[string]interface {}`.
    pub fn map(entries: Entries) -> Self {
        Self::Map(Rc::new(Map::new(entries)))
    }

    /// A map of another type.
    pub fn typed_map(ty: Type, entries: Entries) -> Self {
        Self::Map(Rc::new(Map::typed(ty, entries)))
    }

    pub fn object(object: impl Object) -> Self {
        Self::Object(Rc::new(object))
    }

    /// The zero value of `ty`: nil for interfaces, and nil of its own type for lists and maps.
    pub fn zero(ty: Type) -> Self {
        match ty {
            Type::Any | Type::Reflect | Type::Object(_) | Type::Function(_) => Self::Nil,
            Type::Bool => Self::FALSE,
            Type::Int => Self::Int(0),
            Type::Int32 => Self::Int32(0),
            Type::Int64 => Self::Int64(0),
            Type::Uint => Self::Uint(0),
            Type::Uint8 => Self::Uint8(0),
            Type::Uint32 => Self::Uint32(0),
            Type::Uint64 => Self::Uint64(0),
            Type::Float32 => Self::Float32(0.0),
            Type::Float64 => Self::Float64(0.0),
            Type::Complex128 => Self::Complex128(0.0, 0.0),
            Type::String => Self::String(Text::EMPTY),
            Type::List(_) | Type::Map(_) | Type::Named(_) => match ty.kind() {
                Kind::Map => Self::Map(Rc::new(Map::nil(ty))),
                _ => Self::List(Rc::new(List::nil(ty))),
            },
        }
    }

    /// Go's kind. An [`Object`] says its own.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Nil => Kind::Invalid,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::Int32(_) => Kind::Int32,
            Self::Int64(_) => Kind::Int64,
            Self::Uint(_) => Kind::Uint,
            Self::Uint8(_) => Kind::Uint8,
            Self::Uint32(_) => Kind::Uint32,
            Self::Uint64(_) => Kind::Uint64,
            Self::Float32(_) => Kind::Float32,
            Self::Float64(_) => Kind::Float64,
            Self::Complex128(..) => Kind::Complex128,
            Self::String(_) => Kind::String,
            Self::Bytes(_) | Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Object(object) => object.kind(),
            Self::Function(_) => Kind::Func,
        }
    }

    /// Go's type; `None` for nil.
    pub fn go_type(&self) -> Option<Type> {
        Some(match self {
            Self::Nil => return None,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Int32(_) => Type::Int32,
            Self::Int64(_) => Type::Int64,
            Self::Uint(_) => Type::Uint,
            Self::Uint8(_) => Type::Uint8,
            Self::Uint32(_) => Type::Uint32,
            Self::Uint64(_) => Type::Uint64,
            Self::Float32(_) => Type::Float32,
            Self::Float64(_) => Type::Float64,
            Self::Complex128(..) => Type::Complex128,
            Self::String(_) => Type::String,
            Self::Bytes(_) => BYTES,
            Self::List(list) => list.go_type(),
            Self::Map(map) => map.go_type(),
            Self::Object(object) => Type::Object(object.type_name()),
            Self::Function(function) => Type::Function(function.type_text()),
        })
    }

    /// What `%T` prints: `<nil>` for nil.
    pub fn type_name(&self) -> Cow<'static, str> {
        match self.go_type() {
            None => Cow::Borrowed("<nil>"),
            Some(Type::String) => Cow::Borrowed("string"),
            Some(ty) => Cow::Owned(ty.to_string()),
        }
    }

    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Whether Go would say `x == nil` of it: nil itself, a nil list, a nil map.
    pub fn is_nil_or_nil_container(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::List(list) => list.is_nil(),
            Self::Map(map) => map.is_nil(),
            _ => false,
        }
    }

    /// Go's truth, as `if` sees it.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) | Self::Int64(value) => *value != 0,
            Self::Int32(value) => *value != 0,
            Self::Uint(value) | Self::Uint64(value) => *value != 0,
            Self::Uint8(value) => *value != 0,
            Self::Uint32(value) => *value != 0,
            Self::Float32(value) => *value != 0.0,
            Self::Float64(value) => *value != 0.0,
            Self::Complex128(re, im) => *re != 0.0 || *im != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Object(object) => object.underlying().is_none_or(|value| value.is_true()),
            Self::Function(_) => true,
        }
    }

    /// The text of a string; `None` for all other kinds.
    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A signed integer of any size.
    pub fn as_signed(&self) -> Option<i64> {
        match self {
            Self::Int(value) | Self::Int64(value) => Some(*value),
            Self::Int32(value) => Some(i64::from(*value)),
            Self::Object(object) => object.underlying()?.as_signed(),
            _ => None,
        }
    }

    /// An unsigned integer of any size.
    pub fn as_unsigned(&self) -> Option<u64> {
        match self {
            Self::Uint(value) | Self::Uint64(value) => Some(*value),
            Self::Uint8(value) => Some(u64::from(*value)),
            Self::Uint32(value) => Some(u64::from(*value)),
            Self::Object(object) => object.underlying()?.as_unsigned(),
            _ => None,
        }
    }

    /// A float of either size.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float64(value) => Some(*value),
            Self::Float32(value) => Some(f64::from(*value)),
            Self::Object(object) => object.underlying()?.as_float(),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&Rc<List>> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&Rc<Map>> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The object, if it is one of type `T`.
    pub fn downcast<T: Object>(&self) -> Option<&T> {
        match self {
            Self::Object(object) => (object.as_ref() as &dyn Any).downcast_ref(),
            _ => None,
        }
    }

    /// The methods that a template may call on it.
    pub fn methods(&self) -> &'static [Method] {
        match self {
            Self::Object(object) => object.methods(),
            Self::List(list) => list.go_type().methods(),
            Self::Map(map) => map.go_type().methods(),
            _ => &[],
        }
    }

    /// `reflect.DeepEqual`: types must agree, NaN differs from itself.
    pub fn deep_equal(&self, other: &Self) -> bool {
        DeepEqual::default().equal(self, other)
    }

    /// `==` between two interfaces that hold comparable values.
    pub fn shallow_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) | (Self::Int64(a), Self::Int64(b)) => a == b,
            (Self::Int32(a), Self::Int32(b)) => a == b,
            (Self::Uint(a), Self::Uint(b)) | (Self::Uint64(a), Self::Uint64(b)) => a == b,
            (Self::Uint8(a), Self::Uint8(b)) => a == b,
            (Self::Uint32(a), Self::Uint32(b)) => a == b,
            (Self::Float32(a), Self::Float32(b)) => a == b,
            (Self::Float64(a), Self::Float64(b)) => a == b,
            (Self::Complex128(a, b), Self::Complex128(c, d)) => a == c && b == d,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => Rc::ptr_eq(a, b) || a.equals(b.as_ref()),
            (Self::Function(a), Self::Function(b)) => Rc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// A deep comparison; it remembers the pairs it has seen, so that shared and cyclic values end.
#[derive(Default)]
struct DeepEqual {
    seen: HashSet<(usize, usize)>,
}

impl DeepEqual {
    fn equal(&mut self, a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::List(a), Value::List(b)) => {
                a.go_type() == b.go_type()
                    && a.is_nil() == b.is_nil()
                    && a.len() == b.len()
                    && (self.is_known(Rc::as_ptr(a).addr(), Rc::as_ptr(b).addr())
                        || a.iter().zip(b.iter()).all(|(a, b)| self.nested(a, b)))
            }
            (Value::Map(a), Value::Map(b)) => {
                a.go_type() == b.go_type()
                    && a.is_nil() == b.is_nil()
                    && (self.is_known(Rc::as_ptr(a).addr(), Rc::as_ptr(b).addr()) || {
                        let (a, b) = (a.entries(), b.entries());
                        let mut pairs = a.iter().zip(b.iter());
                        a.len() == b.len()
                            && pairs.all(|((key, a), (other, b))| key == other && self.nested(a, b))
                    })
            }
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            _ => a.shallow_equal(b),
        }
    }

    fn nested(&mut self, a: &Value, b: &Value) -> bool {
        stacker::maybe_grow(32 << 10, 1 << 20, || self.equal(a, b))
    }

    /// Whether the pair is one and the same, or its comparison is done or under way.
    fn is_known(&mut self, a: usize, b: usize) -> bool {
        a == b || !self.seen.insert((a, b))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::String(text)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float64(value)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::String(text) => fmt::Debug::fmt(text, f),
            Self::List(list) => fmt::Debug::fmt(list, f),
            Self::Map(map) => fmt::Debug::fmt(map, f),
            Self::Bool(value) => fmt::Debug::fmt(value, f),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float64(value) => fmt::Debug::fmt(value, f),
            _ => write!(f, "({} value)", self.type_name()),
        }
    }
}
