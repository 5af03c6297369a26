//! Checksums as hexadecimal or decimal text.

use gotemplate::{Functions, Signature, Type};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::arguments::text;

pub(crate) fn add(all: &mut Functions) {
    let summed = Signature::new(&[Type::String], Type::String);
    all.add("sha1sum", summed, |_, arguments| {
        Ok(hexadecimal(&Sha1::digest(text(arguments, 0).as_bytes())).into())
    });
    all.add("sha256sum", summed, |_, arguments| {
        Ok(hexadecimal(&Sha256::digest(text(arguments, 0).as_bytes())).into())
    });
    all.add("sha512sum", summed, |_, arguments| {
        Ok(hexadecimal(&Sha512::digest(text(arguments, 0).as_bytes())).into())
    });
    all.add("adler32sum", summed, |_, arguments| {
        Ok(adler_32(text(arguments, 0).as_bytes()).to_string().into())
    });
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

fn adler_32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % MODULUS;
        (low, (high + low) % MODULUS)
    });
    (high << 16) | low
}

/// A keyed hash, from the library that signs tokens too.
pub(crate) fn hmac_sha_256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
    let mut out = [0; 32];
    out.copy_from_slice(ring::hmac::sign(&key, message).as_ref());
    out
}
