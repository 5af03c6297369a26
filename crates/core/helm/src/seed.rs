//! A fixed time and repeatable "random" bytes, for tests and for renders that must not vary.

use std::cell::Cell;

use sprig::Source;

/// Time and chance that are the same in every run. Never for secrets that go live.
#[derive(Debug)]
pub struct FixedSource {
    now_nanoseconds: i128,
    state: Cell<u64>,
}

impl FixedSource {
    /// `now_nanoseconds` since 1970; the bytes follow from `seed` alone.
    pub fn new(now_nanoseconds: i128, seed: u64) -> Self {
        Self {
            now_nanoseconds,
            state: Cell::new(seed),
        }
    }
}

impl Source for FixedSource {
    fn now(&self) -> i128 {
        self.now_nanoseconds
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            // SplitMix64: every state gives another number.
            let state = self.state.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
            self.state.set(state);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}
