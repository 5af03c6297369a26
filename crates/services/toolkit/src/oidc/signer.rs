//! The key of identity tokens: RSA, because that is what every verifier expects.
//!
//! The key is made by the `rsa` crate and used by `ring`, whose private-key
//! operations take the same time for all inputs.

use std::{io, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    rsa::{KeyPair, PublicKeyComponents},
    signature::RSA_PKCS1_SHA256,
};
use rsa::{
    pkcs1::EncodeRsaPrivateKey as _,
    rand_core::{CryptoRng, RngCore},
};
use serde_json::{Value, json};

use crate::keys::{KeyError, read_or_make};

/// The name of the algorithm in tokens.
pub const ALGORITHM: &str = "RS256";
/// What verifiers demand at least.
const KEY_BITS: usize = 2048;

/// Signs tokens with the key of this installation.
pub struct Signer {
    key: KeyPair,
    identifier: String,
}

/// Why a token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed")]
pub struct SignError;

impl Signer {
    /// Reads the key, or makes one; that takes a while.
    pub fn open(file: &Path) -> Result<Self, KeyError> {
        let bytes = read_or_make(file, make)?;
        let unusable = |error: ring::error::KeyRejected| KeyError::Unusable { path: file.display().to_string(), reason: error.to_string() };
        let key = KeyPair::from_der(&bytes).map_err(unusable)?;
        let (modulus, _) = components(&key);
        let identifier: String = digest(&SHA256, &modulus).as_ref().iter().take(20).map(|byte| format!("{byte:02X}")).collect();
        Ok(Self { key, identifier })
    }

    pub fn sign(&self, claims: &Value) -> Result<String, SignError> {
        let head = json!({ "typ": "JWT", "alg": ALGORITHM, "kid": self.identifier, "x5t": self.identifier });
        let signed = format!("{}.{}", BASE64.encode(head.to_string()), BASE64.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| SignError)?;
        Ok(format!("{signed}.{}", BASE64.encode(signature)))
    }

    /// The public key as verifiers read it.
    pub fn public(&self) -> Value {
        let (modulus, exponent) = components(&self.key);
        json!({
            "kty": "RSA", "alg": ALGORITHM, "use": "sig", "kid": self.identifier,
            "n": BASE64.encode(modulus), "e": BASE64.encode(exponent),
        })
    }
}

fn components(key: &KeyPair) -> (Vec<u8>, Vec<u8>) {
    let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(key.public());
    (n, e)
}

fn make() -> io::Result<Vec<u8>> {
    let key = rsa::RsaPrivateKey::new(&mut System, KEY_BITS).map_err(io::Error::other)?;
    let der = key.to_pkcs1_der().map_err(io::Error::other)?;
    Ok(der.as_bytes().to_vec())
}

/// The random numbers of the system, in the form that the `rsa` crate wants.
struct System;

impl RngCore for System {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_ne_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_ne_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        // Linux gives random bytes for ever once it gave some, and our tokens were made from some.
        getrandom::fill(bytes).expect("the system gives random numbers");
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for System {}

#[cfg(test)]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

    use super::*;

    #[test]
    fn a_token_is_checked_with_the_public_key_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("oidc.key");
        let signer = Signer::open(&file).expect("open");
        let again = Signer::open(&file).expect("open again");
        assert_eq!(again.public(), signer.public());

        let token = signer.sign(&json!({ "sub": "x" })).expect("sign");
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let public = signer.public();
        let part = |name: &str| BASE64.decode(public[name].as_str().expect("text")).expect("base64");
        let key = RsaPublicKeyComponents { n: part("n"), e: part("e") };
        let signature = BASE64.decode(signature).expect("base64");
        assert!(key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).is_ok());
    }
}
