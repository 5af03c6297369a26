//! The bytes of an XML file as text, whatever their encoding.

/// Decodes by byte order mark, else by what the declaration says; what is not valid is replaced.
pub fn decode(bytes: &[u8]) -> String {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ if is_latin(bytes) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn utf16(bytes: &[u8], read: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| match pair {
        [first, second] => read([*first, *second]),
        _ => 0xfffd,
    });
    char::decode_utf16(units).map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Whether the declaration names an encoding of one byte per letter.
fn is_latin(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(bytes.get(..200.min(bytes.len())).unwrap_or_default()).to_lowercase();
    let Some((declaration, _)) = head.split_once("?>") else { return false };
    ["iso-8859-1", "iso-8859-15", "windows-1252", "latin1"].iter().any(|it| declaration.contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told_apart() {
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("<aé/>".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(decode(&utf16), "<aé/>");
        assert_eq!(decode(b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>"), "<?xml version='1.0' encoding='ISO-8859-1'?><a>é</a>");
        assert_eq!(decode(b"\xef\xbb\xbf<a/>"), "<a/>");
        assert_eq!(decode(b"<a>\xe9</a>"), "<a>\u{fffd}</a>");
    }
}
