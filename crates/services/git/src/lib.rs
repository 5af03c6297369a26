//! The Git host: smart HTTP over the system's git; a push becomes a record.
