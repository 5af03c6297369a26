//! Sends requests to an API server: over the network, or in the same process.

mod remote;

use std::sync::Arc;

pub use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::{Service, ServiceExt as _};

use crate::{Config, Error, Result, Status, error::BoxError};

type Answering = BoxFuture<'static, Result<Response<Body>>>;

/// A connection to an API server; copies share it.
#[derive(Clone)]
pub struct Client(Arc<dyn Fn(Request<Body>) -> Answering + Send + Sync>);

impl Client {
    /// A client of whatever answers the requests; their addresses are paths.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
    {
        Self(Arc::new(move |request| {
            let answer = service.clone().oneshot(request);
            Box::pin(async { answer.await.map_err(|error| Error::Service(error.into())) })
        }))
    }

    /// Sends a request to a path, and gives the answer as it comes, good or bad.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>> {
        (self.0)(request).await
    }

    /// Sends a request, and gives the body of a good answer as it comes.
    pub async fn stream(&self, request: Request<Body>) -> Result<Body> {
        let answer = self.send(request).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let body = whole(answer.into_body()).await?;
        let told = serde_json::from_slice::<Value>(&body).ok().filter(|it| it["kind"] == "Status");
        let mut told = told.and_then(|it| serde_json::from_value::<Status>(it).ok()).unwrap_or_else(|| Status {
            message: String::from_utf8_lossy(&body).trim().to_owned(),
            reason: status.canonical_reason().unwrap_or("the server refused").to_owned(),
            ..Status::default()
        });
        told.code = status.as_u16();
        Err(Error::Api(Box::new(told)))
    }

    async fn bytes(&self, request: Request<Vec<u8>>) -> Result<Bytes> {
        whole(self.stream(request.map(Body::from)).await?).await
    }

    /// Sends a request whose good answer is JSON.
    pub async fn request<T: DeserializeOwned>(&self, request: Request<Vec<u8>>) -> Result<T> {
        let bytes = self.bytes(request).await?;
        serde_json::from_slice(&bytes).map_err(Error::SerdeError)
    }

    /// Sends a request whose good answer is text.
    pub async fn request_text(&self, request: Request<Vec<u8>>) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes(request).await?).into_owned())
    }

    /// What the server says it is.
    pub async fn apiserver_version(&self) -> Result<Value> {
        self.request(Request::get("/version").body(Vec::new()).map_err(Error::HttpError)?).await
    }
}

impl TryFrom<Config> for Client {
    type Error = Error;

    fn try_from(config: Config) -> Result<Self> {
        let remote = Arc::new(remote::Remote::new(config)?);
        Ok(Self(Arc::new(move |request| {
            let remote = Arc::clone(&remote);
            Box::pin(async move { remote.send(request).await })
        })))
    }
}

async fn whole(body: Body) -> Result<Bytes> {
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(Error::Body(error.into())),
    }
}
