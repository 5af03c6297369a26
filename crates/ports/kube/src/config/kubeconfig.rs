//! The file that tells clients where clusters are and who they are there.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::CredentialsError;

/// Why a kubeconfig is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    #[error("`{}` cannot be read: {error}", .file.display())]
    Read { file: PathBuf, #[source] error: io::Error },
    #[error("it is no YAML: {0}")]
    Yaml(#[source] yaml::GoError),
    #[error("it is no kubeconfig: {0}")]
    Form(#[source] serde_json::Error),
    #[error("no context is chosen, and `current-context` is not set")]
    NoContext,
    #[error("there is no {what} `{name}`")]
    Missing { what: &'static str, name: String },
    #[error("the cluster `{0}` has no `server`")]
    NoServer(String),
    #[error("`{address}` is no address: {error}")]
    Address { address: String, #[source] error: http::uri::InvalidUri },
    #[error("what stands in a `-data` field is no base64: {0}")]
    Base64(#[source] base64::DecodeError),
    #[error("`auth-provider` `{0}` is not supported; Kubernetes 1.26 dropped it for `exec`")]
    Provider(String),
    #[error("this is no pod: `{0}` is not set")]
    NoPod(&'static str),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// Text that is not shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Clusters, users, and which of them go together.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Kubeconfig {
    #[serde(deserialize_with = "or_default")]
    pub clusters: Vec<NamedCluster>,
    #[serde(rename = "users", deserialize_with = "or_default")]
    pub auth_infos: Vec<NamedAuthInfo>,
    #[serde(deserialize_with = "or_default")]
    pub contexts: Vec<NamedContext>,
    #[serde(rename = "current-context", skip_serializing_if = "Option::is_none")]
    pub current_context: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NamedCluster {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Cluster>,
}

/// Where a cluster is and how it proves that it is the one.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Cluster {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure_skip_tls_verify: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_authority_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_server_name: Option<String>,
    /// What programs that give credentials may want to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Value>,
    /// What is of no use here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NamedAuthInfo {
    pub name: String,
    #[serde(default, rename = "user", skip_serializing_if = "Option::is_none")]
    pub auth_info: Option<AuthInfo>,
}

/// Who asks.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct AuthInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    #[serde(rename = "tokenFile", skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key_data: Option<Secret>,
    /// As whom to act.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub impersonate: Option<String>,
    #[serde(rename = "as-uid", skip_serializing_if = "Option::is_none")]
    pub impersonate_uid: Option<String>,
    #[serde(rename = "as-groups", skip_serializing_if = "Option::is_none")]
    pub impersonate_groups: Option<Vec<String>>,
    #[serde(rename = "as-user-extra", skip_serializing_if = "Option::is_none")]
    pub impersonate_extra: Option<BTreeMap<String, Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec: Option<ExecConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_provider: Option<Value>,
    /// What is of no use here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl AuthInfo {
    /// The headers that say as whom to act.
    pub(crate) fn impersonation(&self) -> Vec<(String, &str)> {
        let mut headers = Vec::new();
        headers.extend(self.impersonate.as_deref().map(|it| ("impersonate-user".to_owned(), it)));
        headers.extend(self.impersonate_uid.as_deref().map(|it| ("impersonate-uid".to_owned(), it)));
        let groups = self.impersonate_groups.iter().flatten();
        headers.extend(groups.map(|it| ("impersonate-group".to_owned(), it.as_str())));
        for (key, values) in self.impersonate_extra.iter().flatten() {
            let name = format!("impersonate-extra-{}", key.to_ascii_lowercase());
            headers.extend(values.iter().map(|it| (name.clone(), it.as_str())));
        }
        headers
    }

    /// Whether it holds a password or a token, which come before a program's.
    pub(super) fn says_who_asks(&self) -> bool {
        let token = self.token.as_ref().is_some_and(|it| !it.expose().is_empty());
        token || self.token_file.is_some() || (self.username.is_some() && self.password.is_some())
    }
}

/// A program that gives credentials.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ExecConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    pub command: String,
    #[serde(deserialize_with = "or_default")]
    pub args: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub env: Vec<Variable>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install_hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interactive_mode: Option<String>,
    pub provide_cluster_info: bool,
}

/// An environment variable of such a program.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Variable {
    pub name: String,
    pub value: String,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NamedContext {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
}

/// A cluster and a user that go together.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Context {
    pub cluster: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What is of no use here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What of a kubeconfig to use, other than what it says itself.
#[derive(Clone, Debug, Default)]
pub struct KubeConfigOptions {
    pub context: Option<String>,
    pub cluster: Option<String>,
    pub user: Option<String>,
}

/// What a context leads to.
pub(super) struct Chosen {
    pub cluster_name: String,
    pub cluster: Cluster,
    pub user: AuthInfo,
    pub namespace: Option<String>,
}

impl Kubeconfig {
    /// Reads a file. Paths in it are seen from its folder.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is no kubeconfig.
    pub fn read_from(file: impl AsRef<Path>) -> Result<Self, KubeconfigError> {
        let file = file.as_ref();
        let text = std::fs::read(file).map_err(|error| KubeconfigError::Read { file: file.to_owned(), error })?;
        let mut read = Self::parse(&text)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let clusters = read.clusters.iter_mut().filter_map(|it| it.cluster.as_mut());
        let of_clusters = clusters.map(|it| &mut it.certificate_authority);
        let users = read.auth_infos.iter_mut().filter_map(|it| it.auth_info.as_mut());
        let of_users = users.flat_map(|it| [&mut it.client_certificate, &mut it.client_key, &mut it.token_file]);
        for path in of_clusters.chain(of_users).flatten() {
            if !path.is_empty() {
                *path = folder.join(&path).to_string_lossy().into_owned();
            }
        }
        Ok(read)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// If it is no kubeconfig.
    pub fn parse(text: &[u8]) -> Result<Self, KubeconfigError> {
        let value = yaml::go_json(text).map_err(KubeconfigError::Yaml)?;
        if value.is_null() {
            return Ok(Self::default());
        }
        serde_json::from_value(value).map_err(KubeconfigError::Form)
    }

    /// Adds what another file says; of two with one name, the first stays.
    #[must_use]
    pub fn merged(mut self, other: Self) -> Self {
        let known = |name: &str, names: Vec<&str>| names.contains(&name);
        for new in other.clusters {
            if !known(&new.name, self.clusters.iter().map(|it| it.name.as_str()).collect()) {
                self.clusters.push(new);
            }
        }
        for new in other.auth_infos {
            if !known(&new.name, self.auth_infos.iter().map(|it| it.name.as_str()).collect()) {
                self.auth_infos.push(new);
            }
        }
        for new in other.contexts {
            if !known(&new.name, self.contexts.iter().map(|it| it.name.as_str()).collect()) {
                self.contexts.push(new);
            }
        }
        let own = self.current_context.filter(|it| !it.is_empty());
        self.current_context = own.or(other.current_context);
        self
    }

    pub(super) fn choose(self, options: &KubeConfigOptions) -> Result<Chosen, KubeconfigError> {
        let own = self.current_context.filter(|it| !it.is_empty());
        let name = options.context.clone().or(own).ok_or(KubeconfigError::NoContext)?;
        let missing = |what: &'static str, name: &str| KubeconfigError::Missing { what, name: name.to_owned() };
        let context = self.contexts.into_iter().find(|it| it.name == name).and_then(|it| it.context);
        let context = context.ok_or_else(|| missing("context", &name))?;
        let cluster_name = options.cluster.clone().unwrap_or(context.cluster);
        let cluster = self.clusters.into_iter().find(|it| it.name == cluster_name).and_then(|it| it.cluster);
        let cluster = cluster.ok_or_else(|| missing("cluster", &cluster_name))?;
        // A user that is not there asks as nobody, as with kubectl.
        let user = options.user.clone().or(context.user);
        let user = user.and_then(|user| self.auth_infos.into_iter().find(|it| it.name == user)?.auth_info);
        Ok(Chosen { cluster_name, cluster, user: user.unwrap_or_default(), namespace: context.namespace })
    }
}

/// `null` is as good as nothing.
fn or_default<'de, T: Default + DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
