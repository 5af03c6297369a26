//! Writes a time by a layout.

use std::fmt::Write as _;

use super::{
    Time,
    layout::{Chunk, MONTHS, Offset, Parts, WEEKDAYS, next},
};

pub(super) const RFC_3339_NANO: &str = "2006-01-02T15:04:05.999999999Z07:00";

impl Time {
    /// Go's `Format`.
    pub fn format(&self, layout: &str) -> String {
        let mut out = String::new();
        let mut rest = layout;
        loop {
            let (before, chunk, after) = next(rest);
            out.push_str(before);
            let Some((chunk, sample)) = chunk else {
                return out;
            };
            self.chunk(&mut out, chunk, sample);
            rest = after;
        }
    }

    /// Go's `String`.
    pub fn text(&self) -> String {
        self.format("2006-01-02 15:04:05.999999999 -0700 MST")
    }

    fn chunk(&self, out: &mut String, chunk: Chunk, sample: &str) {
        let civil = self.civil();
        let name = |names: &[&'static str], at: i64| {
            usize::try_from(at)
                .ok()
                .and_then(|it| names.get(it).copied())
                .unwrap_or_default()
        };
        let month = name(&MONTHS, civil.month - 1);
        let weekday = name(&WEEKDAYS, civil.weekday());
        let hour_12 = match civil.hour % 12 {
            0 => 12,
            hour => hour,
        };
        match chunk {
            Chunk::LongMonth => out.push_str(month),
            Chunk::Month => out.extend(month.chars().take(3)),
            Chunk::LongWeekday => out.push_str(weekday),
            Chunk::Weekday => out.extend(weekday.chars().take(3)),
            Chunk::UpperPm => out.push_str(if civil.hour >= 12 { "PM" } else { "AM" }),
            Chunk::LowerPm => out.push_str(if civil.hour >= 12 { "pm" } else { "am" }),
            Chunk::ZoneName => self.zone_name(out),
            Chunk::Offset(offset) => self.offset(out, offset),
            Chunk::Fraction { digits } => {
                let fraction = format!("{:09}", self.nanoseconds);
                out.extend(sample.chars().take(1));
                out.extend(fraction.chars().chain(std::iter::repeat('0')).take(digits));
            }
            Chunk::Optional { digits } => {
                let fraction = format!("{:09}", self.nanoseconds);
                let fraction: String = fraction.chars().take(digits).collect();
                let fraction = fraction.trim_end_matches('0');
                if !fraction.is_empty() {
                    out.extend(sample.chars().take(1));
                    out.push_str(fraction);
                }
            }
            Chunk::LongYear => number(out, civil.year, 4, '0'),
            Chunk::Year => number(out, civil.year.max(0) % 100, 2, '0'),
            Chunk::NumMonth => number(out, civil.month, 0, '0'),
            Chunk::ZeroMonth => number(out, civil.month, 2, '0'),
            Chunk::Day => number(out, civil.day, 0, '0'),
            Chunk::UnderDay => number(out, civil.day, 2, ' '),
            Chunk::ZeroDay => number(out, civil.day, 2, '0'),
            Chunk::UnderYearDay => number(out, civil.year_day(), 3, ' '),
            Chunk::ZeroYearDay => number(out, civil.year_day(), 3, '0'),
            Chunk::Hour => number(out, civil.hour, 2, '0'),
            Chunk::Hour12 => number(out, hour_12, 0, '0'),
            Chunk::ZeroHour12 => number(out, hour_12, 2, '0'),
            Chunk::Minute => number(out, civil.minute, 0, '0'),
            Chunk::ZeroMinute => number(out, civil.minute, 2, '0'),
            Chunk::Second => number(out, civil.second, 0, '0'),
            Chunk::ZeroSecond => number(out, civil.second, 2, '0'),
        }
    }

    fn zone_name(&self, out: &mut String) {
        let (offset, name) = self.zone.at(self.seconds);
        if !name.is_empty() {
            return out.push_str(&name);
        }
        let minutes = offset / 60;
        out.push(if minutes < 0 { '-' } else { '+' });
        number(out, i64::from(minutes.abs() / 60), 2, '0');
        number(out, i64::from(minutes.abs() % 60), 2, '0');
    }

    fn offset(&self, out: &mut String, form: Offset) {
        let (offset, _) = self.zone.at(self.seconds);
        if form.zulu && offset == 0 {
            return out.push('Z');
        }
        let minutes = offset / 60;
        out.push(if minutes < 0 { '-' } else { '+' });
        number(out, i64::from(minutes.abs() / 60), 2, '0');
        let colon = if form.colons { ":" } else { "" };
        if form.parts >= Parts::Minutes {
            out.push_str(colon);
            number(out, i64::from(minutes.abs() % 60), 2, '0');
        }
        if form.parts == Parts::Seconds {
            out.push_str(colon);
            number(out, i64::from(offset.abs() % 60), 2, '0');
        }
    }
}

fn number(out: &mut String, number: i64, width: usize, fill: char) {
    if number < 0 {
        out.push('-');
    }
    let digits = number.unsigned_abs().to_string();
    out.extend(std::iter::repeat_n(
        fill,
        width.saturating_sub(digits.len()),
    ));
    // Writing to a string cannot fail.
    let _ = out.write_str(&digits);
}
