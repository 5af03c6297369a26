//! One registry as seen by its HTTP interface: requests that answer its questions on the way.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use names::ImageRef;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header, redirect};
use serde::Deserialize;

use super::auth::{Challenge, is_loopback, may_know_credentials};
use crate::keychain::Credentials;

/// A registry that cannot be reached shall be known soon: a build waits for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// Between two parts of an answer; the whole may take as long as it needs.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_REDIRECTS: usize = 5;
/// Of an error or token answer.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// How often a request is sent again when the network or the registry stumbles.
pub const TRIES: u32 = 4;

/// Why a registry did not do what it was asked; shows no credentials.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error("`{registry}` could not be reached: {reason}")]
    Unreachable { registry: String, reason: String },
    #[error("`{registry}` wants credentials for `{repository}`, and {given}")]
    Unauthorized { registry: String, repository: String, given: &'static str },
    #[error("`{registry}` answered {status} to {what}{detail}")]
    Refused { registry: String, status: u16, what: String, detail: String },
    #[error("`{registry}` has no {what}")]
    NotFound { registry: String, what: String },
    #[error("`{registry}` answered {what} in a form that is not understood: {reason}")]
    Answer { registry: String, what: String, reason: String },
}

/// The HTTP client of the process, made when it is first needed.
#[derive(Default)]
pub struct Client(OnceLock<Result<reqwest::Client, String>>);

