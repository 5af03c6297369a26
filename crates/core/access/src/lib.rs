//! Who may do what to which record: pure decisions about principals, roles and the trust of a run.
