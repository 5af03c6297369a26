//! Numbers as tools write them into reports.

/// The letter of a character reference: `10`, `x1F`.
pub fn letter(number: &str) -> Option<char> {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code).filter(|it| *it != '\0')
}

/// A time as microseconds: `0.012`, `1,234.5`, `0,12`, `1e-3`, `00:01:02.5`, `12ms`.
pub fn micros(text: &str) -> Option<u64> {
    let text = text.trim();
    if text.contains(':') {
        let mut seconds = 0.0;
        for part in text.split(':') {
            seconds = seconds * 60.0 + number(part)?;
        }
        return whole(seconds * 1e6);
    }
    if let Some(millis) = text.strip_suffix("ms") {
        return whole(number(millis)? * 1e3);
    }
    whole(number(text.strip_suffix('s').unwrap_or(text))? * 1e6)
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim().replace([' ', '\u{a0}', '\u{202f}'], "");
    let text = match (text.contains(','), text.contains('.')) {
        // A comma before a point groups digits; alone it is the point.
        (true, true) => text.replace(',', ""),
        (true, false) if text.matches(',').count() > 1 => text.replace(',', ""),
        (true, false) => text.replace(',', "."),
        (false, _) => text,
    };
    text.parse::<f64>().ok().filter(|it| it.is_finite() && *it >= 0.0)
}

/// A year is longer than any test takes.
const MICROS_MAX: f64 = 366.0 * 24.0 * 3600.0 * 1e6;

// The value is checked to fit.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(micros: f64) -> Option<u64> {
    (micros <= MICROS_MAX).then(|| micros.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_tools_write_them() {
        for (text, expected) in [
            ("0.012", Some(12_000)),
            ("1,234.5", Some(1_234_500_000)),
            ("0,5", Some(500_000)),
            ("1,234,567", Some(1_234_567_000_000)),
            ("1e-3", Some(1000)),
            ("0", Some(0)),
            ("00:01:02.5", Some(62_500_000)),
            ("12ms", Some(12_000)),
            ("3s", Some(3_000_000)),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("", None),
            ("soon", None),
            ("1e300", None),
        ] {
            assert_eq!(micros(text), expected, "{text}");
        }
    }

    #[test]
    fn letters_are_read_by_number() {
        assert_eq!(letter("10"), Some('\n'));
        assert_eq!(letter("x41"), Some('A'));
        assert_eq!(letter("0"), None);
        assert_eq!(letter("xD800"), None);
    }
}
