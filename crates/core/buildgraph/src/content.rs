//! Digests of file trees for cache keys: what is in them counts, when it was written does not.

use std::collections::BTreeMap;

use names::Digest;
use sha2::{Digest as _, Sha256};

/// One file, folder or link, as the caller listed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: EntryKind,
    /// Permissions with the set-id and sticky bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Extended attributes that end in a layer, e.g. `security.capability`.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// What an [`Entry`] is and holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    File { size: u64, content: Digest },
    Folder,
    Link { target: Vec<u8> },
    /// A device or a pipe: its type bits and its number.
    Special { file_type: u32, device: u64 },
}

/// A hash over fields, each framed with its length so that no two lists of fields read alike.
#[derive(Clone, Default)]
pub struct Framed(Sha256);

impl Framed {
    pub fn field(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    pub fn number(&mut self, number: u64) -> &mut Self {
        self.field(number.to_le_bytes())
    }

    pub fn finish(&self) -> Digest {
        Digest::from_bytes(self.0.clone().finalize().into())
    }
}

/// The digest of a tree: entries by path, `""` being the root of what was selected.
pub fn tree_digest(entries: &BTreeMap<Vec<u8>, Entry>) -> Digest {
    let mut hash = Framed::default();
    for (path, entry) in entries {
        hash.field(path).number(entry.mode.into()).number(entry.uid.into()).number(entry.gid.into());
        match &entry.kind {
            EntryKind::File { size, content } => hash.field("file").number(*size).field(content.hex()),
            EntryKind::Folder => hash.field("folder"),
            EntryKind::Link { target } => hash.field("link").field(target),
            EntryKind::Special { file_type, device } => {
                hash.field("special").number((*file_type).into()).number(*device)
            }
        };
        hash.number(entry.xattrs.len() as u64);
        for (name, value) in &entry.xattrs {
            hash.field(name).field(value);
        }
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_modes_and_contents_count() {
        let base = tree(&[("a", 0o644, "x"), ("b", 0o644, "y")]);
        assert_eq!(base, tree(&[("b", 0o644, "y"), ("a", 0o644, "x")]));
        assert_ne!(base, tree(&[("a", 0o644, "y"), ("b", 0o644, "x")]));
        assert_ne!(base, tree(&[("a", 0o755, "x"), ("b", 0o644, "y")]));
        assert_ne!(base, tree(&[("a", 0o644, "x"), ("c", 0o644, "y")]));
    }

    fn tree(files: &[(&str, u32, &str)]) -> Digest {
        let entry = |mode, text: &str| Entry {
            kind: EntryKind::File { size: text.len() as u64, content: Digest::of(text.as_bytes()) },
            mode,
            uid: 0,
            gid: 0,
            xattrs: BTreeMap::new(),
        };
        tree_digest(&files.iter().map(|(path, mode, text)| (path.as_bytes().to_vec(), entry(*mode, text))).collect())
    }
}
