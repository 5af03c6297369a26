//! `html`, `js`, `urlquery`.

use crate::{
    exec::Call,
    function::Answer,
    text::{Text, lossy},
    unicode::is_print,
    value::Value,
};

/// Prints the arguments as an action would, and escapes the text.
pub(super) fn escape(
    call: &mut Call<'_>,
    arguments: &[Value],
    escape: fn(&[u8]) -> Vec<u8>,
) -> Answer {
    let text = match arguments {
        [Value::String(text)] => text.clone(),
        _ => {
            let shown: Vec<Value> = arguments
                .iter()
                .map(|value| {
                    if value.is_nil() {
                        Value::text("<no value>")
                    } else {
                        value.clone()
                    }
                })
                .collect();
            call.printed(|printer| printer.follow_pointers().print(&shown))?
        }
    };
    call.budget().take_memory(text.len())?;
    let escaped = escape(text.as_bytes());
    Ok(Value::String(if escaped == text.as_bytes() {
        text
    } else {
        Text::from(escaped)
    }))
}

pub(super) fn html(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            0 => out.extend_from_slice("\u{FFFD}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            _ => out.push(*byte),
        }
    }
    out
}

pub(super) fn js(bytes: &[u8]) -> Vec<u8> {
    let mut out = String::with_capacity(bytes.len());
    if bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() {
        for c in lossy(bytes).chars() {
            js_char(c, &mut out);
        }
        return out.into_bytes();
    }
    // Bytes that are not UTF-8 pass unchanged.
    let mut out = Vec::new();
    for chunk in bytes.utf8_chunks() {
        let mut valid = String::new();
        chunk.valid().chars().for_each(|c| js_char(c, &mut valid));
        out.extend_from_slice(valid.as_bytes());
        out.extend_from_slice(chunk.invalid());
    }
    out
}

fn js_char(c: char, out: &mut String) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\'' => out.push_str("\\'"),
        '"' => out.push_str("\\\""),
        '<' => out.push_str("\\u003C"),
        '>' => out.push_str("\\u003E"),
        '&' => out.push_str("\\u0026"),
        '=' => out.push_str("\\u003D"),
        '\0'..='\x1F' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
        ' '..='\x7F' => out.push(c),
        _ if is_print(c) => out.push(c),
        _ => out.push_str(&format!("\\u{:04X}", u32::from(c))),
    }
}

/// `url.QueryEscape`
pub(super) fn url_query(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}
