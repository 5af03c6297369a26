//! Durations: `1h2m3.5s`.

use std::fmt;

/// Nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Duration(pub i64);

pub(crate) const SECOND: i64 = 1_000_000_000;

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.0.unsigned_abs();
        if total == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let (whole, unit, size) = match total {
            0..1_000 => return write!(f, "{total}ns"),
            1_000..1_000_000 => (total, "µs", 1_000),
            1_000_000..1_000_000_000 => (total, "ms", 1_000_000),
            _ => {
                let seconds = total / 1_000_000_000;
                if seconds >= 3_600 {
                    write!(f, "{}h", seconds / 3_600)?;
                }
                if seconds >= 60 {
                    write!(f, "{}m", seconds / 60 % 60)?;
                }
                (total % 60_000_000_000, "s", 1_000_000_000)
            }
        };
        let places = if size == 1_000 {
            3
        } else if size == 1_000_000 {
            6
        } else {
            9
        };
        let fraction = format!("{:0places$}", whole % size);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}{unit}", whole / size),
            fraction => write!(f, "{}.{fraction}{unit}", whole / size),
        }
    }
}

impl Duration {
    /// Go's `ParseDuration`, with its words for what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let invalid = || {
            format!(
                "time: invalid duration {}",
                gotemplate::quoted(text.as_bytes())
            )
        };
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        const BOUND: u64 = 1 << 63;
        let mut total = 0_u64;
        while !rest.is_empty() {
            let (whole, after) = digits(rest);
            let (fraction, after) = match after.strip_prefix('.') {
                Some(after) => digits(after),
                None => ("", after),
            };
            if whole.is_empty() && fraction.is_empty() {
                return Err(invalid());
            }
            let end = after
                .find(|it: char| it == '.' || it.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            if unit.is_empty() {
                return Err(format!(
                    "time: missing unit in duration {}",
                    gotemplate::quoted(text.as_bytes())
                ));
            }
            let Some(size) = unit_size(unit) else {
                return Err(format!(
                    "time: unknown unit {} in duration {}",
                    gotemplate::quoted(unit.as_bytes()),
                    gotemplate::quoted(text.as_bytes())
                ));
            };
            let whole: u64 = if whole.is_empty() {
                0
            } else {
                whole.parse().map_err(|_| invalid())?
            };
            let part = whole.checked_mul(size).ok_or_else(invalid)?;
            let part = part
                .checked_add(fraction_of(fraction, size))
                .ok_or_else(invalid)?;
            total = total
                .checked_add(part)
                .filter(|it| *it <= BOUND)
                .ok_or_else(invalid)?;
            rest = after;
        }
        match (negative, i64::try_from(total)) {
            (true, Ok(total)) => Ok(Self(-total)),
            (true, Err(_)) => Ok(Self(i64::MIN)),
            (false, Ok(total)) => Ok(Self(total)),
            (false, Err(_)) => Err(invalid()),
        }
    }

    /// To the nearest multiple, halves away from zero.
    pub fn round(self, multiple: Self) -> Self {
        if multiple.0 <= 0 {
            return self;
        }
        let rest = self.0 % multiple.0;
        let half_or_more = rest.unsigned_abs() * 2 >= multiple.0.unsigned_abs();
        let toward = self.0 - rest;
        Self(match (half_or_more, self.0 < 0) {
            (false, _) => toward,
            (true, true) => toward.saturating_sub(multiple.0),
            (true, false) => toward.saturating_add(multiple.0),
        })
    }

    /// Toward zero.
    pub fn truncate(self, multiple: Self) -> Self {
        if multiple.0 <= 0 {
            return self;
        }
        Self(self.0 - self.0 % multiple.0)
    }

    /// How many of `unit` nanoseconds, as Go computes it: whole and fraction apart.
    #[expect(clippy::cast_precision_loss, reason = "Go rounds too")]
    pub fn count(self, unit: i64) -> f64 {
        (self.0 / unit) as f64 + (self.0 % unit) as f64 / unit as f64
    }
}

fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|it: char| !it.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

fn unit_size(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go computes the fraction in doubles"
)]
fn fraction_of(digits: &str, size: u64) -> u64 {
    let mut number = 0_u64;
    let mut scale = 1.0_f64;
    for digit in digits.bytes() {
        let next = number
            .checked_mul(10)
            .and_then(|it| it.checked_add(u64::from(digit - b'0')))
            .filter(|it| *it <= 1 << 63);
        let Some(next) = next else { break };
        number = next;
        scale *= 10.0;
    }
    (number as f64 * (size as f64 / scale)) as u64
}
