//! Random text, from the injected source.

use std::rc::Rc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gotemplate::{Answer, Call, Functions, Signature, Type, Value};

use crate::{
    Source,
    arguments::{integer, room, string},
};

const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BOTH: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PRINTABLE: &[u8] = b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

pub(crate) fn add(all: &mut Functions, source: &Rc<dyn Source>) {
    for (name, symbols) in [
        ("randAlphaNum", BOTH),
        ("randAlpha", LETTERS),
        ("randNumeric", DIGITS),
        ("randAscii", PRINTABLE),
    ] {
        let source = source.clone();
        all.add(
            name,
            Signature::new(&[Type::Int], Type::String),
            move |call, arguments| random_text(call, &source, symbols, integer(arguments, 0)),
        );
    }
    let chance = source.clone();
    all.add(
        "randInt",
        Signature::new(&[Type::Int, Type::Int], Type::Int),
        move |_, arguments| {
            let (least, bound) = (integer(arguments, 0), integer(arguments, 1));
            let Ok(range) = u64::try_from(bound.wrapping_sub(least)) else {
                return Err("invalid argument to Intn".into());
            };
            if range == 0 {
                return Err("invalid argument to Intn".into());
            }
            let chosen = below(&chance, range);
            Ok(Value::Int(least.wrapping_add_unsigned(chosen)))
        },
    );
    let chance = source.clone();
    all.add(
        "randBytes",
        Signature::new(&[Type::Int], Type::String),
        move |call, arguments| {
            let Ok(count) = usize::try_from(integer(arguments, 0)) else {
                return Err("runtime error: makeslice: len out of range".into());
            };
            room(call, count.saturating_mul(3))?;
            let mut bytes = vec![0; count];
            chance.fill(&mut bytes);
            Ok(STANDARD.encode(&bytes).into())
        },
    );
    let chance = source.clone();
    all.add(
        "shuffle",
        Signature::new(&[Type::String], Type::String),
        move |_, arguments| {
            let mut symbols: Vec<char> = string(arguments, 0).chars().collect();
            for at in (1..symbols.len()).rev() {
                let other = usize::try_from(below(&chance, at as u64 + 1)).unwrap_or(at);
                symbols.swap(at, other);
            }
            Ok(symbols.into_iter().collect::<String>().into())
        },
    );
    let chance = source.clone();
    all.add("uuidv4", Signature::new(&[], Type::String), move |_, _| {
        let mut bytes = [0; 16];
        chance.fill(&mut bytes);
        Ok(uuid(bytes).into())
    });
}

fn random_text(call: &mut Call<'_>, source: &Rc<dyn Source>, symbols: &[u8], count: i64) -> Answer {
    let count = usize::try_from(count).unwrap_or(0);
    room(call, count)?;
    let text = (0..count).map(|_| {
        let at = usize::try_from(below(source, symbols.len() as u64)).unwrap_or(0);
        char::from(symbols[at])
    });
    Ok(text.collect::<String>().into())
}

/// A number below `bound`, each equally likely: what would favour some is thrown again.
fn below(source: &Rc<dyn Source>, bound: u64) -> u64 {
    let unfair = u64::MAX - u64::MAX % bound;
    loop {
        let mut bytes = [0; 8];
        source.fill(&mut bytes);
        let thrown = u64::from_le_bytes(bytes);
        if thrown < unfair {
            return thrown % bound;
        }
    }
}

fn uuid(mut bytes: [u8; 16]) -> String {
    // Version four, the variant of RFC 4122.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut out = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push_str(&format!("{byte:02x}"));
    }
    out
}
