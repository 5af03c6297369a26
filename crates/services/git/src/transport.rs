//! Smart HTTP: the requests of `git fetch` and `git push`.

use std::{io, process::Stdio, sync::Arc};

use access::{Action, Principal};
use api::{JobGrant, Permission};
use axum::{
    Extension,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use names::ProjectName;
use repo::{Repository, git_command};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Child,
    sync::mpsc,
};
use tokio_util::io::ReaderStream;

use crate::{Git, guard, orphans, pkt_line, progress, pushes};

/// The commands of a push are read up to this size; a push of ten thousand refs fits.
const HEAD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What `receive-pack` answers is short; more is cut.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Which side of the protocol a request speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Service {
    #[serde(rename = "git-upload-pack")]
    UploadPack,
    #[serde(rename = "git-receive-pack")]
    ReceivePack,
}

impl Service {
    fn command(self) -> &'static str {
        match self {
            Self::UploadPack => "upload-pack",
            Self::ReceivePack => "receive-pack",
        }
    }
}

#[derive(Deserialize)]
pub struct Advertise {
    service: Option<Service>,
}

/// Why a request is refused; Git shows the text to its user.
enum Refusal {
    NoPrincipal,
    Denied(access::Denied),
    BadName(names::ParseNameError),
    NotFound(String),
    OldClient,
    Failed(String),
}

impl Refusal {
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::NoPrincipal => return identity::basic_challenge(),
            Self::Denied(denied) => (StatusCode::FORBIDDEN, denied.to_string()),
            Self::BadName(error) => (StatusCode::BAD_REQUEST, format!("a project cannot have this name: {error}")),
            Self::NotFound(project) => (StatusCode::NOT_FOUND, format!("there is no project `{project}`; push to make it")),
            Self::OldClient => (StatusCode::FORBIDDEN, "use a git client that speaks smart HTTP".to_owned()),
            Self::Failed(error) => {
                tracing::error!(%error, "a git request failed");
                (StatusCode::INTERNAL_SERVER_ERROR, error)
            }
        };
        (status, format!("{text}\n")).into_response()
    }
}

/// Finds the repository if `principal` may reach it that way; a push makes it.
async fn open(
    git: &Git,
    principal: Option<Extension<Principal>>,
    name: &str,
    service: Service,
) -> Result<(ProjectName, Repository, Principal), Refusal> {
    let Extension(principal) = principal.ok_or(Refusal::NoPrincipal)?;
    let name = name.strip_suffix(".git").unwrap_or(name);
    let project: ProjectName = name.parse().map_err(Refusal::BadName)?;
    let action = match (service, &principal) {
        (Service::UploadPack, _) => Action::ReadRepository(&project),
        (Service::ReceivePack, Principal::Job { run, job, .. }) => {
            let key = JobGrant::key_of(run, job);
            let grant = store::find::<JobGrant>(&*git.records, &key).await.map_err(Refusal::failed)?;
            Action::PushFromJob { project: &project, contents: contents(grant.as_ref()) }
        }
        (Service::ReceivePack, _) => Action::WriteRepository(&project),
    };
    access::check(&principal, &action).map_err(Refusal::Denied)?;
    let repository = match service {
        Service::ReceivePack => git.repositories.create(&project).await.map_err(Refusal::failed)?,
        Service::UploadPack => {
            git.repositories.find(&project).ok_or_else(|| Refusal::NotFound(name.to_owned()))?
        }
    };
    Ok((project, repository, principal))
}

fn contents(grant: Option<&JobGrant>) -> access::Contents {
    match grant {
        Some(grant) if grant.may("contents", Permission::Write) => access::Contents::Write,
        Some(grant) if grant.trust == api::Trust::Foreign => access::Contents::Untrusted,
        Some(_) | None => access::Contents::Read,
    }
}

fn spawn(repository: &Repository, service: Service, headers: &HeaderMap, advertise: bool) -> Result<Child, Refusal> {
    let mut command = git_command(repository.path());
    if let Some(version) = headers.get("git-protocol").and_then(|value| value.to_str().ok()) {
        command.env("GIT_PROTOCOL", version);
    }
    command.args(["-c", "receive.advertisePushOptions=true"]);
    command.arg(service.command()).arg("--stateless-rpc");
    if advertise {
        command.arg("--http-backend-info-refs");
    }
    // What Git complains about is of no use here; while a push lives, its lock does.
    let stderr = match (service, advertise) {
        (Service::ReceivePack, false) => orphans::hold(repository).map_err(Refusal::failed)?.into(),
        _ => Stdio::null(),
    };
    command.arg(".").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
    command.spawn().map_err(|error| Refusal::failed(format!("git could not be started: {error}")))
}

