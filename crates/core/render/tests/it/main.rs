//! Rendering as a whole: charts inside kustomizations beside the original, and what a change makes anew.

mod chart_cases;
mod incremental;
