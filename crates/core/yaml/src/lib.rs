//! YAML with source spans and diagnostics: the one place that knows the parser crate.
//!
//! [`parse`] reads a source in one of two [`Flavor`]s and gives a tree of
//! [`Node`]s that know where they stand; [`Node::to_json`] drops the places.
//! [`to_string`] writes a value so that both flavours read the same back.
//! [`read_go`] reads exactly as Go programs do, and [`Emitter`] writes exactly as they do,
//! without places: the pair that renders charts.

mod characters;
mod diagnostic;
mod emit;
mod go;
mod events;
mod node;
mod parse;
mod resolve;
mod resolve_go;
mod span;

pub use events::{Event, SyntaxError, events};
pub use diagnostic::{Diagnostic, Fix, Severity, apply_fixes, render_all};
pub use emit::{Emitter, Layout, float, json_float, natural, to_string};
pub use go::{Build, GoError, go_json, go_json_of, read_go};
pub use node::{Document, Entry, Node, NodeValue, ScalarStyle};
pub use parse::{DUPLICATE, MAX_BYTES, MAX_DEPTH, MAX_NODES, parse, parse_despite_duplicates};
pub use span::{Lines, Span};

/// Whose reading of YAML applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// YAML 1.2 core schema as GitHub Actions reads workflows: `on` is text, one document, no merge keys.
    Core12,
    /// As Kubernetes and Helm read manifests in Go: `yes` and `on` are booleans, `<<` merges, the last duplicate wins.
    Go11,
}
