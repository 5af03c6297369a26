//! The times of `schedule`: five fields, and the next minute that fits them.

use std::{str::FromStr, sync::LazyLock};

use jiff::{
    civil,
    tz::{TimeZone, TimeZoneDatabase},
};
use names::Timestamp;

/// The zones that are compiled in: what the machine knows makes no difference.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// February 29th on one weekday comes back after 40 years at the latest.
const MOST_DAYS: u32 = 41 * 366;

/// An entry of `schedule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub cron: Cron,
    /// The name of a time zone; UTC where it is missing.
    pub zone: Option<String>,
}

/// Minute, hour, day of the month, month and day of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    source: String,
    /// Bit n stands for value n.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day must fit both its fields; if both are restricted, one is enough.
    both_days: bool,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCronError {
    #[error("expected 5 fields (minute, hour, day, month, weekday), found {0}")]
    Fields(usize),
    #[error("`{text}` is no {field}: expected {least} to {most}")]
    Field {
        text: String,
        field: &'static str,
        least: u32,
        most: u32,
    },
}

struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// The first stands for `least`.
    words: &'static [&'static str],
}

const MINUTE: Field = Field {
    name: "minute",
    least: 0,
    most: 59,
    words: &[],
};
const HOUR: Field = Field {
    name: "hour",
    least: 0,
    most: 23,
    words: &[],
};
const DAY: Field = Field {
    name: "day of the month",
    least: 1,
    most: 31,
    words: &[],
};
const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    words: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
const WEEKDAY: Field = Field {
    name: "day of the week",
    least: 0,
    most: 6,
    words: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

impl FromStr for Cron {
    type Err = ParseCronError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut fields: Vec<_> = text.split(' ').collect();
        // Several spaces part fields as one does; spaces at the ends do not belong there.
        let last = fields.len() - 1;
        let mut at = 0;
        fields.retain(|it| {
            at += 1;
            !it.is_empty() || at == 1 || at == last + 1
        });
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(ParseCronError::Fields(fields.len()));
        };
        Ok(Self {
            minutes: MINUTE.read(minute)?,
            hours: HOUR.read(hour)?,
            days: DAY.read(day)?,
            months: MONTH.read(month)?,
            weekdays: WEEKDAY.read(weekday)?,
            both_days: day.starts_with('*') || weekday.starts_with('*'),
            source: text.to_owned(),
        })
    }
}

impl Field {
    fn read(&self, text: &str) -> Result<u64, ParseCronError> {
        let mut set = 0;
        for part in text.split(',') {
            set |= self.part(part).ok_or_else(|| ParseCronError::Field {
                text: text.to_owned(),
                field: self.name,
                least: self.least,
                most: self.most,
            })?;
        }
        Ok(set)
    }

    /// `*`, `5`, `mon-fri`, each with a step behind `/`.
    fn part(&self, part: &str) -> Option<u64> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.value(step).filter(|it| *it > 0)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            None => {
                let first = self.value(range)?;
                (first, if step.is_some() { self.most } else { first })
            }
        };
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        (first <= last).then(|| {
            (first..=last)
                .step_by(step)
                .fold(0, |set, it| set | (1 << it))
        })
    }

    fn value(&self, text: &str) -> Option<u32> {
        let word = self.words.iter().zip(self.least..);
        if let Some((_, value)) = word
            .into_iter()
            .find(|(it, _)| it.eq_ignore_ascii_case(text))
        {
            return Some(value);
        }
        let digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        let value: u32 = digits.then(|| text.parse().ok()).flatten()?;
        (self.least..=self.most).contains(&value).then_some(value)
    }
}

impl Cron {
    /// As the file has it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The shortest time between two runs of one hour, in minutes; 60 where there is one.
    pub fn shortest_gap_minutes(&self) -> u32 {
        let minutes: Vec<_> = (0..60).filter(|it| self.minutes & (1 << it) != 0).collect();
        let wrapped = minutes
            .iter()
            .skip(1)
            .copied()
            .chain(minutes.first().map(|it| it + 60));
        let gaps = minutes.iter().zip(wrapped).map(|(here, next)| next - here);
        gaps.min().unwrap_or(60)
    }

    fn fits(&self, date: civil::Date) -> bool {
        let has = |set: u64, value: i8| u32::try_from(value).is_ok_and(|it| set & (1 << it) != 0);
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let days = if self.both_days {
            day && weekday
        } else {
            day || weekday
        };
        has(self.months, date.month()) && days
    }

    fn times(&self) -> impl Iterator<Item = civil::Time> {
        let values = |set: u64, most: i8| (0..most).filter(move |it| set & (1 << it) != 0);
        let minutes = self.minutes;
        values(self.hours, 24)
            .flat_map(move |hour| values(minutes, 60).map(move |minute| (hour, minute)))
            .filter_map(|(hour, minute)| civil::Time::new(hour, minute, 0, 0).ok())
    }
}

impl Schedule {
    /// The first time after `instant` that fits; `None` for days that never come, such as February 30th.
    pub fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let zone = match &self.zone {
            Some(name) => ZONES.get(name).ok()?,
            None => TimeZone::UTC,
        };
        let instant = jiff::Timestamp::from_microsecond(instant.as_micros()).ok()?;
        let mut date = instant.to_zoned(zone.clone()).date();
        for _ in 0..MOST_DAYS {
            if self.cron.fits(date) {
                // A time that a clock change leaves out comes when the clocks have moved.
                let times = self
                    .cron
                    .times()
                    .map(|time| zone.to_timestamp(date.to_datetime(time)));
                let next = times.filter_map(Result::ok).find(|it| *it > instant);
                if let Some(next) = next {
                    return Some(Timestamp::from_micros(next.as_microsecond()));
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }
}

/// Whether a text names a time zone.
pub(crate) fn is_zone(name: &str) -> bool {
    ZONES.get(name).is_ok()
}
