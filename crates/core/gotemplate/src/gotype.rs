//! Go's types as far as templates can tell them apart: for `%T`, for errors, for parameters.

use std::fmt;

use crate::function::Method;

/// A Go type. Composite types borrow their parts, so that most are constants:
/// `Type::List(&Type::Any)` is `[]interface {}`.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// `interface {}`
    Any,
    /// `reflect.Value`: parameters of some built-in functions take any value, even none.
    Reflect,
    Bool,
    Int,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint32,
    Uint64,
    Float32,
    Float64,
    Complex128,
    String,
    /// `[]T`
    List(&'static Type),
    /// `map[string]T`
    Map(&'static Type),
    /// A list or map type with a name of its own, and perhaps methods.
    Named(&'static Named),
    /// A type that only an [`Object`](crate::Object) has, by its Go name, e.g. `time.Time`.
    Object(&'static str),
    /// `func(...)`, by its Go text.
    Function(&'static str),
}

/// A named list or map type, e.g. `common.Values`.
#[derive(Debug)]
pub struct Named {
    pub name: &'static str,
    /// [`Type::List`] or [`Type::Map`].
    pub underlying: Type,
    pub methods: &'static [Method],
}

/// `[]interface {}`
pub const ANY_LIST: Type = Type::List(&Type::Any);
/// `map[string]interface {}`
pub const ANY_MAP: Type = Type::Map(&Type::Any);
/// `[]string`
pub const STRING_LIST: Type = Type::List(&Type::String);
/// `map[string]string`
pub const STRING_MAP: Type = Type::Map(&Type::String);
/// `[]int`
pub const INT_LIST: Type = Type::List(&Type::Int);
/// `[]uint8`
pub const BYTES: Type = Type::List(&Type::Uint8);

/// Go's `reflect.Kind`, as far as values have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Invalid,
    Bool,
    Int,
    Int32,
    Int64,
    Uint,
    Uint8,
    Uint32,
    Uint64,
    Float32,
    Float64,
    Complex128,
    String,
    Slice,
    Map,
    Struct,
    /// A pointer to a struct.
    Pointer,
    Func,
    Interface,
}

impl Type {
    pub fn kind(self) -> Kind {
        match self {
            Self::Any => Kind::Interface,
            Self::Reflect | Self::Object(_) => Kind::Struct,
            Self::Bool => Kind::Bool,
            Self::Int => Kind::Int,
            Self::Int32 => Kind::Int32,
            Self::Int64 => Kind::Int64,
            Self::Uint => Kind::Uint,
            Self::Uint8 => Kind::Uint8,
            Self::Uint32 => Kind::Uint32,
            Self::Uint64 => Kind::Uint64,
            Self::Float32 => Kind::Float32,
            Self::Float64 => Kind::Float64,
            Self::Complex128 => Kind::Complex128,
            Self::String => Kind::String,
            Self::List(_) => Kind::Slice,
            Self::Map(_) => Kind::Map,
            Self::Named(named) => named.underlying.kind(),
            Self::Function(_) => Kind::Func,
        }
    }

    /// The type of the elements of a list or map.
    pub fn element(self) -> Option<Type> {
        match self {
            Self::List(element) | Self::Map(element) => Some(*element),
            Self::Named(named) => named.underlying.element(),
            _ => None,
        }
    }

    /// The methods of a named type.
    pub fn methods(self) -> &'static [Method] {
        match self {
            Self::Named(named) => named.methods,
            _ => &[],
        }
    }

    /// Go's rule for assigning a value of this type to a place of type `to`.
    pub fn assignable_to(self, to: Type) -> bool {
        if matches!(to, Type::Any) || self == to {
            return true;
        }
        // One of two types without a name of its own is enough when the shapes agree.
        match (self, to) {
            (Self::Named(named), Self::List(_) | Self::Map(_)) => named.underlying == to,
            (Self::List(_) | Self::Map(_), Self::Named(named)) => named.underlying == self,
            _ => false,
        }
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) | (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Named(a), Self::Named(b)) => a.name == b.name,
            (Self::Object(a), Self::Object(b)) | (Self::Function(a), Self::Function(b)) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Eq for Type {}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "interface {}",
            Self::Reflect => "reflect.Value",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint => "uint",
            Self::Uint8 => "uint8",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::String => "string",
            Self::List(element) => return write!(f, "[]{element}"),
            Self::Map(element) => return write!(f, "map[string]{element}"),
            Self::Named(named) => named.name,
            Self::Object(name) | Self::Function(name) => name,
        })
    }
}

impl Kind {
    /// The name that `kindOf` gives.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint => "uint",
            Self::Uint8 => "uint8",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Complex128 => "complex128",
            Self::String => "string",
            Self::Slice => "slice",
            Self::Map => "map",
            Self::Struct => "struct",
            Self::Pointer => "ptr",
            Self::Func => "func",
            Self::Interface => "interface",
        }
    }
}
