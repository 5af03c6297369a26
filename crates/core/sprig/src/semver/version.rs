//! One version: parsing, order, text.

use std::{cmp::Ordering, fmt, str::FromStr};

/// A version of up to three numbers, with a pre-release and build metadata.
///
/// Equality and order leave the metadata out.
#[derive(Clone, Debug)]
pub struct Version {
    pub major: u64,
    pub minor: u64,
    pub patch: u64,
    /// Without the hyphen.
    pub pre_release: String,
    /// Without the plus sign.
    pub metadata: String,
    /// The text it was read from.
    pub original: String,
}

/// Why a text is no version, in the words of the original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionError {
    Invalid,
    TooLong,
    LeadingZero,
    /// A number beyond 64 bits.
    Segment(String),
}

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str("invalid semantic version"),
            Self::TooLong => write!(f, "version string is too long (max {BYTES_MAX} bytes)"),
            Self::LeadingZero => f.write_str("version segment starts with 0"),
            Self::Segment(digits) => write!(
                f,
                "error parsing version segment: strconv.ParseUint: parsing \"{digits}\": value out of range"
            ),
        }
    }
}

impl std::error::Error for VersionError {}

const BYTES_MAX: usize = 256;

impl FromStr for Version {
    type Err = VersionError;

    /// Leading zeros and missing numbers are forgiven: `v1.02` is 1.2.0.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.len() > BYTES_MAX {
            return Err(VersionError::TooLong);
        }
        let mut rest = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = [0; 3];
        for (at, number) in numbers.iter_mut().enumerate() {
            let digits_from = if at == 0 {
                Some(rest)
            } else {
                rest.strip_prefix('.')
            };
            let Some(digits_from) = digits_from else {
                break;
            };
            let end = digits_from
                .find(|it: char| !it.is_ascii_digit())
                .unwrap_or(digits_from.len());
            let (digits, after) = digits_from.split_at(end);
            if digits.is_empty() {
                return Err(VersionError::Invalid);
            }
            *number = digits
                .parse()
                .map_err(|_| VersionError::Segment(digits.to_owned()))?;
            rest = after;
        }
        let (pre_release, rest) = identifiers(rest, '-')?;
        let (metadata, rest) = identifiers(rest, '+')?;
        if !rest.is_empty() {
            return Err(VersionError::Invalid);
        }
        if pre_release.split('.').any(has_leading_zero) {
            return Err(VersionError::LeadingZero);
        }
        let [major, minor, patch] = numbers;
        Ok(Self {
            major,
            minor,
            patch,
            pre_release: pre_release.to_owned(),
            metadata: metadata.to_owned(),
            original: text.to_owned(),
        })
    }
}

/// Dotted identifiers after `sign`, and what follows them.
pub(super) fn identifiers(text: &str, sign: char) -> Result<(&str, &str), VersionError> {
    let Some(body) = text.strip_prefix(sign) else {
        return Ok(("", text));
    };
    let end = identifiers_end(body);
    if end == 0 {
        return Err(VersionError::Invalid);
    }
    Ok(body.split_at(end))
}

/// How far dotted identifiers go; none may be empty.
pub(super) fn identifiers_end(body: &str) -> usize {
    let mut end = 0;
    loop {
        let from = if end == 0 {
            body
        } else {
            match body.get(end..).and_then(|it| it.strip_prefix('.')) {
                Some(rest) => rest,
                None => return end,
            }
        };
        let length = from
            .find(|it: char| !it.is_ascii_alphanumeric() && it != '-')
            .unwrap_or(from.len());
        if length == 0 {
            return end;
        }
        end = body.len() - from.len() + length;
    }
}

fn has_leading_zero(identifier: &str) -> bool {
    identifier.len() > 1
        && identifier.starts_with('0')
        && identifier.bytes().all(|it| it.is_ascii_digit())
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre_release.is_empty() {
            write!(f, "-{}", self.pre_release)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = |it: &Self| (it.major, it.minor, it.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| {
            match (self.pre_release.is_empty(), other.pre_release.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => pre_releases(&self.pre_release, &other.pre_release),
            }
        })
    }
}

/// Compares two pre-releases part by part: numbers before words, fewer parts before more.
pub(super) fn pre_releases(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => parts(a.unwrap_or_default(), b.unwrap_or_default()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn parts(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Less,
        (false, true) => return Ordering::Greater,
        (false, false) => {}
    }
    match (left.parse::<u64>(), right.parse::<u64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => left.cmp(right),
    }
}
