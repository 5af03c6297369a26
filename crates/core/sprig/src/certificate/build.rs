//! Writes a certificate as Go's `x509` does.

use std::{net::IpAddr, rc::Rc};

use gotemplate::FunctionError;

use super::issuer::Issuer;
use crate::{
    Source, der,
    gotime::{Civil, Time},
    key::PrivateKey,
};

/// What a certificate is to say.
pub(super) struct Request {
    pub name: String,
    pub addresses: Vec<IpAddr>,
    pub hosts: Vec<String>,
    pub days: i64,
    pub purpose: Use,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Authority,
    Server,
}

const OID_COMMON_NAME: &[u8] = &[0x55, 4, 3];
const OID_KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const OID_EXTENDED_USAGE: &[u8] = &[0x55, 0x1d, 37];
const OID_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const OID_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
const OID_AUTHORITY: &[u8] = &[0x55, 0x1d, 35];
const OID_NAMES: &[u8] = &[0x55, 0x1d, 17];
const OID_SERVER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const OID_CLIENT: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// The certificate for `key`, signed by the issuer or, without one, by itself.
pub(super) fn build(
    request: &Request,
    key: &PrivateKey,
    issuer: Option<&Issuer>,
    source: &Rc<dyn Source>,
) -> Result<Vec<u8>, FunctionError> {
    let subject = name(&request.name);
    let issuer_name = issuer.map_or(&subject, |it| &it.subject);
    let signer = issuer.map_or(key, |it| &it.key);
    let now = Time::from_nanoseconds(source.now());
    let end = now
        .seconds
        .saturating_add(request.days.saturating_mul(86_400));
    let mut serial = [0; 16];
    source.fill(&mut serial);
    // Zero is no serial number.
    serial[15] |= u8::from(serial.iter().all(|it| *it == 0));
    let extensions = extensions(request, key, &subject, issuer);
    let body = der::sequence(&[
        &der::element(0xa0, &der::integer(&[2])),
        &der::integer(&serial),
        &signer.signature_algorithm(),
        issuer_name,
        &der::sequence(&[&moment(now.seconds), &moment(end)]),
        &subject,
        &key.public_info(),
        &der::element(0xa3, &der::element(der::SEQUENCE, &extensions)),
    ]);
    let signature = signer
        .sign(&body)
        .map_err(|it| format!("error creating certificate: {it}"))?;
    Ok(der::sequence(&[
        &body,
        &signer.signature_algorithm(),
        &der::bits(&signature),
    ]))
}

fn name(common_name: &str) -> Vec<u8> {
    if common_name.is_empty() {
        return der::sequence(&[]);
    }
    let printable = |it: char| it.is_ascii_alphanumeric() || " '()+,-./:=?".contains(it);
    let tag = if common_name.chars().all(printable) {
        der::PRINTABLE_STRING
    } else {
        der::UTF8_STRING
    };
    let entry = der::sequence(&[
        &der::oid(OID_COMMON_NAME),
        &der::element(tag, common_name.as_bytes()),
    ]);
    der::sequence(&[&der::element(der::SET, &entry)])
}

/// Years from 2050 on need four digits.
fn moment(seconds: i64) -> Vec<u8> {
    let civil = Civil::from_seconds(seconds);
    let rest = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        civil.month, civil.day, civil.hour, civil.minute, civil.second
    );
    if (1950..2050).contains(&civil.year) {
        der::element(
            der::UTC_TIME,
            format!("{:02}{rest}", civil.year % 100).as_bytes(),
        )
    } else {
        der::element(
            der::GENERALIZED_TIME,
            format!("{:04}{rest}", civil.year).as_bytes(),
        )
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    Plain,
    Critical,
}

fn extension(oid: &[u8], weight: Weight, body: &[u8]) -> Vec<u8> {
    let critical = match weight {
        Weight::Plain => Vec::new(),
        Weight::Critical => der::element(der::BOOLEAN, &[0xff]),
    };
    der::sequence(&[
        &der::oid(oid),
        &critical,
        &der::element(der::OCTET_STRING, body),
    ])
}

fn extensions(
    request: &Request,
    key: &PrivateKey,
    subject: &[u8],
    issuer: Option<&Issuer>,
) -> Vec<u8> {
    let authority = request.purpose == Use::Authority;
    // Digital signature and key encipherment; an authority also signs certificates.
    let usage: &[u8] = if authority {
        &[2, 0b1010_0100]
    } else {
        &[5, 0b1010_0000]
    };
    let purposes = der::sequence(&[&der::oid(OID_SERVER), &der::oid(OID_CLIENT)]);
    let constraints = match request.purpose {
        Use::Authority => der::sequence(&[&der::element(der::BOOLEAN, &[0xff])]),
        Use::Server => der::sequence(&[]),
    };
    let mut out = extension(
        OID_KEY_USAGE,
        Weight::Critical,
        &der::element(der::BIT_STRING, usage),
    );
    out.extend(extension(OID_EXTENDED_USAGE, Weight::Plain, &purposes));
    out.extend(extension(OID_CONSTRAINTS, Weight::Critical, &constraints));
    if authority {
        let identifier = der::element(der::OCTET_STRING, &key.identifier());
        out.extend(extension(OID_KEY_IDENTIFIER, Weight::Plain, &identifier));
    }
    let other = issuer.filter(|it| it.subject != subject);
    if let Some(identifier) = other.and_then(|it| it.key_identifier.as_ref()) {
        let body = der::sequence(&[&der::element(0x80, identifier)]);
        out.extend(extension(OID_AUTHORITY, Weight::Plain, &body));
    }
    let mut names = Vec::new();
    for host in &request.hosts {
        names.extend(der::element(0x82, host.as_bytes()));
    }
    for address in &request.addresses {
        names.extend(match address {
            IpAddr::V4(it) => der::element(0x87, &it.octets()),
            IpAddr::V6(it) => der::element(0x87, &it.octets()),
        });
    }
    if !names.is_empty() {
        // Without a name of its own, these are all that a certificate is known by.
        let weight = if request.name.is_empty() {
            Weight::Critical
        } else {
            Weight::Plain
        };
        out.extend(extension(
            OID_NAMES,
            weight,
            &der::element(der::SEQUENCE, &names),
        ));
    }
    out
}
