//! OCI manifests, configs, layers and whiteouts.