fn answer(content: &str, service: Service, body: Body) -> Response {
    let content = format!("application/x-git-{}-{content}", service.command());
    ([(header::CONTENT_TYPE, content), (header::CACHE_CONTROL, "no-cache".to_owned())], body)
        .into_response()
}

/// `GET info/refs`: what is there.
pub async fn advertise(
    State(git): State<Git>,
    Path(name): Path<String>,
    Query(query): Query<Advertise>,
    principal: Option<Extension<Principal>>,
    headers: HeaderMap,
) -> Response {
    let answered = async {
        let service = query.service.ok_or(Refusal::OldClient)?;
        let (_, repository, _) = open(&git, principal, &name, service).await?;
        let child = spawn(&repository, service, &headers, true)?;
        let told = child.wait_with_output().await.map_err(Refusal::failed)?;
        let mut body = BytesMut::new();
        let is_second_version = headers
            .get("git-protocol")
            .is_some_and(|value| value.as_bytes().windows(9).any(|it| it == b"version=2"));
        if !is_second_version || service == Service::ReceivePack {
            body.extend_from_slice(&pkt_line::line(format!("# service=git-{}\n", service.command()).as_bytes()));
            body.extend_from_slice(pkt_line::FLUSH);
        }
        body.extend_from_slice(&told.stdout);
        Ok(answer("advertisement", service, Body::from(body.freeze())))
    };
    answered.await.unwrap_or_else(|refusal: Refusal| refusal.into_response())
}

/// The bytes of a request, inflated if the client deflated them.
fn request_bytes(headers: &HeaderMap, body: Body) -> Box<dyn tokio::io::AsyncRead + Send + Unpin> {
    let stream = body.into_data_stream().map(|chunk| chunk.map_err(io::Error::other));
    let reader = tokio_util::io::StreamReader::new(stream);
    let is_gzip = headers.get(header::CONTENT_ENCODING).is_some_and(|it| it == "gzip");
    if is_gzip { Box::new(Inflate::new(reader)) } else { Box::new(reader) }
}

/// `POST git-upload-pack`: a fetch.
pub async fn upload_pack(
    State(git): State<Git>,
    Path(name): Path<String>,
    principal: Option<Extension<Principal>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answered = async {
        let service = Service::UploadPack;
        let (_, repository, principal) = open(&git, principal, &name, service).await?;
        let mut request = request_bytes(&headers, body);
        if let Some(grant) = guard::guarded(&*git.records, &principal).await.map_err(Refusal::failed)? {
            request = guard::watch(&*git.records, &repository, &grant, request).await.map_err(Refusal::failed)?;
        }
        let mut child = spawn(&repository, service, &headers, false)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(Refusal::failed("git has no pipes"));
        };
        tokio::spawn(async move {
            // A client that goes away ends the fetch; git sees the closed pipe.
            let _ = tokio::io::copy(&mut request, &mut stdin).await;
            drop(stdin);
            let _ = child.wait().await;
        });
        Ok(answer("result", service, Body::from_stream(ReaderStream::new(stdout))))
    };
    answered.await.unwrap_or_else(|refusal: Refusal| refusal.into_response())
}

/// `POST git-receive-pack`: a push.
pub async fn receive_pack(
    State(git): State<Git>,
    Path(name): Path<String>,
    principal: Option<Extension<Principal>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answered = async {
        let service = Service::ReceivePack;
        let (project, repository, principal) = open(&git, principal, &name, service).await?;
        // The push goes on when its client goes away: what Git accepts must become a record.
        let task = tokio::spawn(receive(git, project, repository, principal, headers, body));
        let body = task.await.map_err(Refusal::failed)??;
        Ok(answer("result", service, body))
    };
    answered.await.unwrap_or_else(|refusal: Refusal| refusal.into_response())
}

