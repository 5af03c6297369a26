//! Go's layouts: a sample of a date, cut into what each part of it stands for.

/// A part of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    Offset(Offset),
    /// A fraction of a second with exactly so many digits.
    Fraction {
        digits: usize,
    },
    /// A fraction of at most so many digits, which may be missing.
    Optional {
        digits: usize,
    },
}

/// How an offset is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    /// `Z` for zero.
    pub zulu: bool,
    pub colons: bool,
    pub parts: Parts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Parts {
    Hours,
    Minutes,
    Seconds,
}

/// Samples in the order in which they are tried, longest first where one starts another.
const SAMPLES: &[(&str, Chunk)] = &[
    ("January", Chunk::LongMonth),
    ("Jan", Chunk::Month),
    ("Monday", Chunk::LongWeekday),
    ("Mon", Chunk::Weekday),
    ("MST", Chunk::ZoneName),
    ("01", Chunk::ZeroMonth),
    ("02", Chunk::ZeroDay),
    ("03", Chunk::ZeroHour12),
    ("04", Chunk::ZeroMinute),
    ("05", Chunk::ZeroSecond),
    ("06", Chunk::Year),
    ("002", Chunk::ZeroYearDay),
    ("15", Chunk::Hour),
    ("1", Chunk::NumMonth),
    ("2006", Chunk::LongYear),
    ("2", Chunk::Day),
    ("__2", Chunk::UnderYearDay),
    ("_2", Chunk::UnderDay),
    ("3", Chunk::Hour12),
    ("4", Chunk::Minute),
    ("5", Chunk::Second),
    ("PM", Chunk::UpperPm),
    ("pm", Chunk::LowerPm),
];

const OFFSETS: &[(&str, bool, Parts)] = &[
    ("070000", false, Parts::Seconds),
    ("07:00:00", true, Parts::Seconds),
    ("0700", false, Parts::Minutes),
    ("07:00", true, Parts::Minutes),
    ("07", false, Parts::Hours),
];

/// Cuts a layout before its first part that stands for something: what comes before, the part and its sample, the rest.
pub(super) fn next(layout: &str) -> (&str, Option<(Chunk, &str)>, &str) {
    for (at, _) in layout.char_indices() {
        let (before, from) = layout.split_at(at);
        // An underscore before a long year is just an underscore.
        if from.starts_with("_2006") {
            let (before, from) = layout.split_at(at + 1);
            let (sample, rest) = from.split_at(4);
            return (before, Some((Chunk::LongYear, sample)), rest);
        }
        if let Some((chunk, length)) = chunk_at(from) {
            let (sample, rest) = from.split_at(length);
            return (before, Some((chunk, sample)), rest);
        }
    }
    (layout, None, "")
}

fn chunk_at(from: &str) -> Option<(Chunk, usize)> {
    for (sample, chunk) in SAMPLES {
        if let Some(rest) = from.strip_prefix(sample) {
            let short_name = matches!(chunk, Chunk::Month | Chunk::Weekday);
            if short_name && rest.starts_with(|it: char| it.is_ascii_lowercase()) {
                continue;
            }
            return Some((*chunk, sample.len()));
        }
    }
    match from.as_bytes() {
        [sign @ (b'-' | b'Z'), ..] => {
            let rest = from.get(1..)?;
            let (sample, colons, parts) = *OFFSETS.iter().find(|it| rest.starts_with(it.0))?;
            let zulu = *sign == b'Z';
            let offset = Offset {
                zulu,
                colons,
                parts,
            };
            Some((Chunk::Offset(offset), 1 + sample.len()))
        }
        [b'.' | b',', digit @ (b'0' | b'9'), ..] => {
            let rest = from.as_bytes().get(1..)?;
            let digits = rest.iter().take_while(|it| *it == digit).count();
            if rest.get(digits).is_some_and(u8::is_ascii_digit) {
                return None;
            }
            let chunk = match digit {
                b'0' => Chunk::Fraction { digits },
                _ => Chunk::Optional { digits },
            };
            Some((chunk, 1 + digits))
        }
        _ => None,
    }
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
