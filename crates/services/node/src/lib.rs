//! The node agent: runs the pods that are bound to its node, purely against the Kubernetes API.
