//! Floats as text: Go's `strconv.AppendFloat`.

use std::fmt::Write as _;

/// The size of the float: it decides which digits are the shortest that read back as the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatSize {
    F32,
    F64,
}

/// No number has more digits than this; what a template asks for beyond are zeros.
const MOST_DIGITS: usize = 1100;

/// Appends `value` in one of the formats `e E f g G b x X`; without a precision with as few digits as tell it apart.
pub fn append_float(
    out: &mut Vec<u8>,
    value: f64,
    format: u8,
    precision: Option<usize>,
    size: FloatSize,
) {
    if !value.is_finite() {
        out.extend_from_slice(if value.is_nan() {
            b"NaN"
        } else if value < 0.0 {
            b"-Inf"
        } else {
            b"+Inf"
        });
        return;
    }
    match format {
        b'b' => append_binary(out, value, size),
        b'x' | b'X' => append_hex(out, value, format, precision, size),
        b'e' | b'E' => {
            let digits = Digits::new(
                value,
                precision.map(|precision| precision.saturating_add(1)),
                size,
            );
            append_exponent(
                out,
                &digits,
                precision.unwrap_or(digits.text.len().saturating_sub(1)),
                format,
            );
        }
        b'f' => append_fixed(out, value, precision, size),
        _ => append_general(out, value, format, precision, size),
    }
}

/// The decimal digits of a number: `0.DIGITS * 10^point`.
struct Digits {
    negative: bool,
    text: String,
    point: i32,
}

impl Digits {
    fn new(value: f64, count: Option<usize>, size: FloatSize) -> Self {
        let magnitude = value.abs();
        let mut shown = String::with_capacity(24);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the value came from an f32"
        )]
        let result = match (count, size) {
            (Some(count), _) => write!(shown, "{magnitude:.*e}", count.clamp(1, MOST_DIGITS) - 1),
            (None, FloatSize::F64) => write!(shown, "{magnitude:e}"),
            (None, FloatSize::F32) => write!(shown, "{:e}", magnitude as f32),
        };
        result.expect("writing to a string");
        let (mantissa, exponent) = shown.split_once('e').expect("scientific notation");
        let exponent: i32 = exponent.parse().expect("a small exponent");
        let mut text: String = mantissa.chars().filter(|c| *c != '.').collect();
        text.truncate(text.trim_end_matches('0').len());
        let point = if text.is_empty() { 0 } else { exponent + 1 };
        Self {
            negative: value.is_sign_negative(),
            text,
            point,
        }
    }
}

/// `d.ddde±dd`
fn append_exponent(out: &mut Vec<u8>, digits: &Digits, precision: usize, e: u8) {
    if digits.negative {
        out.push(b'-');
    }
    let text = digits.text.as_bytes();
    out.push(text.first().copied().unwrap_or(b'0'));
    if precision > 0 {
        out.push(b'.');
        let fraction = &text[text.len().min(1)..text.len().min(precision + 1)];
        out.extend_from_slice(fraction);
        out.resize(out.len() + precision - fraction.len(), b'0');
    }
    let exponent = if text.is_empty() { 0 } else { digits.point - 1 };
    out.push(e);
    out.push(if exponent < 0 { b'-' } else { b'+' });
    let exponent = exponent.abs();
    if exponent < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(exponent.to_string().as_bytes());
}

/// `ddd.ddd`
fn append_fixed(out: &mut Vec<u8>, value: f64, precision: Option<usize>, size: FloatSize) {
    let Some(precision) = precision else {
        let digits = Digits::new(value, None, size);
        let fraction = i32::try_from(digits.text.len()).unwrap_or(i32::MAX) - digits.point;
        append_plain(out, &digits, usize::try_from(fraction).unwrap_or(0));
        return;
    };
    let shown = precision.min(MOST_DIGITS);
    // Rust prints the sign of a negative zero too, as Go does.
    out.extend_from_slice(format!("{value:.shown$}").as_bytes());
    out.resize(out.len() + precision - shown, b'0');
}

fn append_plain(out: &mut Vec<u8>, digits: &Digits, precision: usize) {
    if digits.negative {
        out.push(b'-');
    }
    let text = digits.text.as_bytes();
    let point = usize::try_from(digits.point).unwrap_or(0);
    if point == 0 {
        out.push(b'0');
    } else {
        let whole = &text[..text.len().min(point)];
        out.extend_from_slice(whole);
        out.resize(out.len() + point - whole.len(), b'0');
    }
    if precision > 0 {
        out.push(b'.');
        for place in 0..precision {
            let at = i64::from(digits.point) + i64::try_from(place).unwrap_or(i64::MAX);
            out.push(
                usize::try_from(at)
                    .ok()
                    .and_then(|at| text.get(at))
                    .copied()
                    .unwrap_or(b'0'),
            );
        }
    }
}

