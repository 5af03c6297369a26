//! `/landfall/v1/images…`: the images of this machine as the `docker` command sees them.

use std::{path::PathBuf, sync::Arc};

use access::{Action, Principal};
use api::{ImageManifest, ImageTag};
use axum::{
    Extension, Json, Router,
    extract::{Query, State as AxumState},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use names::{Digest, ImageRef, Tag};
use oci::{Images, Keychain, Origin, Place, TagError, View};
use serde::Deserialize;
use serde_json::{Value, json};
use store::Records;

use crate::images_view::{self, Known};

/// What the routes need.
#[derive(Clone)]
pub struct ImagesState {
    pub images: Arc<Images>,
    pub records: Arc<dyn Records>,
}

/// The routes for images that are here.
pub fn images_router(state: ImagesState) -> Router {
    Router::new()
        .route("/landfall/v1/images", get(list).delete(untag))
        .route("/landfall/v1/images/inspect", get(inspect))
        .route("/landfall/v1/images/tag", post(tag))
        .route("/landfall/v1/images/push", post(push))
        .route("/landfall/v1/images/pull", post(pull))
        .route("/landfall/v1/images/import", post(import))
        .with_state(state)
}

/// Why a request was not done; `code` is for programs.
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    help: Value,
}

type Answer = Result<Json<Value>, Refusal>;
type Asker = Option<Extension<Principal>>;
/// Whose names count, for those who do not see those of all.
type Eyes = Option<Extension<View>>;
type State = AxumState<ImagesState>;

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), help: Value::Null }
    }

    fn missing(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "missing", format!("No such image: {name}"))
    }

    fn wrong_name(name: &str, error: &names::ParseImageRefError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "wrong-name", format!("invalid reference format: `{name}`: {error}"))
    }

    pub(crate) fn broken(error: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "broken", error.to_string())
    }
}

impl From<TagError> for Refusal {
    fn from(error: TagError) -> Self {
        match &error {
            TagError::Immutable { .. } => Self::new(StatusCode::CONFLICT, "immutable", error.to_string()),
            TagError::NoTag(_) => Self::new(StatusCode::BAD_REQUEST, "wrong-name", error.to_string()),
            TagError::Image(_) | TagError::Store(_) => Self::broken(error),
        }
    }
}

impl From<store::TypedError> for Refusal {
    fn from(error: store::TypedError) -> Self {
        Self::broken(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({ "type": "error", "code": self.code, "message": self.message });
        if !self.help.is_null() {
            body["help"] = self.help;
        }
        (self.status, Json(body)).into_response()
    }
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn list(AxumState(state): State, asker: Asker, eyes: Eyes) -> Answer {
    allowed(asker, &Action::PullImage)?;
    let known = images_view::known(&state, &view(eyes)).await?;
    let mut listed = Vec::new();
    for it in known {
        listed.push(images_view::summary(&state, &it).await);
    }
    Ok(Json(json!({ "images": listed })))
}

async fn inspect(AxumState(state): State, asker: Asker, eyes: Eyes, Query(named): Query<Named>) -> Answer {
    allowed(asker, &Action::PullImage)?;
    let view = view(eyes);
    let digest = meant(&state, &view, &named.name).await?.ok_or_else(|| Refusal::missing(&named.name))?;
    images_view::details(&state, &view, digest).await.map(Json)
}

#[derive(Deserialize)]
struct TagRequest {
    source: String,
    target: String,
}

async fn tag(AxumState(state): State, asker: Asker, eyes: Eyes, Json(request): Json<TagRequest>) -> Answer {
    let principal = allowed(asker, &Action::PushImage)?;
    let target = reference(&request.target)?;
    if target.digest.is_some() {
        let message = "refusing to create a tag with a digest reference";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "wrong-name", message));
    }
    let view = view(eyes);
    let digest = meant(&state, &view, &request.source).await?.ok_or_else(|| Refusal::missing(&request.source))?;
    state.images.tag_in(&view, &target, digest, &origin(&principal)).await?;
    Ok(Json(json!({ "name": target.to_string(), "digest": digest })))
}

#[derive(Deserialize)]
struct PushRequest {
    name: String,
    /// A Docker `config.json`.
    #[serde(default)]
    registry_auth: Option<Value>,
}

