//! Strings and byte slices, as `%s %q %x` print them.

use super::Printer;
use crate::{
    quote::{Charset, append_quoted, can_backquote},
    value::Value,
};

impl Printer<'_> {
    pub(super) fn string(&mut self, value: &Value, bytes: &[u8], verb: char) {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(bytes),
            'v' | 's' => self.plain(bytes),
            'x' => self.hex(bytes, b"0123456789abcdefx"),
            'X' => self.hex(bytes, b"0123456789ABCDEFX"),
            'q' => self.quoted(bytes),
            _ => self.bad_verb(value, verb),
        }
    }

    pub(super) fn plain(&mut self, bytes: &[u8]) {
        let bytes = self.truncated(bytes);
        self.pad(bytes);
    }

    /// The text up to the precision, which counts characters.
    fn truncated<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let Some(precision) = self
            .flags
            .precision
            .filter(|precision| *precision < bytes.len())
        else {
            return bytes;
        };
        let mut left = precision;
        let mut end = 0;
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                if left == 0 {
                    return &bytes[..end];
                }
                left -= 1;
                end += c.len_utf8();
            }
            let bad = chunk.invalid().len().min(left);
            left -= bad;
            end += bad;
            if bad < chunk.invalid().len() {
                return &bytes[..end];
            }
        }
        bytes
    }

    pub(super) fn quoted(&mut self, bytes: &[u8]) {
        let bytes = self.truncated(bytes);
        let mut text = Vec::with_capacity(bytes.len() + 2);
        if self.flags.sharp && can_backquote(bytes) {
            text.push(b'`');
            text.extend_from_slice(bytes);
            text.push(b'`');
        } else {
            let charset = if self.flags.plus {
                Charset::Ascii
            } else {
                Charset::Printable
            };
            append_quoted(&mut text, bytes, '"', charset);
        }
        self.pad(&text);
    }

    fn hex(&mut self, bytes: &[u8], table: &[u8; 17]) {
        let flags = self.flags;
        let bytes = &bytes[..flags
            .precision
            .map_or(bytes.len(), |precision| precision.min(bytes.len()))];
        if bytes.is_empty() {
            return self.write_padding(flags.width.unwrap_or(0));
        }
        let mut text = Vec::with_capacity(bytes.len() * 2 + 2);
        for (index, byte) in bytes.iter().enumerate() {
            if flags.space && index > 0 {
                text.push(b' ');
            }
            if flags.sharp && (flags.space || index == 0) {
                text.extend_from_slice(&[b'0', table[16]]);
            }
            text.extend_from_slice(&[table[usize::from(byte >> 4)], table[usize::from(byte & 15)]]);
        }
        self.pad(&text);
    }
}
