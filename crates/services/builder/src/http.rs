//! `POST /landfall/v1/builds`: a tar of the context in, JSON lines of progress and the result out.

use std::{collections::BTreeMap, sync::Arc};

use access::{Action, Principal};
use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{Query, State as AxumState},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::post,
};
use base64::Engine as _;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use oci::Keychain;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::{
    BuildError, BuildRequest, Builder, Cache, DockerfileSource, Pull,
    unpack::{self, Limits, Scratch},
};

/// Options that must not stand in a URL: base64 of a JSON document of [`Private`].
const PRIVATE_HEADER: &str = "landfall-build-private";

/// Lines that wait for a slow client before the build waits too.
const PROGRESS_WAITING_MAX: usize = 256;

/// What the routes need.
#[derive(Clone)]
pub struct State {
    pub builder: Arc<Builder>,
}

/// The routes of the builder.
pub fn router(state: State) -> Router {
    Router::new().route("/landfall/v1/builds", post(build)).with_state(state)
}

/// What the header [`PRIVATE_HEADER`] holds.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Private {
    build_args: BTreeMap<String, String>,
    /// Base64 by id.
    secrets: BTreeMap<String, String>,
    /// The Dockerfile, if it is not in the context.
    dockerfile: Option<String>,
    /// A Docker `config.json`, for base images.
    registry_auth: Option<serde_json::Value>,
}

async fn build(
    AxumState(state): AxumState<State>,
    principal: Option<Extension<Principal>>,
    view: Option<Extension<oci::View>>,
    Query(options): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(Extension(principal)) = principal else {
        return refuse(StatusCode::UNAUTHORIZED, "a build needs a token");
    };
    if let Err(denied) = access::check(&principal, &Action::PushImage) {
        return refuse(StatusCode::FORBIDDEN, &denied.to_string());
    }
    let scratch = match Scratch::new(&state.builder.work, "context-") {
        Ok(scratch) => scratch,
        Err(error) => return refuse(StatusCode::INTERNAL_SERVER_ERROR, &format!("making a work folder: {error}")),
    };
    let folder = scratch.path().join("context");
    let mut request = match request(&options, &headers, &principal, &folder) {
        Ok(request) => request,
        Err(reason) => return refuse(StatusCode::BAD_REQUEST, &reason),
    };
    request.view = view.map_or_else(oci::View::default, |it| it.0);
    if let Err(reason) = receive(body, &folder).await {
        return refuse(StatusCode::BAD_REQUEST, &format!("the context could not be read: {reason}"));
    }
    let (lines, receiver) = mpsc::channel::<Result<Bytes, std::convert::Infallible>>(PROGRESS_WAITING_MAX);
    tokio::spawn(async move {
        // Who hangs up stops the build.
        tokio::select! {
            () = lines.closed() => {}
            () = answer(&state.builder, request, &lines) => {}
        }
        drop(scratch);
    });
    let stream = futures_util::stream::unfold(receiver, |mut it| async move { it.recv().await.map(|line| (line, it)) });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response()
}

/// Runs the build and writes its lines.
async fn answer(builder: &Builder, request: BuildRequest, lines: &mpsc::Sender<Result<Bytes, std::convert::Infallible>>) {
    let (progress, mut events) = mpsc::channel(PROGRESS_WAITING_MAX);
    let tell = async {
        while let Some(event) = events.recv().await {
            let _ = lines.send(Ok(line(&event))).await;
        }
    };
    let (result, ()) = tokio::join!(builder.build(request, progress), tell);
    let last = match result {
        Ok(result) => serde_json::json!({
            "type": "result", "image": result.image, "steps": result.steps, "cached": result.cached,
        }),
        Err(error) => error_line(&error),
    };
    let _ = lines.send(Ok(line(&last))).await;
}

fn line(value: &impl serde::Serialize) -> Bytes {
    let mut bytes = serde_json::to_vec(value).expect("progress has text keys only");
    bytes.push(b'\n');
    bytes.into()
}

fn error_line(error: &BuildError) -> serde_json::Value {
    let mut value = serde_json::json!({ "type": "error", "message": error.to_string() });
    match error {
        BuildError::Step(step) => value["step"] = serde_json::to_value(step).unwrap_or_default(),
        BuildError::Dockerfile { file, problems } => {
            let problems = problems.iter().filter(|it| it.is_error()).map(|it| {
                serde_json::json!({
                    "file": file, "line": it.line, "column": it.column, "code": it.code,
                    "message": it.message, "help": it.help,
                })
            });
            value["problems"] = problems.collect();
        }
        _ => {}
    }
    value
}

