//! Releases: captures what a run deploys, judges it, and goes back when it is bad.
