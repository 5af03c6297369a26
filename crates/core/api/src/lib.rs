//! The records that services exchange, one file per kind.