async fn push(AxumState(state): State, asker: Asker, Json(request): Json<PushRequest>) -> Answer {
    let principal = allowed(asker, &Action::PushImage)?;
    let name = reference(&request.name)?;
    let keychain = keychain(request.registry_auth.as_ref())?;
    let Some(digest) = state.images.find(&name).await? else {
        return Err(never_tagged(&state, &name, &principal).await?);
    };
    let pushed = state.images.push(&name, &keychain).await.map_err(|error| {
        Refusal::new(StatusCode::BAD_GATEWAY, "registry", error.to_string())
    })?;
    let commit_tag = match &principal {
        Principal::Job { commit, .. } if !commit.is_zero() => {
            Some(commit_tag(&state, &name, digest, &commit.short(), &origin(&principal)).await?)
        }
        _ => None,
    };
    let (place, registry) = match &pushed.place {
        Place::Local if state.images.is_own(&name) => ("own", Value::Null),
        Place::Local => ("kept", Value::Null),
        Place::Registry(registry) => ("registry", json!(registry)),
    };
    let image = state.images.image(digest).await.map_err(Refusal::broken)?;
    let manifest = ImageManifest::key_of(&state.images.repository(&name), digest);
    let manifest = store::find::<ImageManifest>(&*state.records, &manifest).await?;
    Ok(Json(json!({
        "name": name.to_string(),
        "digest": digest,
        "size_bytes": manifest.map_or(0, |it| it.size_bytes),
        "layers": image.layers.iter().map(|it| it.digest).collect::<Vec<_>>(),
        "place": place,
        "registry": registry,
        "served_as": state.images.served_as(&name).map(|it| it.to_string()),
        "commit_tag": commit_tag,
    })))
}

/// Names the digest after the commit; a commit that has made another image before keeps that one.
async fn commit_tag(state: &ImagesState, name: &ImageRef, digest: Digest, commit: &str, by: &Origin) -> Result<Value, Refusal> {
    let tag: Tag = format!("sha-{commit}").parse().map_err(Refusal::broken)?;
    let named = ImageRef { tag: Some(tag.clone()), digest: None, ..name.clone() };
    match state.images.tag(&named, digest, by).await {
        Ok(()) => Ok(json!({ "tag": tag, "digest": digest })),
        Err(TagError::Immutable { existing, .. }) => Ok(json!({ "tag": tag, "digest": existing })),
        Err(error) => Err(error.into()),
    }
}

/// A push of a name that nothing has; says which image was probably meant.
async fn never_tagged(state: &ImagesState, name: &ImageRef, principal: &Principal) -> Result<Refusal, Refusal> {
    let known = images_view::known(state, &View::Shared).await?;
    let others = known.iter().filter(|it| it.repository == state.images.repository(name)).count();
    let run = origin(principal).run;
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut meant: Vec<&Known> = known
        .iter()
        .filter(|it| last(&it.repository) == last(&name.repository) || (run.is_some() && it.run == run))
        .filter(|it| !oci::is_immutable(it.tag.as_str()))
        .collect();
    // What this run made and is called alike comes first, then what is newest.
    let like = |it: &Known| last(&it.repository) == last(&name.repository);
    meant.sort_by_key(|it| (run.is_none() || it.run != run, !like(it), it.tag.to_string() != name.tag.as_ref().map_or_else(String::new, ToString::to_string), std::cmp::Reverse(it.pushed)));
    let candidates = meant.iter().take(3).map(|it| json!({ "name": it.name, "by_this_run": run.is_some() && it.run == run }));
    let mut refusal = if others == 0 {
        let message = format!("An image does not exist locally with the tag: {}", name.name());
        Refusal::new(StatusCode::NOT_FOUND, "never-tagged", message)
    } else {
        Refusal::new(StatusCode::NOT_FOUND, "never-tagged", format!("tag does not exist: {}", name.familiar()))
    };
    refusal.help = json!({ "candidates": candidates.collect::<Vec<_>>() });
    Ok(refusal)
}

async fn pull(AxumState(state): State, asker: Asker, eyes: Eyes, Json(request): Json<PushRequest>) -> Answer {
    allowed(asker, &Action::PullImage)?;
    let name = reference(&request.name)?;
    let keychain = keychain(request.registry_auth.as_ref())?;
    let view = view(eyes);
    let here = state.images.find_in(&view, &name).await?;
    // What a run pushed here under another registry's name must not be replaced by that registry's.
    let ours = images_view::known(&state, &View::Shared).await?;
    let repository = state.images.repository(&name);
    let ours = ours.iter().any(|it| it.repository == repository && Some(&it.tag) == name.tag.as_ref() && it.run.is_some());
    let (digest, fetched) = match here {
        // A pull changes what a name means for all.
        Some(digest) if ours || view != View::Shared || state.images.is_own(&name) => (digest, false),
        None if state.images.is_own(&name) => {
            let message = format!("manifest for {} not found: manifest unknown", name.familiar());
            return Err(Refusal::new(StatusCode::NOT_FOUND, "missing", message));
        }
        here => match (state.images.pull(&name, &keychain).await, here) {
            (Ok(digest), here) => (digest, here != Some(digest)),
            // An imported image has no registry that would know it.
            (Err(_), Some(digest)) => (digest, false),
            (Err(error), None) => {
                let message = format!(
                    "{error}; to take it from a file, run `landfall image import SOURCE {}` outside of the job",
                    name.familiar()
                );
                return Err(Refusal::new(StatusCode::NOT_FOUND, "registry", message));
            }
        },
    };
    Ok(Json(json!({ "name": name.to_string(), "familiar": name.familiar(), "digest": digest, "fetched": fetched })))
}

