//! Choices by chance that a seed repeats.

use std::time::{SystemTime, UNIX_EPOCH};

pub(super) struct Dice(u64);

impl Dice {
    /// From `LANDFALL_SEED`, else a fresh seed; either is printed.
    pub fn new(what: &str) -> Self {
        let given = std::env::var("LANDFALL_SEED")
            .ok()
            .and_then(|it| it.parse().ok());
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let seed = given.unwrap_or_else(|| u64::from(now.subsec_nanos()) ^ now.as_secs());
        println!("{what}: LANDFALL_SEED={seed}");
        Self(seed)
    }

    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.roll(times) == 0
    }

    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }
}
