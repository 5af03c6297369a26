//! Looks at the characters before anything else does: not all are allowed.

use super::error::GoError;

/// The text without its byte order mark.
pub(super) fn check(source: &[u8]) -> Result<&str, GoError> {
    let text = std::str::from_utf8(source).map_err(|error| {
        let rest = source.get(error.valid_up_to()..).unwrap_or_default();
        GoError::yaml(match (rest.first(), error.error_len()) {
            (_, None) => "incomplete UTF-8 octet sequence",
            (Some(0x80..=0xbf | 0xf8..=0xff), _) => "invalid leading UTF-8 octet",
            (Some(0xc0..=0xc1), _) => "invalid length of a UTF-8 sequence",
            _ => "invalid trailing UTF-8 octet",
        })
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let allowed = |byte: u8| byte >= b' ' && byte != 0x7f || matches!(byte, b'\t' | b'\n' | b'\r');
    let fits = if text.is_ascii() {
        // Without an early end, which comes hardly ever, many bytes are looked at at once.
        text.bytes().fold(true, |fits, byte| fits & allowed(byte))
    } else {
        text.chars().all(|symbol| match symbol {
            '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' => true,
            '\u{fffe}' | '\u{ffff}' => false,
            _ => symbol >= '\u{a0}',
        })
    };
    if fits {
        Ok(text)
    } else {
        Err(GoError::yaml("control characters are not allowed"))
    }
}
