//! Compares with the real Helm: recorded charts, and generated ones against the live tool.

mod archive;
mod case;
mod compare;
mod explained;
mod generated;
mod linted;
mod ours;
mod recorded;
mod release;
mod tool;
