//! References to images, read as Docker reads them.

use std::{fmt, str::FromStr};

use crate::Digest;

/// The registry that a name without one means.
const DEFAULT_REGISTRY: &str = "docker.io";

/// A tag of at most 128 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// A normalised reference to an image: `nginx` is `docker.io/library/nginx:latest`.
///
/// A reference with neither tag nor digest gets the tag `latest`; one with a
/// digest keeps its tag only if it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    /// Host and perhaps port, e.g. `docker.io` or `127.0.0.1:5000`.
    pub registry: String,
    /// The path within the registry, e.g. `library/nginx`.
    pub repository: String,
    pub tag: Option<Tag>,
    pub digest: Option<Digest>,
}

/// Why a text is no image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseImageRefError {
    #[error("an image name is empty")]
    Empty,
    #[error("expected an image name of at most 255 characters, found {0}")]
    TooLong(usize),
    #[error(
        "expected lowercase letters, digits and single `.`, `_`, `-` between them in `{0}`"
    )]
    BadPath(String),
    #[error("expected a tag of letters, digits, `_`, `.`, `-` (at most 128), found `{0}`")]
    BadTag(String),
    #[error(transparent)]
    BadDigest(#[from] crate::ParseDigestError),
}

impl Tag {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag that a name without one means.
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = ParseImageRefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let rest = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if first && rest && text.len() <= 128 {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseImageRefError::BadTag(text.to_owned()))
        }
    }
}

impl ImageRef {
    /// Registry and repository without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The same image, named by its digest alone.
    pub fn at(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// The short form that people write: without `docker.io` and `library`.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let short = full.strip_prefix("docker.io/").unwrap_or(&full);
        short.strip_prefix("library/").unwrap_or(short).to_owned()
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for ImageRef {
    type Err = ParseImageRefError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ParseImageRefError::Empty);
        }
        if text.len() > 255 + 128 + 72 {
            return Err(ParseImageRefError::TooLong(text.len()));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>()?)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.parse::<Tag>()?)),
            _ => (rest, None),
        };
        let (registry, path) = split_registry(name);
        let repository = if registry == DEFAULT_REGISTRY && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        if repository.len() > 255 {
            return Err(ParseImageRefError::TooLong(repository.len()));
        }
        if !repository.split('/').all(is_path_component) || !is_host(registry) {
            return Err(ParseImageRefError::BadPath(name.to_owned()));
        }
        let tag = if tag.is_none() && digest.is_none() { Some(Tag::latest()) } else { tag };
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }
}

/// Docker's rule: the first component is a host if it has a dot or a colon, or is `localhost`.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some(("index.docker.io", path)) => (DEFAULT_REGISTRY, path),
        Some((host, path))
            if host.contains(['.', ':']) || host == "localhost" || host.chars().any(|c| c.is_uppercase()) =>
        {
            (host, path)
        }
        _ => (DEFAULT_REGISTRY, name),
    }
}

/// One component of a repository path by the OCI distribution specification.
fn is_path_component(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    if !edge(bytes.first()) || !edge(bytes.last()) {
        return false;
    }
    let mut separators = 0;
    bytes.iter().all(|b| {
        if b.is_ascii_lowercase() || b.is_ascii_digit() {
            separators = 0;
            return true;
        }
        separators += 1;
        match b {
            b'-' => true,
            b'_' => separators <= 2,
            b'.' => separators <= 1,
            _ => false,
        }
    })
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_as_docker_does() {
        check("nginx", "docker.io/library/nginx:latest");
        check("myregistry/myapp", "docker.io/myregistry/myapp:latest");
        check("myregistry/myapp:v1", "docker.io/myregistry/myapp:v1");
        check("localhost/a/b:c", "localhost/a/b:c");
        check("127.0.0.1:5000/shop/web:sha-1", "127.0.0.1:5000/shop/web:sha-1");
        check("ghcr.io/o/r", "ghcr.io/o/r:latest");
        let digest = Digest::of(b"");
        check(&format!("nginx@{digest}"), &format!("docker.io/library/nginx@{digest}"));
        check(&format!("nginx:1@{digest}"), &format!("docker.io/library/nginx:1@{digest}"));
    }

    #[test]
    fn wrong_names_are_refused() {
        for wrong in ["", "My/App", "a//b", "a/../b", "a:", "a:b/c:", "-a", "a@sha256:1", "a b"] {
            assert!(wrong.parse::<ImageRef>().is_err(), "{wrong} was accepted");
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let parsed: ImageRef = text.parse().expect("a reference");
        assert_eq!(parsed.to_string(), expected);
        assert_eq!(parsed.familiar().parse::<ImageRef>(), Ok(parsed));
    }
}