#[derive(Deserialize)]
struct ImportRequest {
    /// On the server's machine.
    path: PathBuf,
    name: String,
}

async fn import(AxumState(state): State, asker: Asker, Json(request): Json<ImportRequest>) -> Answer {
    let principal = allowed(asker, &Action::Operate)?;
    let name = reference(&request.name)?;
    let imported = state.images.import(&request.path, &name, &origin(&principal), Arc::new(|_| {})).await;
    let imported = imported.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "import", error.to_string()))?;
    Ok(Json(json!({
        "name": name.familiar(),
        "digest": imported.digest,
        "shape": imported.shape.to_string(),
        "layers": imported.layers,
        "size_bytes": imported.size_bytes,
    })))
}

/// Takes a tag away; one that a job pushed stays, for the cluster may pull it.
async fn untag(AxumState(state): State, asker: Asker, Query(named): Query<Named>) -> Answer {
    let principal = allowed(asker, &Action::PushImage)?;
    let name = reference(&named.name)?;
    let known = images_view::known(&state, &View::Shared).await?;
    let repository = state.images.repository(&name);
    let found = known.iter().find(|it| it.repository == repository && Some(&it.tag) == name.tag.as_ref());
    let found = found.ok_or_else(|| Refusal::missing(&named.name))?;
    let pushed = known.iter().any(|it| it.repository == repository && it.digest == found.digest && oci::is_immutable(it.tag.as_str()));
    let kept = match &principal {
        Principal::Job { run, .. } => {
            if found.run.as_ref().is_none_or(|it| it.project != run.project) {
                let message = format!("`{}` was not made by this project and stays", found.name);
                return Err(Refusal::new(StatusCode::FORBIDDEN, "denied", message));
            }
            pushed
        }
        _ => oci::is_immutable(found.tag.as_str()),
    };
    if !kept {
        store::remove::<ImageTag>(&*state.records, &ImageTag::key_of(&repository, &found.tag)).await?;
    }
    Ok(Json(json!({ "name": found.name, "digest": found.digest, "kept": kept })))
}

/// The image a name, an id or the beginning of an id means.
async fn meant(state: &ImagesState, view: &View, text: &str) -> Result<Option<Digest>, Refusal> {
    if let Ok(digest) = text.parse::<Digest>() {
        return Ok(state.images.image(digest).await.is_ok().then_some(digest));
    }
    if let Ok(name) = text.parse::<ImageRef>()
        && let Some(digest) = state.images.find_in(view, &name).await?
    {
        return Ok(Some(digest));
    }
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    // Four digits is the least that people write.
    if hex.len() < 4 || !hex.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let mut found: Vec<Digest> = images_view::known(state, view).await?.into_iter().map(|it| it.digest).collect();
    found.retain(|it| it.hex().starts_with(hex));
    found.sort();
    found.dedup();
    Ok(if let [only] = found.as_slice() { Some(*only) } else { None })
}

fn allowed(asker: Asker, action: &Action<'_>) -> Result<Principal, Refusal> {
    let Some(Extension(principal)) = asker else {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "images need a token"));
    };
    match access::check(&principal, action) {
        Ok(()) => Ok(principal),
        Err(denied) => Err(Refusal::new(StatusCode::FORBIDDEN, "denied", denied.to_string())),
    }
}

fn view(eyes: Eyes) -> View {
    eyes.map_or_else(View::default, |it| it.0)
}

fn origin(principal: &Principal) -> Origin {
    match principal {
        Principal::Job { run, commit, .. } => Origin { run: Some(run.clone()), commit: Some(*commit) },
        Principal::Admin | Principal::Agent { .. } | Principal::ServiceAccount { .. } | Principal::Component { .. } => Origin::default(),
    }
}

fn reference(text: &str) -> Result<ImageRef, Refusal> {
    text.parse().map_err(|error| Refusal::wrong_name(text, &error))
}

fn keychain(config: Option<&Value>) -> Result<Keychain, Refusal> {
    let Some(config) = config else { return Ok(Keychain::anonymous()) };
    Keychain::from_docker_config(config.to_string().as_bytes())
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "credentials", error.to_string()))
}
