//! Names of the things Landfall handles: digests, image references, commits, projects, times. Text becomes a name only by parsing, so whoever holds one may use it without checking it again.
