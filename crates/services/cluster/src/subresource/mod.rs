//! The parts of objects that have URLs of their own.

pub mod kubelet;
pub mod pods;
pub mod scale;
pub mod token;
