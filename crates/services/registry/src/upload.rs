//! Uploads: a session is a file that grows until its digest is told.

use std::{
    collections::HashSet,
    io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use axum::{
    body::Body,
    http::{StatusCode, Uri, header, request::Parts},
    response::Response,
};
use futures_util::StreamExt as _;
use names::Digest;
use sha2::Digest as _;
use store::{BlobError, ByteStream};
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use crate::{
    Registry,
    answer::{CONTENT_DIGEST, Code, Refusal, insert},
    empty,
    route::{self, Session},
};

/// Larger layers than any real one; an endless upload ends here.
pub const MAX_BLOB_BYTES: u64 = 32 * 1024 * 1024 * 1024;
/// An upload that nobody continues is forgotten at the next start.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The uploads under way, as files.
pub struct Sessions {
    folder: PathBuf,
    /// Sessions that a request is writing to: two at once would mix their bytes.
    busy: Mutex<HashSet<PathBuf>>,
}

impl Sessions {
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let age = SystemTime::now().duration_since(entry.metadata()?.modified()?).unwrap_or_default();
            if age > KEPT {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { folder, busy: Mutex::default() })
    }

    /// The repository is part of the file's name, so a session is no use in another one.
    fn path(&self, name: &str, session: &Session) -> PathBuf {
        self.folder.join(format!("{}-{}", Digest::of(name.as_bytes()).short(), session.as_str()))
    }

    async fn length(&self, name: &str, session: &Session) -> Result<u64, Refusal> {
        match tokio::fs::metadata(self.path(name, session)).await {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(no_session()),
            Err(error) => Err(error.into()),
        }
    }

    fn claim(&self, name: &str, session: &Session) -> Result<Claim<'_>, Refusal> {
        let path = self.path(name, session);
        if !self.lock().insert(path.clone()) {
            let message = "another request is writing to this upload";
            return Err(Refusal::new(StatusCode::CONFLICT, Code::BlobUploadInvalid, message));
        }
        Ok(Claim { sessions: self, path })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write to a session, until dropped.
struct Claim<'a> {
    sessions: &'a Sessions,
    path: PathBuf,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.path);
    }
}

/// `POST blobs/uploads/`: a mount, a whole blob, or a new session.
pub async fn begin(registry: &Registry, name: &str, request: &Parts, body: Body) -> Result<Response, Refusal> {
    if let Some(mount) = query(&request.uri, "mount") {
        let digest = route::parse_digest(&mount)?;
        if can_mount(registry, query(&request.uri, "from").as_deref(), digest).await? {
            registry.visible.show(name, digest);
            return Ok(created(name, digest));
        }
    } else if let Some(digest) = query(&request.uri, "digest") {
        let digest = route::parse_digest(&digest)?;
        let body = body.into_data_stream().map(|chunk| chunk.map_err(io::Error::other));
        store_verified(registry, name, digest, Box::pin(body)).await?;
        return Ok(created(name, digest));
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let session = Session::of_random(random);
    tokio::fs::File::create_new(registry.uploads.path(name, &session)).await?;
    Ok(progress(name, &session, 0, StatusCode::ACCEPTED))
}

/// `GET blobs/uploads/<session>`: how far it is.
pub async fn state(registry: &Registry, name: &str, session: &Session) -> Result<Response, Refusal> {
    let length = registry.uploads.length(name, session).await?;
    Ok(progress(name, session, length, StatusCode::NO_CONTENT))
}

/// `PATCH blobs/uploads/<session>`: the next part, or all there is.
pub async fn append(registry: &Registry, name: &str, session: &Session, request: &Parts, body: Body) -> Result<Response, Refusal> {
    let _claim = registry.uploads.claim(name, session)?;
    let length = registry.uploads.length(name, session).await?;
    check_order(name, session, request, length)?;
    let length = write(registry, name, session, body, length).await?;
    Ok(progress(name, session, length, StatusCode::ACCEPTED))
}

/// `PUT blobs/uploads/<session>?digest=`: perhaps the last part, and the end.
pub async fn finish(registry: &Registry, name: &str, session: &Session, request: &Parts, body: Body) -> Result<Response, Refusal> {
    let digest = query(&request.uri, "digest").unwrap_or_default();
    let digest = route::parse_digest(&digest)?;
    let _claim = registry.uploads.claim(name, session)?;
    let length = registry.uploads.length(name, session).await?;
    check_order(name, session, request, length)?;
    let path = registry.uploads.path(name, session);
    let stored = if length == 0 {
        // Everything comes at once, so it need not lie in the session first.
        let body = body.into_data_stream().map(|chunk| chunk.map_err(io::Error::other));
        store_verified(registry, name, digest, Box::pin(body)).await
    } else {
        write(registry, name, session, body, length).await?;
        let file = tokio::fs::File::open(&path).await?;
        store_verified(registry, name, digest, Box::pin(ReaderStream::with_capacity(file, 256 * 1024))).await
    };
    tokio::fs::remove_file(&path).await?;
    stored?;
    Ok(created(name, digest))
}

/// `DELETE blobs/uploads/<session>`: never mind.
pub async fn cancel(registry: &Registry, name: &str, session: &Session) -> Result<Response, Refusal> {
    let _claim = registry.uploads.claim(name, session)?;
    match tokio::fs::remove_file(registry.uploads.path(name, session)).await {
        Ok(()) => Ok(empty(StatusCode::NO_CONTENT)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(no_session()),
        Err(error) => Err(error.into()),
    }
}

/// Without `from` any repository will do: whoever may push here may pull everywhere.
async fn can_mount(registry: &Registry, from: Option<&str>, digest: Digest) -> Result<bool, Refusal> {
    let Some(from) = from else { return Ok(false) };
    let parts: Vec<_> = from.split('/').collect();
    let Ok(from) = route::repository(&parts) else { return Ok(false) };
    Ok(registry.visible.contains(registry, &from, digest).await? && registry.blobs.stat(digest).await?.is_some())
}

/// A part must begin where the last one ended.
fn check_order(name: &str, session: &Session, request: &Parts, length: u64) -> Result<(), Refusal> {
    let Some(range) = request.headers.get(header::CONTENT_RANGE) else { return Ok(()) };
    let range = range.to_str().unwrap_or_default();
    let range = range.strip_prefix("bytes ").unwrap_or(range).split('/').next().unwrap_or_default();
    let parsed = range.split_once('-').and_then(|(first, last)| {
        Some((first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?))
    });
    match parsed {
        Some((first, last)) if first == length && last >= first => Ok(()),
        _ => Err(Refusal::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            Code::BlobUploadInvalid,
            format!("expected the part that begins at byte {length}, found `{range}`"),
        )
        .with(header::LOCATION, location(name, session))
        .with(header::RANGE, shown_range(length))),
    }
}

async fn write(registry: &Registry, name: &str, session: &Session, body: Body, length: u64) -> Result<u64, Refusal> {
    let path = registry.uploads.path(name, session);
    let mut file = tokio::fs::File::options().append(true).open(path).await?;
    let mut length = length;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            Refusal::new(StatusCode::BAD_REQUEST, Code::BlobUploadInvalid, format!("the upload broke off: {error}"))
        })?;
        length += chunk.len() as u64;
        if length > MAX_BLOB_BYTES {
            return Err(too_large());
        }
        file.write_all(&chunk).await?;
    }
    file.flush().await?;
    Ok(length)
}

