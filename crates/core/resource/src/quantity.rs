//! Quantities such as `250m` and `64Mi`: parsed exactly, printed canonically.

use std::{cmp::Ordering, fmt, str::FromStr};

/// An amount of something, e.g. CPU or memory.
///
/// Kept as whole nano-units, the finest the API knows; finer fractions are rounded up as the real
/// server does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    nanos: i128,
    form: Form,
}

/// In which family of suffixes a quantity is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// `m`, `k`, `M`, `G`…
    #[default]
    Decimal,
    /// `Ki`, `Mi`, `Gi`…
    Binary,
    /// `e3`, `E6`…
    Exponent,
}

/// Why a text is no [`Quantity`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    #[error("quantities must match the regular expression '{PATTERN}'")]
    Malformed,
    #[error("unable to parse quantity's suffix")]
    UnknownSuffix,
}

const PATTERN: &str = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$";
const NANOS: i128 = 1_000_000_000;
/// The API caps amounts at 2^63-1 units; larger ones become that.
const MOST: i128 = i64::MAX as i128 * NANOS;

const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: [(&str, u32); 6] = [
    ("Ki", 10),
    ("Mi", 20),
    ("Gi", 30),
    ("Ti", 40),
    ("Pi", 50),
    ("Ei", 60),
];

impl Quantity {
    /// An amount in thousandths, e.g. of a CPU.
    pub fn from_milli(milli: i64) -> Self {
        Self {
            nanos: i128::from(milli) * 1_000_000,
            form: Form::Decimal,
        }
    }

    /// A whole number of bytes, printed with binary suffixes.
    pub fn from_bytes(bytes: i64) -> Self {
        Self {
            nanos: i128::from(bytes) * NANOS,
            form: Form::Binary,
        }
    }

    /// In thousandths, rounded up.
    pub fn as_milli(self) -> i64 {
        self.scaled(1_000_000)
    }

    /// In whole units, e.g. bytes, rounded up.
    pub fn as_units(self) -> i64 {
        self.scaled(NANOS)
    }

    fn scaled(self, unit: i128) -> i64 {
        let rounded = round_up(self.nanos, unit);
        i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
    }

    /// Rounded up to whole thousandths, the finest amount of a resource that is kept.
    pub fn to_milli_precision(self) -> Self {
        Self {
            nanos: round_up(self.nanos, 1_000_000) * 1_000_000,
            form: self.form,
        }
    }

    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether it is a whole number of units.
    pub fn is_whole(self) -> bool {
        self.nanos % NANOS == 0
    }

    /// The sum; it keeps the form of the first that is not zero.
    pub fn plus(self, other: Self) -> Self {
        let form = if self.is_zero() {
            other.form
        } else {
            self.form
        };
        Self {
            nanos: (self.nanos + other.nanos).min(MOST),
            form,
        }
    }

    /// The difference; it keeps the form of the first that is not zero.
    pub fn minus(self, other: Self) -> Self {
        let form = if self.is_zero() {
            other.form
        } else {
            self.form
        };
        Self {
            nanos: self.nanos - other.nanos,
            form,
        }
    }
}

fn round_up(value: i128, unit: i128) -> i128 {
    let whole = value / unit;
    match (value % unit).cmp(&0) {
        Ordering::Greater => whole + 1,
        Ordering::Less => whole - 1,
        Ordering::Equal => whole,
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let split = unsigned
            .find(|symbol: char| !symbol.is_ascii_digit() && symbol != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(split);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if text.is_empty() || fraction.contains('.') {
            return Err(ParseQuantityError::Malformed);
        }
        let (form, scale) = parse_suffix(suffix)?;
        let magnitude = to_nanos(whole, fraction, scale);
        Ok(Self {
            nanos: if negative { -magnitude } else { magnitude },
            form,
        })
    }
}

/// What a suffix multiplies with: a power of ten, or a power of two.
#[derive(Clone, Copy)]
enum Scale {
    Ten(i32),
    Two(u32),
}

fn parse_suffix(suffix: &str) -> Result<(Form, Scale), ParseQuantityError> {
    if let Some((_, power)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Ok((Form::Binary, Scale::Two(*power)));
    }
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Ok((Form::Decimal, Scale::Ten(*power)));
    }
    let exponent = suffix
        .strip_prefix(['e', 'E'])
        .ok_or_else(|| wrong_suffix(suffix))?;
    let power: i32 = exponent.parse().map_err(|_| wrong_suffix(suffix))?;
    Ok((Form::Exponent, Scale::Ten(power.clamp(-100, 100))))
}

