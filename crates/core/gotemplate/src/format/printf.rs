//! `Printf`: reads the format, picks the operands.

use super::{Flags, Printer};
use crate::value::Value;

/// Widths and precisions beyond this are refused, as in Go.
const MOST: i64 = 1_000_000;

/// Where the reading of a format is.
struct Cursor<'f> {
    format: &'f [u8],
    at: usize,
    operand: usize,
    /// An index such as `[3]` was seen anywhere.
    reordered: bool,
    /// The last item was an index.
    after_index: bool,
    /// The indexes of this verb were good.
    good: bool,
}

impl Printer<'_> {
    pub(crate) fn printf(&mut self, format: &[u8], operands: &[Value]) {
        let mut cursor = Cursor {
            format,
            at: 0,
            operand: 0,
            reordered: false,
            after_index: false,
            good: true,
        };
        while cursor.at < format.len() && !self.full {
            cursor.good = true;
            let rest = &format[cursor.at..];
            let literal = rest
                .iter()
                .position(|byte| *byte == b'%')
                .unwrap_or(rest.len());
            self.write(&rest[..literal]);
            cursor.at += literal;
            if cursor.at >= format.len() {
                break;
            }
            cursor.at += 1;
            if !self.verb(&mut cursor, operands) {
                break;
            }
        }
        if !cursor.reordered && cursor.operand < operands.len() {
            self.extra(&operands[cursor.operand..]);
        }
    }

    /// One verb, after its `%`; false at the end of the format.
    fn verb(&mut self, cursor: &mut Cursor<'_>, operands: &[Value]) -> bool {
        let mut flags = Flags::default();
        while let Some(byte) = cursor.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                b'a'..=b'z' if cursor.operand < operands.len() => {
                    // The common case: no width, no precision, no index. Even `after_index` stays as it was.
                    cursor.at += 1;
                    self.print_operand(&operands[cursor.operand], char::from(byte), flags);
                    cursor.operand += 1;
                    return true;
                }
                _ => break,
            }
            cursor.at += 1;
        }
        cursor.index(operands.len());
        self.width(cursor, operands, &mut flags);
        self.precision(cursor, operands, &mut flags);
        if !cursor.after_index {
            cursor.index(operands.len());
        }
        self.set_flags(flags);
        let Some(verb) = cursor.character() else {
            self.write(b"%!(NOVERB)");
            return false;
        };
        match verb {
            '%' => self.write(b"%"),
            _ if !cursor.good => self.complain(verb, b"(BADINDEX)"),
            _ if cursor.operand >= operands.len() => self.complain(verb, b"(MISSING)"),
            _ => {
                self.print_operand(&operands[cursor.operand], verb, flags);
                cursor.operand += 1;
            }
        }
        true
    }

    fn width(&mut self, cursor: &mut Cursor<'_>, operands: &[Value], flags: &mut Flags) {
        if cursor.peek() == Some(b'*') {
            cursor.at += 1;
            match cursor.integer_operand(operands) {
                None => self.write(b"%!(BADWIDTH)"),
                Some(width) => {
                    flags.width = usize::try_from(width.abs()).ok();
                    if width < 0 {
                        flags.minus = true;
                        flags.zero = false;
                    }
                }
            }
            cursor.after_index = false;
        } else {
            flags.width = cursor.number();
            if cursor.after_index && flags.width.is_some() {
                cursor.good = false;
            }
        }
    }

    fn precision(&mut self, cursor: &mut Cursor<'_>, operands: &[Value], flags: &mut Flags) {
        if cursor.at + 1 >= cursor.format.len() || cursor.peek() != Some(b'.') {
            return;
        }
        cursor.at += 1;
        if cursor.after_index {
            cursor.good = false;
        }
        cursor.index(operands.len());
        if cursor.peek() == Some(b'*') {
            cursor.at += 1;
            flags.precision = cursor
                .integer_operand(operands)
                .and_then(|precision| usize::try_from(precision).ok());
            if flags.precision.is_none() {
                self.write(b"%!(BADPREC)");
            }
            cursor.after_index = false;
        } else {
            flags.precision = Some(cursor.number().unwrap_or(0));
        }
    }

    fn print_operand(&mut self, value: &Value, verb: char, mut flags: Flags) {
        if matches!(verb, 'v' | 'w') {
            flags.sharp_v = std::mem::replace(&mut flags.sharp, false);
            flags.plus_v = std::mem::replace(&mut flags.plus, false);
        }
        self.set_flags(flags);
        self.print_arg(value, verb);
    }

    fn complain(&mut self, verb: char, what: &[u8]) {
        self.write(b"%!");
        self.write_char(verb);
        self.write(what);
    }

    fn extra(&mut self, operands: &[Value]) {
        self.set_flags(Flags::default());
        self.write(b"%!(EXTRA ");
        for (index, operand) in operands.iter().enumerate() {
            if index > 0 {
                self.write(b", ");
            }
            if operand.is_nil() {
                self.write(b"<nil>");
            } else {
                self.write(operand.type_name().as_bytes());
                self.write(b"=");
                self.print_arg(operand, 'v');
            }
        }
        self.write(b")");
    }
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    /// Reads a character; a byte that is not UTF-8 is U+FFFD.
    fn character(&mut self) -> Option<char> {
        let rest = self.format.get(self.at..).filter(|rest| !rest.is_empty())?;
        let chunk = rest[..rest.len().min(4)].utf8_chunks().next()?;
        match chunk.valid().chars().next() {
            Some(c) => {
                self.at += c.len_utf8();
                Some(c)
            }
            None => {
                self.at += 1;
                Some(char::REPLACEMENT_CHARACTER)
            }
        }
    }

    /// Reads a number. One that is too large swallows the rest of the format.
    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            let value = number.unwrap_or(0_i64);
            if value > MOST {
                self.at = self.format.len();
                return None;
            }
            number = Some(value * 10 + i64::from(digit - b'0'));
            self.at += 1;
        }
        number.and_then(|number| usize::try_from(number).ok())
    }

    /// Reads an index such as `[3]`, if one comes.
    fn index(&mut self, operands: usize) {
        self.after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let close = rest
            .iter()
            .position(|byte| *byte == b']')
            .filter(|_| rest.len() >= 3);
        let Some(close) = close else {
            self.good = false;
            self.at += 1;
            return;
        };
        let mut inner = Cursor {
            format: &self.format[..self.at + close],
            at: self.at + 1,
            ..*self
        };
        let number = inner.number();
        let whole = inner.at == self.at + close;
        self.at += close + 1;
        let Some(number) = number.filter(|_| whole) else {
            self.good = false;
            return;
        };
        self.after_index = true;
        match number.checked_sub(1).filter(|index| *index < operands) {
            Some(index) => self.operand = index,
            None => self.good = false,
        }
    }

    /// The next operand, for `*`.
    fn integer_operand(&mut self, operands: &[Value]) -> Option<i64> {
        let value = operands.get(self.operand)?;
        self.operand += 1;
        let number = value
            .as_signed()
            .or_else(|| i64::try_from(value.as_unsigned()?).ok())?;
        (-MOST..=MOST).contains(&number).then_some(number)
    }
}
