//! Values with fields and methods of their own: Go's structs and named basic types.

use std::any::Any;

use crate::{function::Method, gotype::Kind, text::Text, value::Value};

/// A struct, a pointer to one, or a named basic type, as a template sees it.
///
/// All methods but [`type_name`](Self::type_name) have a default. Downcast with [`Value::downcast`].
pub trait Object: Any {
    /// The Go type as `%T` prints it, e.g. `time.Time` or `*version.Info`.
    fn type_name(&self) -> &'static str;

    /// [`Kind::Struct`], [`Kind::Pointer`] (to a struct), or the kind of [`underlying`](Self::underlying).
    fn kind(&self) -> Kind {
        self.underlying().map_or(Kind::Struct, |value| value.kind())
    }

    /// The plain value of a named basic type, e.g. of a `time.Month`.
    fn underlying(&self) -> Option<Value> {
        None
    }

    /// The methods that templates may call.
    fn methods(&self) -> &'static [Method] {
        &[]
    }

    /// The fields in the order of the declaration; `%v`, `%+v` and `%#v` print all of them.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// One field.
    fn field(&self, name: &str) -> Option<Value> {
        self.fields()
            .into_iter()
            .find_map(|(field, value)| (field == name).then_some(value))
    }

    /// What `String()` or `Error()` gives, if the type has one; `%v` and `%s` print it.
    fn display(&self) -> Option<Text> {
        None
    }

    /// What `String()` of a pointer to it gives, if only the pointer has one: actions that print
    /// a field of a pointer see it, functions get a copy and do not.
    fn pointer_display(&self) -> Option<Text> {
        None
    }

    /// What `GoString()` gives, if the type has one; `%#v` prints it.
    fn go_string(&self) -> Option<Text> {
        None
    }

    /// Whether Go can compare it at all: a struct with a list or map in it cannot be.
    fn is_comparable(&self) -> bool {
        self.kind() != Kind::Struct
            || self.fields().iter().all(|(_, value)| match value {
                Value::Object(object) => object.is_comparable(),
                value => !matches!(value.kind(), Kind::Slice | Kind::Map | Kind::Func),
            })
    }

    /// Go's `==`. Called only for two different objects.
    fn equals(&self, other: &dyn Object) -> bool {
        let _ = other;
        false
    }

    /// What `encoding/json` makes of it; without one, writers of JSON take the fields.
    fn json(&self) -> Option<Value> {
        None
    }

    /// What `encoding/json` makes of it, where it is a struct whose fields have names of their
    /// own: those names, in the order of the fields.
    fn json_fields(&self) -> Option<Vec<(Text, Value)>> {
        None
    }
}

/// A plain struct made of a list of fields.
#[derive(Debug)]
pub struct Record {
    pub type_name: &'static str,
    /// [`Kind::Struct`] or [`Kind::Pointer`].
    pub kind: Kind,
    pub fields: Vec<(&'static str, Value)>,
}

impl Object for Record {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        self.fields.clone()
    }

    fn field(&self, name: &str) -> Option<Value> {
        self.fields
            .iter()
            .find_map(|(field, value)| (*field == name).then(|| value.clone()))
    }

    fn equals(&self, other: &dyn Object) -> bool {
        self.kind != Kind::Pointer
            && (other as &dyn Any)
                .downcast_ref::<Self>()
                .is_some_and(|other| {
                    self.type_name == other.type_name
                        && self.fields.len() == other.fields.len()
                        && self
                            .fields
                            .iter()
                            .zip(&other.fields)
                            .all(|(a, b)| a.1.shallow_equal(&b.1))
                })
    }
}
