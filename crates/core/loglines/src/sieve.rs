//! Tells lines that may hold one of many texts from the rest, which is nearly all of them.
//!
//! The start of each text sets a bit in a table that fits into the processor's first cache, so a byte of a
//! line costs about a nanosecond, however many texts there are. Where a bit is set, up to eight bytes are
//! compared. A line that is caught most likely holds a text; one that is not caught holds none.

/// The table for texts of four bytes and more has two to the power of this many bits.
const BITS: u32 = 18;
const WORDS: usize = 1 << (BITS - 6);
const PAIRS: usize = 1 << (16 - 6);
/// So much of a text is compared.
const COMPARED: usize = 8;
/// Shorter texts are looked for by their first two bytes.
const LONG: usize = 4;

/// Finds lines that may hold one of the texts it was made for.
#[derive(Clone, Debug, Default)]
pub struct Sieve {
    /// Of texts of [`LONG`] bytes and more.
    starts: Option<Box<[u64; WORDS]>>,
    /// Of shorter ones.
    pairs: Option<Box<[u64; PAIRS]>>,
    /// The first bytes of texts, sorted: by how many there are, the last for [`COMPARED`] and more.
    keys: [Vec<u64>; COMPARED + 1],
}

impl Sieve {
    /// An empty text is in no line.
    pub fn new(texts: &[&[u8]]) -> Self {
        let mut sieve = Self::default();
        for text in texts.iter().filter(|text| !text.is_empty()) {
            sieve.add(text);
        }
        for keys in &mut sieve.keys {
            keys.sort_unstable();
            keys.dedup();
        }
        sieve
    }

    fn add(&mut self, text: &[u8]) {
        let length = text.len().min(COMPARED);
        let key = window(text, 0);
        if let Some(keys) = self.keys.get_mut(length) {
            keys.push(key & mask(length));
        }
        if length >= LONG {
            let starts = self.starts.get_or_insert_with(|| Box::new([0; WORDS]));
            set(&mut starts[..], slot(key as u32));
            return;
        }
        let pairs = self.pairs.get_or_insert_with(|| Box::new([0; PAIRS]));
        if length > 1 {
            set(&mut pairs[..], key as usize & 0xffff);
        } else {
            (0..=255).for_each(|second| set(&mut pairs[..], key as usize & 0xff | second << 8));
        }
    }

    /// Whether there is anything to look for.
    pub fn is_empty(&self) -> bool {
        self.starts.is_none() && self.pairs.is_none()
    }

    /// Whether a line may hold one of the texts.
    pub fn catches(&self, line: &[u8]) -> bool {
        if let Some(starts) = &self.starts {
            for (at, start) in line.windows(LONG).enumerate() {
                let start = start.first_chunk::<4>().map_or(0, |it| u32::from_le_bytes(*it));
                let slot = slot(start);
                if starts[slot >> 6] >> (slot & 63) & 1 == 1 && self.confirms(line, at, LONG..=COMPARED) {
                    return true;
                }
            }
        }
        if let Some(pairs) = &self.pairs {
            for (at, pair) in line.windows(2).enumerate() {
                let slot = pair.first_chunk::<2>().map_or(0, |it| usize::from(u16::from_le_bytes(*it)));
                if pairs[slot >> 6] >> (slot & 63) & 1 == 1 && self.confirms(line, at, 1..=LONG - 1) {
                    return true;
                }
            }
            // The last byte begins no pair.
            return !line.is_empty() && self.confirms(line, line.len() - 1, 1..=1);
        }
        false
    }

    #[cold]
    fn confirms(&self, line: &[u8], at: usize, lengths: std::ops::RangeInclusive<usize>) -> bool {
        let key = window(line, at);
        let keys = lengths.filter_map(|length| Some((length, self.keys.get(length)?)));
        keys.filter(|(_, keys)| !keys.is_empty()).any(|(length, keys)| keys.binary_search(&(key & mask(length))).is_ok())
    }
}

fn slot(start: u32) -> usize {
    (start.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

fn set(bits: &mut [u64], at: usize) {
    if let Some(word) = bits.get_mut(at >> 6) {
        *word |= 1 << (at & 63);
    }
}

fn mask(length: usize) -> u64 {
    if length >= COMPARED { u64::MAX } else { (1 << (8 * length)) - 1 }
}

/// Eight bytes from `at` on, zeros behind the end.
fn window(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk::<COMPARED>() {
        Some(whole) => u64::from_le_bytes(*whole),
        None => rest.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], line: &str, expected: bool) {
        let texts: Vec<_> = texts.iter().map(|text| text.as_bytes()).collect();
        assert_eq!(Sieve::new(&texts).catches(line.as_bytes()), expected, "{line}");
    }

    #[test]
    fn lines_that_hold_a_text_are_caught() {
        let texts = ["x", "yz", "abc", "wort", "seven77", "secret-of-many"];
        for text in texts {
            for (before, after) in [("", ""), ("--", ""), ("", "--"), ("1234567", "7654321")] {
                check(&texts, &format!("{before}{text}{after}"), true);
                check(&[text], &format!("{before}{text}{after}"), true);
            }
        }
    }

    #[test]
    fn other_lines_are_not() {
        check(&[], "anything", false);
        check(&[""], "anything", false);
        check(&["secret-of-many"], "", false);
        check(&["secret-of-many"], "a secret-keeper keeps a secret", false);
        check(&["ab", "wort", "seven77"], "a b wor seven7 bа", false);
        // More than eight bytes are not compared: whoever needs to know looks closer.
        check(&["secret-of-many"], "secret-of-few", true);
    }

    #[test]
    fn every_byte_may_begin_a_text() {
        for first in 0..=255_u8 {
            for length in 1..12 {
                let text: Vec<u8> = (0..length).map(|at| first.wrapping_add(at * 7)).collect();
                let line = [b"some line ".as_slice(), &text].concat();
                assert!(Sieve::new(&[&text]).catches(&line));
            }
        }
    }
}
