//! Builds compared with `kubectl kustomize` (kustomize 5.8.1).

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "the shapes of JSON do not grow"
)]

mod case;
mod cases;
mod generated;
mod referee;
