//! Who signs: what of an authority's certificate goes into those it signs.

use gotemplate::FunctionError;

use crate::{der, key::PrivateKey};

const OID_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x0e];

pub(super) struct Issuer {
    /// Its name, encoded.
    pub subject: Vec<u8>,
    pub key_identifier: Option<Vec<u8>>,
    pub key: PrivateKey,
}

/// The parts of a certificate that matter to others.
struct Parts<'a> {
    subject: &'a [u8],
    public_info: &'a [u8],
    key_identifier: Option<&'a [u8]>,
}

impl Issuer {
    pub fn read(cert: &str, key: &str) -> Result<Self, FunctionError> {
        let (_, bytes) =
            der::from_pem(cert).ok_or_else(|| "unable to decode certificate".to_owned())?;
        let parts = parts(&bytes).ok_or_else(|| {
            format!("error parsing certificate: decodedSignerCert.Bytes: {MALFORMED}")
        })?;
        let key =
            PrivateKey::from_pem(key).map_err(|it| format!("error parsing private key: {it}"))?;
        if key.public_info() != parts.public_info {
            return Err("error creating certificate: x509: provided PrivateKey doesn't match parent's PublicKey".into());
        }
        Ok(Self {
            subject: parts.subject.to_vec(),
            key_identifier: parts.key_identifier.map(<[u8]>::to_vec),
            key,
        })
    }
}

const MALFORMED: &str = "x509: malformed certificate";

/// Whether the bytes are a certificate.
pub(super) fn check(bytes: &[u8]) -> Result<(), &'static str> {
    parts(bytes).map(|_| ()).ok_or(MALFORMED)
}

fn parts(bytes: &[u8]) -> Option<Parts<'_>> {
    let outer = der::read(bytes)?;
    let body = der::read(outer.body)?;
    let fields = der::read_all(body.body)?;
    // The version may be missing.
    let from = usize::from(fields.first()?.tag == 0xa0);
    let subject = fields.get(from + 4)?.whole;
    let public_info = fields.get(from + 5)?.whole;
    let extensions = fields.iter().find(|it| it.tag == 0xa3);
    let key_identifier = extensions.and_then(|it| key_identifier(it.body));
    Some(Parts {
        subject,
        public_info,
        key_identifier,
    })
}

fn key_identifier(extensions: &[u8]) -> Option<&[u8]> {
    let list = der::read_all(der::read(extensions)?.body)?;
    let found = list.iter().find_map(|extension| {
        let parts = der::read_all(extension.body)?;
        let named = parts.first()?.body == OID_KEY_IDENTIFIER;
        named.then(|| parts.last().map(|it| it.body)).flatten()
    })?;
    der::read(found).map(|it| it.body)
}
