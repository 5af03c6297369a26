//! Times as logs and records have them: RFC 3339, in UTC.

const SECONDS_OF_DAY: i64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01.
const SHIFT: i64 = 719_468;
const DAYS_OF_ERA: i64 = 146_097;

/// Appends microseconds since 1970, the fraction without needless zeros; `None` beyond the years 0 to 9999.
pub fn write_micros(into: &mut Vec<u8>, micros: i64) -> Option<()> {
    let fraction = micros.rem_euclid(1_000_000);
    write_seconds(into, micros.div_euclid(1_000_000))?;
    if fraction > 0 {
        into.push(b'.');
        digits(into, fraction, 6);
        while into.last() == Some(&b'0') {
            into.pop();
        }
    }
    into.push(b'Z');
    Some(())
}

/// Appends a time with all nine digits of its nanoseconds; `None` beyond the years 0 to 9999.
pub fn write_nanos(into: &mut Vec<u8>, seconds: i64, nanos: u32) -> Option<()> {
    write_seconds(into, seconds)?;
    into.push(b'.');
    digits(into, i64::from(nanos), 9);
    into.push(b'Z');
    Some(())
}

fn write_seconds(into: &mut Vec<u8>, seconds: i64) -> Option<()> {
    let (days, second) = (seconds.div_euclid(SECONDS_OF_DAY), seconds.rem_euclid(SECONDS_OF_DAY));
    let (year, month, day) = date(days);
    if !(0..=9999).contains(&year) {
        return None;
    }
    for (number, width, mark) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (second / 3600, 2, b':'),
        (second / 60 % 60, 2, b':'),
    ] {
        digits(into, number, width);
        into.push(mark);
    }
    digits(into, second % 60, 2);
    Some(())
}

fn digits(into: &mut Vec<u8>, number: i64, width: u32) {
    let mut unit = 10_i64.pow(width.saturating_sub(1));
    while unit > 0 {
        into.push(b'0' + (number / unit % 10) as u8);
        unit /= 10;
    }
}

/// Days since 1970 to a date in the Gregorian calendar, by eras of 400 years that start in March.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + SHIFT;
    let (era, of_era) = (shifted.div_euclid(DAYS_OF_ERA), shifted.rem_euclid(DAYS_OF_ERA));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * DAYS_OF_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - SHIFT
}

/// Reads `2026-11-22T10:00:00.123Z` as microseconds since 1970; `None` for every other way to write a time.
pub fn read_micros(text: &[u8]) -> Option<i64> {
    let (head, tail) = text.split_at_checked(19)?;
    let number = |from: usize, to: usize| {
        let digits = head.get(from..to)?;
        digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| head.get(*at) != Some(mark)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let seconds = days(year, month, day) * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second;
    // What is no date comes out as another one.
    let is_date = (1..=12).contains(&month) && date(seconds.div_euclid(SECONDS_OF_DAY)) == (year, month, day);
    if !is_date || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction = match tail.strip_suffix(b"Z")? {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) => {
            (0..6).fold(0, |sum, at| sum * 10 + i64::from(digits.get(at).map_or(0, |byte| byte - b'0')))
        }
        _ => return None,
    };
    Some(seconds * 1_000_000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(micros: i64, expected: &str) {
        let mut text = Vec::new();
        write_micros(&mut text, micros).expect("a year of four digits");
        assert_eq!(String::from_utf8_lossy(&text), expected);
        assert_eq!(read_micros(expected.as_bytes()), Some(micros), "{expected}");
    }

    #[test]
    fn times_are_rfc_3339() {
        check(0, "1970-01-01T00:00:00Z");
        check(-1, "1969-12-31T23:59:59.999999Z");
        check(951_827_696_250_000, "2000-02-29T12:34:56.25Z");
        check(1_795_305_600_000_007, "2026-11-22T00:00:00.000007Z");
        check(253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z");
        assert_eq!(write_micros(&mut Vec::new(), 253_402_300_800_000_000), None);
        let mut text = Vec::new();
        write_nanos(&mut text, 1_795_305_600, 7).expect("a time");
        assert_eq!(String::from_utf8_lossy(&text), "2026-11-22T00:00:00.000000007Z");
        assert_eq!(read_micros(b"2026-11-22T00:00:00.123456789Z"), Some(1_795_305_600_123_456));
    }

    #[test]
    fn every_day_of_four_centuries_is_read_as_it_was_written() {
        for day in -150_000..150_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn other_ways_to_write_a_time_are_left_to_others() {
        for text in ["", "2026-11-22", "2026-11-22T10:00:00+01:00", "2026-02-30T10:00:00Z", "2026-13-01T10:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22 10:00:00Z", "2026-11-22T10:00:00.Z"] {
            assert_eq!(read_micros(text.as_bytes()), None, "{text}");
        }
    }
}
