//! Repeatable chance.

/// SplitMix64.
pub struct Chance {
    state: u64,
    /// Whether texts beyond ASCII come up. Then nothing cuts texts by bytes, for half a character
    /// is no text and cannot be shown in a manifest.
    pub beyond_ascii: bool,
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed,
            beyond_ascii: seed % 2 == 1,
        }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// By weights, softened so that rare things come up too.
    pub fn weighted<'a, T>(&mut self, all: &'a [T], weight: impl Fn(&T) -> u32) -> &'a T {
        let soft = |it: &T| f64::from(weight(it)).sqrt().max(1.0) as usize;
        let mut at = self.below(all.iter().map(soft).sum());
        for it in all {
            match at.checked_sub(soft(it)) {
                Some(rest) => at = rest,
                None => return it,
            }
        }
        &all[all.len() - 1]
    }
}
