//! Dockerfiles: parse, expand, turn into a graph of operations with cache keys.
//!
//! [`parse`] finds every error of a file in one pass. [`plan()`] asks for the
//! base images it needs and returns the steps of all stages that the target
//! needs, fully expanded. Carrying them out is the caller's.

mod config;
pub mod content;
pub mod expand;
pub mod ignore;
pub mod instruction;
mod lines;
mod lint;
pub mod mode;
pub mod op;
mod parse;
mod parse_transfer;
pub mod plan;
pub mod problem;
mod scope;
pub mod wildcard;
mod words;

pub use config::DEFAULT_PATH;
pub use instruction::Dockerfile;
pub use op::{Owner, step_key};
pub use parse::{Parsed, parse};
pub use plan::{Base, Options, Plan, PlanError, Planned, plan};
pub use problem::{Fix, Problem, Severity, apply_fixes, position};
