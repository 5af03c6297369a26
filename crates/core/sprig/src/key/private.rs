//! One private key of any kind that certificates can have.

use std::rc::Rc;

use p256::{
    SecretKey,
    ecdsa::{Signature, SigningKey, signature::hazmat::PrehashSigner},
    elliptic_curve::sec1::ToEncodedPoint,
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use rsa::{
    Pkcs1v15Sign, RsaPrivateKey,
    pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey, EncodeRsaPublicKey},
    traits::PublicKeyParts,
};
use sha2::{Digest, Sha256};

use super::random::Chance;
use crate::{Source, der};

const OID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const OID_SHA256_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const OID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const OID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const OID_SHA256_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const OID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const OID_SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];

pub(crate) enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    P256(SecretKey),
    /// The seed.
    Ed25519([u8; 32]),
}

impl PrivateKey {
    pub fn rsa(bits: usize, source: &Rc<dyn Source>) -> Result<Self, String> {
        let key = RsaPrivateKey::new(&mut Chance(source), bits).map_err(|it| it.to_string())?;
        Ok(Self::Rsa(Box::new(key)))
    }

    pub fn p256(source: &Rc<dyn Source>) -> Self {
        Self::P256(SecretKey::random(&mut Chance(source)))
    }

    pub fn ed25519(source: &Rc<dyn Source>) -> Self {
        let mut seed = [0; 32];
        source.fill(&mut seed);
        Self::Ed25519(seed)
    }

