//! The secret of an installation from which the keys of tokens and addresses come.

use std::{fs, io, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use ring::hmac;

/// As long as the output of the hash that uses it.
const SECRET_BYTES: usize = 32;

/// Why a key could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the key file `{path}` could not be used")]
    File { path: String, source: io::Error },
    #[error("expected a key of {SECRET_BYTES} bytes in `{path}`, found {found}")]
    WrongLength { path: String, found: usize },
    #[error("the key in `{path}` is not usable: {reason}")]
    Unusable { path: String, reason: String },
}

/// Random bytes that only this installation knows.
pub struct Secret(hmac::Key);

impl Secret {
    /// Reads the secret from `file`, or makes one that only the owner can read.
    pub fn open(file: &Path) -> Result<Self, KeyError> {
        let bytes = read_or_make(file, || {
            let mut bytes = vec![0; SECRET_BYTES];
            getrandom::fill(&mut bytes).map_err(io::Error::other)?;
            Ok(bytes)
        })?;
        if bytes.len() != SECRET_BYTES {
            return Err(KeyError::WrongLength { path: file.display().to_string(), found: bytes.len() });
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// A key for one purpose; keys of two purposes tell nothing about each other.
    pub fn derive(&self, purpose: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&self.0, purpose.as_bytes()).as_ref())
    }
}

/// The content of a key file; if there is none it is made, readable for its owner only.
pub fn read_or_make(file: &Path, make: impl FnOnce() -> io::Result<Vec<u8>>) -> Result<Vec<u8>, KeyError> {
    let failed = |source| KeyError::File { path: file.display().to_string(), source };
    match fs::read(file) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bytes = make().map_err(failed)?;
            write(file, &bytes).map_err(failed)?;
            Ok(bytes)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Written beside and renamed, so that a crash leaves no half key.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = file.with_extension("draft");
    let mut options = fs::OpenOptions::new();
    let mut open = options.create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    open.write_all(bytes)?;
    open.sync_all()?;
    fs::rename(draft, file)
}
