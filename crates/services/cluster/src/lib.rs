//! The Kubernetes API server on a store of its own.
