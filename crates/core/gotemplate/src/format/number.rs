//! Numbers, as `%d %b %o %x %c %U %e %f %g` and their kin print them.

use super::Printer;
use crate::{
    float::{FloatSize, append_float},
    quote::{Charset, append_quoted_char},
    value::Value,
};

/// An integer's bits, and whether they are signed.
#[derive(Clone, Copy)]
pub(super) enum Integer {
    Signed(i64),
    Unsigned(u64),
}

impl Integer {
    fn magnitude(self) -> u64 {
        match self {
            Self::Signed(value) => value.unsigned_abs(),
            Self::Unsigned(value) => value,
        }
    }

    /// As a character: what is none shows as U+FFFD.
    fn character(self) -> char {
        let code = match self {
            Self::Signed(value) => u32::try_from(value).ok(),
            Self::Unsigned(value) => u32::try_from(value).ok(),
        };
        code.and_then(char::from_u32)
            .unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    fn bits(self) -> u64 {
        match self {
            Self::Signed(value) => value.cast_unsigned(),
            Self::Unsigned(value) => value,
        }
    }
}

impl Printer<'_> {
    pub(super) fn integer(&mut self, value: &Value, integer: Integer, verb: char) {
        match verb {
            'v' if self.flags.sharp_v && matches!(integer, Integer::Unsigned(_)) => {
                self.hex_with_prefix(integer.bits(), true)
            }
            'v' | 'd' => self.digits(integer, 10, verb, false),
            'b' => self.digits(integer, 2, verb, false),
            'o' | 'O' => self.digits(integer, 8, verb, false),
            'x' => self.digits(integer, 16, verb, false),
            'X' => self.digits(integer, 16, verb, true),
            'c' => self.pad(integer.character().encode_utf8(&mut [0; 4]).as_bytes()),
            'q' => {
                let mut quoted = Vec::new();
                let charset = if self.flags.plus {
                    Charset::Ascii
                } else {
                    Charset::Printable
                };
                append_quoted_char(&mut quoted, integer.character(), charset);
                self.pad(&quoted);
            }
            'U' => self.unicode(integer.bits()),
            _ => self.bad_verb(value, verb),
        }
    }

    /// `0x…`, or without the prefix, whatever the flag says.
    pub(super) fn hex_with_prefix(&mut self, bits: u64, prefix: bool) {
        let sharp = std::mem::replace(&mut self.flags.sharp, prefix);
        self.digits(Integer::Unsigned(bits), 16, 'v', false);
        self.flags.sharp = sharp;
    }

    pub(super) fn digits(&mut self, integer: Integer, base: u64, verb: char, upper: bool) {
        let magnitude = integer.magnitude();
        let negative = matches!(integer, Integer::Signed(value) if value < 0);
        let flags = self.flags;
        let mut least = 0;
        if let Some(precision) = flags.precision {
            least = precision;
            if precision == 0 && magnitude == 0 {
                let zero = std::mem::replace(&mut self.flags.zero, false);
                self.write_padding(flags.width.unwrap_or(0));
                self.flags.zero = zero;
                return;
            }
        } else if let (true, false, Some(width)) = (flags.zero, flags.minus, flags.width) {
            let sign = usize::from(negative || flags.plus || flags.space);
            least = width.saturating_sub(sign);
        }
        if least > self.limit {
            self.full = true;
            return;
        }
        let table: &[u8; 17] = if upper {
            b"0123456789ABCDEFX"
        } else {
            b"0123456789abcdefx"
        };
        let digit = |value: u64| table[usize::try_from(value).expect("a digit")];
        // Right to left.
        let mut text = Vec::with_capacity(least.max(24) + 3);
        let mut rest = magnitude;
        while rest >= base {
            text.push(digit(rest % base));
            rest /= base;
        }
        text.push(digit(rest));
        if text.len() < least {
            text.resize(least, b'0');
        }
        if flags.sharp {
            match base {
                2 => text.extend_from_slice(b"b0"),
                8 if text.last() != Some(&b'0') => text.push(b'0'),
                16 => text.extend_from_slice(&[table[16], b'0']),
                _ => {}
            }
        }
        if verb == 'O' {
            text.extend_from_slice(b"o0");
        }
        if negative {
            text.push(b'-');
        } else if flags.plus {
            text.push(b'+');
        } else if flags.space {
            text.push(b' ');
        }
        text.reverse();
        self.pad_with_spaces(&text);
    }

