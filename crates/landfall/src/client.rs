//! Talks to a running server, as the command line does.

use anyhow::{Context as _, anyhow, bail};
use reqwest::{Method, Response, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::data::{DataFolder, Running};

/// A client of the server that uses a data folder.
#[derive(Clone)]
pub struct Client {
    pub running: Running,
    token: String,
    http: reqwest::Client,
}

/// What the server refused, with the exit code that tells it to scripts.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    pub status: StatusCode,
    pub message: String,
}

impl Client {
    /// Finds the server of a data folder.
    ///
    /// # Errors
    ///
    /// When none runs there.
    pub fn connect(data: &DataFolder) -> anyhow::Result<Self> {
        let Some(running) = data.running()? else {
            return Err(anyhow!(NotRunning { folder: data.path().display().to_string() }));
        };
        let token = data.token()?;
        // The server is on this machine, whatever proxy the user has.
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { running, token, http })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/landfall/v1/{path}", self.running.url);
        self.http.request(method, url).bearer_auth(&self.token)
    }

    async fn send(request: reqwest::RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await.context("the server does not answer; see `landfall status`")?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.text().await.unwrap_or_default();
        let told = serde_json::from_str::<Value>(&body).ok();
        let said = |key: &str| told.as_ref().and_then(|it| it.get(key)).and_then(Value::as_str);
        let message = said("error").or_else(|| said("message")).unwrap_or(body.trim()).to_owned();
        bail!(Refused { status, message })
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let response = Self::send(self.request(Method::GET, path)).await?;
        response.json().await.context("the server's answer is not readable")
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        let response = Self::send(self.request(Method::POST, path).json(body)).await?;
        response.json().await.context("the server's answer is not readable")
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let response = Self::send(self.request(Method::DELETE, path)).await?;
        response.json().await.context("the server's answer is not readable")
    }

    /// Puts something in its place; the answer says nothing.
    pub async fn put(&self, path: &str, body: &impl Serialize) -> anyhow::Result<()> {
        Self::send(self.request(Method::PUT, path).json(body)).await.map(drop)
    }

    /// Deletes something; the answer says nothing.
    pub async fn remove(&self, path: &str) -> anyhow::Result<()> {
        Self::send(self.request(Method::DELETE, path)).await.map(drop)
    }

    /// An answer that comes piece by piece.
    pub async fn stream(&self, path: &str) -> anyhow::Result<Response> {
        Self::send(self.request(Method::GET, path)).await
    }
}

/// No server uses the data folder.
#[derive(Debug, thiserror::Error)]
#[error("no server runs on `{folder}`; start one with `landfall up`")]
pub struct NotRunning {
    pub folder: String,
}
