//! Reads a time by a layout, with Go's words for what is wrong.

use super::{
    Civil, Time, Zone,
    civil::{days_in, is_leap},
    layout::{Chunk, MONTHS, Offset, Parts, WEEKDAYS, next},
};

/// What was read so far.
#[derive(Default)]
struct Found {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    pm: bool,
    am: bool,
    zulu: bool,
    offset: Option<i32>,
    zone_name: String,
}

/// Why a part does not fit.
enum Misfit {
    /// It is not there.
    Bad,
    /// It is, but there is no such month, day, hour …
    OutOfRange(&'static str),
}

/// Go's `Parse`; a time without a zone is in UTC.
pub(crate) fn parse(layout: &str, text: &str) -> Result<Time, String> {
    let quoted = |it: &str| gotemplate::quoted(it.as_bytes());
    let cannot = |value: &str, element: &str| {
        format!(
            "parsing time {} as {}: cannot parse {} as {}",
            quoted(text),
            quoted(layout),
            quoted(value),
            quoted(element)
        )
    };
    let says = |message: &str| format!("parsing time {}{message}", quoted(text));
    let mut found = Found::default();
    let (mut rest_layout, mut rest) = (layout, text);
    loop {
        let (before, chunk, after) = next(rest_layout);
        rest = skip(rest, before).map_err(|at| cannot(at, before))?;
        let Some((chunk, sample)) = chunk else {
            if !rest.is_empty() {
                return Err(says(&format!(": extra text: {}", quoted(rest))));
            }
            return finish(&found).map_err(|it| says(&format!(": {it} out of range")));
        };
        let hold = rest;
        rest = match found.read(chunk, sample, after, rest) {
            Ok(rest) => rest,
            Err(Misfit::Bad) => return Err(cannot(hold, sample)),
            Err(Misfit::OutOfRange(what)) => return Err(says(&format!(": {what} out of range"))),
        };
        rest_layout = after;
    }
}

/// Takes the literal part of a layout off; runs of blanks count as one.
fn skip<'a>(mut text: &'a str, mut literal: &str) -> Result<&'a str, &'a str> {
    while let Some(symbol) = literal.chars().next() {
        if symbol == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return Err(text);
            }
            literal = literal.trim_start_matches(' ');
            text = text.trim_start_matches(' ');
            continue;
        }
        text = text.strip_prefix(symbol).ok_or(text)?;
        literal = literal.get(symbol.len_utf8()..).unwrap_or_default();
    }
    Ok(text)
}