    fn unicode(&mut self, code: u64) {
        let least = self.flags.precision.unwrap_or(4).max(4);
        if least > self.limit {
            self.full = true;
            return;
        }
        let mut text = format!(
            "U+{code:0least$X}",
            least = least.min(usize::from(u16::MAX))
        );
        if least > usize::from(u16::MAX) {
            text = format!(
                "U+{}{code:X}",
                "0".repeat(least - format!("{code:X}").len())
            );
        }
        let shown = u32::try_from(code)
            .ok()
            .and_then(char::from_u32)
            .filter(|c| crate::unicode::is_print(*c));
        if let Some(c) = shown.filter(|_| self.flags.sharp) {
            text.push_str(&format!(" '{c}'"));
        }
        self.pad_with_spaces(text.as_bytes());
    }

    pub(super) fn float(&mut self, value: &Value, float: f64, size: FloatSize, verb: char) {
        match verb {
            'v' => self.float_text(float, size, 'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => self.float_text(float, size, verb, None),
            'f' | 'e' | 'E' => self.float_text(float, size, verb, Some(6)),
            'F' => self.float_text(float, size, 'f', Some(6)),
            _ => self.bad_verb(value, verb),
        }
    }

    pub(super) fn complex(&mut self, value: &Value, (re, im): (f64, f64), verb: char) {
        match verb {
            'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E' => {
                self.write(b"(");
                self.float(value, re, FloatSize::F64, verb);
                let plus = std::mem::replace(&mut self.flags.plus, true);
                self.float(value, im, FloatSize::F64, verb);
                self.write(b"i)");
                self.flags.plus = plus;
            }
            _ => self.bad_verb(value, verb),
        }
    }

    fn float_text(&mut self, float: f64, size: FloatSize, verb: char, precision: Option<usize>) {
        let precision = self.flags.precision.or(precision);
        if precision.is_some_and(|precision| precision > self.limit) {
            self.full = true;
            return;
        }
        // The sign stands first, always.
        let mut text = vec![b'+'];
        append_float(&mut text, float, verb as u8, precision, size);
        if matches!(text[1], b'-' | b'+') {
            text.remove(0);
        }
        let flags = self.flags;
        if flags.space && text[0] == b'+' && !flags.plus {
            text[0] = b' ';
        }
        if matches!(text[1], b'I' | b'N') {
            if text[1] == b'N' && !flags.space && !flags.plus {
                text.remove(0);
            }
            // Unlike a number, Inf keeps the plus that it was given.
            self.pad_with_spaces(&text);
            return;
        }
        if flags.sharp && verb != 'b' {
            keep_zeros(&mut text, verb, precision);
        }
        if flags.plus || text[0] != b'+' {
            if let Some(width) = flags
                .width
                .filter(|width| flags.zero && !flags.minus && *width > text.len())
            {
                self.write(&text[..1]);
                self.write_padding(width - text.len());
                self.write(&text[1..]);
                return;
            }
            self.pad(&text);
            return;
        }
        self.pad(&text[1..]);
    }
}

/// The sharp flag keeps the decimal point and, for `%g`, the zeros at the end.
fn keep_zeros(text: &mut Vec<u8>, verb: char, precision: Option<usize>) {
    let mut digits = match verb {
        'g' | 'G' | 'x' => i64::try_from(precision.unwrap_or(6)).unwrap_or(i64::MAX),
        _ => 0,
    };
    let hex = matches!(verb, 'x' | 'X');
    let (mut has_point, mut saw_digit) = (false, false);
    let mut end = text.len();
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            b'.' => has_point = true,
            b'p' | b'P' => {
                end = at;
                break;
            }
            b'e' | b'E' if !hex => {
                end = at;
                break;
            }
            _ => {
                saw_digit |= *byte != b'0';
                digits -= i64::from(saw_digit);
            }
        }
    }
    let tail = text.split_off(end);
    if !has_point {
        if text.len() == 2 && text[1] == b'0' {
            digits -= 1;
        }
        text.push(b'.');
    }
    let zeros = usize::try_from(digits).unwrap_or(0);
    text.resize(text.len() + zeros, b'0');
    text.extend_from_slice(&tail);
}
