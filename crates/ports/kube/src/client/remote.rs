//! An API server on the network.

use std::net::ToSocketAddrs as _;

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use reqwest::{Certificate, Identity, Proxy, redirect};

use crate::{
    Config, Error, Result,
    config::Credentials,
    error::BoxError,
};

pub struct Remote {
    http: reqwest::Client,
    /// Scheme, host, port and a path before all paths, without a slash at its end.
    base: String,
    credentials: Credentials,
    impersonation: HeaderMap,
}

impl Remote {
    pub fn new(config: Config) -> Result<Self> {
        // Fails only where one was chosen before, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let wrong = |error: reqwest::Error| Error::Configuration(error.into());
        // A watch holds a connection of its own, so that a slow reader holds up nobody else.
        let mut http = reqwest::Client::builder().no_proxy().http1_only().redirect(redirect::Policy::none());
        if let Some(timeout) = config.connect_timeout {
            http = http.connect_timeout(timeout);
        }
        if let Some(timeout) = config.read_timeout {
            http = http.read_timeout(timeout);
        }
        if let Some(pem) = &config.root_cert {
            http = http.tls_certs_only(Certificate::from_pem_bundle(pem).map_err(wrong)?);
        }
        if config.root_cert.is_none() && config.cluster_url.scheme_str() == Some("http") {
            // Without TLS it does not matter whether the system has authorities.
            http = http.tls_certs_only([]);
        }
        if config.accept_invalid_certs {
            http = http.tls_danger_accept_invalid_certs(true);
        }
        if let Some(pem) = &config.identity {
            http = http.identity(Identity::from_pem(pem).map_err(wrong)?);
        }
        if let Some(proxy) = &config.proxy_url {
            http = http.proxy(Proxy::all(proxy.to_string()).map_err(wrong)?);
        }
        let mut base = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        if let Some(name) = &config.tls_server_name {
            let (named, addresses) = under_another_name(&config.cluster_url, name).map_err(Error::Configuration)?;
            base = named;
            http = http.resolve_to_addrs(name, &addresses);
        }
        let mut impersonation = HeaderMap::new();
        for (name, value) in config.auth_info.impersonation() {
            let name = HeaderName::try_from(name).map_err(|error| Error::HttpError(error.into()))?;
            let value = HeaderValue::try_from(value).map_err(|error| Error::HttpError(error.into()))?;
            impersonation.append(name, value);
        }
        let http = http.build().map_err(wrong)?;
        Ok(Self { http, base, credentials: config.credentials()?, impersonation })
    }

    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|error| Error::Service(error.into()))?.to_bytes();
        if let Some(authorization) = self.credentials.authorization().await? {
            let mut value = HeaderValue::try_from(authorization).map_err(|error| Error::HttpError(error.into()))?;
            value.set_sensitive(true);
            parts.headers.insert(header::AUTHORIZATION, value);
        }
        for (name, value) in &self.impersonation {
            parts.headers.append(name, value.clone());
        }
        let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
        let url = format!("{}{path}", self.base);
        let request = self.http.request(parts.method, url).headers(parts.headers).body(body);
        let answer = request.send().await.map_err(|error| Error::Service(error.into()))?;
        Ok(Response::<reqwest::Body>::from(answer).map(Body::new))
    }
}

/// The server's address under the name that its certificate is for, and where that name leads.
fn under_another_name(url: &Uri, name: &str) -> Result<(String, Vec<std::net::SocketAddr>), BoxError> {
    let scheme = url.scheme_str().unwrap_or("https");
    let port = url.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
    let host = url.host().ok_or("the server's address names no host")?.trim_matches(['[', ']']);
    let addresses = (host, port).to_socket_addrs()?.collect();
    let base = format!("{scheme}://{name}:{port}{}", url.path());
    Ok((base.trim_end_matches('/').to_owned(), addresses))
}
