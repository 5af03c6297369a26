//! Registry client; root file systems and snapshots made from blobs.
