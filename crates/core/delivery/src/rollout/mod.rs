//! How a Deployment changes over to a new version: canary by steps, or blue-green.
//!
//! The new version runs in a second Deployment beside the first one. Requests
//! go to it by weight; at the end the first one takes the new version over and
//! the second one goes. So a changeover that is over leaves exactly the objects
//! that Git names.
//!
//! [`advance`] takes one workload a step further, [`picture`] says what the
//! cluster shall hold meanwhile. Both depend on the record and on what is seen
//! only, so a crash between any two steps is made good by the next look.

mod analysis;
mod begin;
mod machine;
mod objects;
mod split;
mod steps;
mod strategy;
mod words;

pub use analysis::{Counted, Reading, judge_counts, judge_number, measure_now, measured, postpone};
pub use begin::{Before, BeginError, begin, plan_of};
pub use machine::{Ask, Others, Picture, Seen, Sight, Stable, advance, ask, is_open, is_settling, picture, returning};
pub use objects::{TEMPLATE, TRACK, TRAFFIC, canary_manifest, canary_name, preview_service, scaled, selects, staged, template_hash, traffic};
pub use split::{ParseSplitError, Split, version_of};
pub use steps::{Step, Surge, basic, routed, steps};
pub use strategy::strategy;
pub use words::{ANNOTATION, PlanError, parse, show};

#[cfg(test)]
mod explore;
