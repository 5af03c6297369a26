//! The tools that jobs call by name: `docker` and, where the machine has none, `kubectl`.
