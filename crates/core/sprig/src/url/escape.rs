//! Percent signs: what each part of a URL must escape, and the way back.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Host,
    /// The zone of an IPv6 address.
    Zone,
    Path,
    UserInfo,
    Fragment,
}

/// Whether Go escapes `byte` in that part.
fn needs_escape(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
        return false;
    }
    let host = matches!(part, Part::Host | Part::Zone);
    match byte {
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':'
        | b'[' | b']' | b'<' | b'>' | b'"'
            if host =>
        {
            false
        }
        b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@' => match part {
            Part::Path => byte == b'?',
            Part::UserInfo => matches!(byte, b'@' | b'/' | b'?' | b':'),
            Part::Fragment => false,
            Part::Host | Part::Zone => true,
        },
        b'!' | b'(' | b')' | b'*' => part != Part::Fragment,
        _ => true,
    }
}

pub(super) fn escape(text: &str, part: Part) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if needs_escape(byte, part) {
            out.push_str(&format!("%{byte:02X}"));
        } else {
            out.push(char::from(byte));
        }
    }
    out
}

/// Reads percent signs back, with Go's words for what is wrong.
pub(super) fn unescape(text: &str, part: Part) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            let refused = match part {
                Part::Host | Part::Zone => first.is_ascii() && needs_escape(*first, part),
                Part::Path | Part::UserInfo | Part::Fragment => false,
            };
            if refused {
                let shown = gotemplate::quoted(&[*first]);
                return Err(format!("invalid character {shown} in host name"));
            }
            out.push(*first);
            rest = after;
            continue;
        }
        let byte = match after {
            [high, low, ..] => hexadecimal(*high)
                .zip(hexadecimal(*low))
                .map(|(high, low)| high << 4 | low),
            _ => None,
        };
        let shown = String::from_utf8_lossy(rest.get(..rest.len().min(3)).unwrap_or_default());
        let Some(byte) = byte else {
            return Err(format!(
                "invalid URL escape {}",
                gotemplate::quoted(shown.as_bytes())
            ));
        };
        // Only what is not ASCII may be escaped in a host.
        if part == Part::Host && byte < 0x80 && shown != "%25" {
            return Err(format!(
                "invalid URL escape {}",
                gotemplate::quoted(shown.as_bytes())
            ));
        }
        out.push(byte);
        rest = after.get(2..).unwrap_or_default();
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn hexadecimal(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|it| u8::try_from(it).ok())
}
