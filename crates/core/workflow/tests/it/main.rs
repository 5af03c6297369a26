//! Tests of the language and of runs, through the public interface only.

mod expressions;
mod files;
mod pieces;
mod referee;
mod runs;
