//! Base 64 and base 32. What does not decode gives the error's text as the answer.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use gotemplate::{Functions, Signature, Text, Type};

use crate::arguments::{room, text};

/// Go does not look at the bits that the padding leaves over.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(crate) fn add(all: &mut Functions) {
    let coded = Signature::new(&[Type::String], Type::String);
    all.add("b64enc", coded, |call, arguments| {
        room(call, text(arguments, 0).len().saturating_mul(2))?;
        Ok(STANDARD.encode(text(arguments, 0).as_bytes()).into())
    });
    all.add("b64dec", coded, |call, arguments| {
        room(call, text(arguments, 0).len())?;
        Ok(match base_64(text(arguments, 0).as_bytes()) {
            Ok(bytes) => Text::from_bytes(&bytes).into(),
            Err(message) => message.into(),
        })
    });
    all.add("b32enc", coded, |call, arguments| {
        room(call, text(arguments, 0).len().saturating_mul(2))?;
        Ok(to_base_32(text(arguments, 0).as_bytes()).into())
    });
    all.add("b32dec", coded, |_, arguments| {
        Ok(match from_base_32(text(arguments, 0).as_bytes()) {
            Ok(bytes) => Text::from_bytes(&bytes).into(),
            Err(at) => format!("illegal base32 data at input byte {at}").into(),
        })
    });
}

/// Decodes as Go does, with Go's words for what is wrong.
pub(crate) fn base_64(text: &[u8]) -> Result<Vec<u8>, String> {
    let joined: Vec<u8>;
    let bytes = if text.iter().any(|it| matches!(it, b'\n' | b'\r')) {
        joined = text
            .iter()
            .copied()
            .filter(|it| !matches!(it, b'\n' | b'\r'))
            .collect();
        &joined
    } else {
        text
    };
    LENIENT
        .decode(bytes)
        .map_err(|_| format!("illegal base64 data at input byte {}", first_wrong(text)))
}

/// Where Go stops: at the first byte that fits nowhere, or at the end when something is missing.
fn first_wrong(text: &[u8]) -> usize {
    let is_break = |it: &u8| matches!(it, b'\n' | b'\r');
    let symbols: Vec<(usize, u8)> = text
        .iter()
        .enumerate()
        .filter(|(_, it)| !is_break(it))
        .map(|(at, it)| (at, *it))
        .collect();
    for (quad, group) in symbols.chunks(4).enumerate() {
        for (index, (at, byte)) in group.iter().enumerate() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/') {
                continue;
            }
            if *byte != b'=' || index < 2 {
                return *at;
            }
            // Padding: a second sign after two symbols, then nothing more.
            let mut end = quad * 4 + index + 1;
            if index == 2 {
                match symbols.get(end) {
                    Some((_, b'=')) => end += 1,
                    Some((wrong, _)) => return wrong - 1,
                    None => return text.len(),
                }
            }
            return symbols.get(end).map_or(text.len(), |(after, _)| *after);
        }
        if group.len() < 4 {
            return text.len() - group.len();
        }
    }
    text.len()
}

fn to_base_32(bytes: &[u8]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(5) {
        let mut bits = [0_u8; 8];
        for (slot, byte) in bits.iter_mut().skip(3).zip(group) {
            *slot = *byte;
        }
        let number = u64::from_be_bytes(bits);
        let used = (group.len() * 8).div_ceil(5);
        for place in 0..8 {
            let index = (number >> (35 - 5 * place)) & 31;
            out.push(if place < used {
                char::from(BASE_32[index as usize])
            } else {
                '='
            });
        }
    }
    out
}

/// Port of Go's decoder in its places of errors, which are peculiar around the padding.
fn from_base_32(text: &[u8]) -> Result<Vec<u8>, usize> {
    let symbols: Vec<u8> = text
        .iter()
        .copied()
        .filter(|it| !matches!(it, b'\n' | b'\r'))
        .collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < symbols.len() {
        let mut number = 0_u64;
        let mut used = 8;
        for place in 0..8 {
            let Some(symbol) = symbols.get(at) else {
                return Err(symbols.len() - place);
            };
            at += 1;
            let rest = symbols.get(at..).unwrap_or_default();
            if *symbol == b'=' && place >= 2 && rest.len() < 8 {
                if rest.len() + place < 7 {
                    return Err(symbols.len());
                }
                if let Some(other) = rest.iter().take(7 - place).position(|it| *it != b'=') {
                    return Err(at + other - 1);
                }
                if matches!(place, 3 | 6) {
                    return Err(at - 1);
                }
                used = place;
                break;
            }
            let value = BASE_32.iter().position(|it| it == symbol);
            number |= (value.ok_or(at - 1)? as u64) << (35 - 5 * place);
        }
        out.extend(number.to_be_bytes().iter().skip(3).take(used * 5 / 8));
        if used < 8 {
            break;
        }
    }
    Ok(out)
}
