//! Go's `time`: instants in zones, durations, layouts.

mod civil;
mod duration;
mod format;
mod layout;
mod object;
mod parse;
mod zone;

pub(crate) use civil::Civil;
pub(crate) use duration::Duration;
pub(crate) use object::{DURATION, TIME};
pub(crate) use parse::parse;
pub(crate) use zone::Zone;

/// An instant and the zone in which it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Time {
    /// Seconds since 1970, UTC.
    pub seconds: i64,
    /// Below a thousand million.
    pub nanoseconds: u32,
    pub zone: Zone,
}

const NANOSECONDS: i128 = 1_000_000_000;

impl Time {
    /// The zero of Go's type: the start of the year 1.
    pub const ZERO: Self = Self {
        seconds: -62_135_596_800,
        nanoseconds: 0,
        zone: Zone::Utc,
    };

    /// Nanoseconds since 1970, shown in the local zone, which is UTC here.
    pub fn from_nanoseconds(nanoseconds: i128) -> Self {
        Self {
            seconds: i64::try_from(nanoseconds.div_euclid(NANOSECONDS)).unwrap_or(0),
            nanoseconds: u32::try_from(nanoseconds.rem_euclid(NANOSECONDS)).unwrap_or(0),
            zone: Zone::Utc,
        }
    }

    pub fn from_unix(seconds: i64) -> Self {
        Self {
            seconds,
            nanoseconds: 0,
            zone: Zone::Utc,
        }
    }

    pub fn nanoseconds_since_1970(&self) -> i128 {
        i128::from(self.seconds) * NANOSECONDS + i128::from(self.nanoseconds)
    }

    pub fn in_zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    pub fn plus(&self, duration: Duration) -> Self {
        let sum = self.nanoseconds_since_1970() + i128::from(duration.0);
        Self::from_nanoseconds(sum).in_zone(self.zone.clone())
    }

    /// The time between both, at most what a duration holds.
    pub fn since(&self, earlier: &Self) -> Duration {
        let between = self.nanoseconds_since_1970() - earlier.nanoseconds_since_1970();
        Duration(i64::try_from(between).unwrap_or(if between < 0 { i64::MIN } else { i64::MAX }))
    }

    /// What calendar and clock show in its zone.
    pub fn civil(&self) -> Civil {
        let (offset, _) = self.zone.at(self.seconds);
        Civil::from_seconds(self.seconds + i64::from(offset))
    }
}
