//! The OCI registry over the shared blob store.
