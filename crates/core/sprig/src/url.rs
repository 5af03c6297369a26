//! URLs taken apart and put together as Go's `net/url` does.

mod escape;
mod parse;

use gotemplate::{ANY_MAP, Entries, FunctionError, Functions, Map, Signature, Text, Type, Value};

use crate::arguments::{map, string};
use escape::{Part, escape};
use parse::{Url, UserInfo};

pub(crate) fn add(all: &mut Functions) {
    all.add(
        "urlParse",
        Signature::new(&[Type::String], ANY_MAP),
        |_, arguments| {
            let url = Url::parse(&string(arguments, 0))
                .map_err(|it| FunctionError::new(format!("unable to parse url: {it}")))?;
            let userinfo = url.user.as_ref().map(UserInfo::text).unwrap_or_default();
            let entries: [(&'static str, String); 8] = [
                ("scheme", url.scheme),
                ("hostname", hostname(&url.host).to_owned()),
                ("host", url.host),
                ("path", url.path),
                ("query", url.query),
                ("opaque", url.opaque),
                ("fragment", url.fragment),
                ("userinfo", userinfo),
            ];
            let entries = entries
                .into_iter()
                .map(|(key, value)| (Text::from_static(key), value.into()));
            Ok(Value::map(entries.collect::<Entries>()))
        },
    );
    all.add(
        "urlJoin",
        Signature::new(&[ANY_MAP], Type::String),
        |_, arguments| {
            let empty = Map::new(Entries::new());
            let dict = map(arguments, 0).map_or(&empty, |it| it.as_ref());
            join(dict).map(Value::from)
        },
    );
}

/// The host without its port and without the brackets of an IPv6 address.
fn hostname(host: &str) -> &str {
    let without_port = match host.rfind(':') {
        Some(at)
            if host
                .get(at + 1..)
                .is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit())) =>
        {
            host.get(..at).unwrap_or(host)
        }
        _ => host,
    };
    without_port
        .strip_prefix('[')
        .and_then(|it| it.strip_suffix(']'))
        .unwrap_or(without_port)
}

fn entry(dict: &Map, key: &str) -> Result<String, FunctionError> {
    match dict.get(key) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.to_string()),
        Some(Value::Nil) => Err(FunctionError::new(crate::arguments::NIL_POINTER)),
        Some(other) => Err(FunctionError::new(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            other.kind().name()
        ))),
    }
}

fn join(dict: &Map) -> Result<String, FunctionError> {
    let scheme = entry(dict, "scheme")?;
    let host = entry(dict, "host")?;
    let path = entry(dict, "path")?;
    let query = entry(dict, "query")?;
    let opaque = entry(dict, "opaque")?;
    let fragment = entry(dict, "fragment")?;
    let userinfo = entry(dict, "userinfo")?;
    let user = match userinfo.as_str() {
        "" => None,
        _ => {
            Url::parse(&format!("proto://{userinfo}@host"))
                .map_err(|it| format!("unable to parse userinfo in dict: {it}"))?
                .user
        }
    };
    let mut out = String::new();
    if !scheme.is_empty() {
        out.push_str(&scheme);
        out.push(':');
    }
    if opaque.is_empty() {
        if !scheme.is_empty() || !host.is_empty() || user.is_some() {
            if !host.is_empty() || !path.is_empty() || user.is_some() {
                out.push_str("//");
            }
            if let Some(user) = user {
                out.push_str(&user.text());
                out.push('@');
            }
            out.push_str(&escape(&host, Part::Host));
        }
        let path = if path == "*" {
            path
        } else {
            escape(&path, Part::Path)
        };
        if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
            out.push('/');
        }
        // What looks like a scheme must not become one.
        if out.is_empty() && path.split('/').next().is_some_and(|it| it.contains(':')) {
            out.push_str("./");
        }
        out.push_str(&path);
    } else {
        out.push_str(&opaque);
    }
    if !query.is_empty() {
        out.push('?');
        out.push_str(&query);
    }
    if !fragment.is_empty() {
        out.push('#');
        out.push_str(&escape(&fragment, Part::Fragment));
    }
    Ok(out)
}
