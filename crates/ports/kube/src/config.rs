//! Where an API server is, and who asks.

mod credentials;
mod kubeconfig;

use std::{fs, path::PathBuf, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::Uri;

pub use self::{
    credentials::{Credentials, CredentialsError},
    kubeconfig::{
        AuthInfo, Cluster, Context, ExecConfig, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedAuthInfo,
        NamedCluster, NamedContext, Secret,
    },
};
use crate::{Error, Result};

/// Where a pod finds what it needs to ask its own cluster.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Longer than the server lets a quiet watch last.
const READ_TIMEOUT: Duration = Duration::from_secs(295);

/// Where an API server is, and who asks.
#[derive(Clone, Debug)]
pub struct Config {
    pub cluster_url: Uri,
    pub default_namespace: String,
    /// The only authorities that are trusted, in PEM; else those of the system.
    pub root_cert: Option<Vec<u8>>,
    pub accept_invalid_certs: bool,
    pub connect_timeout: Option<Duration>,
    /// How long the server may be silent in the middle of an answer.
    pub read_timeout: Option<Duration>,
    pub proxy_url: Option<Uri>,
    /// The name in the server's certificate, if it is another than that in the address.
    pub tls_server_name: Option<String>,
    pub auth_info: AuthInfo,
    /// The client's certificate and key, in PEM.
    pub(crate) identity: Option<Vec<u8>>,
    credentials: Option<Credentials>,
}

impl Config {
    /// Nobody in particular asks this server.
    pub fn new(cluster_url: Uri) -> Self {
        Self {
            cluster_url,
            default_namespace: "default".to_owned(),
            root_cert: None,
            accept_invalid_certs: false,
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            proxy_url: None,
            tls_server_name: None,
            auth_info: AuthInfo::default(),
            identity: None,
            credentials: None,
        }
    }

    /// The cluster that this process is a pod of.
    ///
    /// # Errors
    ///
    /// If this process is no pod.
    pub fn incluster() -> Result<Self, KubeconfigError> {
        let variable = |name: &'static str| std::env::var(name).map_err(|_| KubeconfigError::NoPod(name));
        let host = variable("KUBERNETES_SERVICE_HOST")?;
        let port = variable("KUBERNETES_SERVICE_PORT")?;
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let mut config = Self::new(parsed(&format!("https://{host}:{port}"))?);
        let folder = PathBuf::from(SERVICE_ACCOUNT);
        config.root_cert = Some(read(&folder.join("ca.crt"))?);
        config.default_namespace = String::from_utf8_lossy(&read(&folder.join("namespace"))?).trim().to_owned();
        config.auth_info.token_file = Some(folder.join("token").to_string_lossy().into_owned());
        Ok(config)
    }

    /// The cluster and the user of a context. Runs the program that gives the user's
    /// credentials, if one does.
    ///
    /// # Errors
    ///
    /// If the kubeconfig lacks what the context names, or it cannot be read.
    pub async fn from_custom_kubeconfig(kubeconfig: Kubeconfig, options: &KubeConfigOptions) -> Result<Self, KubeconfigError> {
        let chosen = kubeconfig.choose(options)?;
        let cluster = &chosen.cluster;
        let server = cluster.server.as_deref().filter(|it| !it.is_empty());
        let server = server.ok_or_else(|| KubeconfigError::NoServer(chosen.cluster_name.clone()))?;
        let mut config = Self::new(parsed(server)?);
        if let Some(namespace) = chosen.namespace.filter(|it| !it.is_empty()) {
            config.default_namespace = namespace;
        }
        config.root_cert =
            data_or_file(cluster.certificate_authority_data.as_deref(), cluster.certificate_authority.as_deref())?;
        config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or_default();
        config.proxy_url = cluster.proxy_url.as_deref().filter(|it| !it.is_empty()).map(parsed).transpose()?;
        config.tls_server_name = cluster.tls_server_name.clone().filter(|it| !it.is_empty());
        let user = &chosen.user;
        let certificate = data_or_file(user.client_certificate_data.as_deref(), user.client_certificate.as_deref())?;
        let key = user.client_key_data.as_ref().map(Secret::expose);
        let key = data_or_file(key, user.client_key.as_deref())?;
        config.identity = certificate.zip(key).map(|(certificate, key)| [certificate, b"\n".to_vec(), key].concat());
        if let Some(provider) = &user.auth_provider {
            return Err(KubeconfigError::Provider(provider["name"].as_str().unwrap_or_default().to_owned()));
        }
        if let Some(exec) = user.exec.as_ref().filter(|_| !user.says_who_asks()) {
            let (credentials, identity) = Credentials::run(exec, cluster).await?;
            config.credentials = Some(credentials);
            config.identity = identity.or(config.identity);
        }
        config.auth_info = chosen.user;
        Ok(config)
    }

    /// What each request says about who asks.
    pub(crate) fn credentials(&self) -> Result<Credentials> {
        if self.auth_info.says_who_asks() {
            return Credentials::written(&self.auth_info).map_err(Error::from);
        }
        Ok(self.credentials.clone().unwrap_or_default())
    }
}

fn parsed(address: &str) -> Result<Uri, KubeconfigError> {
    let found: Uri = address.parse().map_err(|error| KubeconfigError::Address { address: address.to_owned(), error })?;
    if found.scheme().is_some() && found.host().is_some() {
        return Ok(found);
    }
    // kubectl takes an address without a scheme for one of plain HTTP.
    let whole = format!("http://{address}");
    whole.parse().map_err(|error| KubeconfigError::Address { address: address.to_owned(), error })
}

fn read(file: &std::path::Path) -> Result<Vec<u8>, KubeconfigError> {
    fs::read(file).map_err(|error| KubeconfigError::Read { file: file.to_owned(), error })
}

fn data_or_file(data: Option<&str>, file: Option<&str>) -> Result<Option<Vec<u8>>, KubeconfigError> {
    if let Some(data) = data.filter(|it| !it.is_empty()) {
        let compact: String = data.split_whitespace().collect();
        return BASE64_STANDARD.decode(compact).map(Some).map_err(KubeconfigError::Base64);
    }
    file.filter(|it| !it.is_empty()).map(|file| read(file.as_ref())).transpose()
}

#[cfg(test)]
mod tests;