impl Found {
    fn read<'a>(
        &mut self,
        chunk: Chunk,
        sample: &str,
        layout_rest: &str,
        text: &'a str,
    ) -> Result<&'a str, Misfit> {
        match chunk {
            Chunk::Year => {
                let (year, rest) = exact(text, 2)?;
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
                Ok(rest)
            }
            Chunk::LongYear => {
                let (year, rest) = exact(text, 4)?;
                self.year = year;
                Ok(rest)
            }
            Chunk::Month | Chunk::LongMonth => {
                let length = if chunk == Chunk::Month { 3 } else { usize::MAX };
                let (month, rest) = name(&MONTHS, length, text)?;
                self.month = Some(month + 1);
                Ok(rest)
            }
            Chunk::Weekday => name(&WEEKDAYS, 3, text).map(|(_, rest)| rest),
            Chunk::LongWeekday => name(&WEEKDAYS, usize::MAX, text).map(|(_, rest)| rest),
            Chunk::NumMonth | Chunk::ZeroMonth => {
                let (month, rest) = number(text, chunk == Chunk::ZeroMonth)?;
                self.month = Some(in_range(month, 1..=12, "month")?);
                Ok(rest)
            }
            Chunk::Day | Chunk::UnderDay | Chunk::ZeroDay => {
                let text = match chunk {
                    Chunk::UnderDay => text.strip_prefix(' ').unwrap_or(text),
                    _ => text,
                };
                let (day, rest) = number(text, chunk == Chunk::ZeroDay)?;
                self.day = Some(day);
                Ok(rest)
            }
            Chunk::UnderYearDay | Chunk::ZeroYearDay => {
                let blanks = text.len() - text.trim_start_matches(' ').len();
                let blanks = if chunk == Chunk::UnderYearDay {
                    blanks.min(2)
                } else {
                    0
                };
                let text = text.get(blanks..).unwrap_or_default();
                let (day, rest) = exact(text, 3 - blanks)?;
                self.year_day = Some(day);
                Ok(rest)
            }
            Chunk::Hour => {
                let (hour, rest) = number(text, false)?;
                self.hour = in_range(hour, 0..=23, "hour")?;
                Ok(rest)
            }
            Chunk::Hour12 | Chunk::ZeroHour12 => {
                let (hour, rest) = number(text, chunk == Chunk::ZeroHour12)?;
                self.hour = in_range(hour, 0..=12, "hour")?;
                Ok(rest)
            }
            Chunk::Minute | Chunk::ZeroMinute => {
                let (minute, rest) = number(text, chunk == Chunk::ZeroMinute)?;
                self.minute = in_range(minute, 0..=59, "minute")?;
                Ok(rest)
            }
            Chunk::Second | Chunk::ZeroSecond => {
                let (second, rest) = number(text, chunk == Chunk::ZeroSecond)?;
                self.second = in_range(second, 0..=59, "second")?;
                // A fraction may follow although the layout has none.
                let expected = matches!(
                    next(layout_rest).1,
                    Some((Chunk::Fraction { .. } | Chunk::Optional { .. }, _))
                );
                let has_one = rest.starts_with(['.', ','])
                    && rest
                        .get(1..2)
                        .is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit()));
                if expected || !has_one {
                    return Ok(rest);
                }
                self.fraction(rest, usize::MAX)
            }
            Chunk::UpperPm | Chunk::LowerPm => self.noon(text, chunk),
            Chunk::ZoneName => self.abbreviation(text),
            Chunk::Offset(form) => self.shift(text, form),
            Chunk::Fraction { digits } => {
                let whole = text.get(..=digits).ok_or(Misfit::Bad)?;
                if !whole.starts_with(['.', ',']) || sample.is_empty() {
                    return Err(Misfit::Bad);
                }
                self.fraction(text, digits)
            }
            Chunk::Optional { .. } => {
                let present = text.starts_with(['.', ','])
                    && text
                        .get(1..2)
                        .is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit()));
                if present {
                    self.fraction(text, usize::MAX)
                } else {
                    Ok(text)
                }
            }
        }
    }

    fn fraction<'a>(&mut self, text: &'a str, most: usize) -> Result<&'a str, Misfit> {
        let body = text.get(1..).unwrap_or_default();
        let digits = body
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        if most != usize::MAX && digits < most {
            return Err(Misfit::Bad);
        }
        let (digits, rest) = body.split_at(digits);
        let padded: String = digits
            .chars()
            .chain(std::iter::repeat('0'))
            .take(9)
            .collect();
        self.nanoseconds = padded.parse().map_err(|_| Misfit::Bad)?;
        Ok(rest)
    }

    fn noon<'a>(&mut self, text: &'a str, chunk: Chunk) -> Result<&'a str, Misfit> {
        let (half, rest) = text.split_at_checked(2).ok_or(Misfit::Bad)?;
        match (half, chunk) {
            ("PM", Chunk::UpperPm) | ("pm", Chunk::LowerPm) => self.pm = true,
            ("AM", Chunk::UpperPm) | ("am", Chunk::LowerPm) => self.am = true,
            _ => return Err(Misfit::Bad),
        }
        Ok(rest)
    }

    fn abbreviation<'a>(&mut self, text: &'a str) -> Result<&'a str, Misfit> {
        if let Some(rest) = text.strip_prefix("UTC") {
            self.zulu = true;
            return Ok(rest);
        }
        let length = abbreviation_length(text).ok_or(Misfit::Bad)?;
        let (name, rest) = text.split_at(length);
        name.clone_into(&mut self.zone_name);
        Ok(rest)
    }

    fn shift<'a>(&mut self, text: &'a str, form: Offset) -> Result<&'a str, Misfit> {
        if form.zulu
            && let Some(rest) = text.strip_prefix('Z')
        {
            self.zulu = true;
            return Ok(rest);
        }
        let negative = match text.as_bytes().first() {
            Some(b'+') => false,
            Some(b'-') => true,
            _ => return Err(Misfit::Bad),
        };
        let mut rest = text.get(1..).unwrap_or_default();
        let mut values = [0_i64; 3];
        let count = match form.parts {
            Parts::Hours => 1,
            Parts::Minutes => 2,
            Parts::Seconds => 3,
        };
        for (at, value) in values.iter_mut().take(count).enumerate() {
            if form.colons && at > 0 {
                rest = rest.strip_prefix(':').ok_or(Misfit::Bad)?;
            }
            (*value, rest) = number(rest, true)?;
        }
        let [hours, minutes, seconds] = values;
        in_range(hours, 0..=24, "time zone offset hour")?;
        in_range(minutes, 0..=60, "time zone offset minute")?;
        in_range(seconds, 0..=60, "time zone offset second")?;
        let total = i32::try_from((hours * 60 + minutes) * 60 + seconds).unwrap_or(0);
        self.offset = Some(if negative { -total } else { total });
        Ok(rest)
    }
}

