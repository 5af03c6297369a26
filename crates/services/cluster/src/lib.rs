//! The Kubernetes API server on a store of its own.
//!
//! It serves objects and decides nothing about them: controllers, the node's
//! agent and people are its clients, all by the same API. It starts nothing and
//! reaches nobody but the routers of nodes, for logs and commands in pods.
//!
//! Objects live in memory and in one SQLite file; a write is answered when it is
//! on disk. Kubernetes' words stand in its answers, because clients match on them.

mod admission;
mod answer;
mod author;
mod body;
mod bootstrap;
mod client;
mod delete;
mod discovery;
mod event_form;
mod form;
mod object;
mod openapi;
mod parts;
mod patch;
mod path;
mod prepare;
mod qos;
mod query;
mod read;
mod requests;
mod review;
mod rights;
mod server;
mod snapshots;
mod store;
mod subresource;
mod watch;
mod write;
mod write_requests;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, atomic::AtomicI64},
};

use access::Principal;
use axum::{Router, body::Body};
use http::Request;
use tokio_util::sync::CancellationToken;

pub use admission::{AddressRange, ParseRangeError};
pub use client::client;
pub use store::OpenError as StoreError;
pub use subresource::token::{Token, TokenRequest};

/// The audience of tokens for this server, as clients in pods expect it.
pub const AUDIENCE: &str = "https://kubernetes.default.svc.cluster.local";

/// Finds the router of a node by its name.
pub type Kubelets = Arc<dyn Fn(&str) -> Option<Router> + Send + Sync>;

/// Makes and reads the tokens of service accounts.
pub trait Tokens: Send + Sync {
    /// # Errors
    ///
    /// When no token can be made; the words are shown to the client.
    fn mint(&self, request: &TokenRequest) -> Result<Token, TokenError>;

    /// Whose token this is, if it is good now.
    fn principal(&self, token: &str) -> Option<Principal>;
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
#[error("no token for `{account}`: {why}")]
pub struct TokenError {
    pub account: String,
    pub why: String,
}

/// What the server must be told.
#[derive(Clone)]
pub struct Config {
    /// The SQLite file of the objects.
    pub path: PathBuf,
    /// Where the addresses of Services come from.
    pub service_cidr: AddressRange,
    /// Where pods reach this server; announced behind the Service `kubernetes`.
    pub server_address: SocketAddr,
    /// The address of the Service `kube-dns`; lies in `service_cidr`.
    pub dns_ip: Ipv4Addr,
    /// The certificate that signed this server's, given to every namespace.
    pub ca_pem: String,
    pub kubelets: Kubelets,
    pub tokens: Arc<dyn Tokens>,
}

/// Why a cluster could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the first objects of the cluster are refused: {0}")]
    FirstObjects(String),
}

/// An API server, ready to answer.
///
/// The file is closed when the cluster, its routers, its clients and their
/// requests are gone.
#[derive(Clone)]
pub struct Cluster {
    server: Arc<server::Server>,
}

impl Cluster {
    /// Opens the store and makes the objects every cluster has.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let store = store::Store::open(&config.path, &server::shelves())?;
        let server = Arc::new(server::Server {
            store,
            config,
            snapshots: snapshots::Snapshots::default(),
            events_swept: AtomicI64::new(0),
            stop: CancellationToken::new(),
        });
        bootstrap::run(&server).map_err(|status| OpenError::FirstObjects(status.message))?;
        Ok(Self { server })
    }

    /// The API. Each request must carry an [`access::Principal`] as an extension.
    pub fn router(&self) -> Router {
        let server = Arc::clone(&self.server);
        Router::new()
            .fallback(move |request: Request<Body>| requests::answer(Arc::clone(&server), request))
    }

    /// A client for another part of this process, trusted with everything. Needs a tokio runtime.
    pub fn client(&self, component: &str) -> kube::Client {
        client::client(self.router(), component)
    }

    /// Ends all watches, so that connections can close.
    pub fn stop(&self) {
        self.server.stop.cancel();
    }
}
