//! Test reports: reading them, finding flaky tests, sharing tests out, filters for runners.
//!
//! [`junit::parse`] reads a report of any tool that writes JUnit's XML; [`collect`] puts the
//! reports of a job together; [`flaky`] compares outcomes; [`split`] shares tests out by their
//! times; [`filter`] says to a runner which tests to run; [`reuse`] gives a job's inputs a key.
//! Nothing here reads a file or a clock.

pub mod clean;
pub mod collect;
pub mod filter;
pub mod flaky;
pub mod glob;
pub mod junit;
pub mod locate;
pub mod reuse;
pub mod split;
pub mod times;
mod xml_text;
