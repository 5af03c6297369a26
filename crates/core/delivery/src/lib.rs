//! What a release is, whether it is healthy, why it failed, and how to go back.
