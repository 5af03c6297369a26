//! Versions and ranges as Helm's library reads them.

use sprig::{Constraint, Version};

/// Whether Helm takes the text for a version.
pub(crate) fn is_version(text: &str) -> bool {
    text.parse::<Version>().is_ok()
}

/// Whether `version` lies in `range`; a text that is neither never does.
pub(crate) fn in_range(range: &str, version: &str) -> bool {
    match (range.parse::<Constraint>(), version.parse::<Version>()) {
        (Ok(range), Ok(version)) => range.allows(&version),
        _ => false,
    }
}
