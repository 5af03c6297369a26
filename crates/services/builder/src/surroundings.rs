//! What a RUN gets from this machine without leaving a trace in key or layer.
//!
//! A build behind a proxy or a package mirror works without a word in the
//! Dockerfile. Files are shown below `/dev`, which belongs to no layer.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the files are shown.
pub(crate) const SHOWN_IN: &str = "/dev/landfall";

/// Variables that tell programs where certificates are.
const CERTIFICATE_VARIABLES: [&str; 8] = [
    "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE",
];

/// Variables that name proxies and package registries; none of them is made to hold a password.
const PASSED_ON: [&str; 24] = [
    "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY",
    "NPM_CONFIG_REGISTRY", "npm_config_registry", "YARN_REGISTRY", "YARN_NPM_REGISTRY_SERVER", "PIP_INDEX_URL",
    "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "GOPROXY", "GOSUMDB", "GONOSUMDB",
    "GOFLAGS", "RUSTUP_DIST_SERVER",
];

/// Where machines keep their certificates, by distribution.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Settings of the machine that commands of a build may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Given to every command, unless the Dockerfile sets the same name.
    pub env: Vec<(String, String)>,
    /// (file here, name below `/dev/landfall`), shown read-only.
    pub files: Vec<(PathBuf, String)>,
    /// Bound over `/etc/resolv.conf` and `/etc/hosts`.
    pub resolver: Option<PathBuf>,
    pub hosts: Option<PathBuf>,
}

impl Surroundings {
    /// What this machine has; `dir` takes the copies of settings files, freed of passwords.
    pub fn of_machine(dir: &Path) -> Self {
        let mut found = Self {
            resolver: existing("/etc/resolv.conf"),
            hosts: existing("/etc/hosts"),
            ..Self::default()
        };
        for name in PASSED_ON {
            if let Ok(value) = std::env::var(name)
                && !value.is_empty() && !has_password(&value) {
                    found.env.push((name.to_owned(), value));
                }
        }
        let own = std::env::var("SSL_CERT_FILE").ok();
        let bundle = own.iter().map(String::as_str).chain(BUNDLES).find_map(existing);
        if let Some(bundle) = bundle {
            found.files.push((bundle, "ca-certificates.crt".to_owned()));
            for name in CERTIFICATE_VARIABLES {
                found.env.push((name.to_owned(), format!("{SHOWN_IN}/ca-certificates.crt")));
            }
        }
        let home = std::env::var("HOME").unwrap_or_else(|_| "/root".to_owned());
        let settings = [
            (vec![format!("{home}/.npmrc"), "/etc/npmrc".to_owned()], "npmrc", "NPM_CONFIG_GLOBALCONFIG"),
            (
                vec![format!("{home}/.config/pip/pip.conf"), format!("{home}/.pip/pip.conf"), "/etc/pip.conf".to_owned()],
                "pip.conf",
                "PIP_CONFIG_FILE",
            ),
        ];
        for (sources, name, variable) in settings {
            let text: String = sources.iter().filter_map(|it| fs::read_to_string(it).ok()).map(|it| without_passwords(&it)).collect();
            if text.trim().is_empty() || fs::create_dir_all(dir).is_err() || fs::write(dir.join(name), text).is_err() {
                continue;
            }
            found.files.push((dir.join(name), name.to_owned()));
            found.env.push((variable.to_owned(), format!("{SHOWN_IN}/{name}")));
        }
        found
    }
}

fn existing(path: &str) -> Option<PathBuf> {
    fs::canonicalize(path).ok().filter(|it| it.is_file())
}

/// Registry and address lines stay, credentials go.
fn without_passwords(text: &str) -> String {
    let safe = |line: &&str| {
        let lower = line.to_ascii_lowercase();
        !["_auth", "password", "token", "username", "email", "client-", "cafile", "cert"].iter().any(|it| lower.contains(it))
            && !has_password(line)
    };
    text.lines().filter(safe).map(|line| format!("{line}\n")).collect()
}

/// Whether an address names a user: `https://user:password@host`.
fn has_password(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| rest.split(['/', ' ', ',', '?']).next().is_some_and(|host| host.contains('@')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_at_home() {
        let text = "registry=https://mirror/npm/\n//mirror/npm/:_authToken=abc\nemail=x\nproxy=http://u:p@h\n";
        assert_eq!(without_passwords(text), "registry=https://mirror/npm/\n");
        assert!(has_password("https://u@h/x") && !has_password("https://h/@scope"));
    }
}
