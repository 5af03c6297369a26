//! YAML with source spans and diagnostics: the one place that knows the parser crate.
