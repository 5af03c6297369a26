//! Number literals: what a constant of a template can be, and Go's number syntax.

use crate::quote::{Unit, unquote_unit};

/// A number literal under all the types that can represent it, as Go's ideal constants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Number {
    pub(crate) text: Box<str>,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: Option<(f64, f64)>,
}

/// What the lexer took a number for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberToken {
    Char,
    Complex,
    Plain,
}

impl Number {
    /// Reads a literal; the error is Go's text.
    pub(crate) fn parse(text: &str, token: NumberToken) -> Result<Self, String> {
        let number = Self {
            text: text.into(),
            ..Self::default()
        };
        match token {
            NumberToken::Char => number.char(),
            NumberToken::Complex => {
                let split = text
                    .rfind(['+', '-'])
                    .filter(|at| *at > 0)
                    .ok_or("unexpected EOF")?;
                let re =
                    parse_float(&text[..split]).ok_or("syntax error scanning complex number")?;
                let im = parse_float(&text[split..text.len() - 1])
                    .ok_or("syntax error scanning complex number")?;
                Ok(number.complex(re, im))
            }
            NumberToken::Plain => number.plain(),
        }
    }

    fn char(mut self) -> Result<Self, String> {
        let (unit, rest) =
            unquote_unit(&self.text[1..], '\'').map_err(|_| "invalid syntax".to_owned())?;
        if rest != "'" {
            return Err(format!("malformed character constant: {}", self.text));
        }
        let code = match unit {
            Unit::Char(c) => u32::from(c),
            Unit::Byte(byte) => u32::from(byte),
        };
        self.int = Some(i64::from(code));
        self.uint = Some(u64::from(code));
        self.float = Some(f64::from(code));
        Ok(self)
    }

    fn complex(mut self, re: f64, im: f64) -> Self {
        self.complex = Some((re, im));
        if im == 0.0 {
            self.float = Some(re);
            self.int = whole_int(re);
            self.uint = whole_uint(re);
        }
        self
    }

    #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
    fn plain(mut self) -> Result<Self, String> {
        if let Some(im) = self.text.strip_suffix('i').and_then(parse_float) {
            return Ok(self.complex(0.0, im));
        }
        self.uint = parse_uint(&self.text);
        self.int = parse_int(&self.text);
        if self.int == Some(0) {
            self.uint = Some(0);
        }
        if let Some(int) = self.int {
            self.float = Some(int as f64);
        } else if let Some(uint) = self.uint {
            self.float = Some(uint as f64);
        } else if let Some(float) = parse_float(&self.text) {
            if !self.text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!(
                    "integer overflow: {}",
                    crate::quote::quoted(self.text.as_bytes())
                ));
            }
            self.float = Some(float);
            self.int = whole_int(float);
            self.uint = whole_uint(float);
        }
        if self.int.is_none() && self.uint.is_none() && self.float.is_none() {
            return Err(format!(
                "illegal number syntax: {}",
                crate::quote::quoted(self.text.as_bytes())
            ));
        }
        Ok(self)
    }

    /// Whether Go takes it for a float where nothing else says its type.
    pub(crate) fn looks_like_float(&self) -> bool {
        let text = &*self.text;
        let hex_int = text.len() > 2
            && text.starts_with('0')
            && text[1..].starts_with(['x', 'X'])
            && !text.contains(['p', 'P']);
        !hex_int && !text.starts_with('\'') && text.contains(['.', 'e', 'E', 'p', 'P'])
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the check is whether anything is lost"
)]
fn whole_int(float: f64) -> Option<i64> {
    // Go's conversion of what does not fit gives the least integer, which then differs.
    let most = 2_f64.powi(63);
    let int = if (-most..most).contains(&float) {
        float as i64
    } else {
        i64::MIN
    };
    (int as f64 == float).then_some(int)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the check is whether anything is lost"
)]
fn whole_uint(float: f64) -> Option<u64> {
    let uint = if (0.0..1.844_674_407_370_955_2e19).contains(&float) {
        float as u64
    } else {
        return None;
    };
    (uint as f64 == float).then_some(uint)
}

