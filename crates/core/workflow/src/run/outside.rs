//! What a run must be told anew each time: secrets, and hashes of files.

use std::{collections::BTreeMap, fmt, sync::Arc};

use names::Digest;

use super::JobKey;
use crate::Masker;

/// What the executor knows and the run must not keep.
pub trait Outside {
    /// The secrets of a job; `GITHUB_TOKEN` among them is also `github.token`.
    ///
    /// Asked before the job starts too, for its containers and for the secrets that
    /// it hands to a called workflow. Trust is the run's affair: it hides what an
    /// untrusted job must not see.
    fn secrets(&self, job: &JobKey) -> &Secrets;

    /// The secrets of the environment that a job names; a called workflow sees them
    /// whatever its caller hands on.
    fn environment_secrets(&self, _job: &JobKey) -> Option<&Secrets> {
        None
    }

    /// The `hashFiles` of the language: 64 hex digits, or nothing when no file matches.
    ///
    /// # Errors
    ///
    /// In words; the step that asked fails with them.
    fn hash_files(&self, job: &JobKey, patterns: &[String]) -> Result<String, String>;
}

/// Secrets by name, with the masks that hide them. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Secrets {
    values: Arc<BTreeMap<String, String>>,
    /// Values that steps asked to hide, by their digest.
    masks: Arc<BTreeMap<String, String>>,
    masker: Masker,
}

/// The one secret that every job has.
pub(super) const TOKEN: &str = "GITHUB_TOKEN";

/// Stands around the name of a secret in sealed text; no environment or file name can hold it.
const SEAL: char = '\0';

/// Stands before the digest of a value without a name; no name of a secret begins so.
const NAMELESS: char = '~';

/// Shorter values that steps asked to hide are stored as they are: `a` would seal half of every text.
const NAMELESS_BYTES_MIN: usize = 4;

impl Secrets {
    pub fn new(secrets: impl IntoIterator<Item = (String, String)>) -> Self {
        let values: BTreeMap<_, _> = secrets
            .into_iter()
            .map(|(name, value)| (name.to_ascii_uppercase(), value))
            .collect();
        let masker = Masker::new(values.values().map(String::as_str));
        Self {
            values: Arc::new(values),
            masks: Arc::default(),
            masker,
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(&name.to_ascii_uppercase())
            .map(String::as_str)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Hides one more value, as `::add-mask::` asks.
    ///
    /// After a restart the executor adds them again: what was stored needs them.
    pub fn add_mask(&mut self, value: &str) {
        self.masker.add(value);
        for part in std::iter::once(value).chain(value.lines()) {
            if part.len() >= NAMELESS_BYTES_MIN {
                let digest = Digest::of(part.as_bytes()).hex();
                Arc::make_mut(&mut self.masks).insert(digest, part.to_owned());
            }
        }
    }

    pub fn masker(&self) -> &Masker {
        &self.masker
    }

    /// The same masks with other secrets; what hides the former goes on hiding them.
    pub(super) fn showing(&self, secrets: impl IntoIterator<Item = (String, String)>) -> Self {
        let values: BTreeMap<_, _> = secrets
            .into_iter()
            .map(|(name, value)| (name.to_ascii_uppercase(), value))
            .collect();
        let mut masker = self.masker.clone();
        masker.add_all(values.values().map(String::as_str));
        Self {
            values: Arc::new(values),
            masks: Arc::clone(&self.masks),
            masker,
        }
    }

    /// The same masks with nothing but the token.
    pub(super) fn only_token(&self) -> Self {
        let token = self.get(TOKEN).map(|it| (TOKEN.to_owned(), it.to_owned()));
        Self {
            values: Arc::new(token.into_iter().collect()),
            masks: Arc::default(),
            masker: self.masker.clone(),
        }
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        self.pairs()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// Replaces every secret in `text` by its name, so that the text may be stored.
    pub(super) fn seal(&self, text: &str) -> String {
        let nameless = self
            .masks
            .iter()
            .map(|(digest, value)| (format!("{NAMELESS}{digest}"), value.as_str()));
        let named = self.pairs().map(|(name, value)| (name.to_owned(), value));
        let mut values: Vec<_> = named
            .chain(nameless)
            .filter(|(_, value)| !value.is_empty() && text.contains(value))
            .collect();
        // A secret may hold another; the longer one goes first.
        values.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let mut sealed = vec![Piece::Open(text.to_owned())];
        for (name, value) in values {
            sealed = sealed
                .into_iter()
                .flat_map(|piece| piece.split(&name, value))
                .collect();
        }
        sealed.into_iter().map(Piece::into_text).collect()
    }

    /// The text that was sealed, with the secrets as they are today.
    pub(super) fn unseal(&self, sealed: &str) -> String {
        if !sealed.contains(SEAL) {
            return sealed.to_owned();
        }
        let mut out = String::new();
        for (position, part) in sealed.split(SEAL).enumerate() {
            out.push_str(if position % 2 == 0 {
                part
            } else {
                match part.strip_prefix(NAMELESS) {
                    Some(digest) => self.masks.get(digest).map_or("", String::as_str),
                    None => self.get(part).unwrap_or_default(),
                }
            });
        }
        out
    }
}

enum Piece {
    Open(String),
    Sealed(String),
}

impl Piece {
    fn split(self, name: &str, value: &str) -> Vec<Self> {
        let Self::Open(text) = self else {
            return vec![self];
        };
        let mut pieces = Vec::new();
        for (position, part) in text.split(value).enumerate() {
            if position > 0 {
                pieces.push(Self::Sealed(name.to_owned()));
            }
            if !part.is_empty() {
                pieces.push(Self::Open(part.to_owned()));
            }
        }
        pieces
    }

    fn into_text(self) -> String {
        match self {
            Self::Open(text) => text.replace(SEAL, ""),
            Self::Sealed(name) => format!("{SEAL}{name}{SEAL}"),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// The same secrets for every job, and no files to hash.
impl Outside for Secrets {
    fn secrets(&self, _job: &JobKey) -> &Secrets {
        self
    }

    fn hash_files(&self, _job: &JobKey, _patterns: &[String]) -> Result<String, String> {
        Err("there are no files here".to_owned())
    }
}
