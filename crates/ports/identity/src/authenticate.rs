//! Turns the credentials of a request into its principal.
//!
//! Loopback is not trust: a web page in the user's browser can reach this
//! server, too. So every request needs a token, the `Host` must be a name of
//! this server, and a request that carries a cookie must come from our own page.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use base64::Engine as _;

use crate::Tokens;

/// The name of the cookie in which the page keeps its token.
const COOKIE: &str = "landfall";

/// Where a token was found in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// An `Authorization` header: only our own clients send it.
    Header(String),
    /// A cookie: the browser adds it to foreign pages' requests, too.
    Cookie(String),
}

/// The token in `headers`: Bearer, GitHub's older word for it, Basic with the token as password, or the page's cookie.
pub fn token_of(headers: &HeaderMap) -> Option<Credentials> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(value) = text(header::AUTHORIZATION) {
        let (scheme, rest) = value.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token") {
            return Some(Credentials::Header(rest.trim().to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
        let pair = String::from_utf8(decoded).ok()?;
        let (_, password) = pair.split_once(':')?;
        return Some(Credentials::Header(password.to_owned()));
    }
    text(header::COOKIE)?.split(';').find_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == COOKIE).then(|| Credentials::Cookie(value.to_owned()))
    })
}

/// Middleware: puts the [`access::Principal`] of a request into its extensions.
///
/// A request without a valid token goes on without one; the handler refuses it
/// in the form of its own protocol.
pub async fn authenticate(State(tokens): State<Tokens>, mut request: Request, next: Next) -> Response {
    // Nobody but this middleware may say who asks.
    request.extensions_mut().remove::<access::Principal>();
    if !is_own_host(request.headers(), request.uri().host()) {
        let text = "this server is reached by its address, not by a foreign name\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    let token = match token_of(request.headers()) {
        Some(Credentials::Cookie(_)) if is_foreign_write(request.method(), request.headers()) => None,
        Some(Credentials::Cookie(token) | Credentials::Header(token)) => Some(token),
        None => None,
    };
    if let Some(token) = token {
        match tokens.principal(&token).await {
            Ok(Some(principal)) => {
                request.extensions_mut().insert(principal);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "a token could not be looked up");
                return StatusCode::SERVICE_UNAVAILABLE.into_response();
            }
        }
    }
    next.run(request).await
}

/// The answer that makes Git, Docker and browsers ask for or send credentials.
pub fn basic_challenge() -> Response {
    let text = "this needs the access token that `landfall status` shows\n";
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"Landfall\"")], text)
        .into_response()
}

/// A name that resolves to this machine only by an attacker's DNS is not ours.
///
/// HTTP/2 requests carry the name in the URI.
fn is_own_host(headers: &HeaderMap, authority: Option<&str>) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).or(authority);
    let Some(host) = host else {
        return true;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let known = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    name.parse::<std::net::IpAddr>().is_ok()
        || known.contains(&name)
        || name.ends_with(".localhost")
        || name.starts_with("kubernetes.default.svc.")
}

/// Whether a browser sends this for another site's page.
fn is_foreign_write(method: &Method, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD) {
        return false;
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(host) = text(header::HOST) else { return true };
    match text(header::ORIGIN) {
        Some(origin) => origin.split_once("://").is_none_or(|(_, from)| from != host),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        let pair = |(name, value): &(header::HeaderName, &str)| {
            (name.clone(), value.parse().expect("a header value"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_token_is_found_wherever_clients_put_it() {
        let found = |name, value| token_of(&headers(&[(name, value)]));
        let header = |text: &str| Some(Credentials::Header(text.to_owned()));
        assert_eq!(found(header::AUTHORIZATION, "Bearer lf_1"), header("lf_1"));
        assert_eq!(found(header::AUTHORIZATION, "token lf_1"), header("lf_1"));
        assert_eq!(found(header::AUTHORIZATION, "Basic bGFuZGZhbGw6bGZfMQ=="), header("lf_1"));
        let cookie = Some(Credentials::Cookie("lf_1".to_owned()));
        assert_eq!(found(header::COOKIE, "a=b; landfall=lf_1"), cookie);
        assert_eq!(found(header::AUTHORIZATION, "Digest x"), None);
        assert_eq!(found(header::AUTHORIZATION, "Basic !"), None);
    }

    #[test]
    fn foreign_names_and_foreign_pages_are_refused() {
        for own in ["127.0.0.1:5000", "localhost", "[::1]:80", "10.96.0.1:443", "shop.localhost:1"] {
            assert!(is_own_host(&headers(&[(header::HOST, own)]), None), "{own}");
        }
        assert!(!is_own_host(&headers(&[(header::HOST, "evil.example:5000")]), None));
        let own = [(header::HOST, "127.0.0.1:1"), (header::ORIGIN, "http://127.0.0.1:1")];
        let foreign = [(header::HOST, "127.0.0.1:1"), (header::ORIGIN, "http://evil.example")];
        assert!(!is_foreign_write(&Method::POST, &headers(&own)));
        assert!(is_foreign_write(&Method::POST, &headers(&foreign)));
        assert!(is_foreign_write(&Method::POST, &headers(&[(header::HOST, "127.0.0.1:1")])));
    }
}
