//! Landfall's own server, as a job reaches it.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Console, failure::Failure, patience::Patience};

/// A client of Landfall's API with the job's token.
pub struct Server {
    url: String,
    token: String,
    client: reqwest::Client,
}

/// What the server says when it does not do something.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Complaint {
    pub code: String,
    pub message: String,
    pub help: Help,
}

/// What else could be done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Help {
    pub candidates: Vec<Candidate>,
}

/// An image that was perhaps meant.
#[derive(Debug, Deserialize)]
pub struct Candidate {
    pub name: String,
    pub by_this_run: bool,
}

/// An image in the list.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    pub repository: String,
    pub tag: String,
    pub digest: names::Digest,
    pub created: Option<String>,
    pub pushed: names::Timestamp,
    pub size_bytes: u64,
}

/// A request that was not done.
#[derive(Debug)]
pub enum Refused {
    /// The server cannot be reached.
    Away(Failure),
    /// The server says what nobody understands.
    Broken(Failure),
    Complaint(Complaint),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Away(failure) | Refused::Broken(failure) => failure,
            Refused::Complaint(complaint) => Self::new(format!("Error response from daemon: {}", complaint.message)),
        }
    }
}

impl Server {
    /// The server that the job's environment names.
    pub fn of(console: &Console) -> Result<Self, Failure> {
        let (Some(url), Some(token)) = (console.env("LANDFALL_URL"), console.env("LANDFALL_TOKEN")) else {
            return Err(Failure::new(
                "Cannot connect to Landfall: LANDFALL_URL and LANDFALL_TOKEN are not set. Is this a step of a workflow job?",
            ));
        };
        // A proxy could not reach a server of this machine.
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.map_err(|error| Failure::new(format!("docker: no HTTP client: {error}")))?;
        Ok(Self { url: url.trim_end_matches('/').to_owned(), token: token.to_owned(), client })
    }

    /// Host and port, which is also the registry's name.
    pub fn host(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// Starts a request with the job's token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// Whether the registry of this server takes these credentials.
    pub async fn takes(&self, user: &str, password: &str) -> Result<bool, Failure> {
        let url = format!("{}/v2/", self.url);
        let answer = self.client.get(url).basic_auth(user, Some(password)).send().await;
        Ok(answer.map_err(|error| self.unreachable(&error))?.status().is_success())
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let mut text = format!("Cannot connect to Landfall at {}: {error}", self.url);
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Failure::new(text)
    }

    /// Sends a request; an answer other than success is a complaint.
    pub async fn send(&self, request: RequestBuilder) -> Result<reqwest::Response, Refused> {
        let answer = request.send().await.map_err(|error| Refused::Away(self.unreachable(&error)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = answer.text().await.unwrap_or_default();
        let complaint = serde_json::from_str::<Complaint>(&body).ok().filter(|it| !it.message.is_empty());
        Err(Refused::Complaint(complaint.unwrap_or_else(|| {
            let message = match status {
                StatusCode::UNAUTHORIZED => "unauthorized: the job's token is not valid any more".to_owned(),
                status => format!("{status} {}", body.trim()).trim_end().to_owned(),
            };
            Complaint { message, ..Complaint::default() }
        })))
    }

    /// Sends a request whose answer is JSON, again while the server is away: what jobs ask can be asked twice.
    pub async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Refused> {
        let mut patience = Patience::default();
        let mut request = request;
        loop {
            let again = request.try_clone();
            let told = match self.send(request).await {
                Ok(answer) => answer.bytes().await.map_err(|error| Refused::Away(self.unreachable(&error))),
                Err(refused) => Err(refused),
            };
            match (told, again) {
                (Ok(bytes), _) => {
                    return serde_json::from_slice(&bytes).map_err(|error| {
                        Refused::Broken(Failure::new(format!("docker: the server's answer is not readable: {error}")))
                    });
                }
                (Err(Refused::Away(_)), Some(again)) if patience.wait().await => request = again,
                (Err(refused), _) => return Err(refused),
            }
        }
    }

    /// All images, the newest first.
    pub async fn images(&self) -> Result<Vec<Listed>, Failure> {
        #[derive(Deserialize)]
        struct List {
            images: Vec<Listed>,
        }
        let list: List = self.json(self.request(Method::GET, "/landfall/v1/images")).await?;
        Ok(list.images)
    }

    /// Posts a document and reads the answer.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Refused> {
        self.json(self.request(Method::POST, path).json(body)).await
    }
}