/// `%g`: the exponent form for very small and very large numbers, else the plain one.
fn append_general(
    out: &mut Vec<u8>,
    value: f64,
    format: u8,
    precision: Option<usize>,
    size: FloatSize,
) {
    let precision = precision.map(|precision| precision.max(1));
    let digits = Digits::new(value, precision, size);
    let count = digits.text.len();
    let whole = usize::try_from(digits.point).unwrap_or(0);
    let exponent = digits.point - 1;
    let limit = match precision {
        None => 6,
        Some(precision) if precision > count && count >= whole => count,
        Some(precision) => precision,
    };
    if exponent < -4 || usize::try_from(exponent).is_ok_and(|exponent| exponent >= limit) {
        let shown = precision.map_or(count, |precision| precision.min(count));
        append_exponent(out, &digits, shown.saturating_sub(1), format + b'e' - b'g');
        return;
    }
    let fraction = i64::try_from(count).unwrap_or(i64::MAX) - i64::from(digits.point);
    append_plain(out, &digits, usize::try_from(fraction).unwrap_or(0));
}

/// The mantissa's bits, the exponent of its last bit.
fn parts(value: f64, size: FloatSize) -> (u64, i32, u32) {
    match size {
        FloatSize::F64 => {
            let bits = value.to_bits();
            let exponent = i32::try_from(bits >> 52 & 0x7FF).expect("11 bits");
            let fraction = bits & ((1 << 52) - 1);
            if exponent == 0 {
                (fraction, -1022, 52)
            } else {
                (fraction | 1 << 52, exponent - 1023, 52)
            }
        }
        FloatSize::F32 => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the value came from an f32"
            )]
            let bits = (value as f32).to_bits();
            let exponent = i32::try_from(bits >> 23 & 0xFF).expect("8 bits");
            let fraction = u64::from(bits & ((1 << 23) - 1));
            if exponent == 0 {
                (fraction, -126, 23)
            } else {
                (fraction | 1 << 23, exponent - 127, 23)
            }
        }
    }
}

fn append_binary(out: &mut Vec<u8>, value: f64, size: FloatSize) {
    let (mantissa, exponent, bits) = parts(value, size);
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let exponent = exponent - i32::try_from(bits).expect("few bits");
    out.extend_from_slice(format!("{sign}{mantissa}p{exponent:+}").as_bytes());
}

fn append_hex(
    out: &mut Vec<u8>,
    value: f64,
    format: u8,
    precision: Option<usize>,
    size: FloatSize,
) {
    let (mut mantissa, mut exponent, bits) = parts(value, size);
    if mantissa == 0 {
        exponent = 0;
    }
    mantissa <<= 60 - bits;
    while mantissa != 0 && mantissa & 1 << 60 == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(precision) = precision.filter(|precision| *precision < 15) {
        let shift = u32::try_from(precision * 4).expect("below 60");
        let extra = mantissa << shift & ((1 << 60) - 1);
        mantissa >>= 60 - shift;
        if extra | (mantissa & 1) > 1 << 59 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & 1 << 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let upper = format == b'X';
    if value.is_sign_negative() {
        out.push(b'-');
    }
    out.extend_from_slice(&[
        b'0',
        format,
        b'0' + u8::try_from(mantissa >> 60 & 1).expect("one bit"),
    ]);
    mantissa <<= 4;
    let mut digit = || {
        let nibble = u32::try_from(mantissa >> 60).expect("four bits");
        mantissa <<= 4;
        let c = char::from_digit(nibble, 16).expect("a hexadecimal digit");
        (
            mantissa,
            if upper { c.to_ascii_uppercase() } else { c } as u8,
        )
    };
    match precision {
        None => {
            let mut left = digit;
            let mut fraction = Vec::new();
            loop {
                let (rest, c) = left();
                fraction.push(c);
                if rest == 0 {
                    break;
                }
            }
            if fraction != b"0" {
                out.push(b'.');
                out.extend_from_slice(&fraction);
            }
        }
        Some(0) => {}
        Some(precision) => {
            out.push(b'.');
            for _ in 0..precision {
                out.push(digit().1);
            }
        }
    }
    out.push(if upper { b'P' } else { b'p' });
    out.push(if exponent < 0 { b'-' } else { b'+' });
    out.extend_from_slice(format!("{:02}", exponent.abs()).as_bytes());
}
