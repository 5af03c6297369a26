//! The functions against Helm: the same template runs in both.

mod expressions;
mod failures;
mod generated;
mod referee;
mod renderer;
mod secrets;
