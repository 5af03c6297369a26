//! Charts from where they are published: repositories with an index, and OCI registries.

use std::time::Duration;

use helm::{RepositoryError, RepositoryIndex, newest_in};
use names::{Digest, ImageRef};
use oci::{Artifact, Client, Keychain};

/// How long an answer may take to begin, and to go on.
const PATIENCE: Duration = Duration::from_secs(30);

/// Larger indexes and archives are none.
const BYTES_MAX: usize = 256 << 20;

/// A chart as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub version: String,
    /// A `.tgz`.
    pub archive: Vec<u8>,
}

/// Why a chart could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    #[error("`{url}` cannot be fetched: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("`{url}` is larger than {BYTES_MAX} bytes")]
    TooLarge { url: String },
    #[error("`{repository}`: {source}")]
    Repository {
        repository: String,
        #[source]
        source: RepositoryError,
    },
    #[error("the index of `{repository}` does not say where `{name}` {version} is")]
    NoAddress { repository: String, name: String, version: String },
    #[error("`{url}` is not what the index says: expected sha256:{expected}, found {found}")]
    OtherDigest { url: String, expected: String, found: Digest },
    #[error("`{0}` names no chart in a registry")]
    NoName(String),
    #[error("`{name}` has no version that is `{range}`")]
    NoVersion { name: String, range: String },
    #[error("`{name}` is no chart: it is `{media_type}`")]
    NoChart { name: String, media_type: String },
    #[error("`{name}`: {reason}")]
    Registry { name: String, reason: String },
}

impl ChartError {
    /// Whether another version, or another name, is what is needed.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Repository { source, .. } => matches!(source, RepositoryError::NoChart(_) | RepositoryError::NoVersion { .. }),
            Self::NoVersion { .. } | Self::NoChart { .. } | Self::NoName(_) | Self::NoAddress { .. } => true,
            Self::Unreachable { .. } | Self::TooLarge { .. } | Self::OtherDigest { .. } | Self::Registry { .. } => false,
        }
    }
}

/// Fetches the newest version of a chart in `range`; an empty range means the newest release.
///
/// A repository is `https://…`; `oci://…`, or an address without a scheme, is a registry, which is
/// asked with what the keychain knows.
///
/// # Errors
///
/// See [`ChartError`].
pub async fn receive(repository: &str, name: &str, range: &str, keychain: &Keychain) -> Result<Received, ChartError> {
    let base = repository.trim_end_matches('/');
    if base.starts_with("http://") || base.starts_with("https://") {
        return from_repository(base, name, range).await;
    }
    from_registry(base.strip_prefix("oci://").unwrap_or(base), name, range, keychain).await
}

async fn from_repository(base: &str, name: &str, range: &str) -> Result<Received, ChartError> {
    let http = reqwest::Client::builder().connect_timeout(PATIENCE).read_timeout(PATIENCE).user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")));
    let http = http.build().map_err(|error| ChartError::Unreachable { url: base.to_owned(), reason: error.to_string() })?;
    let wrong = |source| ChartError::Repository { repository: base.to_owned(), source };
    let index = get(&http, &format!("{base}/index.yaml")).await?;
    let index = RepositoryIndex::parse(&String::from_utf8_lossy(&index)).map_err(wrong)?;
    let found = index.find(name, range).map_err(wrong)?;
    let Some(url) = found.urls.first() else {
        return Err(ChartError::NoAddress { repository: base.to_owned(), name: name.to_owned(), version: found.version });
    };
    let url = if url.contains("://") { url.clone() } else { format!("{base}/{url}") };
    let archive = get(&http, &url).await?;
    let digest = Digest::of(&archive);
    let said = found.digest.trim_start_matches("sha256:");
    if !said.is_empty() && digest.hex() != said {
        return Err(ChartError::OtherDigest { url, expected: said.to_owned(), found: digest });
    }
    Ok(Received { version: found.version, archive })
}

