//! The functions that Helm's templates may call beyond Go's own: sprig's, and those that
//! convert to and from YAML, JSON and TOML.
//!
//! [`functions`] gives the registry. Time and random bytes come from a [`Source`]; nothing here
//! reads a file, a clock or the network. `include`, `tpl`, `required`, `fail` and `lookup` belong
//! to whoever runs charts.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of all kinds of values each function knows a few"
)]

mod arguments;
mod case;
mod cast;
mod certificate;
mod checksum;
mod cipher;
mod convert;
mod date;
mod decimal;
mod default;
mod der;
mod dict;
mod encode;
mod gotime;
mod integer;
mod json;
mod key;
mod list;
mod merge;
mod numeric;
mod password;
mod path;
mod phrase;
mod random;
mod reflect;
mod regex_go;
mod regular;
mod semver;
mod show;
mod strings;
mod toml;
mod url;
mod yaml_text;

use std::rc::Rc;

use gotemplate::Functions;

pub use json::{
    Escape as JsonEscape, Form as JsonForm, JsonError, Layout as JsonLayout, read as read_json,
    write as write_json,
};
pub use semver::{Constraint, ConstraintError, Version, VersionError};
pub use yaml_text::{YamlError, from_yaml, to_yaml};

/// Where the functions get the time and chance from.
pub trait Source {
    /// Nanoseconds since 1970, UTC.
    fn now(&self) -> i128;

    /// Fills `bytes` with random ones that nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
}

/// Whose set of functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    Helm3,
    Helm4,
}

/// All functions of the edition, Go's built-in ones included.
pub fn functions(edition: Edition, source: &Rc<dyn Source>) -> Functions {
    let mut all = Functions::builtins();
    add(&mut all, edition, source);
    all
}

/// Adds all functions of the edition to `all`.
pub fn add(all: &mut Functions, edition: Edition, source: &Rc<dyn Source>) {
    default::add(all);
    strings::add(all);
    phrase::add(all);
    case::add(all);
    encode::add(all);
    checksum::add(all);
    integer::add(all);
    numeric::add(all);
    list::add(all);
    dict::add(all);
    reflect::add(all);
    path::add(all);
    url::add(all);
    regular::add(all);
    semver::add(all, edition);
    convert::add(all, edition);
    date::add(all, edition, source);
    random::add(all, source);
    password::add(all, source);
    cipher::add(all, source);
    key::add(all, source);
    certificate::add(all, source);
}
