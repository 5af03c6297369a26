//! Reading Git: commits, trees, files, diffs.
