//! Time and chance for functions such as `now` and `randAlphaNum`, given by the caller.

use std::cell::Cell;

use names::Digest;
use sprig::Source;

/// What a render takes for the time and draws its random bytes from.
///
/// The same key gives the same bytes, so whoever renders again and again what must not
/// change keeps one key; whoever must not be guessed keeps it secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance {
    /// Nanoseconds since 1970, UTC.
    pub now: i128,
    pub key: [u8; 32],
}

/// Bytes of SHA-256 over the key and a counter.
pub(crate) struct Drawn {
    chance: Chance,
    counter: Cell<u64>,
}

impl Drawn {
    pub(crate) fn new(chance: Chance) -> Self {
        Self { chance, counter: Cell::new(0) }
    }
}

impl Source for Drawn {
    fn now(&self) -> i128 {
        self.chance.now
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let counter = self.counter.get();
            self.counter.set(counter.wrapping_add(1));
            let mut input = self.chance.key.to_vec();
            input.extend(counter.to_le_bytes());
            let block = Digest::of(&input);
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_draws_the_same_bytes_and_another_others() {
        let draw = |key| {
            let drawn = Drawn::new(Chance { now: 0, key });
            let mut bytes = [0; 70];
            drawn.fill(&mut bytes);
            bytes
        };
        assert_eq!(draw([1; 32]), draw([1; 32]));
        assert_ne!(draw([1; 32]), draw([2; 32]));
        assert_ne!(draw([1; 32])[..32], draw([1; 32])[32..64]);
    }
}
