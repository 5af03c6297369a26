//! Records and blobs: the two ports through which everything is kept.
