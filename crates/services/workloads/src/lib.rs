//! The cluster's controllers and scheduler, written purely against the Kubernetes API.