/// Unpacks the body as it comes.
async fn receive(body: Body, folder: &std::path::Path) -> Result<(), String> {
    let stream = body.into_data_stream().map_err(std::io::Error::other);
    let reader = tokio_util::io::SyncIoBridge::new(tokio_util::io::StreamReader::new(stream));
    let folder = folder.to_owned();
    let unpacked = tokio::task::spawn_blocking(move || {
        std::fs::create_dir(&folder).map_err(|it| it.to_string())?;
        unpack::context(reader, &folder, Limits::CONTEXT).map_err(|it| it.to_string())
    });
    unpacked.await.map_err(|it| it.to_string())?
}

fn request(options: &[(String, String)], headers: &HeaderMap, principal: &Principal, folder: &std::path::Path) -> Result<BuildRequest, String> {
    let mut request = BuildRequest::new(folder.to_owned());
    for (name, value) in options {
        match name.as_str() {
            "tag" | "t" => request.tags.push(value.parse().map_err(|it| format!("tag `{value}`: {it}"))?),
            "dockerfile" | "file" => request.dockerfile = DockerfileSource::InContext(value.clone()),
            "target" => request.target = (!value.is_empty()).then(|| value.clone()),
            "build-arg" => {
                let (name, value) = value.split_once('=').unwrap_or((value, ""));
                request.build_args.insert(name.to_owned(), value.to_owned());
            }
            "label" => {
                let (name, value) = value.split_once('=').unwrap_or((value, ""));
                request.labels.insert(name.to_owned(), value.to_owned());
            }
            "no-cache" => request.cache = if is_on(value) { Cache::Ignored } else { Cache::Used },
            "pull" => request.pull = if is_on(value) { Pull::Always } else { Pull::IfMissing },
            other => return Err(format!("`{other}` is no option of a build")),
        }
    }
    let private = match headers.get(PRIVATE_HEADER) {
        Some(header) => {
            // The value stays out of the message: it holds secrets.
            let wrong = || format!("the header `{PRIVATE_HEADER}` is not base64 of the expected JSON");
            let bytes = base64::engine::general_purpose::STANDARD.decode(header.as_bytes()).map_err(|_| wrong())?;
            serde_json::from_slice(&bytes).map_err(|_| wrong())?
        }
        None => Private::default(),
    };
    request.build_args.extend(private.build_args);
    for (id, value) in private.secrets {
        let value = base64::engine::general_purpose::STANDARD.decode(value).map_err(|_| format!("the secret `{id}` is not base64"))?;
        request.secrets.insert(id, value.into());
    }
    if let Some(text) = private.dockerfile {
        let name = match &request.dockerfile {
            DockerfileSource::InContext(name) | DockerfileSource::Text { name, .. } => name.clone(),
        };
        request.dockerfile = DockerfileSource::Text { name, text };
    }
    if let Some(config) = private.registry_auth {
        request.keychain = Keychain::from_docker_config(config.to_string().as_bytes()).map_err(|it| it.to_string())?;
    }
    if let Principal::Job { run, commit, .. } = principal {
        request.origin = oci::Origin { run: Some(run.clone()), commit: Some(*commit) };
    }
    Ok(request)
}

fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "false" | "no")
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, Json(serde_json::json!({ "type": "error", "message": message }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_a_request() {
        let options = [("tag", "a/b:1"), ("tag", "c"), ("build-arg", "X=a=b"), ("no-cache", "1"), ("target", "t")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let private = r#"{"build_args":{"P":"q"},"secrets":{"s":"dg=="}}"#;
        let mut headers = HeaderMap::new();
        let encoded = base64::engine::general_purpose::STANDARD.encode(private);
        headers.insert(PRIVATE_HEADER, encoded.parse().expect("a header"));
        let request = request(&options, &headers, &Principal::Admin, std::path::Path::new("/x")).expect("a request");
        assert_eq!(request.tags.len(), 2);
        assert_eq!(request.build_args["X"], "a=b");
        assert_eq!(request.build_args["P"], "q");
        assert_eq!(request.secrets["s"], "v");
        assert_eq!((request.cache, request.target.as_deref()), (Cache::Ignored, Some("t")));
    }

    #[test]
    fn unknown_options_are_refused() {
        let options = [("squash".to_owned(), "1".to_owned())];
        let wrong = request(&options, &HeaderMap::new(), &Principal::Admin, std::path::Path::new("/x")).err();
        assert_eq!(wrong.as_deref(), Some("`squash` is no option of a build"));
    }
}
