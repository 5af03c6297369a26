//! Texts as JSON has them.

/// What a byte of a text needs: nothing, `\` and one letter, or `\u00XX`.
const ESCAPES: [u8; 256] = escapes();

const HEX: &[u8; 16] = b"0123456789abcdef";

const fn escapes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 32 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[0x0c] = b'f';
    table[b'\r' as usize] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
}

/// Appends a text as it stands between the quotes of a JSON string.
pub fn push_text(into: &mut Vec<u8>, text: &str) {
    push(into, text.as_bytes());
}

/// The same for bytes that are known to be text.
pub(crate) fn push(into: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    while let Some(at) = first_escape(rest) {
        let (plain, tail) = rest.split_at(at);
        into.extend_from_slice(plain);
        let Some((byte, tail)) = tail.split_first() else { return };
        match ESCAPES[usize::from(*byte)] {
            b'u' => {
                into.extend_from_slice(b"\\u00");
                into.push(HEX[usize::from(byte >> 4)]);
                into.push(HEX[usize::from(byte & 15)]);
            }
            letter => into.extend_from_slice(&[b'\\', letter]),
        }
        rest = tail;
    }
    into.extend_from_slice(rest);
}

/// Eight bytes at a time: nearly no line needs an escape.
fn first_escape(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    while let Some(word) = bytes.get(at..at + 8).and_then(|it| it.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let zero = |it: u64| it.wrapping_sub(ONES) & !it;
        let control = word.wrapping_sub(ONES * 32) & !word;
        let found = (control | zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')))) & HIGH;
        // A borrow may point at a byte too early, so the table decides.
        if found != 0 {
            break;
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    rest.iter().position(|byte| ESCAPES[usize::from(*byte)] != 0).map(|found| at + found)
}

/// Appends a number.
pub(crate) fn push_number(into: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    into.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_written_as_serde_writes_them() {
        let all: String = (0..0x250).filter_map(char::from_u32).collect();
        let long = "x".repeat(100);
        let texts = ["", "plain", "seven b\"", "eight by\\", "\u{1b}[31mred\u{1b}[0m", "täglich 30 €\u{7f}", &all, &long];
        for text in texts {
            for shift in 0..9 {
                let text = format!("{}{text}", "y".repeat(shift));
                let mut written = Vec::new();
                push_text(&mut written, &text);
                let expected = serde_json::to_string(&text).expect("a string");
                assert_eq!(format!("\"{}\"", String::from_utf8_lossy(&written)), expected);
            }
        }
    }

    #[test]
    fn numbers_are_written_in_tens() {
        for number in [0, 7, 10, 1234, u64::MAX] {
            let mut written = Vec::new();
            push_number(&mut written, number);
            assert_eq!(String::from_utf8_lossy(&written), number.to_string());
        }
    }
}
