//! Points in time and spans of it, as text and as numbers.

use std::{fmt, ops, str::FromStr, time::Duration};

/// A point in time, to the microsecond, written in RFC 3339 and UTC.
///
/// Core crates never ask for the time; whoever calls them tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Since 1970-01-01T00:00:00Z.
    micros: i64,
}

impl Timestamp {
    pub const fn from_micros(micros: i64) -> Self {
        Self { micros }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_micros(self) -> i64 {
        self.micros
    }

    /// How long `earlier` lies before this; zero if it does not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.micros.saturating_sub(earlier.micros)).unwrap_or(0))
    }

    /// To the second, as Kubernetes writes times: `2026-11-22T10:00:00Z`.
    pub fn to_seconds_text(self) -> String {
        let seconds = Self { micros: self.micros.div_euclid(1_000_000) * 1_000_000 };
        seconds.to_string()
    }
}

impl From<std::time::SystemTime> for Timestamp {
    /// Times before 1970 become 1970.
    fn from(time: std::time::SystemTime) -> Self {
        let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self { micros: i64::try_from(since.as_micros()).unwrap_or(i64::MAX) }
    }
}

impl ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self { micros: self.micros.saturating_add(span) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Records are full of times, so the usual ones take a short way.
        let mut text = Vec::with_capacity(32);
        match loglines::write_micros(&mut text, self.micros).and_then(|()| std::str::from_utf8(&text).ok()) {
            Some(text) => f.write_str(text),
            None => {
                let time = jiff::Timestamp::from_microsecond(self.micros).map_err(|_| fmt::Error)?;
                write!(f, "{time}")
            }
        }
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(micros) = loglines::read_micros(text.as_bytes()) {
            return Ok(Self { micros });
        }
        let time: jiff::Timestamp = text.parse()?;
        Ok(Self { micros: time.as_microsecond() })
    }
}

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a duration such as `90s`, `5m` or `1h30m`, found `{0}`")]
pub struct ParseDurationError(String);

/// Reads `90s`, `5m`, `1h30m`, `250ms` or a bare number of seconds.
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let wrong = || ParseDurationError(text.to_owned());
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    parsed.try_into().map_err(|_| wrong())
}

/// Writes a span for people: `0.3s`, `42s`, `3m 5s`, `2h 4m`.
pub fn format_duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", span.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        _ => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        let time: Timestamp = "2026-11-22T10:00:00.25Z".parse().expect("a time");
        assert_eq!(time.to_string(), "2026-11-22T10:00:00.25Z");
        assert_eq!(time.to_seconds_text(), "2026-11-22T10:00:00Z");
        assert_eq!((time + Duration::from_secs(2)).since(time), Duration::from_secs(2));
        assert_eq!(time.since(time + Duration::from_secs(2)), Duration::ZERO);
    }

    #[test]
    fn both_ways_to_write_a_time_agree() {
        for micros in [0, 1, -1, 999_999, 1_795_305_600_250_000, -62_135_596_800_000_000, 253_402_207_199_999_999] {
            let long = jiff::Timestamp::from_microsecond(micros).expect("a time").to_string();
            assert_eq!(Timestamp::from_micros(micros).to_string(), long);
            assert_eq!(long.parse::<Timestamp>().ok(), Some(Timestamp::from_micros(micros)));
        }
        let zoned: Timestamp = "2026-11-22T11:00:00+01:00".parse().expect("a time");
        assert_eq!(zoned.to_string(), "2026-11-22T10:00:00Z");
        assert!("2026-02-30T10:00:00Z".parse::<Timestamp>().is_err());
    }

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, millis) in [("90s", 90_000), ("5m", 300_000), ("1h30m", 5_400_000), ("250ms", 250), ("7", 7000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert!(parse_duration("soon").is_err() && parse_duration("-1s").is_err());
    }
}