/// `strconv.ParseUint(text, 0, 64)`.
pub(crate) fn parse_uint(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let long = text.len() >= 3;
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'b', ..] if long => (2, &lower[2..]),
        [b'0', b'o', ..] if long => (8, &lower[2..]),
        [b'0', b'x', ..] if long => (16, &lower[2..]),
        [b'0', ..] => (8, &lower[1..]),
        [] => return None,
        _ => (10, &lower[..]),
    };
    let mut value = 0_u64;
    for c in digits.chars().filter(|c| *c != '_') {
        value = value
            .checked_mul(u64::from(base))?
            .checked_add(u64::from(c.to_digit(base)?))?;
    }
    (!digits.contains('_') || underscores_fit(&lower)).then_some(value)
}

/// `strconv.ParseInt(text, 0, 64)`.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let value = parse_uint(digits)?;
    if negative {
        0_i64.checked_sub_unsigned(value)
    } else {
        i64::try_from(value).ok()
    }
}

/// `strconv.ParseFloat(text, 64)` of what the lexer lets through; out of range is no float.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    if text.contains('_') && !underscores_fit(&text.to_ascii_lowercase()) {
        return None;
    }
    let plain: String = text
        .chars()
        .filter(|c| *c != '_')
        .collect::<String>()
        .to_ascii_lowercase();
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let float = if let Some(hex) = unsigned.strip_prefix("0x") {
        let float = parse_hex_float(hex)?;
        if plain.starts_with('-') {
            -float
        } else {
            float
        }
    } else {
        if !unsigned.starts_with(|c: char| c == '.' || c.is_ascii_digit()) {
            return None;
        }
        plain.parse().ok()?
    };
    float.is_finite().then_some(float)
}

#[expect(clippy::cast_precision_loss, reason = "rounds to even, as Go does")]
fn parse_hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (mut value, mut shift) = (0_u64, 0_i32);
    for (place, c) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = c.to_digit(16)?;
        let after_point = place >= whole.len();
        if value >> 60 == 0 {
            value = value << 4 | u64::from(digit);
            shift -= if after_point { 4 } else { 0 };
        } else {
            value |= u64::from(digit != 0);
            shift += if after_point { 0 } else { 4 };
        }
    }
    Some(value as f64 * 2_f64.powi(exponent.clamp(-5000, 5000) + shift))
}

/// Whether each underscore stands between digits, or between a base prefix and a digit.
fn underscores_fit(lower: &str) -> bool {
    let number = lower.strip_prefix(['+', '-']).unwrap_or(lower);
    let (hex, digits, mut last) = match number.as_bytes() {
        [b'0', prefix @ (b'b' | b'o' | b'x'), ..] => (*prefix == b'x', &number[2..], '0'),
        _ => (false, number, '^'),
    };
    for c in digits.chars() {
        last = match c {
            '0'..='9' => '0',
            'a'..='f' if hex => '0',
            '_' if last != '0' => return false,
            '_' => '_',
            _ if last == '_' => return false,
            _ => '!',
        };
    }
    last != '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match Number::parse(text, NumberToken::Plain) {
            Err(error) => error,
            Ok(number) => format!(
                "{:?} {:?} {:?} {:?}",
                number.int, number.uint, number.float, number.complex
            ),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn numbers_take_every_form_of_go() {
        check("1e3", "Some(1000) Some(1000) Some(1000.0) None");
        check("0777", "Some(511) Some(511) Some(511.0) None");
        check("0b11", "Some(3) Some(3) Some(3.0) None");
        check("1_000", "Some(1000) Some(1000) Some(1000.0) None");
        check("-5", "Some(-5) None Some(-5.0) None");
        check(
            "18446744073709551615",
            "None Some(18446744073709551615) Some(1.8446744073709552e19) None",
        );
        check(
            "99999999999999999999",
            "integer overflow: \"99999999999999999999\"",
        );
        check("0x1p-2", "None None Some(0.25) None");
        check("2i", "None None None Some((0.0, 2.0))");
        check("089", "integer overflow: \"089\"");
        check("1__0", "illegal number syntax: \"1__0\"");
    }
}
