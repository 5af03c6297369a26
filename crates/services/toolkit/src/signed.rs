//! Addresses that carry their own right: one upload or one blob, one direction, for some time.
//!
//! The parameters have the names that Azure's storage gives them, because
//! GitHub's clients mask just `sig` in their output and read the rest.

use std::time::Duration;

use axum::http::Uri;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use names::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;

/// An upload may take as long as the longest job.
pub const UPLOAD_LIFETIME: Duration = Duration::from_secs(6 * 60 * 60);
/// A download begins at once; slow ones keep their connection.
pub const DOWNLOAD_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Signs and checks addresses.
pub struct UrlKey(hmac::Key);

/// What an address allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    Read,
    Write,
}

/// How a download is shown to its client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub disposition: String,
    pub media_type: String,
}

/// Why an address is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("the address is not signed by this server")]
    Signature,
    #[error("the time of this address is over")]
    Expired,
    #[error("this address is for the other direction")]
    Direction,
}

impl Right {
    fn letter(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::Write => "w",
        }
    }
}

impl UrlKey {
    pub fn new(key: &hmac::Key) -> Self {
        Self(key.clone())
    }

    /// The signed form of `path`, which stands before the query.
    pub fn sign(&self, base: &str, path: &str, right: Right, shown: &Shown, expires: Timestamp) -> String {
        let expires = expires.to_seconds_text();
        let signature = BASE64.encode(hmac::sign(&self.0, text(path, right.letter(), &expires, shown).as_bytes()));
        let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut url = format!("{base}{path}?sp={}&se={}", right.letter(), escape(&expires));
        for (name, value) in [("rscd", &shown.disposition), ("rsct", &shown.media_type)] {
            if !value.is_empty() {
                url.push_str(&format!("&{name}={}", escape(value)));
            }
        }
        // The signature comes last, so that a log line that is cut shows none.
        format!("{url}&sig={}", escape(&signature))
    }

    /// Checks the address of a request. Parameters that clients add, such as `comp`, are not signed.
    pub fn check(&self, uri: &Uri, wanted: Right, now: Timestamp) -> Result<Shown, BadAddress> {
        let query = Query::of(uri);
        let shown = Shown { disposition: query.get("rscd").to_owned(), media_type: query.get("rsct").to_owned() };
        let (right, expires) = (query.get("sp"), query.get("se"));
        let signature = BASE64.decode(query.get("sig")).map_err(|_| BadAddress::Signature)?;
        hmac::verify(&self.0, text(uri.path(), right, expires, &shown).as_bytes(), &signature)
            .map_err(|_| BadAddress::Signature)?;
        if right != wanted.letter() {
            return Err(BadAddress::Direction);
        }
        match expires.parse::<Timestamp>() {
            Ok(expires) if expires > now => Ok(shown),
            Ok(_) | Err(_) => Err(BadAddress::Expired),
        }
    }
}

/// What is signed; a zero byte stands in none of its parts.
fn text(path: &str, right: &str, expires: &str, shown: &Shown) -> String {
    [path, right, expires, &shown.disposition, &shown.media_type].join("\0")
}

/// The parameters of an address, decoded.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn of(uri: &Uri) -> Self {
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        Self(pairs.map(|pairs| pairs.0).unwrap_or_default())
    }

    /// The first value of `name`; empty if there is none.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find_map(|(found, value)| (found == name).then_some(value.as_str())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-22T10:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().expect("a time")
    }

    fn key() -> UrlKey {
        UrlKey::new(&hmac::Key::new(hmac::HMAC_SHA256, b"secret"))
    }

    fn signed() -> String {
        let shown = Shown { disposition: "attachment; filename=\"a b.zip\"".to_owned(), media_type: "application/zip".to_owned() };
        key().sign("http://127.0.0.1:1", "/_blobs/download/x", Right::Read, &shown, now() + DOWNLOAD_LIFETIME)
    }

    #[test]
    fn an_address_is_good_for_one_path_one_direction_and_some_time() {
        let url = signed();
        check(&url, Right::Read, now(), Ok("attachment; filename=\"a b.zip\""));
        check(&format!("{url}&comp=block&blockid=AA"), Right::Read, now(), Ok("attachment; filename=\"a b.zip\""));
        check(&url, Right::Write, now(), Err(BadAddress::Direction));
        check(&url, Right::Read, now() + DOWNLOAD_LIFETIME, Err(BadAddress::Expired));
        for (from, to) in [("/x?", "/y?"), ("sp=r", "sp=w"), ("se=2026", "se=2027"), ("a%20b", "evil"), ("sig=", "sig=A")] {
            let forged = url.replace(from, to);
            assert_ne!(forged, url, "{from}");
            check(&forged, Right::Read, now(), Err(BadAddress::Signature));
        }
        check("http://127.0.0.1:1/_blobs/download/x", Right::Read, now(), Err(BadAddress::Signature));
    }

    #[track_caller]
    fn check(url: &str, wanted: Right, now: Timestamp, expected: Result<&str, BadAddress>) {
        let uri: Uri = url.parse().expect("an address");
        let found = key().check(&uri, wanted, now).map(|shown| shown.disposition);
        assert_eq!(found, expected.map(str::to_owned));
    }
}
