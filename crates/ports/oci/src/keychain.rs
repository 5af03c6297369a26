//! Credentials for registries, from a Docker config or given one by one.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use names::ImageRef;
use serde::Deserialize;

/// A user and a password or token; its `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

/// Who to be at which registry.
#[derive(Clone, Debug, Default)]
pub struct Keychain {
    /// By host, or host and the beginning of a path.
    entries: BTreeMap<String, Credentials>,
}

/// Why a Docker config could not be read; never shows its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseKeychainError {
    #[error("the registry credentials are no JSON with an `auths` object")]
    Json,
    #[error("the credentials for `{0}` are not base64 of `user:password`")]
    Auth(String),
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize)]
struct DockerAuth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl Keychain {
    /// Nobody anywhere.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Reads `{"auths": {"host": {"auth": "base64 of user:password"}}}`, as in `~/.docker/config.json`
    /// and in secrets of type `kubernetes.io/dockerconfigjson`.
    pub fn from_docker_config(json: &[u8]) -> Result<Self, ParseKeychainError> {
        let config: DockerConfig = serde_json::from_slice(json).map_err(|_| ParseKeychainError::Json)?;
        let mut keychain = Self::default();
        for (registry, auth) in config.auths {
            let pair = match (auth.auth.filter(|it| !it.is_empty()), auth.username, auth.password) {
                (Some(auth), _, _) => {
                    Some(decode(&auth).ok_or_else(|| ParseKeychainError::Auth(registry.clone()))?)
                }
                (None, Some(user), Some(password)) => Some((user, password)),
                // A credential helper keeps them; helpers are not run.
                _ => None,
            };
            if let Some((user, password)) = pair {
                keychain.add(&registry, user, password);
            }
        }
        Ok(keychain)
    }

    /// Adds an entry; a later one for the same registry replaces it.
    pub fn add(&mut self, registry: &str, user: impl Into<String>, password: impl Into<String>) {
        let credentials = Credentials { user: user.into(), password: password.into() };
        self.entries.insert(normalise(registry), credentials);
    }

    /// Takes over the entries of `other`; its own win.
    pub fn merge(&mut self, other: Self) {
        for (registry, credentials) in other.entries {
            self.entries.entry(registry).or_insert(credentials);
        }
    }

    /// The credentials for `name`: the entry that says most about it.
    pub fn find(&self, name: &ImageRef) -> Option<&Credentials> {
        let full = normalise(&name.name());
        let fitting = self.entries.iter().filter(|(key, _)| {
            full.strip_prefix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        fitting.max_by_key(|(key, _)| key.len()).map(|(_, credentials)| credentials)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

fn decode(auth: &str) -> Option<(String, String)> {
    let pair = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    Some((user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

/// Host and path without scheme and API version; all names of Docker's registry become one.
fn normalise(registry: &str) -> String {
    let text = registry.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let text = text.trim_end_matches("/v1").trim_end_matches("/v2");
    let (host, path) = text.split_once('/').map_or((text, None), |(host, path)| (host, Some(path)));
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        other => other.to_ascii_lowercase(),
    };
    path.map_or(host.clone(), |path| format!("{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"auths":{
        "https://index.docker.io/v1/":{"auth":"aHViOnA6dw=="},
        "ghcr.io":{"username":"gh","password":"x"},
        "ghcr.io/team":{"username":"team","password":"x"},
        "helper.example":{}}}"#;

    #[test]
    fn the_entry_that_says_most_wins() {
        check("nginx", Some(("hub", "p:w")));
        check("ghcr.io/other/app", Some(("gh", "x")));
        check("ghcr.io/team/app", Some(("team", "x")));
        check("ghcr.io/teams/app", Some(("gh", "x")));
        check("helper.example/app", None);
        check("evil-ghcr.io/app", None);
    }

    #[test]
    fn nothing_shows_a_password() {
        let keychain = Keychain::from_docker_config(CONFIG.as_bytes()).expect("a config");
        assert!(!format!("{keychain:?}").contains("p:w"));
        let wrong = Keychain::from_docker_config(br#"{"auths":{"a":{"auth":"c2VjcmV0"}}}"#);
        assert_eq!(wrong.err(), Some(ParseKeychainError::Auth("a".to_owned())));
    }

    #[track_caller]
    fn check(name: &str, expected: Option<(&str, &str)>) {
        let keychain = Keychain::from_docker_config(CONFIG.as_bytes()).expect("a config");
        let found = keychain.find(&name.parse().expect("a name"));
        assert_eq!(found.map(|it| (it.user.as_str(), it.password.as_str())), expected);
    }
}
