//! The shapes of names, labels, keys, ports and addresses; each function lists the faults of a text.

use std::{net::IpAddr, sync::LazyLock};

use regex::Regex;

const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const SUBDOMAIN_WITH_UNDERSCORE: &str =
    r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*";
const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const CONFIG_KEY: &str = "[-._a-zA-Z0-9]+";
const HTTP_HEADER: &str = "[-A-Za-z0-9]+";
const PERCENT: &str = "[0-9]+%";

macro_rules! pattern {
    ($name:ident, $source:expr) => {
        static $name: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(&format!("^(?:{})$", $source)).expect("a valid pattern"));
    };
}

pattern!(IS_SUBDOMAIN, SUBDOMAIN);
pattern!(IS_SUBDOMAIN_WITH_UNDERSCORE, SUBDOMAIN_WITH_UNDERSCORE);
pattern!(IS_LABEL, LABEL);
pattern!(IS_LABEL_1035, LABEL_1035);
pattern!(IS_QUALIFIED, QUALIFIED);
pattern!(IS_LABEL_VALUE, LABEL_VALUE);
pattern!(IS_CONFIG_KEY, CONFIG_KEY);
pattern!(IS_HTTP_HEADER, HTTP_HEADER);
pattern!(IS_PERCENT, PERCENT);

/// The wording all patterns share: the rule, examples, the pattern.
fn mismatch(rule: &str, pattern: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|it| format!("'{it}', ")).collect();
    format!(
        "{rule} (e.g. {}regex used for validation is '{pattern}')",
        examples.join(" or ")
    )
}

fn too_long(text: &str, most: usize) -> Option<String> {
    (text.len() > most).then(|| format!("must be no more than {most} characters"))
}

/// A name such as `web.example`, at most 253 characters.
pub(super) fn subdomain(text: &str) -> Vec<String> {
    let wrong = (!IS_SUBDOMAIN.is_match(text)).then(|| {
        let rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
        mismatch(rule, SUBDOMAIN, &["example.com"])
    });
    too_long(text, 253).into_iter().chain(wrong).collect()
}

/// Like a subdomain, but parts may start with an underscore, as search domains may.
pub(super) fn search_domain(text: &str) -> Vec<String> {
    let wrong = (!IS_SUBDOMAIN_WITH_UNDERSCORE.is_match(text)).then(|| {
        let rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character";
        mismatch(rule, SUBDOMAIN_WITH_UNDERSCORE, &["example.com"])
    });
    too_long(text, 253).into_iter().chain(wrong).collect()
}

/// A name without dots, at most 63 characters.
pub(super) fn label(text: &str) -> Vec<String> {
    let wrong = (!IS_LABEL.is_match(text)).then(|| {
        let rule = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
        mismatch(rule, LABEL, &["my-name", "123-abc"])
    });
    too_long(text, 63).into_iter().chain(wrong).collect()
}

/// A label that starts with a letter, as Services need for DNS.
pub(super) fn label_1035(text: &str) -> Vec<String> {
    let wrong = (!IS_LABEL_1035.is_match(text)).then(|| {
        let rule = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
        mismatch(rule, LABEL_1035, &["my-name", "abc-123"])
    });
    too_long(text, 63).into_iter().chain(wrong).collect()
}

