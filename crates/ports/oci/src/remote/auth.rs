//! The registry's question who asks, and the answer it wants.

use std::net::IpAddr;

/// What a `WWW-Authenticate` header asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// Reads one header; `None` if it asks for something unknown.
    pub fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        for (key, value) in parameters(rest) {
            match key.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "service" => service = Some(value),
                "scope" => scope = Some(value),
                _ => {}
            }
        }
        Some(Self::Bearer { realm: realm?, service, scope })
    }
}

/// `key="value"` pairs; a comma inside quotes belongs to the value.
fn parameters(mut text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((key, rest)) = text.split_once('=') {
        let key = key.trim_matches([' ', ',']).to_owned();
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        found.push((key, value.trim().to_owned()));
        text = rest;
    }
    found
}

/// Whether a host is this machine, the only place where plain HTTP is spoken.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether credentials for `registry` may be shown to the token server at `realm`.
///
/// Token servers live beside their registry (`registry-1.docker.io` and
/// `auth.docker.io`); a registry must not send its users' passwords elsewhere.
pub fn may_know_credentials(registry: &str, realm: &str) -> bool {
    let host = |text: &str| text.trim_matches(['[', ']']).to_ascii_lowercase();
    let (registry, realm) = (host(registry), host(realm));
    if registry == realm {
        return true;
    }
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    if is_address(&registry) || is_address(&realm) {
        return false;
    }
    let parent = |text: &str| {
        let labels: Vec<_> = text.rsplit('.').take(2).map(str::to_owned).collect();
        (labels.len() == 2).then_some(labels)
    };
    matches!((parent(&registry), parent(&realm)), (Some(one), Some(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        check("Basic realm=\"Landfall\"", Some(Challenge::Basic));
        check("Digest x", None);
        check("Bearer service=\"x\"", None);
        check(
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
            Some(Challenge::Bearer {
                realm: "https://auth.docker.io/token".to_owned(),
                service: Some("registry.docker.io".to_owned()),
                scope: Some("repository:a/b:pull,push".to_owned()),
            }),
        );
    }

    #[test]
    fn passwords_stay_with_their_registry() {
        assert!(may_know_credentials("registry-1.docker.io", "auth.docker.io"));
        assert!(may_know_credentials("127.0.0.1", "127.0.0.1"));
        assert!(!may_know_credentials("registry.example", "evil.test"));
        assert!(!may_know_credentials("10.0.0.1", "9.0.0.1"));
        assert!(is_loopback("[::1]") && is_loopback("127.3.2.1") && !is_loopback("example.org"));
    }

    #[track_caller]
    fn check(header: &str, expected: Option<Challenge>) {
        assert_eq!(Challenge::parse(header), expected);
    }
}
