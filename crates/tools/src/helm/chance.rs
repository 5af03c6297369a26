//! Time and chance for templates, as the original takes them from the machine.

use std::time::{SystemTime, UNIX_EPOCH};

/// The clock and the randomness of the machine.
pub struct Machine;

impl helm::Source for Machine {
    fn now(&self) -> i128 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
    }

    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the kernel gives random bytes");
    }
}
