//! Landfall: the whole road from a commit to production on Kubernetes, in one binary.

fn main() {}
