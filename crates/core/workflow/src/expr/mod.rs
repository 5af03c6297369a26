//! The expression language: `github.ref == 'refs/heads/main' && success()`.
//!
//! [`Expression::parse`] checks the whole text; [`Expression::evaluate`] works on a
//! [`Scope`]. [`Template`] is text with `${{ }}` in it.

mod ast;
mod eval;
mod explain;
mod functions;
mod lexer;
mod number;
mod parser;
mod template;
mod value;

pub use ast::{Access, Expression, Operator, Step};
pub use eval::{EvalError, Scope, StatusFunctions};
pub use number::{format_number, parse_number};
pub use parser::{ParseError, ParseErrorKind};
pub use template::{Condition, Template, TemplateError};
pub use value::{Object, Value, fold_case};
