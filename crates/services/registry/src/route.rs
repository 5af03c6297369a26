//! What a path under `/v2/` asks for.

use axum::http::StatusCode;
use names::{ImageRef, Tag};

use crate::answer::{Code, Refusal};

/// A parsed path: names and digests in it are well formed.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    Base,
    Catalog,
    Tags { name: String },
    Manifest { name: String, reference: Reference },
    Blob { name: String, digest: names::Digest },
    Uploads { name: String },
    Upload { name: String, session: Session },
    Referrers { name: String, digest: names::Digest },
}

/// How a manifest is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Tag(Tag),
    Digest(names::Digest),
}

/// The name of an upload: 32 hex digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session(String);

impl Session {
    pub fn of_random(bytes: [u8; 16]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return Ok(Self(text.to_owned()));
        }
        Err(Refusal::new(StatusCode::NOT_FOUND, Code::BlobUploadUnknown, "there is no such upload"))
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl Route {
    pub fn parse(path: &str) -> Result<Self, Refusal> {
        let path = path.strip_prefix("/v2").unwrap_or(path).trim_start_matches('/');
        if path.is_empty() {
            return Ok(Self::Base);
        }
        // A colon in a digest may come escaped; nothing else that is valid here ever does.
        let path = path.replace("%3A", ":").replace("%3a", ":");
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["_catalog"] => Ok(Self::Catalog),
            [name @ .., "tags", "list"] => Ok(Self::Tags { name: repository(name)? }),
            [name @ .., "manifests", reference] => {
                Ok(Self::Manifest { name: repository(name)?, reference: parse_reference(reference)? })
            }
            [name @ .., "referrers", digest] => {
                Ok(Self::Referrers { name: repository(name)?, digest: parse_digest(digest)? })
            }
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
                Ok(Self::Uploads { name: repository(name)? })
            }
            [name @ .., "blobs", "uploads", session] => {
                Ok(Self::Upload { name: repository(name)?, session: Session::parse(session)? })
            }
            [name @ .., "blobs", digest] => {
                Ok(Self::Blob { name: repository(name)?, digest: parse_digest(digest)? })
            }
            _ => Err(Refusal::new(StatusCode::NOT_FOUND, Code::Unsupported, "the registry has nothing at this path")),
        }
    }
}

/// A repository name by the rule for image references.
pub fn repository(parts: &[&str]) -> Result<String, Refusal> {
    let name = parts.join("/");
    match format!("registry.invalid/{name}").parse::<ImageRef>() {
        Ok(parsed) if parsed.repository == name => Ok(name),
        _ => Err(Refusal::new(StatusCode::BAD_REQUEST, Code::NameInvalid, format!("`{name}` is no repository name"))),
    }
}

pub fn parse_digest(text: &str) -> Result<names::Digest, Refusal> {
    text.parse().map_err(|error| Refusal::bad_digest(&error))
}

fn parse_reference(text: &str) -> Result<Reference, Refusal> {
    if text.contains(':') {
        return parse_digest(text).map(Reference::Digest);
    }
    match text.parse() {
        Ok(tag) => Ok(Reference::Tag(tag)),
        Err(_) => Err(Refusal::new(StatusCode::BAD_REQUEST, Code::TagInvalid, format!("`{text}` is no tag"))),
    }
}

#[cfg(test)]
mod tests {
    use names::Digest;

    use super::*;

    #[test]
    fn paths_are_told_apart() {
        let digest = Digest::of(b"");
        check("/v2/", Some(Route::Base));
        check("/v2/_catalog", Some(Route::Catalog));
        check("/v2/a/b/tags/list", Some(Route::Tags { name: "a/b".into() }));
        check("/v2/a/blobs/uploads/", Some(Route::Uploads { name: "a".into() }));
        check(&format!("/v2/a/blobs/{digest}"), Some(Route::Blob { name: "a".into(), digest }));
        // A repository may be called like a part of the interface.
        check(
            "/v2/manifests/manifests/tags",
            Some(Route::Manifest { name: "manifests".into(), reference: Reference::Tag("tags".parse().expect("a tag")) }),
        );
        let escaped = digest.to_string().replace(':', "%3A");
        check(
            &format!("/v2/a/manifests/{escaped}"),
            Some(Route::Manifest { name: "a".into(), reference: Reference::Digest(digest) }),
        );
    }

    #[test]
    fn nothing_leads_out() {
        for path in ["/v2/../x/tags/list", "/v2/a/../../tags/list", "/v2/A/tags/list", "/v2/a/blobs/uploads/../x"] {
            check(path, None);
        }
        check("/v2/a/blobs/sha512:00", None);
        check("/v2/a%2f..%2fb/manifests/x", None);
    }

    #[track_caller]
    fn check(path: &str, expected: Option<Route>) {
        assert_eq!(Route::parse(path).ok(), expected);
    }
}
