//! Tests of the language and of runs, through the public interface only.

mod decisions;
mod expressions;
mod files;
mod pieces;
mod plans;
mod referee;
