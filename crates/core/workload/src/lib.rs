//! The pure half of the cluster's controllers: deployments, endpoints, scheduling, garbage.
