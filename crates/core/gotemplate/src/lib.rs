//! Go's `text/template` and `fmt` to the letter: the language that Helm charts are written in.
//!
//! [`TemplateSet`] parses and runs templates; [`Value`] is what they compute with; [`Functions`] is
//! what they may call; a [`Budget`] bounds what they may use; [`Error`] says what Go would say.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule of Go names the few kinds it holds for; all others fall under its last clause"
)]

mod budget;
mod builtin;
mod container;
mod error;
mod exec;
mod float;
pub mod format;
mod function;
mod gotype;
mod lex;
mod literal;
mod node;
mod object;
mod parse;
mod quote;
mod set;
mod text;
mod unicode;
mod value;

pub use budget::{Budget, Limits};
pub use container::{Entries, List, Map};
pub use error::{Error, ExecError, FunctionError, ParseError, Place};
pub use exec::{Call, Dialect, MissingKey, Options, call_outside};
pub use float::{FloatSize, append_float};
pub use format::{sprint, sprintf, sprintln};
pub use function::{Answer, Function, Functions, Method, Signature};
pub use gotype::{ANY_LIST, ANY_MAP, BYTES, INT_LIST, Kind, Named, STRING_LIST, STRING_MAP, Type};
pub use object::{Object, Record};
pub use quote::{Charset, InvalidSyntax, append_quoted, can_backquote, quoted, unquote};
pub use set::{Template, TemplateSet};
pub use text::Text;
pub use value::Value;
