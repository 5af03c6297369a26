//! The SHA-256 digest of some bytes.

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};

/// The SHA-256 digest of some bytes, written `sha256:` and 64 hex digits.
///
/// Text becomes a `Digest` only through [`FromStr`], so whoever holds one may
/// use it in a path or a URL without checking it again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is no [`Digest`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseDigestError {
    #[error("expected a digest that starts with `sha256:`, found `{0}`")]
    UnknownAlgorithm(String),
    #[error("expected 64 hex digits after `sha256:`, found {0} bytes")]
    WrongLength(usize),
    #[error("expected lowercase hex digits after `sha256:`, found `{0}`")]
    NotHex(char),
}

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest that was computed elsewhere, for example while streaming.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hex digits without the algorithm.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first 12 hex digits, for people.
    pub fn short(&self) -> String {
        self.hex().chars().take(12).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(hex) = text.strip_prefix("sha256:") else {
            return Err(ParseDigestError::UnknownAlgorithm(text.to_owned()));
        };
        if hex.len() != 64 {
            return Err(ParseDigestError::WrongLength(hex.len()));
        }
        let mut bytes = [0; 32];
        let mut symbols = hex.chars();
        for byte in &mut bytes {
            let high = hex_value(symbols.next().unwrap_or('\0'))?;
            let low = hex_value(symbols.next().unwrap_or('\0'))?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

/// OCI allows lowercase only; accepting both would give one blob two names.
fn hex_value(symbol: char) -> Result<u8, ParseDigestError> {
    match symbol {
        '0'..='9' => Ok(symbol as u8 - b'0'),
        'a'..='f' => Ok(symbol as u8 - b'a' + 10),
        _ => Err(ParseDigestError::NotHex(symbol)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_digest_are_the_same_thing() {
        let digest = Digest::of(b"layer");
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }

    #[test]
    fn only_lowercase_sha256_is_accepted() {
        let upper = format!("sha256:{}", "A".repeat(64));
        assert_eq!(upper.parse::<Digest>(), Err(ParseDigestError::NotHex('A')));
        assert_eq!("sha256:ab".parse::<Digest>(), Err(ParseDigestError::WrongLength(2)));
        let other = "md5:ab".to_owned();
        assert_eq!(other.parse::<Digest>(), Err(ParseDigestError::UnknownAlgorithm(other)));
    }
}