async fn get(http: &reqwest::Client, url: &str) -> Result<Vec<u8>, ChartError> {
    let lost = |reason: String| ChartError::Unreachable { url: url.to_owned(), reason };
    let mut response = http.get(url).send().await.map_err(|error| lost(root(&error)))?;
    let status = response.status();
    if !status.is_success() {
        return Err(lost(format!("the server answers {status}")));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| lost(root(&error)))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > BYTES_MAX {
            return Err(ChartError::TooLarge { url: url.to_owned() });
        }
    }
    Ok(bytes)
}

/// The reason beneath: the outer words only repeat the address.
fn root(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

async fn from_registry(base: &str, name: &str, range: &str, keychain: &Keychain) -> Result<Received, ChartError> {
    let client = Client::default();
    let full = format!("{base}/{name}");
    let mut image: ImageRef = full.parse().map_err(|_| ChartError::NoName(full.clone()))?;
    let failed = |reason: String| ChartError::Registry { name: full.clone(), reason };
    let tags = oci::artifact_tags(&client, &image, keychain).await.map_err(|error| failed(error.to_string()))?;
    // Tags know no `+`.
    let versions: Vec<String> = tags.iter().map(|it| it.replace('_', "+")).collect();
    let Some(version) = newest_in(range, versions.iter().map(String::as_str)) else {
        return Err(ChartError::NoVersion { name: full, range: range.to_owned() });
    };
    image.tag = Some(version.replace('+', "_").parse().map_err(|_| ChartError::NoName(format!("{full}:{version}")))?);
    let (artifact, _) = Artifact::pull(&client, &image, keychain).await.map_err(|error| failed(error.to_string()))?;
    let media_type = artifact.config.media_type;
    let layer = artifact.layers.into_iter().find(|it| it.media_type == helm::LAYER_MEDIA_TYPE);
    match layer.filter(|_| media_type == helm::CONFIG_MEDIA_TYPE) {
        Some(layer) => Ok(Received { version: version.to_owned(), archive: layer.bytes }),
        None => Err(ChartError::NoChart { name: full, media_type }),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::TcpListener,
    };

    use super::*;

    /// Answers one request after the other, each with the file of its path, until `count` are answered.
    fn serve(files: Vec<(&'static str, Vec<u8>)>, count: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        std::thread::spawn(move || {
            for stream in listener.incoming().take(count) {
                let mut stream = stream.expect("a connection");
                let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
                let first = lines.next().expect("a request").expect("text");
                while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                let found = files.iter().find(|(name, _)| *name == path).map(|(_, bytes)| bytes.as_slice());
                let (status, body) = found.map_or(("404 Not Found", &b""[..]), |body| ("200 OK", body));
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("sent");
            }
        });
        format!("http://{address}/charts")
    }

    #[tokio::test]
    async fn a_chart_is_found_through_the_index_and_checked() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let digest = Digest::of(b"archive").hex();
        let index = format!(
            "entries:\n  web:\n  - {{version: 1.0.0, urls: [web-1.0.0.tgz], digest: {digest}}}\n  - {{version: 2.0.0, urls: [web-1.0.0.tgz], digest: '00'}}\n"
        );
        let files = vec![("/charts/index.yaml", index.into_bytes()), ("/charts/web-1.0.0.tgz", b"archive".to_vec())];
        let base = serve(files, 5);
        let found = receive(&base, "web", "^1", &Keychain::anonymous()).await.expect("a chart");
        assert_eq!((found.version.as_str(), found.archive.as_slice()), ("1.0.0", &b"archive"[..]));
        let error = receive(&base, "web", "", &Keychain::anonymous()).await.expect_err("a wrong digest");
        assert!(!error.is_missing() && error.to_string().contains("is not what the index says"), "{error}");
        let error = receive(&base, "db", "", &Keychain::anonymous()).await.expect_err("no chart");
        assert!(error.is_missing(), "{error}");
        assert_eq!(error.to_string(), format!("`{base}`: chart `db` is not in the repository"));
    }

    #[tokio::test]
    async fn an_address_without_an_index_is_no_repository() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = serve(Vec::new(), 1);
        let error = receive(&base, "web", "", &Keychain::anonymous()).await.expect_err("no index").to_string();
        assert_eq!(error, format!("`{base}/index.yaml` cannot be fetched: the server answers 404 Not Found"));
    }
}
