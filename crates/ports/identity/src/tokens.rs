//! Tokens: random text for the holder, a digest with a principal for the store.

use std::{
    collections::HashMap,
    fmt,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use access::Principal;
use api::Record;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use names::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use store::Records;

use crate::Seal;

/// What sealed tokens begin with.
const SEALED: &str = "lfs_";

/// A token as its holder has it; never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The token itself, for the one place that hands it out.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// 160 random bits: nobody guesses them, and they fit on a line.
    pub fn draw() -> Result<Self, TokenError> {
        let mut bytes = [0; 20];
        getrandom::fill(&mut bytes).map_err(|error| TokenError::Random(error.to_string()))?;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self(format!("lf_{hex}")))
    }

    fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Why a token could not be made or looked up.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    #[error("the token file `{path}` could not be used")]
    File { path: String, source: io::Error },
    #[error(transparent)]
    Store(#[from] store::TypedError),
}

/// What the store knows of a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Token {
    digest: Digest,
    principal: Principal,
    expires: Timestamp,
}

impl Record for Token {
    const KIND: &'static str = "token";

    fn key(&self) -> String {
        self.digest.hex()
    }
}

/// All tokens of this installation.
#[derive(Clone)]
pub struct Tokens {
    records: Arc<dyn Records>,
    admin: Secret,
    seal: Seal,
    /// Tokens that were seen before, so that a request costs no look-up.
    known: Arc<Mutex<HashMap<Digest, Token>>>,
}

impl Tokens {
    /// Reads the owner's token from `file`, or makes one that only the owner can read.
    pub fn open(records: Arc<dyn Records>, file: &Path, seal: Seal) -> Result<Self, TokenError> {
        let failed = |source| TokenError::File { path: file.display().to_string(), source };
        let admin = match std::fs::read_to_string(file) {
            Ok(text) if !text.trim().is_empty() => Secret(text.trim().to_owned()),
            Ok(_) => write_new(file).map_err(|error| error.unwrap_or_else(failed))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_new(file).map_err(|error| error.unwrap_or_else(failed))?
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { records, admin, seal, known: Arc::default() })
    }

    /// The owner's token.
    pub fn admin(&self) -> &Secret {
        &self.admin
    }

    /// Makes a token for `principal` that ends after `lifetime`.
    pub async fn issue(&self, principal: Principal, lifetime: Duration) -> Result<Secret, TokenError> {
        let secret = Secret::draw()?;
        self.enter(&secret, principal, lifetime).await?;
        Ok(secret)
    }

    /// Makes a token that was drawn before valid: until this returns, nobody may be handed it.
    pub async fn enter(&self, secret: &Secret, principal: Principal, lifetime: Duration) -> Result<(), TokenError> {
        let token = Token { digest: secret.digest(), principal, expires: store::now() + lifetime };
        store::put(&*self.records, &token).await?;
        self.lock().insert(token.digest, token);
        Ok(())
    }

    /// Makes a token that carries its principal and its end, sealed; nothing is stored, so it cannot be revoked.
    pub fn issue_sealed(&self, principal: &Principal, expires: Timestamp) -> Result<Secret, TokenError> {
        // Principals are plain data, which serde_json always can write.
        let plain = serde_json::to_vec(&(principal, expires)).expect("a principal is JSON");
        let sealed = self.seal.seal(&plain).map_err(|error| TokenError::Random(error.to_string()))?;
        Ok(Secret(format!("{SEALED}{}", URL_SAFE_NO_PAD.encode(sealed))))
    }

    /// Who holds a token of [`Tokens::issue_sealed`], if it is one and has not ended.
    pub fn sealed_principal(&self, text: &str) -> Option<Principal> {
        let sealed = URL_SAFE_NO_PAD.decode(text.strip_prefix(SEALED)?).ok()?;
        let plain = self.seal.unseal(&sealed).ok()?;
        let (principal, expires): (Principal, Timestamp) = serde_json::from_slice(&plain).ok()?;
        (expires > store::now()).then_some(principal)
    }

    /// Ends a token at once.
    pub async fn revoke(&self, secret: &Secret) -> Result<(), TokenError> {
        self.lock().remove(&secret.digest());
        Ok(store::remove::<Token>(&*self.records, &secret.digest().hex()).await?)
    }

