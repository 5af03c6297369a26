//! Taking a URL apart.

use super::escape::{Part, escape, unescape};

#[derive(Debug, Default)]
pub(super) struct Url {
    pub scheme: String,
    pub opaque: String,
    pub user: Option<UserInfo>,
    pub host: String,
    pub path: String,
    pub query: String,
    pub fragment: String,
}

#[derive(Debug)]
pub(super) struct UserInfo {
    name: String,
    password: Option<String>,
}

impl UserInfo {
    pub fn text(&self) -> String {
        let name = escape(&self.name, Part::UserInfo);
        match &self.password {
            None => name,
            Some(password) => format!("{name}:{}", escape(password, Part::UserInfo)),
        }
    }
}

impl Url {
    pub fn parse(text: &str) -> Result<Self, String> {
        let (body, fragment) = text.split_once('#').unwrap_or((text, ""));
        let quoted = |it: &str| gotemplate::quoted(it.as_bytes());
        let mut url =
            Self::without_fragment(body).map_err(|it| format!("parse {}: {it}", quoted(body)))?;
        url.fragment = unescape(fragment, Part::Fragment)
            .map_err(|it| format!("parse {}: {it}", quoted(text)))?;
        Ok(url)
    }

    fn without_fragment(text: &str) -> Result<Self, String> {
        if text.bytes().any(|it| it < b' ' || it == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Self::default();
        if text == "*" {
            url.path = text.to_owned();
            return Ok(url);
        }
        let (scheme, rest) = scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let rest = match rest.strip_suffix('?') {
            Some(before) if !before.contains('?') => before,
            _ => match rest.split_once('?') {
                Some((before, query)) => {
                    query.clone_into(&mut url.query);
                    before
                }
                None => rest,
            },
        };
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                rest.clone_into(&mut url.opaque);
                return Ok(url);
            }
            if rest.split('/').next().is_some_and(|it| it.contains(':')) {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let mut path = rest;
        let has_authority = !url.scheme.is_empty() || !rest.starts_with("///");
        if has_authority && let Some(after) = rest.strip_prefix("//") {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path_from) = after.split_at(end);
            url.authority(authority)?;
            path = path_from;
        }
        url.path = unescape(path, Part::Path)?;
        Ok(url)
    }

    fn authority(&mut self, text: &str) -> Result<(), String> {
        let (userinfo, host) = match text.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, text),
        };
        self.host = host_of(host)?;
        let Some(userinfo) = userinfo else {
            return Ok(());
        };
        let fits = |it: char| it.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(it);
        if !userinfo.chars().all(fits) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = match userinfo.split_once(':') {
            Some((name, password)) => (name, Some(unescape(password, Part::UserInfo)?)),
            None => (userinfo, None),
        };
        self.user = Some(UserInfo {
            name: unescape(name, Part::UserInfo)?,
            password,
        });
        Ok(())
    }
}

/// The scheme and what follows its colon; no scheme is the empty one.
fn scheme(text: &str) -> Result<(&str, &str), String> {
    for (at, symbol) in text.char_indices() {
        match symbol {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => {
                let (scheme, rest) = text.split_at(at);
                return Ok((scheme, rest.get(1..).unwrap_or_default()));
            }
            _ => return Ok(("", text)),
        }
    }
    Ok(("", text))
}

fn host_of(text: &str) -> Result<String, String> {
    let port_of = if text.starts_with('[') {
        let Some(end) = text.rfind(']') else {
            return Err("missing ']' in host".to_owned());
        };
        let port = text.get(end + 1..).unwrap_or_default();
        check_port(port)?;
        if let Some(zone) = text.get(..end).and_then(|it| it.find("%25")) {
            let (address, rest) = text.split_at(zone);
            let (zone, port) = rest.split_at(end - zone);
            return Ok(unescape(address, Part::Host)?
                + &unescape(zone, Part::Zone)?
                + &unescape(port, Part::Host)?);
        }
        None
    } else {
        text.rfind(':')
    };
    if let Some(at) = port_of {
        check_port(text.get(at..).unwrap_or_default())?;
    }
    unescape(text, Part::Host)
}

fn check_port(port: &str) -> Result<(), String> {
    let fits = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
    if fits {
        return Ok(());
    }
    let shown = gotemplate::quoted(port.as_bytes());
    Err(format!("invalid port {shown} after host"))
}
