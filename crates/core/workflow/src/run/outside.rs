//! What a run must be told anew each time: secrets, and hashes of files.

use std::{collections::BTreeMap, fmt};

use super::JobKey;
use crate::Masker;

/// What the executor knows and the run must not keep.
pub trait Outside {
    /// The secrets of a job; `GITHUB_TOKEN` among them is also `github.token`.
    fn secrets(&self, job: &JobKey) -> &Secrets;

    /// The `hashFiles` of the language: 64 hex digits, or nothing when no file matches.
    ///
    /// # Errors
    ///
    /// In words; the step that asked fails with them.
    fn hash_files(&self, job: &JobKey, patterns: &[String]) -> Result<String, String>;
}

/// Secrets by name, with the masks that hide them.
#[derive(Clone, Default)]
pub struct Secrets {
    values: BTreeMap<String, String>,
    masker: Masker,
}

/// Stands around the name of a secret in sealed text; no environment or file name can hold it.
const SEAL: char = '\0';

impl Secrets {
    pub fn new(secrets: impl IntoIterator<Item = (String, String)>) -> Self {
        let values: BTreeMap<_, _> = secrets
            .into_iter()
            .map(|(name, value)| (name.to_ascii_uppercase(), value))
            .collect();
        let mut masker = Masker::default();
        for value in values.values() {
            masker.add(value);
        }
        Self { values, masker }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(&name.to_ascii_uppercase())
            .map(String::as_str)
    }

    /// Hides one more value, as `::add-mask::` asks.
    pub fn add_mask(&mut self, value: &str) {
        self.masker.add(value);
    }

    pub fn masker(&self) -> &Masker {
        &self.masker
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        self.values
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// Replaces every secret in `text` by its name, so that the text may be stored.
    pub(super) fn seal(&self, text: &str) -> String {
        let mut values: Vec<_> = self
            .values
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        // A secret may hold another; the longer one goes first.
        values.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let mut sealed = vec![Piece::Open(text.to_owned())];
        for (name, value) in values {
            sealed = sealed
                .into_iter()
                .flat_map(|piece| piece.split(name, value))
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
            out.push_str(if position % 2 == 1 {
                self.get(part).unwrap_or_default()
            } else {
                part
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
