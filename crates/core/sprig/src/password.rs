//! Passwords: hashed for servers, derived from a master password.

use std::rc::Rc;

use gotemplate::{Functions, Signature, Type};
use scrypt::Params;

use crate::{
    Source,
    arguments::{integer, string, text},
    checksum::hmac_sha_256,
};

/// Go's default.
const COST: u32 = 10;
/// What is longer would count for nothing.
const BYTES_MAX: usize = 72;

pub(crate) fn add(all: &mut Functions, source: &Rc<dyn Source>) {
    let chance = source.clone();
    all.add(
        "bcrypt",
        Signature::new(&[Type::String], Type::String),
        move |call, arguments| {
            call.budget().take_steps(COST_STEPS)?;
            Ok(hashed(text(arguments, 0).as_bytes(), &chance).into())
        },
    );
    let chance = source.clone();
    all.add(
        "htpasswd",
        Signature::new(&[Type::String, Type::String], Type::String),
        move |call, arguments| {
            let name = string(arguments, 0);
            if name.contains(':') {
                return Ok(format!("invalid username: {name}").into());
            }
            call.budget().take_steps(COST_STEPS)?;
            let hash = hashed(text(arguments, 1).as_bytes(), &chance);
            Ok(format!("{name}:{hash}").into())
        },
    );
    all.add(
        "derivePassword",
        Signature::new(
            &[
                Type::Uint32,
                Type::String,
                Type::String,
                Type::String,
                Type::String,
            ],
            Type::String,
        ),
        |call, arguments| {
            call.budget().take_steps(COST_STEPS)?;
            let counter = arguments.first().and_then(|it| it.as_unsigned());
            let counter = counter.unwrap_or_else(|| integer(arguments, 0).unsigned_abs());
            let counter = u32::try_from(counter).unwrap_or(u32::MAX);
            let [kind, password, user, site] = [1, 2, 3, 4].map(|at| string(arguments, at));
            Ok(derived(counter, &kind, &password, &user, &site).into())
        },
    );
}

/// Hashing is slow on purpose: a render can afford a few thousand of them.
const COST_STEPS: u64 = 50_000;

fn hashed(password: &[u8], source: &Rc<dyn Source>) -> String {
    let failed = |what: &str| format!("failed to encrypt string with bcrypt: {what}");
    if password.len() > BYTES_MAX {
        return failed("bcrypt: password length exceeds 72 bytes");
    }
    let mut salt = [0; 16];
    source.fill(&mut salt);
    match bcrypt::hash_with_salt(password, COST, salt) {
        Ok(parts) => parts.format_for_version(bcrypt::Version::TwoA),
        Err(error) => failed(&error.to_string()),
    }
}

/// The Master Password algorithm.
const SEED: &str = "com.lyndir.masterpassword";

fn derived(counter: u32, kind: &str, password: &str, user: &str, site: &str) -> String {
    let Some(patterns) = patterns(kind) else {
        return format!("cannot find password template {kind}");
    };
    let named = |name: &str| {
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
        [SEED.as_bytes(), &length.to_be_bytes(), name.as_bytes()].concat()
    };
    let mut key = [0; 64];
    let derived = Params::new(15, 8, 2)
        .map_err(|it| it.to_string())
        .and_then(|it| {
            scrypt::scrypt(password.as_bytes(), &named(user), &it, &mut key)
                .map_err(|it| it.to_string())
        });
    if let Err(error) = derived {
        return format!("failed to derive password: {error}");
    }
    let message = [named(site).as_slice(), &counter.to_be_bytes()].concat();
    let seed = hmac_sha_256(&key, &message);
    let pattern = patterns[usize::from(seed[0]) % patterns.len()];
    let symbols = pattern
        .bytes()
        .zip(seed.iter().skip(1))
        .map(|(class, byte)| {
            let symbols = class_of(class).as_bytes();
            char::from(symbols[usize::from(*byte) % symbols.len()])
        });
    symbols.collect()
}

fn patterns(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        "long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        "medium" => &["CvcnoCvc", "CvcCvcno"],
        "short" => &["Cvcn"],
        "basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        "pin" => &["nnnn"],
        _ => return None,
    })
}

/// The characters that a letter of a pattern stands for.
fn class_of(letter: u8) -> &'static str {
    match letter {
        b'V' => "AEIOU",
        b'C' => "BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => "aeiou",
        b'c' => "bcdfghjklmnpqrstvwxyz",
        b'A' => "AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => "0123456789",
        b'o' => "@&%?,=[]_:-+*$#!'^~;()/.",
        _ => "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}
