//! Secrets are unreadable on disk without the key that lies beside the database.
//!
//! A copy of the database alone, in a backup or a bug report, then gives nothing
//! away. Who can read the key file can read everything, as with any key.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::object::Key;

/// The place whose objects are sealed.
pub const SEALED_SHELF: &str = "secrets";

/// Bytes of a key.
const KEY_LEN: usize = 32;

/// Why objects cannot be sealed or read.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the key file `{path}` cannot be used")]
    File { path: PathBuf, source: io::Error },
    #[error("expected {KEY_LEN} bytes in the key file `{path}`, found {found}")]
    Length { path: PathBuf, found: usize },
    #[error("`{object}` was sealed with another key or is damaged")]
    Unreadable { object: String },
}

/// The key of one database.
pub struct Seal(LessSafeKey);

impl Seal {
    /// Reads the key beside `database`, making it if it is not there.
    pub fn beside(database: &Path) -> Result<Self, SealError> {
        let path = database.with_extension("key");
        let failed = |source| SealError::File {
            path: path.clone(),
            source,
        };
        if !path.exists() {
            create(&path).map_err(failed)?;
        }
        let key = fs::read(&path).map_err(failed)?;
        match UnboundKey::new(&CHACHA20_POLY1305, &key) {
            Ok(key) => Ok(Self(LessSafeKey::new(key))),
            Err(_) => Err(SealError::Length {
                path,
                found: key.len(),
            }),
        }
    }

    /// The sealed form of `bytes`, good only for the object at `key`.
    pub fn close(&self, key: &Key, bytes: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random();
        let mut sealed = bytes.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place(key)),
                &mut sealed,
            )
            .expect("objects are far smaller than the cipher's limit");
        [nonce.as_slice(), &sealed].concat()
    }

    /// What was sealed.
    pub fn open(&self, key: &Key, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let unreadable = || SealError::Unreadable { object: place(key) };
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or_else(unreadable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| unreadable())?;
        let mut bytes = rest.to_vec();
        let plain = self
            .0
            .open_in_place(nonce, Aad::from(place(key)), &mut bytes)
            .map_err(|_| unreadable())?;
        Ok(plain.to_vec())
    }
}

fn place(key: &Key) -> String {
    format!("{}/{}", key.namespace, key.name)
}

/// Writes a new key, whole or not at all.
fn create(path: &Path) -> io::Result<()> {
    let unfinished = path.with_extension("key.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(&random::<KEY_LEN>())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_object_opens_in_its_place_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("cluster.db");
        let here = Key::new("shop", "key");
        let sealed = Seal::beside(&database)
            .expect("a seal")
            .close(&here, b"secret");
        assert!(!sealed.windows(6).any(|it| it == b"secret"));
        let again = Seal::beside(&database).expect("the same seal");
        assert_eq!(again.open(&here, &sealed).expect("open"), b"secret");
        assert!(again.open(&Key::new("bank", "key"), &sealed).is_err());
        let other = Seal::beside(&folder.path().join("other.db")).expect("another seal");
        assert!(other.open(&here, &sealed).is_err());
    }
}
