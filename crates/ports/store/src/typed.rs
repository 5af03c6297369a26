//! Records as the types of `api`, read and written through any [`Records`].

use api::Record;
use bytes::Bytes;

use crate::{Expected, Records, RecordsError, Revision, Stored};

/// How often a change is tried again when others write the same record.
const TRIES: u32 = 64;

/// Why a typed record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TypedError {
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error("the {kind} `{key}` in the store is not readable")]
    Unreadable { kind: &'static str, key: String, source: serde_json::Error },
    #[error("there is no {kind} `{key}`")]
    NotFound { kind: &'static str, key: String },
}

/// The current time, as records note it.
pub fn now() -> names::Timestamp {
    std::time::SystemTime::now().into()
}

fn decode<T: Record>(stored: &Stored) -> Result<T, TypedError> {
    serde_json::from_slice(&stored.value).map_err(|source| TypedError::Unreadable {
        kind: T::KIND,
        key: stored.key.clone(),
        source,
    })
}

fn encode<T: Record>(record: &T) -> Bytes {
    // Records are plain data with text keys, which serde_json always can write.
    serde_json::to_vec(record).expect("a record is JSON").into()
}

/// The record under `key`, if there is one.
pub async fn find<T: Record>(records: &dyn Records, key: &str) -> Result<Option<T>, TypedError> {
    records.get(T::KIND, key).await?.as_ref().map(decode).transpose()
}

/// All records whose key begins with `prefix`, sorted by key.
pub async fn list<T: Record>(records: &dyn Records, prefix: &str) -> Result<Vec<T>, TypedError> {
    records.list(T::KIND, prefix).await?.iter().map(decode).collect()
}

/// Writes `record`, whatever was there.
pub async fn put<T: Record>(records: &dyn Records, record: &T) -> Result<Revision, TypedError> {
    Ok(records.put(T::KIND, &record.key(), encode(record), Expected::Anything).await?)
}

/// Writes `record` if there is none under its key; tells whether it did.
pub async fn create<T: Record>(records: &dyn Records, record: &T) -> Result<bool, TypedError> {
    match records.put(T::KIND, &record.key(), encode(record), Expected::Absent).await {
        Ok(_) => Ok(true),
        Err(RecordsError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Reads the record under `key`, lets `change` alter it, and writes it; again if others were faster.
///
/// Writes nothing when `change` leaves the record as it is. Returns the record as it then is.
///
/// # Errors
///
/// [`TypedError::NotFound`] when there is no such record.
pub async fn modify<T: Record + PartialEq + Clone>(
    records: &dyn Records,
    key: &str,
    mut change: impl FnMut(&mut T),
) -> Result<T, TypedError> {
    let mut tries = 0;
    loop {
        let Some(stored) = records.get(T::KIND, key).await? else {
            return Err(TypedError::NotFound { kind: T::KIND, key: key.to_owned() });
        };
        let before: T = decode(&stored)?;
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(after);
        }
        match records.put(T::KIND, key, encode(&after), Expected::At(stored.revision)).await {
            Ok(_) => return Ok(after),
            Err(RecordsError::Conflict { .. }) if tries < TRIES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Deletes the record under `key`; none there is fine.
pub async fn remove<T: Record>(records: &dyn Records, key: &str) -> Result<(), TypedError> {
    Ok(records.delete(T::KIND, key, Expected::Anything).await?)
}
