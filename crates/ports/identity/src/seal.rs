//! Seals bytes so that whoever copies the disk cannot read them.

use std::{io, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, sync::Arc};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// The length of the key of AES-256-GCM.
const KEY_BYTES: usize = 32;

/// Why bytes could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("the key file `{path}` could not be used")]
    File { path: String, source: io::Error },
    #[error("expected a key of {KEY_BYTES} bytes in `{path}`, found {found}")]
    WrongKey { path: String, found: usize },
    #[error("the system gives no random numbers")]
    Random,
    #[error("sealed bytes are damaged, or belong to another key")]
    Damaged,
}

/// Seals and opens with the key of this installation.
#[derive(Clone)]
pub struct Seal {
    key: Arc<LessSafeKey>,
}

impl Seal {
    /// Reads the key from `file`, or makes one that only the owner can read.
    pub fn open(file: &Path) -> Result<Self, SealError> {
        let path = file.display().to_string();
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = vec![0; KEY_BYTES];
                getrandom::fill(&mut bytes).map_err(|_| SealError::Random)?;
                write_new(file, &bytes).map_err(|source| SealError::File { path: path.clone(), source })?;
                bytes
            }
            Err(source) => return Err(SealError::File { path, source }),
        };
        let found = bytes.len();
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| SealError::WrongKey { path, found })?;
        Ok(Self { key: Arc::new(LessSafeKey::new(key)) })
    }

    /// A fresh random nonce stands before the sealed bytes.
    pub fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| SealError::Random)?;
        let mut sealed = plain.to_vec();
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .map_err(|_| SealError::Damaged)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub fn unseal(&self, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Damaged)?;
        let mut bytes = rest.to_vec();
        let plain = self.key.open_in_place(nonce, Aad::empty(), &mut bytes);
        Ok(plain.map_err(|_| SealError::Damaged)?.to_vec())
    }
}

fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create_new(true).write(true).mode(0o600).open(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_opens_what_was_sealed() {
        let folder = tempfile::tempdir().expect("a folder");
        let seal = Seal::open(&folder.path().join("key")).expect("open");
        let sealed = seal.seal(b"hunter2").expect("seal");
        assert!(!sealed.windows(7).any(|it| it == b"hunter2"));
        let again = Seal::open(&folder.path().join("key")).expect("open again");
        assert_eq!(again.unseal(&sealed).expect("unseal"), b"hunter2");
        let other = Seal::open(&folder.path().join("other")).expect("open other");
        assert!(matches!(other.unseal(&sealed), Err(SealError::Damaged)));
        assert!(matches!(seal.unseal(b"short"), Err(SealError::Damaged)));
    }
}
