//! What requests say about who asks: passwords, tokens, and programs that give tokens.

use std::{
    fs, io,
    process::{Output, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use names::Timestamp;
use serde_json::{Value, json};
use tokio::{process::Command, sync::Mutex};

use super::{AuthInfo, Cluster, ExecConfig, Secret};

/// Tokens in files are replaced before they end; a minute is as often as one looks.
const FILE_AGE_MAX: Duration = Duration::from_secs(60);
/// A token that ends within this time is not used any more.
const MARGIN: Duration = Duration::from_secs(60);

/// Why nobody can be named.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error("the token file `{file}` cannot be read: {reason}")]
    File { file: String, reason: String },
    #[error("the program `{command}` that gives credentials cannot be started: {reason}{}", .hint.as_ref().map(|it| format!("\n{it}")).unwrap_or_default())]
    Start { command: String, reason: String, hint: Option<String> },
    #[error("the program `{command}` gives no credentials: {reason}")]
    Program { command: String, reason: String },
}

/// What requests say about who asks.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    #[default]
    None,
    /// Always the same words.
    Fixed(Secret),
    File(Arc<Renewed<String>>),
    Program(Arc<Renewed<Box<(ExecConfig, Cluster)>>>),
}

/// Words that are made anew when they are too old.
#[derive(Debug)]
pub struct Renewed<S> {
    source: S,
    known: Mutex<Option<(Secret, Option<Timestamp>)>>,
}

impl<S> Renewed<S> {
    fn new(source: S, known: Option<(Secret, Option<Timestamp>)>) -> Arc<Self> {
        Arc::new(Self { source, known: Mutex::new(known) })
    }
}

/// What a program gave.
#[derive(Debug, Default)]
struct Given {
    token: Option<String>,
    until: Option<Timestamp>,
    /// Certificate and key.
    identity: Option<Vec<u8>>,
}

impl Credentials {
    /// What stands in the kubeconfig itself; a password comes before a token, and that before a file.
    pub(super) fn written(user: &AuthInfo) -> Result<Self, CredentialsError> {
        if let (Some(name), Some(password)) = (&user.username, &user.password) {
            let pair = BASE64_STANDARD.encode(format!("{name}:{}", password.expose()));
            return Ok(Self::Fixed(format!("Basic {pair}").into()));
        }
        if let Some(token) = user.token.as_ref().filter(|it| !it.expose().is_empty()) {
            return Ok(Self::Fixed(bearer(token.expose())));
        }
        Ok(user.token_file.as_ref().map_or(Self::None, |file| Self::File(Renewed::new(file.clone(), None))))
    }

    /// Runs a program; gives what requests say from now on, and the client's certificate and key, if it has one.
    pub(super) async fn run(exec: &ExecConfig, cluster: &Cluster) -> Result<(Self, Option<Vec<u8>>), CredentialsError> {
        let given = run(exec, cluster).await?;
        let known = given.token.map(|token| (bearer(&token), given.until));
        let credentials = if known.is_some() {
            Self::Program(Renewed::new(Box::new((exec.clone(), cluster.clone())), known))
        } else {
            Self::None
        };
        Ok((credentials, given.identity))
    }

    /// The `Authorization` of a request.
    pub(crate) async fn authorization(&self) -> Result<Option<String>, CredentialsError> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(words) => Ok(Some(words.expose().to_owned())),
            Self::File(file) => {
                let mut known = file.known.lock().await;
                if let Some((words, Some(until))) = &*known
                    && *until > now()
                {
                    return Ok(Some(words.expose().to_owned()));
                }
                let text = fs::read_to_string(&file.source).map_err(|error| CredentialsError::File {
                    file: file.source.clone(),
                    reason: error.to_string(),
                })?;
                let words = bearer(text.trim());
                *known = Some((words.clone(), Some(now() + FILE_AGE_MAX)));
                Ok(Some(words.expose().to_owned()))
            }
            Self::Program(program) => {
                let mut known = program.known.lock().await;
                if let Some((words, until)) = &*known
                    && until.is_none_or(|until| until > now() + MARGIN)
                {
                    return Ok(Some(words.expose().to_owned()));
                }
                let (exec, cluster) = &*program.source;
                let given = run(exec, cluster).await?;
                *known = given.token.map(|token| (bearer(&token), given.until));
                Ok(known.as_ref().map(|(words, _)| words.expose().to_owned()))
            }
        }
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn bearer(token: &str) -> Secret {
    format!("Bearer {token}").into()
}

async fn run(exec: &ExecConfig, cluster: &Cluster) -> Result<Given, CredentialsError> {
    let interactive = exec.interactive_mode.as_deref() != Some("Never");
    let mut spec = json!({ "interactive": interactive });
    if exec.provide_cluster_info {
        spec["cluster"] = told(cluster);
    }
    let api_version = exec.api_version.as_deref().unwrap_or("client.authentication.k8s.io/v1");
    let info = json!({ "kind": "ExecCredential", "apiVersion": api_version, "spec": spec });
    let mut command = Command::new(&exec.command);
    command
        .args(&exec.args)
        .envs(exec.env.iter().map(|it| (&it.name, &it.value)))
        .env("KUBERNETES_EXEC_INFO", info.to_string())
        .stdin(if interactive { Stdio::inherit() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let output = command.spawn().map_err(|error: io::Error| CredentialsError::Start {
        command: exec.command.clone(),
        reason: error.to_string(),
        hint: exec.install_hint.clone(),
    });
    let wrong = |reason: String| CredentialsError::Program { command: exec.command.clone(), reason };
    let output = output?.wait_with_output().await.map_err(|error| wrong(error.to_string()))?;
    given(&output).map_err(wrong)
}

/// The cluster as such programs are told of it.
fn told(cluster: &Cluster) -> Value {
    let mut told = json!({ "server": cluster.server });
    let fields = [
        ("certificate-authority-data", cluster.certificate_authority_data.clone().map(Value::from)),
        ("insecure-skip-tls-verify", cluster.insecure_skip_tls_verify.map(Value::from)),
        ("proxy-url", cluster.proxy_url.clone().map(Value::from)),
        ("tls-server-name", cluster.tls_server_name.clone().map(Value::from)),
        ("config", configuration(cluster)),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            told[name] = value;
        }
    }
    told
}

fn configuration(cluster: &Cluster) -> Option<Value> {
    let extensions = cluster.extensions.as_ref()?.as_array()?;
    let own = extensions.iter().find(|it| it["name"] == "client.authentication.k8s.io/exec");
    own.map(|it| it["extension"].clone())
}

fn given(output: &Output) -> Result<Given, String> {
    if !output.status.success() {
        return Err(format!("it ended with {}", output.status));
    }
    let answer = yaml::go_json(&output.stdout).map_err(|error| format!("its output is no JSON: {error}"))?;
    let status = &answer["status"];
    let text = |field: &str| status[field].as_str().filter(|it| !it.is_empty());
    let until = text("expirationTimestamp").map(|it| {
        it.parse::<Timestamp>().map_err(|_| format!("`{it}` is no time"))
    });
    let identity = text("clientCertificateData").zip(text("clientKeyData"));
    let given = Given {
        token: text("token").map(str::to_owned),
        until: until.transpose()?,
        identity: identity.map(|(certificate, key)| format!("{certificate}\n{key}").into_bytes()),
    };
    if given.token.is_none() && given.identity.is_none() {
        return Err("its output has neither `status.token` nor a client certificate with its key".to_owned());
    }
    Ok(given)
}
