//! Private keys: made, read, written, used to sign.

mod dsa;
mod private;
mod random;

use std::rc::Rc;

use gotemplate::{Functions, Signature, Type};

pub(crate) use private::PrivateKey;

use crate::{Source, arguments::string};

/// The size of the keys of certificates.
pub(crate) const CERTIFICATE_BITS: usize = 2_048;
/// The size of the keys that stand alone.
const BITS: usize = 4_096;
/// Finding primes takes long: a render can afford a few hundred keys.
pub(crate) const STEPS: u64 = 500_000;

pub(crate) fn add(all: &mut Functions, source: &Rc<dyn Source>) {
    let chance = source.clone();
    all.add(
        "genPrivateKey",
        Signature::new(&[Type::String], Type::String),
        move |call, arguments| {
            call.budget().take_steps(4 * STEPS)?;
            let kind = string(arguments, 0);
            let pem = match &*kind {
                "" | "rsa" => PrivateKey::rsa(BITS, &chance).map(|it| it.to_pem()),
                "dsa" => Ok(dsa::generate(&chance)),
                "ecdsa" => Ok(PrivateKey::p256(&chance).to_pem()),
                "ed25519" => Ok(PrivateKey::ed25519(&chance).to_pem()),
                _ => return Ok(format!("Unknown type {kind}").into()),
            };
            Ok(pem
                .unwrap_or_else(|error| format!("failed to generate private key: {error}"))
                .into())
        },
    );
}
