//! Dockerfiles: parse, expand, turn into a graph of operations with cache keys.
