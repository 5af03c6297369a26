//! Random choices that a seed repeats.

/// A small generator (SplitMix64).
pub struct Random(u64);

impl Random {
    /// From `LANDFALL_SEED`, else fresh; prints the seed, which the test shows when it fails.
    pub fn announced(what: &str) -> Self {
        let seed = match std::env::var("LANDFALL_SEED") {
            Ok(seed) => seed.parse().expect("LANDFALL_SEED is a number"),
            Err(_) => {
                let now = std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .expect("after 1970");
                now.as_secs().wrapping_mul(1_000_003) ^ u64::from(now.subsec_nanos())
            }
        };
        println!("{what}: LANDFALL_SEED={seed}");
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}