/// Stores the stream if it is what `digest` names; else nothing is kept.
async fn store_verified(registry: &Registry, name: &str, digest: Digest, bytes: ByteStream) -> Result<(), Refusal> {
    let checked = futures_util::stream::unfold(Some((bytes, sha2::Sha256::new(), 0)), move |state| async move {
        let (mut bytes, mut hash, count) = state?;
        match bytes.next().await {
            Some(Ok(chunk)) => {
                hash.update(&chunk);
                let count: u64 = count + chunk.len() as u64;
                if count > MAX_BLOB_BYTES {
                    return Some((Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large")), None));
                }
                Some((Ok(chunk), Some((bytes, hash, count))))
            }
            Some(Err(error)) => Some((Err(io::Error::new(io::ErrorKind::ConnectionAborted, error)), None)),
            None if Digest::from_bytes(hash.finalize().into()) == digest => None,
            None => Some((Err(io::Error::new(io::ErrorKind::InvalidData, "other bytes")), None)),
        }
    });
    match registry.blobs.put(Box::pin(checked)).await {
        Ok(_) => {
            registry.visible.show(name, digest);
            Ok(())
        }
        Err(BlobError::Unavailable(error)) => Err(why_not_stored(error, digest)),
        Err(error) => Err(error.into()),
    }
}

/// The kinds of error are those that `store_verified` gives the stream.
fn why_not_stored(error: io::Error, digest: Digest) -> Refusal {
    let refused = |code, message: String| Refusal::new(StatusCode::BAD_REQUEST, code, message);
    let kind = error.kind();
    if kind == io::ErrorKind::InvalidData {
        refused(Code::DigestInvalid, format!("the bytes that were sent are not `{digest}`"))
    } else if kind == io::ErrorKind::ConnectionAborted {
        refused(Code::BlobUploadInvalid, "the upload broke off".to_owned())
    } else if kind == io::ErrorKind::FileTooLarge {
        too_large()
    } else {
        error.into()
    }
}

fn created(name: &str, digest: Digest) -> Response {
    let mut response = empty(StatusCode::CREATED);
    insert(&mut response, header::LOCATION, &format!("/v2/{name}/blobs/{digest}"));
    insert(&mut response, CONTENT_DIGEST, &digest.to_string());
    response
}

fn progress(name: &str, session: &Session, length: u64, status: StatusCode) -> Response {
    let mut response = empty(status);
    insert(&mut response, header::LOCATION, &location(name, session));
    insert(&mut response, header::RANGE, &shown_range(length));
    insert(&mut response, header::HeaderName::from_static("docker-upload-uuid"), session.as_str());
    response
}

fn location(name: &str, session: &Session) -> String {
    format!("/v2/{name}/blobs/uploads/{}", session.as_str())
}

/// The last byte is named, so nothing and one byte look the same; clients know.
fn shown_range(length: u64) -> String {
    format!("0-{}", length.saturating_sub(1))
}

fn no_session() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, Code::BlobUploadUnknown, "there is no such upload")
}

fn too_large() -> Refusal {
    let message = format!("a blob has at most {MAX_BLOB_BYTES} bytes here");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid, message)
}

/// A parameter of the query, decoded.
pub fn query(uri: &Uri, key: &str) -> Option<String> {
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    pairs.0.into_iter().find_map(|(found, value)| (found == key).then_some(value))
}
