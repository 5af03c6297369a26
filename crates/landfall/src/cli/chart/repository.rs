//! Chart repositories: an index.yaml and archives, fetched over HTTP.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use helm::RepositoryIndex;

/// How long an answer may take to begin, and to go on.
const PATIENCE: Duration = Duration::from_secs(30);

/// Larger indexes and archives are none.
const BYTES_MAX: usize = 256 << 20;

/// A chart as it came.
pub struct Received {
    pub version: String,
    pub archive: Vec<u8>,
}

/// Fetches the newest version of a chart in `range`; an empty range means the newest release.
pub async fn receive(repository: &str, name: &str, range: &str) -> anyhow::Result<Received> {
    let http = reqwest::Client::builder()
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
        .build()?;
    let base = repository.trim_end_matches('/');
    let index = get(&http, &format!("{base}/index.yaml")).await?;
    let index = RepositoryIndex::parse(&String::from_utf8_lossy(&index)).with_context(|| format!("`{base}`"))?;
    let found = index.find(name, range).with_context(|| format!("`{base}`"))?;
    let url = found.urls.first().with_context(|| format!("the index of `{base}` does not say where `{name}` {} is", found.version))?;
    let url = if url.contains("://") { url.clone() } else { format!("{base}/{url}") };
    let archive = get(&http, &url).await?;
    let digest = names::Digest::of(&archive).to_string();
    let said = found.digest.trim_start_matches("sha256:");
    ensure!(
        said.is_empty() || digest.ends_with(said),
        "`{url}` is not what the index says: expected sha256:{said}, found {digest}"
    );
    Ok(Received { version: found.version, archive })
}

async fn get(http: &reqwest::Client, url: &str) -> anyhow::Result<Vec<u8>> {
    let response = http.get(url).send().await.with_context(|| format!("`{url}` cannot be fetched"))?;
    let status = response.status();
    if !status.is_success() {
        bail!("`{url}` cannot be fetched: the server answers {status}");
    }
    let mut response = response;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.with_context(|| format!("`{url}` broke off"))? {
        bytes.extend_from_slice(&chunk);
        ensure!(bytes.len() <= BYTES_MAX, "`{url}` is larger than {BYTES_MAX} bytes");
    }
    Ok(bytes)
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
        let digest = names::Digest::of(b"archive").to_string().replace("sha256:", "");
        let index = format!(
            "entries:\n  web:\n  - {{version: 1.0.0, urls: [web-1.0.0.tgz], digest: {digest}}}\n  - {{version: 2.0.0, urls: [web-1.0.0.tgz], digest: '00'}}\n"
        );
        let files = vec![("/charts/index.yaml", index.into_bytes()), ("/charts/web-1.0.0.tgz", b"archive".to_vec())];
        let base = serve(files, 5);
        let found = receive(&base, "web", "^1").await.expect("a chart");
        assert_eq!((found.version.as_str(), found.archive.as_slice()), ("1.0.0", &b"archive"[..]));
        let error = receive(&base, "web", "").await.err().expect("a wrong digest").to_string();
        assert!(error.contains("is not what the index says"), "{error}");
        let error = format!("{:#}", receive(&base, "db", "").await.err().expect("no chart"));
        assert!(error.contains("chart `db` is not in the repository"), "{error}");
    }

    #[tokio::test]
    async fn an_address_without_an_index_is_no_repository() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = serve(Vec::new(), 1);
        let error = receive(&base, "web", "").await.err().expect("no index").to_string();
        assert_eq!(error, format!("`{base}/index.yaml` cannot be fetched: the server answers 404 Not Found"));
    }
}