impl Client {
    fn http(&self) -> Result<&reqwest::Client, String> {
        let made = self.0.get_or_init(|| {
            let policy = redirect::Policy::custom(|attempt| {
                let url = attempt.url();
                let secure = url.scheme() == "https" || url.host_str().is_some_and(is_loopback);
                if attempt.previous().len() >= MAX_REDIRECTS || !secure { attempt.stop() } else { attempt.follow() }
            });
            reqwest::Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(READ_TIMEOUT)
                .redirect(policy)
                .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(|error| reason(&error))
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// A session with the registry of `name`, about its repository.
    pub fn session(&self, name: &ImageRef, actions: &'static str, credentials: Option<&Credentials>) -> Result<Session, RemoteError> {
        let unreachable = |reason| RemoteError::Unreachable { registry: name.registry.clone(), reason };
        let host = if name.registry == "docker.io" { "registry-1.docker.io" } else { &name.registry };
        let bare = host.rsplit_once(':').map_or(host, |(bare, _)| bare);
        let scheme = if is_loopback(bare) || is_loopback(host) { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{host}/v2/")).map_err(|error| unreachable(error.to_string()))?;
        Ok(Session {
            http: self.http().map_err(unreachable)?.clone(),
            base,
            registry: name.registry.clone(),
            repository: name.repository.clone(),
            actions,
            credentials: credentials.cloned(),
            authorization: Mutex::default(),
        })
    }
}

/// A registry, a repository, and what was learned about how to be let in.
pub struct Session {
    http: reqwest::Client,
    base: Url,
    pub registry: String,
    repository: String,
    actions: &'static str,
    credentials: Option<Credentials>,
    authorization: Mutex<Option<Authorization>>,
}

#[derive(Clone)]
enum Authorization {
    Basic(Credentials),
    Bearer(String),
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Session {
    /// The address of something in the repository, e.g. `blobs/sha256:…`.
    pub fn url(&self, path: &str) -> Result<Url, RemoteError> {
        self.resolve(&format!("{}/{path}", self.repository))
    }

    /// An address the registry gave, which may be relative.
    pub fn resolve(&self, location: &str) -> Result<Url, RemoteError> {
        self.base.join(location).map_err(|error| self.answer("a location", error.to_string()))
    }

    /// Sends a request; answers the question for credentials once, and tries again what may pass by.
    ///
    /// `complete` adds headers and body; it is called for every try.
    pub async fn send(
        &self,
        method: Method,
        url: Url,
        complete: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, RemoteError> {
        let mut asked = false;
        let mut tries = 0;
        loop {
            let request = complete(self.http.request(method.clone(), url.clone()));
            let sent = self.authorize(request, &url).send().await;
            tries += 1;
            match sent {
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED && !asked => {
                    asked = true;
                    self.answer_challenge(&response).await?;
                }
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED => return Err(self.unauthorized()),
                Ok(response) if passes_by(response.status()) && tries < TRIES => {
                    tokio::time::sleep(pause(tries, retry_after(&response))).await;
                }
                Ok(response) => return Ok(response),
                // A name that is not known will not be known a second later.
                Err(error) if error.is_connect() || tries >= TRIES => return Err(self.unreachable(&error)),
                Err(_) => tokio::time::sleep(pause(tries, None)).await,
            }
        }
    }

    /// The answer as an error that says what was asked.
    pub async fn refused(&self, response: Response, what: &str) -> RemoteError {
        let status = response.status();
        if status == StatusCode::NOT_FOUND {
            return RemoteError::NotFound { registry: self.registry.clone(), what: what.to_owned() };
        }
        let body = limited(response, MAX_ANSWER_BYTES).await.unwrap_or_default();
        let detail = match first_message(&body) {
            Some(message) => format!(": {message}"),
            None => String::new(),
        };
        RemoteError::Refused { registry: self.registry.clone(), status: status.as_u16(), what: what.to_owned(), detail }
    }

    pub fn answer(&self, what: &str, reason: String) -> RemoteError {
        RemoteError::Answer { registry: self.registry.clone(), what: what.to_owned(), reason }
    }

    pub fn unreachable(&self, error: &reqwest::Error) -> RemoteError {
        RemoteError::Unreachable { registry: self.registry.clone(), reason: reason(error) }
    }

    fn unauthorized(&self) -> RemoteError {
        let given = match self.credentials {
            Some(_) => "those given are refused",
            None => "none were given",
        };
        RemoteError::Unauthorized { registry: self.registry.clone(), repository: self.repository.clone(), given }
    }

    /// Only the registry itself is shown who asks, never where it redirects uploads to.
    fn authorize(&self, request: RequestBuilder, url: &Url) -> RequestBuilder {
        let same = url.origin() == self.base.origin();
        let known = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(Authorization::Basic(it)) if same => request.basic_auth(it.user, Some(it.password)),
            Some(Authorization::Bearer(token)) if same => request.bearer_auth(token),
            _ => request,
        }
    }

    async fn answer_challenge(&self, response: &Response) -> Result<(), RemoteError> {
        let headers = response.headers().get_all(header::WWW_AUTHENTICATE);
        let mut challenges = headers.iter().filter_map(|value| Challenge::parse(value.to_str().ok()?));
        let authorization = match challenges.next() {
            Some(Challenge::Basic) => match &self.credentials {
                Some(credentials) => Authorization::Basic(credentials.clone()),
                None => return Err(self.unauthorized()),
            },
            Some(Challenge::Bearer { realm, service, scope }) => {
                Authorization::Bearer(self.token(&realm, service, scope).await?)
            }
            None => return Err(self.unauthorized()),
        };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
        Ok(())
    }

    async fn token(&self, realm: &str, service: Option<String>, scope: Option<String>) -> Result<String, RemoteError> {
        let what = "the question for a token";
        let mut url = Url::parse(realm).map_err(|error| self.answer(what, error.to_string()))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if url.scheme() != "https" && !is_loopback(&host) {
            return Err(self.answer(what, "its token server does not speak HTTPS".to_owned()));
        }
        let scope = scope.unwrap_or_else(|| format!("repository:{}:{}", self.repository, self.actions));
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = service {
                query.append_pair("service", &service);
            }
            query.append_pair("scope", &scope);
        }
        let mut request = self.http.get(url);
        let registry = self.base.host_str().unwrap_or_default();
        if let Some(it) = &self.credentials
            && may_know_credentials(registry, &host)
        {
            request = request.basic_auth(&it.user, Some(&it.password));
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status() == StatusCode::UNAUTHORIZED || response.status() == StatusCode::FORBIDDEN {
            return Err(self.unauthorized());
        }
        if !response.status().is_success() {
            return Err(self.refused(response, what).await);
        }
        let body = limited(response, MAX_ANSWER_BYTES).await.map_err(|reason| self.answer(what, reason))?;
        let answer: TokenAnswer =
            serde_json::from_slice(&body).map_err(|error| self.answer(what, error.to_string()))?;
        answer.token.or(answer.access_token).ok_or_else(|| self.answer(what, "it has no token".to_owned()))
    }
}

/// The body of an answer, if it is not larger than `limit`.
pub async fn limited(mut response: Response, limit: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
        if body.len() + chunk.len() > limit {
            return Err(format!("it is larger than {limit} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// How long to wait before the next try.
pub fn pause(tries: u32, asked: Option<Duration>) -> Duration {
    const LONGEST: Duration = Duration::from_secs(30);
    let grown = Duration::from_millis(200) * 3_u32.saturating_pow(tries.saturating_sub(1));
    asked.unwrap_or(grown).min(LONGEST)
}

fn passes_by(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The innermost cause, without the URL: that may carry a token.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match error.url() {
        Some(url) => cause.to_string().replace(url.as_str(), url.host_str().unwrap_or("it")),
        None => cause.to_string(),
    }
}

fn first_message(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let message = value.get("errors")?.get(0)?.get("message")?.as_str()?;
    Some(message.chars().take(500).filter(|symbol| !symbol.is_control()).collect())
}