    /// Reads a key with Go's words for what is wrong.
    pub fn from_pem(text: &str) -> Result<Self, String> {
        let (label, bytes) = der::from_pem(text).ok_or("no PEM data in input")?;
        match label.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(&bytes).ok_or_else(|| {
                "decoding PEM as PKCS#8: asn1: structure error: unknown key".to_owned()
            }),
            "RSA PRIVATE KEY" => RsaPrivateKey::from_pkcs1_der(&bytes)
                .map(|it| Self::Rsa(Box::new(it)))
                .map_err(|it| format!("parsing RSA private key from PEM: {it}")),
            "EC PRIVATE KEY" => Self::from_sec1(&bytes).ok_or_else(|| {
                "parsing EC private key from PEM: x509: unknown elliptic curve".to_owned()
            }),
            "DSA PRIVATE KEY" => Err("DSA keys sign no certificates".to_owned()),
            _ => match label.strip_suffix(" PRIVATE KEY") {
                Some(kind) => Err(format!("invalid private key type {kind}")),
                None => Err(format!("no private key data in PEM block of type {label}")),
            },
        }
    }

    fn from_pkcs8(bytes: &[u8]) -> Option<Self> {
        let outer = der::read(bytes)?;
        let parts = der::read_all(outer.body)?;
        let algorithm = der::read_all(parts.get(1)?.body)?;
        let key = parts.get(2)?.body;
        let named = algorithm.first()?.body;
        if named == OID_RSA {
            let key = RsaPrivateKey::from_pkcs1_der(key).ok()?;
            Some(Self::Rsa(Box::new(key)))
        } else if named == OID_EC && algorithm.get(1)?.body == OID_P256 {
            Self::from_sec1(key)
        } else if named == OID_ED25519 {
            let seed = der::read(key)?.body.try_into().ok()?;
            Some(Self::Ed25519(seed))
        } else {
            None
        }
    }

    fn from_sec1(bytes: &[u8]) -> Option<Self> {
        let parts = der::read_all(der::read(bytes)?.body)?;
        let named = parts.iter().find(|it| it.tag == 0xa0);
        let other_curve =
            named.is_some_and(|it| der::read(it.body).is_none_or(|oid| oid.body != OID_P256));
        if other_curve {
            return None;
        }
        SecretKey::from_slice(parts.get(1)?.body)
            .ok()
            .map(Self::P256)
    }

    /// As Go writes it: each kind in the form of its own.
    pub fn to_pem(&self) -> String {
        match self {
            Self::Rsa(key) => {
                let encoded = key.to_pkcs1_der().map(|it| it.as_bytes().to_vec());
                der::to_pem("RSA PRIVATE KEY", &encoded.unwrap_or_default())
            }
            Self::P256(key) => {
                let encoded = der::sequence(&[
                    &der::integer(&[1]),
                    &der::element(der::OCTET_STRING, &key.to_bytes()),
                    &der::element(0xa0, &der::oid(OID_P256)),
                    &der::element(0xa1, &der::bits(&self.public_bytes())),
                ]);
                der::to_pem("EC PRIVATE KEY", &encoded)
            }
            Self::Ed25519(seed) => {
                let inner = der::element(der::OCTET_STRING, seed);
                let encoded = der::sequence(&[
                    &der::integer(&[0]),
                    &der::sequence(&[&der::oid(OID_ED25519)]),
                    &der::element(der::OCTET_STRING, &inner),
                ]);
                der::to_pem("PRIVATE KEY", &encoded)
            }
        }
    }

    fn public_bytes(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => {
                let encoded = key.to_public_key().to_pkcs1_der();
                encoded.map(|it| it.as_bytes().to_vec()).unwrap_or_default()
            }
            Self::P256(key) => key.public_key().to_encoded_point(false).as_bytes().to_vec(),
            Self::Ed25519(seed) => Ed25519KeyPair::from_seed_unchecked(seed)
                .map(|it| it.public_key().as_ref().to_vec())
                .unwrap_or_default(),
        }
    }

    /// The public key as certificates hold it.
    pub fn public_info(&self) -> Vec<u8> {
        let algorithm = match self {
            Self::Rsa(_) => der::sequence(&[&der::oid(OID_RSA), &der::element(der::NULL, &[])]),
            Self::P256(_) => der::sequence(&[&der::oid(OID_EC), &der::oid(OID_P256)]),
            Self::Ed25519(_) => der::sequence(&[&der::oid(OID_ED25519)]),
        };
        der::sequence(&[&algorithm, &der::bits(&self.public_bytes())])
    }

    /// What identifies the key in certificates: a hash of its public part.
    pub fn identifier(&self) -> Vec<u8> {
        Sha256::digest(self.public_bytes())
            .iter()
            .copied()
            .take(20)
            .collect()
    }

    /// The name of the algorithm of its signatures.
    pub fn signature_algorithm(&self) -> Vec<u8> {
        match self {
            Self::Rsa(_) => {
                der::sequence(&[&der::oid(OID_SHA256_RSA), &der::element(der::NULL, &[])])
            }
            Self::P256(_) => der::sequence(&[&der::oid(OID_SHA256_EC)]),
            Self::Ed25519(_) => der::sequence(&[&der::oid(OID_ED25519)]),
        }
    }

    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let hash = Sha256::digest(message);
        match self {
            Self::Rsa(key) => {
                let algorithm =
                    der::sequence(&[&der::oid(OID_SHA256), &der::element(der::NULL, &[])]);
                let info = der::sequence(&[&algorithm, &der::element(der::OCTET_STRING, &hash)]);
                if key.size() < info.len() + 11 {
                    return Err("crypto/rsa: message too long for RSA key size".to_owned());
                }
                key.sign(Pkcs1v15Sign::new_unprefixed(), &info)
                    .map_err(|it| it.to_string())
            }
            Self::P256(key) => {
                let signature: Result<Signature, _> = SigningKey::from(key).sign_prehash(&hash);
                signature
                    .map(|it| it.to_der().as_bytes().to_vec())
                    .map_err(|it| it.to_string())
            }
            Self::Ed25519(seed) => {
                let pair =
                    Ed25519KeyPair::from_seed_unchecked(seed).map_err(|it| it.to_string())?;
                Ok(pair.sign(message).as_ref().to_vec())
            }
        }
    }
}