/// A suffix of known letters is reported otherwise than one with strange letters.
fn wrong_suffix(suffix: &str) -> ParseQuantityError {
    let letters = suffix.trim_start_matches(|it| "eEinumkKMGTP".contains(it));
    let digits = letters.strip_prefix(['-', '+']).unwrap_or(letters);
    if digits.bytes().all(|it| it.is_ascii_digit()) {
        ParseQuantityError::UnknownSuffix
    } else {
        ParseQuantityError::Malformed
    }
}

/// `whole.fraction × scale` in nano-units, rounded up and capped.
fn to_nanos(whole: &str, fraction: &str, scale: Scale) -> i128 {
    let digits = whole.bytes().chain(fraction.bytes());
    let (factor, mut power) = match scale {
        Scale::Ten(power) => (1, power),
        Scale::Two(power) => (1_i128 << power, 0),
    };
    power += 9 - i32::try_from(fraction.len()).unwrap_or(i32::MAX / 2);
    let mut value: i128 = 0;
    let mut lost = false;
    for digit in digits {
        match value
            .checked_mul(10)
            .filter(|it| *it <= i128::MAX / (1 << 61))
        {
            Some(shifted) => value = shifted + i128::from(digit - b'0'),
            // Beyond any amount the API can hold, or digits finer than it can show.
            None => {
                lost |= digit != b'0';
                power += 1;
            }
        }
    }
    value = value.checked_mul(factor).unwrap_or(i128::MAX);
    while power > 0 && value != 0 && value <= MOST {
        value = value.saturating_mul(10);
        power -= 1;
    }
    while power < 0 && value != 0 {
        lost |= value % 10 != 0;
        value /= 10;
        power += 1;
    }
    (value + i128::from(lost)).min(MOST)
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let sign = if self.nanos < 0 { "-" } else { "" };
        let nanos = self.nanos.unsigned_abs();
        let unit = NANOS.unsigned_abs();
        // A fraction has no binary form, and small amounts read better without.
        if self.form == Form::Binary && nanos.is_multiple_of(unit) && nanos >= 1024 * unit {
            let mut value = nanos / unit;
            let mut suffix = "";
            for (name, _) in BINARY {
                if !value.is_multiple_of(1024) {
                    break;
                }
                value /= 1024;
                suffix = name;
            }
            return write!(f, "{sign}{value}{suffix}");
        }
        let (mut value, mut power) = (nanos, -9);
        while value.is_multiple_of(1000) && power < 18 {
            value /= 1000;
            power += 3;
        }
        if self.form == Form::Exponent {
            let suffix = if power == 0 {
                String::new()
            } else {
                format!("e{power}")
            };
            return write!(f, "{sign}{value}{suffix}");
        }
        let suffix = DECIMAL
            .iter()
            .find(|(_, it)| *it == power)
            .map_or("", |(name, _)| name);
        write!(f, "{sign}{value}{suffix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        for (text, expected) in [
            ("0", "0"),
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1.5Gi", "1536Mi"),
            ("1024Mi", "1Gi"),
            ("512Ki", "512Ki"),
            ("1000Ki", "1000Ki"),
            ("0.5Mi", "512Ki"),
            ("0.1Ki", "102400m"),
            ("1e3", "1e3"),
            ("12e4", "120e3"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("1M", "1M"),
            ("-5", "-5"),
            (".5", "500m"),
            ("1.", "1"),
            ("0.0000000001", "1n"),
            ("100Mi", "100Mi"),
            ("512", "512"),
            ("2Ei", "2Ei"),
        ] {
            let quantity: Quantity = text.parse().expect(text);
            assert_eq!(quantity.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn malformed_texts_are_refused() {
        for text in ["", "a", "1.2.3", "1x", "1 Gi"] {
            assert_eq!(
                text.parse::<Quantity>(),
                Err(ParseQuantityError::Malformed),
                "{text}"
            );
        }
        for text in ["1mi", "1K", "1ee3", "--1"] {
            assert_eq!(
                text.parse::<Quantity>(),
                Err(ParseQuantityError::UnknownSuffix),
                "{text}"
            );
        }
    }

    #[test]
    fn numbers_compare_and_add_across_forms() {
        let mebi: Quantity = "1Mi".parse().expect("quantity");
        let mega: Quantity = "1M".parse().expect("quantity");
        assert!(mebi > mega);
        assert_eq!(mebi.plus(mebi).to_string(), "2Mi");
        assert_eq!(mebi.minus(mega).as_units(), 48_576);
        assert_eq!("1".parse::<Quantity>(), "1000m".parse());
        assert_eq!(Quantity::from_milli(1500).to_string(), "1500m");
        assert_eq!(Quantity::from_bytes(64 << 20).to_string(), "64Mi");
        assert_eq!("0.1".parse::<Quantity>().map(Quantity::as_milli), Ok(100));
        assert_eq!("1.5".parse::<Quantity>().map(Quantity::as_units), Ok(2));
    }
}