/// A key of labels and the like: `name` or `prefix/name`.
pub(crate) fn qualified_name(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let (prefix, name) = match text.split_once('/') {
        None => (None, text),
        Some((prefix, name)) => (Some(prefix), name),
    };
    if name.contains('/') {
        let rule = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
        let examples = &["MyName", "my.name", "123-abc"];
        let message = mismatch(rule, QUALIFIED, examples);
        return vec![format!(
            "{message} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        )];
    }
    match prefix {
        Some("") => faults.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => {
            faults.extend(
                subdomain(prefix)
                    .iter()
                    .map(|it| format!("prefix part {it}")),
            );
        }
        None => {}
    }
    if name.is_empty() {
        faults.push("name part must be non-empty".to_owned());
    } else if let Some(fault) = too_long(name, 63) {
        faults.push(format!("name part {fault}"));
    }
    if !IS_QUALIFIED.is_match(name) {
        let rule = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
        faults.push(mismatch(rule, QUALIFIED, &["MyName", "my.name", "123-abc"]));
    }
    faults
}

/// The value of a label; may be empty.
pub(crate) fn label_value(text: &str) -> Vec<String> {
    let wrong = (!IS_LABEL_VALUE.is_match(text)).then(|| {
        let rule = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
        mismatch(rule, LABEL_VALUE, &["MyValue", "my_value", "12345"])
    });
    too_long(text, 63).into_iter().chain(wrong).collect()
}

/// A key of a ConfigMap or Secret; it becomes a file name.
pub(super) fn config_key(text: &str) -> Vec<String> {
    let mut faults: Vec<String> = too_long(text, 253).into_iter().collect();
    if !IS_CONFIG_KEY.is_match(text) {
        let rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        faults.push(mismatch(
            rule,
            CONFIG_KEY,
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    match text {
        "." => faults.push("must not be '.'".to_owned()),
        ".." => faults.push("must not be '..'".to_owned()),
        other if other.starts_with("..") => faults.push("must not start with '..'".to_owned()),
        _ => {}
    }
    faults
}

/// The name of an environment variable.
pub(super) fn variable(text: &str) -> Vec<String> {
    let printable = !text.is_empty()
        && text
            .bytes()
            .all(|it| (b' '..=b'~').contains(&it) && it != b'=');
    if printable {
        return Vec::new();
    }
    let rule = "a valid environment variable name must consist only of printable ASCII characters other than '='";
    vec![rule.to_owned()]
}

pub(super) fn http_header(text: &str) -> Vec<String> {
    if IS_HTTP_HEADER.is_match(text) {
        return Vec::new();
    }
    let rule = "a valid HTTP header must consist of alphanumeric characters or '-'";
    vec![mismatch(rule, HTTP_HEADER, &["X-Header-Name"])]
}

/// A percentage such as `25%`.
pub(super) fn percent(text: &str) -> Vec<String> {
    if IS_PERCENT.is_match(text) {
        return Vec::new();
    }
    let rule = "a valid percent string must be a numeric string followed by an ending '%'";
    vec![mismatch(rule, PERCENT, &["1%", "93%"])]
}

/// The name of a port, which probes and Services may use in place of its number.
pub(super) fn port_name(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    faults.extend(too_long(text, 15));
    let in_set = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    if !text.bytes().all(in_set) {
        faults.push(
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned(),
        );
    }
    if !text.bytes().any(|it| it.is_ascii_lowercase()) {
        faults.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        faults.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        faults.push("must not begin or end with a hyphen".to_owned());
    }
    faults
}

pub(super) fn address(text: &str) -> Vec<String> {
    match text.parse::<IpAddr>() {
        Ok(_) => Vec::new(),
        Err(_) => vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()],
    }
}

/// Addresses that only have a meaning on one machine or one link.
pub(super) fn special_address(text: &str) -> Vec<String> {
    let Ok(address) = text.parse::<IpAddr>() else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    if address.is_unspecified() {
        faults.push(format!("may not be unspecified ({address})"));
    }
    if address.is_loopback() {
        faults.push("may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned());
    }
    let (local, multicast) = match address {
        IpAddr::V4(it) => (it.is_link_local(), it.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(it) => (
            it.is_unicast_link_local(),
            it.segments()[0] & 0xff0f == 0xff02,
        ),
    };
    if local {
        faults.push("may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned());
    }
    if multicast {
        faults.push(
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".to_owned(),
        );
    }
    faults
}

pub(super) fn cidr(text: &str) -> Vec<String> {
    let valid = text.split_once('/').is_some_and(|(address, length)| {
        let most = match address.parse() {
            Ok(IpAddr::V4(_)) => 32,
            Ok(IpAddr::V6(_)) => 128,
            Err(_) => return false,
        };
        length.parse::<u8>().is_ok_and(|it| it <= most)
    });
    if valid {
        return Vec::new();
    }
    vec!["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)".to_owned()]
}
