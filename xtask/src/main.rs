//! The project's own tasks: test, bench, tidy, conformance, dist.

fn main() {}