async fn receive(
    git: Git,
    project: ProjectName,
    repository: Repository,
    principal: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Body, Refusal> {
    let mut child = spawn(&repository, Service::ReceivePack, &headers, false)?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Refusal::failed("git has no pipes"));
    };
    let mut request = request_bytes(&headers, body);
    let feed = async {
        let mut read = BytesMut::new();
        let mut head = None;
        while head.is_none() && read.len() < HEAD_BYTES_MAX {
            let mut chunk = BytesMut::with_capacity(16 * 1024);
            if request.read_buf(&mut chunk).await? == 0 {
                break;
            }
            read.extend_from_slice(&chunk);
            stdin.write_all(&chunk).await?;
            head = pkt_line::push_head(&read);
        }
        tokio::io::copy(&mut request, &mut stdin).await?;
        drop(stdin);
        io::Result::Ok(head.unwrap_or_default())
    };
    let collect = async {
        let mut told = Vec::new();
        stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut told).await.map(|_| told)
    };
    let (head, told) = tokio::join!(feed, collect);
    // `receive-pack` closes its input early when it refuses; its answer says why.
    let (head, told) = (head.unwrap_or_default(), told.map_err(Refusal::failed)?);
    child.wait().await.map_err(Refusal::failed)?;

    let mut carried_out = Vec::new();
    for update in &head.updates {
        let stands = repository.resolve(&update.git_ref).await.map_err(Refusal::failed)?;
        let peeled = repository.resolve(&update.after.to_string()).await.map_err(Refusal::failed)?;
        let done = if update.after.is_zero() { stands.is_none() } else { stands.is_some() && stands == peeled };
        if done && update.before != update.after {
            carried_out.push(update.clone());
        }
    }
    pushes::point_head(&repository, &carried_out).await.map_err(Refusal::failed)?;
    let numbers =
        pushes::record(&*git.records, &project, &repository, &carried_out, &principal.to_string())
            .await
            .map_err(Refusal::failed)?;
    let patience = wait_option(&head.options).unwrap_or(git.patience);
    if !head.shows_progress || numbers.is_empty() || !told.ends_with(pkt_line::FLUSH) {
        return Ok(Body::from(told));
    }
    Ok(with_progress(git.records, project, numbers, patience, told))
}

/// The answer without its end, then the progress, then the end.
fn with_progress(
    records: Arc<dyn store::Records>,
    project: ProjectName,
    numbers: Vec<u64>,
    patience: std::time::Duration,
    mut told: Vec<u8>,
) -> Body {
    told.truncate(told.len() - pkt_line::FLUSH.len());
    let (out, lines) = mpsc::channel(16);
    tokio::spawn(async move {
        if out.send(Ok(Bytes::from(told))).await.is_ok() {
            progress::tell(records, project, numbers, patience, out).await;
        }
    });
    let lines = futures_util::stream::unfold(lines, |mut lines| async move {
        Some((lines.recv().await?, lines))
    });
    Body::from_stream(lines)
}

/// `git push -o landfall.wait=5s` watches that long, `0s` not at all.
fn wait_option(options: &[String]) -> Option<std::time::Duration> {
    let text = options.iter().find_map(|option| option.strip_prefix("landfall.wait="))?;
    names::parse_duration(text).ok()
}

/// Inflates a gzip stream as it comes.
struct Inflate<R> {
    reader: R,
    decoder: flate2::write::GzDecoder<Vec<u8>>,
    ended: bool,
}

impl<R> Inflate<R> {
    fn new(reader: R) -> Self {
        Self { reader, decoder: flate2::write::GzDecoder::new(Vec::new()), ended: false }
    }
}

impl<R: tokio::io::AsyncRead + Unpin> tokio::io::AsyncRead for Inflate<R> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        loop {
            let inflated = self.decoder.get_mut();
            if !inflated.is_empty() {
                let count = inflated.len().min(buffer.remaining());
                buffer.put_slice(inflated.get(..count).unwrap_or_default());
                inflated.drain(..count);
                return std::task::Poll::Ready(Ok(()));
            }
            if self.ended {
                return std::task::Poll::Ready(Ok(()));
            }
            let mut chunk = [0; 16 * 1024];
            let mut chunk = tokio::io::ReadBuf::new(&mut chunk);
            std::task::ready!(std::pin::Pin::new(&mut self.reader).poll_read(context, &mut chunk))?;
            if chunk.filled().is_empty() {
                self.ended = true;
                self.decoder.try_finish()?;
            } else {
                let filled = chunk.filled().to_vec();
                io::Write::write_all(&mut self.decoder, &filled)?;
            }
        }
    }
}