fn finish(found: &Found) -> Result<Time, &'static str> {
    let hour = match (found.hour, found.pm, found.am) {
        (hour, true, _) if hour < 12 => hour + 12,
        (12, _, true) => 0,
        (hour, ..) => hour,
    };
    let (mut month, mut day) = (found.month, found.day);
    if let Some(year_day) = found.year_day {
        let last = if is_leap(found.year) { 366 } else { 365 };
        if !(1..=last).contains(&year_day) {
            return Err("day-of-year");
        }
        let first = Civil {
            year: found.year,
            month: 1,
            day: year_day,
            hour: 0,
            minute: 0,
            second: 0,
        };
        let date = Civil::from_seconds(first.seconds());
        if month.is_some_and(|it| it != date.month) {
            return Err("day-of-year does not match month");
        }
        if day.is_some_and(|it| it != date.day) {
            return Err("day-of-year does not match day");
        }
        (month, day) = (Some(date.month), Some(date.day));
    }
    let (month, day) = (month.unwrap_or(1), day.unwrap_or(1));
    if day < 1 || day > days_in(month, found.year) {
        return Err("day");
    }
    let civil = Civil {
        year: found.year,
        month,
        day,
        hour,
        minute: found.minute,
        second: found.second,
    };
    let (offset, zone) = match (found.zulu, found.offset) {
        (true, _) | (false, Some(0)) => (0, Zone::Utc),
        (false, Some(offset)) => (offset, Zone::Fixed(offset, found.zone_name.as_str().into())),
        (false, None) if found.zone_name.is_empty() => (0, Zone::Utc),
        // The original shifts what is shown rather than the instant.
        (false, None) => {
            let offset = gmt_offset(&found.zone_name);
            (0, Zone::Fixed(offset, found.zone_name.as_str().into()))
        }
    };
    Ok(Time {
        seconds: civil.seconds() - i64::from(offset),
        nanoseconds: found.nanoseconds,
        zone,
    })
}

/// `GMT+3` says its offset, all other abbreviations are taken for zero.
fn gmt_offset(name: &str) -> i32 {
    let hours = name
        .strip_prefix("GMT")
        .and_then(|it| it.parse::<i32>().ok());
    hours.unwrap_or(0) * 3_600
}

fn abbreviation_length(text: &str) -> Option<usize> {
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + signed_hour(rest));
    }
    if text.starts_with(['+', '-']) {
        let length = signed_hour(text);
        return (length > 0).then_some(length);
    }
    let letters = text
        .bytes()
        .take(6)
        .take_while(u8::is_ascii_uppercase)
        .count();
    match letters {
        5 if text.as_bytes().get(4) == Some(&b'T') => Some(5),
        4 if text.as_bytes().get(3) == Some(&b'T') || text.starts_with("WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

/// The length of `+3` or `-12`, as far as it is an hour.
fn signed_hour(text: &str) -> usize {
    let Some(rest) = text.strip_prefix(['+', '-']) else {
        return 0;
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let hour: Option<u32> = rest.get(..digits).and_then(|it| it.parse().ok());
    match hour {
        Some(0..=23) => 1 + digits,
        _ => 0,
    }
}

fn exact(text: &str, count: usize) -> Result<(i64, &str), Misfit> {
    let (digits, rest) = text.split_at_checked(count).ok_or(Misfit::Bad)?;
    if !digits.bytes().all(|it| it.is_ascii_digit()) {
        return Err(Misfit::Bad);
    }
    digits.parse().map(|it| (it, rest)).map_err(|_| Misfit::Bad)
}

/// One or two digits, or exactly two.
fn number(text: &str, two: bool) -> Result<(i64, &str), Misfit> {
    let count = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    if count == 0 || (two && count < 2) {
        return Err(Misfit::Bad);
    }
    exact(text, count)
}

fn in_range(
    number: i64,
    range: std::ops::RangeInclusive<i64>,
    what: &'static str,
) -> Result<i64, Misfit> {
    if range.contains(&number) {
        Ok(number)
    } else {
        Err(Misfit::OutOfRange(what))
    }
}

/// One of the names, or of their first letters, in any case.
fn name<'a>(names: &[&str], length: usize, text: &'a str) -> Result<(i64, &'a str), Misfit> {
    for (at, name) in names.iter().enumerate() {
        let wanted = name.get(..length.min(name.len())).unwrap_or(name);
        if let Some((head, rest)) = text.split_at_checked(wanted.len())
            && head.eq_ignore_ascii_case(wanted)
        {
            return Ok((i64::try_from(at).unwrap_or(0), rest));
        }
    }
    Err(Misfit::Bad)
}
