//! The services of the job, spoken to as GitHub's own client libraries do.

use std::{path::Path, time::Duration};

use reqwest::{Body, Client, Method, StatusCode, header};
use serde_json::Value;
use tokio::{fs::File, io::AsyncWriteExt as _, runtime::Runtime};
use tokio_util::io::ReaderStream;

use super::step::{Failed, Step, failed};

/// A server that is being started again is there within this many tries.
const TRIES: u32 = 40;

/// The pause between two of them.
const PAUSE: Duration = Duration::from_millis(250);

/// A client with the job's token.
pub struct Server {
    url: String,
    token: String,
    client: Client,
    runtime: Runtime,
}

impl Server {
    pub fn of(step: &Step) -> Result<Self, Failed> {
        let (url, token) = (step.env("ACTIONS_RESULTS_URL"), step.env("ACTIONS_RUNTIME_TOKEN"));
        if url.is_empty() || token.is_empty() {
            return Err(Failed("this server has no services for caches and artifacts".to_owned()));
        }
        // Whoever calls may have installed a provider; then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A proxy could not reach a server of this machine.
        let client = Client::builder().no_proxy().build().map_err(failed("no HTTP client"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed("no thread"))?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), token: token.to_owned(), client, runtime })
    }

    /// Calls a method of `CacheService` or `ArtifactService`; `None` if it is not found.
    pub fn call(&self, service: &str, method: &str, body: &Value) -> Result<Option<Value>, Failed> {
        let url = format!("{}/twirp/github.actions.results.api.v1.{service}/{method}", self.url);
        let what = format!("{method} of {service}");
        self.runtime.block_on(async {
            let mut tries = 0;
            loop {
                let sent = self.client.post(&url).bearer_auth(&self.token).json(body).send().await;
                match sent {
                    Ok(answer) if answer.status().is_success() => {
                        return answer.json().await.map(Some).map_err(failed(&what));
                    }
                    Ok(answer) if answer.status() == StatusCode::NOT_FOUND => return Ok(None),
                    Ok(answer) => {
                        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
                        let told: Value = serde_json::from_str(&text).unwrap_or_default();
                        let told = told.get("msg").and_then(Value::as_str).map_or(text.clone(), str::to_owned);
                        return Err(Failed(format!("{what}: {status}: {told}")));
                    }
                    Err(error) if tries >= TRIES || !(error.is_connect() || error.is_request()) => {
                        return Err(Failed(format!("{what}: {}", told(&error))));
                    }
                    Err(_) => {
                        tries += 1;
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        })
    }

    /// Asks Landfall itself, with the token of the job; `None` if it does not know the question.
    pub fn ask(&self, step: &Step, path: &str, body: &Value) -> Result<Option<Value>, Failed> {
        let url = format!("{}/landfall/v1/job/{path}", step.env("LANDFALL_URL"));
        self.runtime.block_on(async {
            let mut tries = 0;
            loop {
                let sent = self.client.post(&url).bearer_auth(step.env("LANDFALL_TOKEN")).json(body).send().await;
                match sent {
                    Ok(answer) if answer.status().is_success() => return answer.json().await.map(Some).map_err(failed(path)),
                    Ok(_) => return Ok(None),
                    Err(error) if tries >= TRIES || !(error.is_connect() || error.is_request()) => {
                        return Err(Failed(format!("{path}: {}", told(&error))));
                    }
                    Err(_) => {
                        tries += 1;
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        })
    }

    /// Sends a file to a signed address.
    pub fn upload(&self, url: &str, file: &Path, media_type: &str) -> Result<(), Failed> {
        self.runtime.block_on(async {
            let opened = File::open(file).await.map_err(failed(file.display()))?;
            let size = opened.metadata().await.map_err(failed(file.display()))?.len();
            let request = self.client.request(Method::PUT, url);
            let request = request.header("x-ms-blob-type", "BlockBlob").header(header::CONTENT_TYPE, media_type);
            let request = request.header(header::CONTENT_LENGTH, size);
            let sent = request.body(Body::wrap_stream(ReaderStream::with_capacity(opened, 256 * 1024))).send().await;
            let answer = sent.map_err(|error| Failed(format!("the upload: {}", told(&error))))?;
            if answer.status().is_success() {
                return Ok(());
            }
            Err(Failed(format!("the upload: {}: {}", answer.status(), answer.text().await.unwrap_or_default())))
        })
    }

    /// Gets a file from a signed address.
    pub fn download(&self, url: &str, file: &Path) -> Result<(), Failed> {
        self.runtime.block_on(async {
            let sent = self.client.get(url).send().await;
            let mut answer = sent.map_err(|error| Failed(format!("the download: {}", told(&error))))?;
            if !answer.status().is_success() {
                return Err(Failed(format!("the download: {}", answer.status())));
            }
            let mut out = File::create(file).await.map_err(failed(file.display()))?;
            while let Some(chunk) = answer.chunk().await.map_err(failed("the download"))? {
                out.write_all(&chunk).await.map_err(failed(file.display()))?;
            }
            out.flush().await.map_err(failed(file.display()))
        })
    }
}

fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The names of the run and the job in the protocols, as the token tells them.
pub fn backend_ids(step: &Step) -> Result<(String, String), Failed> {
    use base64::Engine as _;
    let token = step.env("ACTIONS_RUNTIME_TOKEN");
    let wrong = || Failed("the token of the job names no run".to_owned());
    let claims = token.split('.').nth(1).ok_or_else(wrong)?;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).map_err(|_| wrong())?;
    let claims: Value = serde_json::from_slice(&claims).map_err(|_| wrong())?;
    let scopes = claims.get("scp").and_then(Value::as_str).ok_or_else(wrong)?;
    let results = scopes.split(' ').find_map(|scope| scope.strip_prefix("Actions.Results:")).ok_or_else(wrong)?;
    let (run, job) = results.split_once(':').ok_or_else(wrong)?;
    Ok((run.to_owned(), job.to_owned()))
}
