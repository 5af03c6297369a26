//! AES-256 in CBC mode, as sprig uses it: the password is the key, the vector stands before the text.

use std::rc::Rc;

use aes::Aes256;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use gotemplate::{Answer, Functions, Signature, Text, Type, Value};

use crate::{Source, arguments::text, encode};

const BLOCK: usize = 16;

pub(crate) fn add(all: &mut Functions, source: &Rc<dyn Source>) {
    let signature = Signature::new(&[Type::String, Type::String], Type::String);
    let chance = source.clone();
    all.add("encryptAES", signature, move |_, arguments| {
        encrypt(
            text(arguments, 0).as_bytes(),
            text(arguments, 1).as_bytes(),
            &chance,
        )
    });
    all.add("decryptAES", signature, |_, arguments| {
        decrypt(text(arguments, 0).as_bytes(), text(arguments, 1).as_bytes())
    });
}

fn copy(from: &[u8], to: &mut [u8]) {
    to.copy_from_slice(from);
}

/// The password, cut or filled with zeros.
fn key(password: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    for (to, from) in key.iter_mut().zip(password) {
        *to = *from;
    }
    key
}

fn encrypt(password: &[u8], plain: &[u8], source: &Rc<dyn Source>) -> Answer {
    if plain.is_empty() {
        return Ok(Value::text(""));
    }
    let mut vector = [0; BLOCK];
    source.fill(&mut vector);
    let padding = BLOCK - plain.len() % BLOCK;
    let mut padded = plain.to_vec();
    padded.extend(std::iter::repeat_n(
        u8::try_from(padding).unwrap_or(0),
        padding,
    ));
    let mut encryptor = cbc::Encryptor::<Aes256>::new(&key(password).into(), &vector.into());
    for chunk in padded.chunks_exact_mut(BLOCK) {
        let mut block = aes::Block::default();
        copy(chunk, &mut block);
        encryptor.encrypt_block(&mut block);
        copy(&block, chunk);
    }
    Ok(STANDARD
        .encode([vector.as_slice(), &padded].concat())
        .into())
}

fn decrypt(password: &[u8], coded: &[u8]) -> Answer {
    if coded.is_empty() {
        return Ok(Value::text(""));
    }
    let bytes = encode::base_64(coded)?;
    let Some((vector, body)) = bytes.split_at_checked(BLOCK) else {
        let length = bytes.len();
        return Err(format!(
            "runtime error: slice bounds out of range [:{BLOCK}] with capacity {length}"
        )
        .into());
    };
    if body.len() % BLOCK != 0 {
        return Err("crypto/cipher: input not full blocks".into());
    }
    let mut vector_array = [0; BLOCK];
    vector_array.copy_from_slice(vector);
    let mut body = body.to_vec();
    let mut decryptor = cbc::Decryptor::<Aes256>::new(&key(password).into(), &vector_array.into());
    for chunk in body.chunks_exact_mut(BLOCK) {
        let mut block = aes::Block::default();
        copy(chunk, &mut block);
        decryptor.decrypt_block(&mut block);
        copy(&block, chunk);
    }
    let Some(padding) = body.last().copied() else {
        return Err("runtime error: index out of range [-1]".into());
    };
    match body.len().checked_sub(usize::from(padding)) {
        Some(end) => Ok(Text::from_bytes(body.get(..end).unwrap_or_default()).into()),
        None => Err(format!(
            "runtime error: slice bounds out of range [:{}]",
            i64::try_from(body.len()).unwrap_or(0) - i64::from(padding)
        )
        .into()),
    }
}
