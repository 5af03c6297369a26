//! The shape of a workflow file as one table, and the check of a file against it.
//!
//! [`table`] says what may stand where and which contexts expressions may use
//! there; [`check()`] reports everything that differs, in one pass.

mod check;
mod events;
mod places;
mod table;

use crate::context::Access;

pub(super) use check::{Checked, check};
pub use places::Places;

/// What may stand in one place.
pub(super) struct Shape {
    /// For messages: `true or false`, `names with values`.
    what: &'static str,
    /// Adds to what the places around it may use.
    access: Access,
    scalars: &'static [Scalar],
    item: Option<&'static Shape>,
    /// Of several, the keys tell which is meant.
    mappings: &'static [Mapping],
    /// Whatever it is, expressions in it are checked.
    any: bool,
    /// An expression with or without `${{ }}`.
    condition: bool,
    /// The events of `on`, which have a table of their own.
    events: bool,
}

pub(super) enum Scalar {
    Null,
    Bool,
    Number,
    Text,
    NonEmpty,
    Word(&'static str),
}

pub(super) struct Mapping {
    /// For messages: `a step with `run``.
    what: &'static str,
    keys: &'static [Key],
    /// The values of keys that are free to choose.
    loose: Option<&'static Shape>,
    /// What the keys are beside those that are known.
    free: Keys,
}

/// What keys may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    Plain,
    /// Texts with expressions in them, and `${{ insert }}`.
    MayBeExpressions,
}

pub(super) struct Key {
    name: &'static str,
    required: bool,
    shape: &'static Shape,
}

const NOTHING: Shape = Shape {
    what: "",
    access: Access::NONE,
    scalars: &[],
    item: None,
    mappings: &[],
    any: false,
    condition: false,
    events: false,
};

impl Shape {
    const fn scalar(what: &'static str, scalars: &'static [Scalar]) -> Self {
        Self {
            what,
            scalars,
            ..NOTHING
        }
    }

    const fn mapping(what: &'static str, mappings: &'static [Mapping]) -> Self {
        Self {
            what,
            mappings,
            ..NOTHING
        }
    }

    const fn list(what: &'static str, item: &'static Shape) -> Self {
        Self {
            what,
            item: Some(item),
            ..NOTHING
        }
    }

    /// With expressions that may use `access`.
    const fn with(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Or one of these scalars.
    const fn or(self, scalars: &'static [Scalar]) -> Self {
        Self { scalars, ..self }
    }

    /// Or a sequence of these.
    const fn or_list(self, item: &'static Self) -> Self {
        Self {
            item: Some(item),
            ..self
        }
    }
}

impl Mapping {
    const fn of(what: &'static str, keys: &'static [Key]) -> Self {
        Self {
            what,
            keys,
            loose: None,
            free: Keys::Plain,
        }
    }

    const fn loose(what: &'static str, values: &'static Shape) -> Self {
        Self {
            what,
            keys: &[],
            loose: Some(values),
            free: Keys::Plain,
        }
    }

    /// Expressions may be keys.
    const fn computed(self) -> Self {
        Self {
            free: Keys::MayBeExpressions,
            ..self
        }
    }

    fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|it| it.name == name)
    }
}

const fn key(name: &'static str, shape: &'static Shape) -> Key {
    Key {
        name,
        required: false,
        shape,
    }
}

const fn required(name: &'static str, shape: &'static Shape) -> Key {
    Key {
        name,
        required: true,
        shape,
    }
}
