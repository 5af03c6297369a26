//! Numbers as text: 15 significant digits out, decimal, hex and octal in.

/// Writes a double with 15 significant digits, as .NET's `G15` does.
pub fn format_number(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    // `d.dddddddddddddde±x`: fourteen digits after the point make fifteen in all.
    let scientific = format!("{number:.14e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    format!("{sign}{}", place(digits, exponent))
}

fn place(digits: &str, exponent: i32) -> String {
    if !(-4..15).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{first}{point}{rest}E{sign}{:02}", exponent.abs());
    }
    if exponent < 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        return format!("0.{zeros}{digits}");
    }
    let whole = usize::try_from(exponent + 1).unwrap_or(1);
    if digits.len() <= whole {
        return format!("{digits}{}", "0".repeat(whole - digits.len()));
    }
    let (before, after) = digits.split_at(whole);
    format!("{before}.{after}")
}

/// Reads text as a number the way comparison does; NaN when it is none.
pub fn parse_number(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    match text {
        "Infinity" | "+Infinity" => return f64::INFINITY,
        "-Infinity" => return f64::NEG_INFINITY,
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let starts = unsigned.starts_with(|it: char| it.is_ascii_digit() || it == '.');
    let symbols = unsigned
        .bytes()
        .all(|it| it.is_ascii_digit() || b".eE+-".contains(&it));
    if starts && symbols {
        text.parse().unwrap_or(f64::NAN)
    } else {
        f64::NAN
    }
}

/// 32 bits, as the runner reads them; the highest bit is the sign.
fn radix(digits: &str, base: u32) -> f64 {
    if digits.is_empty() || !digits.chars().all(|it| it.is_digit(base)) {
        return f64::NAN;
    }
    u32::from_str_radix(digits, base).map_or(f64::NAN, |it| f64::from(it.cast_signed()))
}
