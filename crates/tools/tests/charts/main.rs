//! Our `helm` and `kubectl kustomize` beside the real ones, with the same files and lines.

mod cases;
mod registry;
mod side_by_side;
