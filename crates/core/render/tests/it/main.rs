//! Rendering as a whole: charts inside kustomizations beside the original, bad input, and what a change makes anew.

mod bad_input;
mod chart_cases;
mod incremental;
