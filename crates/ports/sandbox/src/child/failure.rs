//! Turns failed steps of making a sandbox into what the caller is told.

use std::io;

use crate::{CannotStart, Reason};

pub fn spec_error(message: String) -> CannotStart {
    CannotStart { reason: Reason::Spec, message }
}

/// Says what failed.
pub trait Step<T> {
    fn step(self, what: impl FnOnce() -> String) -> Result<T, CannotStart>;
}

impl<T> Step<T> for io::Result<T> {
    fn step(self, what: impl FnOnce() -> String) -> Result<T, CannotStart> {
        self.map_err(|error| spec_error(format!("{}: {error}", what())))
    }
}

impl<T> Step<T> for rustix::io::Result<T> {
    fn step(self, what: impl FnOnce() -> String) -> Result<T, CannotStart> {
        self.map_err(|error| spec_error(format!("{}: {error}", what())))
    }
}

impl<T> Step<T> for Result<T, CannotStart> {
    fn step(self, what: impl FnOnce() -> String) -> Self {
        self.map_err(|inner| CannotStart { message: format!("{}: {}", what(), inner.message), ..inner })
    }
}