    /// Ends every token of the job `job` of `run`.
    pub async fn revoke_job(&self, run: &names::RunId, job: &str) -> Result<(), TokenError> {
        for token in store::list::<Token>(&*self.records, "").await? {
            let its = matches!(&token.principal, Principal::Job { run: r, job: j, .. } if r == run && j == job);
            if its || token.expires < store::now() {
                self.lock().remove(&token.digest);
                store::remove::<Token>(&*self.records, &token.key()).await?;
            }
        }
        Ok(())
    }

    /// Ends every token of `principal`.
    pub async fn revoke_all(&self, principal: &Principal) -> Result<(), TokenError> {
        for token in store::list::<Token>(&*self.records, "").await? {
            if token.principal == *principal {
                self.lock().remove(&token.digest);
                store::remove::<Token>(&*self.records, &token.key()).await?;
            }
        }
        Ok(())
    }

    /// Who holds `text`; `None` if it is no token or has ended.
    pub async fn principal(&self, text: &str) -> Result<Option<Principal>, TokenError> {
        if text.starts_with(SEALED) {
            return Ok(self.sealed_principal(text));
        }
        // Digests are compared, so timing tells nothing about the token.
        let digest = Digest::of(text.as_bytes());
        if digest == self.admin.digest() {
            return Ok(Some(Principal::Admin));
        }
        let known = self.lock().get(&digest).cloned();
        let token = match known {
            Some(token) => token,
            None => match store::find::<Token>(&*self.records, &digest.hex()).await? {
                Some(token) => {
                    self.lock().insert(digest, token.clone());
                    token
                }
                None => return Ok(None),
            },
        };
        Ok((token.expires > store::now()).then_some(token.principal))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Token>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The inner error is `Ok` where the making failed and `Err` where the file did.
fn write_new(file: &Path) -> Result<Secret, Result<TokenError, io::Error>> {
    let secret = Secret::draw().map_err(Ok)?;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(file).map_err(Err)?;
    file.write_all(secret.0.as_bytes()).and_then(|()| file.sync_all()).map_err(Err)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_works_until_it_is_revoked_or_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = Arc::new(store::MemoryRecords::default());
        let file = folder.path().join("token");
        let seal = Seal::open(&folder.path().join("key")).expect("seal");
        let tokens = Tokens::open(records.clone(), &file, seal.clone()).expect("open");
        let again = Tokens::open(records, &file, seal).expect("open again");
        assert_eq!(again.admin(), tokens.admin());
        let admin = tokens.principal(tokens.admin().reveal()).await.expect("look up");
        assert_eq!(admin, Some(Principal::Admin));

        let pod = Principal::ServiceAccount { namespace: "shop".into(), name: "default".into() };
        let secret = tokens.issue(pod.clone(), Duration::from_secs(60)).await.expect("issue");
        assert_eq!(again.principal(secret.reveal()).await.expect("look up"), Some(pod.clone()));
        tokens.revoke(&secret).await.expect("revoke");
        assert_eq!(tokens.principal(secret.reveal()).await.expect("look up"), None);

        let (first, second) = (tokens.issue(pod.clone(), Duration::from_secs(60)).await, tokens.issue(pod.clone(), Duration::from_secs(60)).await);
        tokens.revoke_all(&pod).await.expect("revoke");
        for secret in [first.expect("issue"), second.expect("issue")] {
            assert_eq!(tokens.principal(secret.reveal()).await.expect("look up"), None);
        }

        let ended = tokens.issue(pod, Duration::ZERO).await.expect("issue");
        assert_eq!(tokens.principal(ended.reveal()).await.expect("look up"), None);
        assert_eq!(tokens.principal("lf_guess").await.expect("look up"), None);
        let sealed = |seconds| {
            let expires = store::now() + Duration::from_secs(seconds);
            tokens.issue_sealed(&Principal::Admin, expires).expect("issue")
        };
        let live = again.principal(sealed(60).reveal()).await.expect("look up");
        assert_eq!(live, Some(Principal::Admin));
        assert_eq!(tokens.principal(sealed(0).reveal()).await.expect("look up"), None);
        assert_eq!(tokens.principal("lfs_AAAA").await.expect("look up"), None);
        assert_eq!(format!("{ended:?}"), "Secret(***)");
    }
}
