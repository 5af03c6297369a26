//! Certificates: an authority, and what is signed by one or by itself.

mod build;
mod issuer;

use std::{net::IpAddr, rc::Rc};

use gotemplate::{
    ANY_LIST, Answer, Call, FunctionError, Functions, Kind, Record, Signature, Type, Value,
};

use crate::{
    Source,
    arguments::{any, integer, string, text},
    der, encode,
    key::{self, PrivateKey},
};
use build::{Request, Use};
use issuer::Issuer;

const CERTIFICATE: Type = Type::Object("sprig.certificate");

pub(crate) fn add(all: &mut Functions, source: &Rc<dyn Source>) {
    all.add(
        "buildCustomCert",
        Signature::new(&[Type::String, Type::String], CERTIFICATE),
        |_, arguments| custom(arguments),
    );
    add_authorities(all, source);
    for (name, keyed) in [
        ("genSelfSignedCert", Keyed::New),
        ("genSelfSignedCertWithKey", Keyed::Given),
    ] {
        let source = source.clone();
        let signature = match keyed {
            Keyed::New => {
                Signature::new(&[Type::String, ANY_LIST, ANY_LIST, Type::Int], CERTIFICATE)
            }
            Keyed::Given => Signature::new(
                &[Type::String, ANY_LIST, ANY_LIST, Type::Int, Type::String],
                CERTIFICATE,
            ),
        };
        all.add(name, signature, move |call, arguments| {
            let key = keyed.key(call, arguments, 4, &source)?;
            let request = request(arguments, Use::Server)?;
            issue(&request, &key, None, &source)
        });
    }
    for (name, keyed) in [
        ("genSignedCert", Keyed::New),
        ("genSignedCertWithKey", Keyed::Given),
    ] {
        let source = source.clone();
        let signature = match keyed {
            Keyed::New => Signature::new(
                &[Type::String, ANY_LIST, ANY_LIST, Type::Int, CERTIFICATE],
                CERTIFICATE,
            ),
            Keyed::Given => Signature::new(
                &[
                    Type::String,
                    ANY_LIST,
                    ANY_LIST,
                    Type::Int,
                    CERTIFICATE,
                    Type::String,
                ],
                CERTIFICATE,
            ),
        };
        all.add(name, signature, move |call, arguments| {
            let key = keyed.key(call, arguments, 5, &source)?;
            let (cert, pem) = parts(any(arguments, 4));
            let issuer = Issuer::read(&cert, &pem)?;
            let request = request(arguments, Use::Server)?;
            issue(&request, &key, Some(&issuer), &source)
        });
    }
}

fn add_authorities(all: &mut Functions, source: &Rc<dyn Source>) {
    for (name, keyed) in [("genCA", Keyed::New), ("genCAWithKey", Keyed::Given)] {
        let source = source.clone();
        let signature = match keyed {
            Keyed::New => Signature::new(&[Type::String, Type::Int], CERTIFICATE),
            Keyed::Given => Signature::new(&[Type::String, Type::Int, Type::String], CERTIFICATE),
        };
        all.add(name, signature, move |call, arguments| {
            let key = keyed.key(call, arguments, 2, &source)?;
            let request = Request {
                name: string(arguments, 0).into_owned(),
                addresses: Vec::new(),
                hosts: Vec::new(),
                days: integer(arguments, 1),
                purpose: Use::Authority,
            };
            issue(&request, &key, None, &source)
        });
    }
}

/// Whether the caller brings the key.
#[derive(Clone, Copy)]
enum Keyed {
    New,
    Given,
}

impl Keyed {
    fn key(
        self,
        call: &mut Call<'_>,
        arguments: &[Value],
        at: usize,
        source: &Rc<dyn Source>,
    ) -> Result<PrivateKey, FunctionError> {
        match self {
            Self::New => {
                call.budget().take_steps(key::STEPS)?;
                PrivateKey::rsa(key::CERTIFICATE_BITS, source)
                    .map_err(|it| format!("error generating rsa key: {it}").into())
            }
            Self::Given => PrivateKey::from_pem(&string(arguments, at))
                .map_err(|it| format!("parsing private key: {it}").into()),
        }
    }
}

fn request(arguments: &[Value], purpose: Use) -> Result<Request, FunctionError> {
    Ok(Request {
        name: string(arguments, 0).into_owned(),
        addresses: addresses(any(arguments, 1))?,
        hosts: hosts(any(arguments, 2))?,
        days: integer(arguments, 3),
        purpose,
    })
}

fn addresses(list: &Value) -> Result<Vec<IpAddr>, FunctionError> {
    let items = list.as_list().map(|it| it.to_vec()).unwrap_or_default();
    let each = items.iter().map(|item| {
        let Value::String(text) = item else {
            let shown = crate::show::verb_v(item);
            return Err(format!("error parsing ip: {shown} is not a string").into());
        };
        let parsed: Result<IpAddr, _> = text.to_str().parse();
        parsed.map_err(|_| format!("error parsing ip: {text}").into())
    });
    each.collect()
}

fn hosts(list: &Value) -> Result<Vec<String>, FunctionError> {
    let items = list.as_list().map(|it| it.to_vec()).unwrap_or_default();
    let each = items.iter().map(|item| match item {
        Value::String(text) => Ok(text.to_string()),
        other => {
            let shown = crate::show::verb_v(other);
            Err(format!("error processing alternate dns name: {shown} is not a string").into())
        }
    });
    each.collect()
}

fn issue(
    request: &Request,
    key: &PrivateKey,
    issuer: Option<&Issuer>,
    source: &Rc<dyn Source>,
) -> Answer {
    let certificate = build::build(request, key, issuer, source)?;
    Ok(object(
        der::to_pem("CERTIFICATE", &certificate),
        key.to_pem(),
    ))
}

fn object(cert: String, key: String) -> Value {
    Value::object(Record {
        type_name: "sprig.certificate",
        kind: Kind::Struct,
        fields: vec![("Cert", cert.into()), ("Key", key.into())],
    })
}

/// The texts of a certificate and its key.
fn parts(value: &Value) -> (String, String) {
    let field = |name: &str| match value {
        Value::Object(object) => object
            .field(name)
            .and_then(|it| it.as_text().map(ToString::to_string)),
        _ => None,
    };
    (
        field("Cert").unwrap_or_default(),
        field("Key").unwrap_or_default(),
    )
}

fn custom(arguments: &[Value]) -> Answer {
    let cert = encode::base_64(text(arguments, 0).as_bytes())
        .map_err(|_| "unable to decode base64 certificate".to_owned())?;
    let key = encode::base_64(text(arguments, 1).as_bytes())
        .map_err(|_| "unable to decode base64 private key".to_owned())?;
    let cert = String::from_utf8_lossy(&cert).into_owned();
    let key = String::from_utf8_lossy(&key).into_owned();
    let (_, decoded) =
        der::from_pem(&cert).ok_or_else(|| "unable to decode certificate".to_owned())?;
    issuer::check(&decoded)
        .map_err(|it| format!("error parsing certificate: decodedCert.Bytes: {it}"))?;
    PrivateKey::from_pem(&key).map_err(|it| format!("error parsing private key: {it}"))?;
    Ok(object(cert, key))
}
