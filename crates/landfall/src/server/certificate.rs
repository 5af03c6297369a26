//! Who a client's certificate names: its common name as the user, its organizations as the groups.

/// The user and groups of a certificate, as Kubernetes reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub name: String,
    pub groups: Vec<String>,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
const VERSION: u8 = 0xa0;
/// 2.5.4.3 and 2.5.4.10.
const COMMON_NAME: [u8; 3] = [0x55, 4, 3];
const ORGANIZATION: [u8; 3] = [0x55, 4, 10];

/// Reads the subject of a certificate whose signature was checked; `None` if it names nobody.
pub fn subject(certificate: &[u8]) -> Option<Subject> {
    let (certificate, _) = expect(SEQUENCE, certificate)?;
    let (mut rest, _) = expect(SEQUENCE, certificate)?;
    if let Some((_, after)) = expect(VERSION, rest) {
        rest = after;
    }
    // Serial number, algorithm, issuer and validity come before.
    for _ in 0..4 {
        rest = element(rest)?.2;
    }
    let (mut names, _) = expect(SEQUENCE, rest)?;
    let (mut name, mut groups) = (None, vec!["system:authenticated".to_owned()]);
    while !names.is_empty() {
        let (mut set, after) = expect(SET, names)?;
        names = after;
        while !set.is_empty() {
            let (pair, after) = expect(SEQUENCE, set)?;
            set = after;
            let (kind, value) = expect(OBJECT_ID, pair)?;
            let text = String::from_utf8(element(value)?.1.to_vec()).ok()?;
            if kind == COMMON_NAME {
                name = Some(text);
            } else if kind == ORGANIZATION {
                groups.push(text);
            }
        }
    }
    Some(Subject { name: name.filter(|name| !name.is_empty())?, groups })
}

fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// The tag and content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&first, mut bytes) = bytes.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let count = usize::from(first & 0x7f);
        let (digits, rest) = bytes.split_at_checked(count).filter(|_| (1..=4).contains(&count))?;
        length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
        bytes = rest;
    }
    let (content, rest) = bytes.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn check(names: &[(DnType, &str)], expected: Option<(&str, &[&str])>) {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, text) in names {
            params.distinguished_name.push(kind.clone(), *text);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let found = subject(certificate.der());
        let expected = expected.map(|(name, groups)| {
            let groups = [&["system:authenticated"], groups].concat();
            Subject { name: name.to_owned(), groups: groups.iter().map(|&it| it.to_owned()).collect() }
        });
        assert_eq!(found, expected);
        for end in 0..certificate.der().len().min(200) {
            assert_eq!(subject(&certificate.der()[..end]), None, "cut off at {end}");
        }
    }

    #[test]
    fn user_and_groups_are_read() {
        check(&[(DnType::OrganizationName, "system:masters"), (DnType::CommonName, "admin")], Some(("admin", &["system:masters"])));
        check(&[(DnType::CommonName, "a")], Some(("a", &[])));
        check(&[(DnType::OrganizationName, "b")], None);
    }
}
