//! Caches by mount: what `actions/cache` restores without unpacking and saves without packing.
//!
//! The action asks here first. What it cannot get so (a job in a container, a path with
//! content, an entry that is an archive) it gets from the service that GitHub's client uses, too:
//! both see the same entries.

mod mounts;

use std::{path::PathBuf, sync::Arc};

use access::Principal;
use api::{CacheContent, CacheEntry, JobGrant, Packing};
use axum::{
    Extension, Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use keep::{CacheError, CacheName, Caches, ENTRY_BYTES_MAX, Reach};
use sandbox::{Insides, SandboxId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Ci, containers::Kept, jobs, place::Layout};

pub use mounts::{any as has_mounts, seen, settle};

/// What mounting takes: the entries with their trees, and a way into sandboxes.
pub struct MountedCaches {
    caches: Caches,
    insides: Arc<dyn Insides>,
}

impl MountedCaches {
    pub fn new(caches: Caches, insides: Arc<dyn Insides>) -> Self {
        Self { caches, insides }
    }

    /// The way into sandboxes, for those who look at the files of a job.
    pub fn insides(&self) -> Arc<dyn Insides> {
        self.insides.clone()
    }
}

pub fn routes() -> Router<Ci> {
    Router::new().route("/landfall/v1/job/cache/restore", post(restore)).route("/landfall/v1/job/cache/save", post(save))
}

/// As the action asks; `version` is the one that GitHub's client would name.
#[derive(Deserialize)]
struct Restore {
    key: String,
    #[serde(default)]
    restore_keys: Vec<String>,
    version: String,
    #[serde(default)]
    lookup_only: bool,
}

#[derive(Deserialize)]
struct Save {
    key: String,
    version: String,
    packing: Packing,
    /// Folders, as an archive would name them.
    names: Vec<String>,
}

/// The job that asks, and where it runs.
struct Asker {
    grant: JobGrant,
    sandbox: SandboxId,
    folder: PathBuf,
}

impl Asker {
    /// Where a name of an archive leads inside the job.
    fn path(&self, name: &str) -> PathBuf {
        mounts::inside(&Layout::on_machine(self.grant.project().as_str()).workspace, name)
    }
}

async fn asker(ci: &Ci, principal: Option<Extension<Principal>>) -> Option<Asker> {
    let Some(Extension(Principal::Job { run, job, .. })) = principal else { return None };
    let found = store::find::<JobGrant>(&*ci.records, &JobGrant::key_of(&run, &job)).await;
    let grant = found.ok().flatten()?;
    let sandbox = jobs::sandbox_name(&run, &job, grant.attempt);
    let folder = ci.config.folder.join(sandbox.to_string());
    Some(Asker { grant, sandbox, folder })
}

/// Tells the action to go the other way.
fn as_archive() -> Value {
    json!({"kind": "archive"})
}

fn refused() -> Response {
    (StatusCode::FORBIDDEN, Json(json!({"error": "this needs the token of a running job"}))).into_response()
}

async fn restore(State(ci): State<Ci>, principal: Option<Extension<Principal>>, Json(call): Json<Restore>) -> Response {
    let Some(asker) = asker(&ci, principal).await else { return refused() };
    let Some(mounted) = ci.mounted.clone() else { return Json(as_archive()).into_response() };
    let keys: Vec<String> = [call.key].into_iter().chain(call.restore_keys).collect();
    let reach = Reach::of(&asker.grant);
    let found = mounted.caches.find(asker.grant.project(), &reach, &keys, &call.version, store::now()).await;
    let answer = match found {
        Ok(None) => json!({"kind": "none"}),
        Ok(Some(entry)) if call.lookup_only => json!({"kind": "found", "matched_key": entry.key}),
        Ok(Some(entry)) => mount(&mounted, asker, entry).await,
        // The other way tells what is wrong in the words that people know.
        Err(_) => as_archive(),
    };
    Json(answer).into_response()
}

async fn mount(mounted: &Arc<MountedCaches>, asker: Asker, entry: CacheEntry) -> Value {
    let CacheContent::Trees { trees, .. } = entry.content else { return as_archive() };
    if Kept::read(&asker.folder).is_ok_and(|kept| kept.in_image) {
        return as_archive();
    }
    let mounted = mounted.clone();
    let all = tokio::task::spawn_blocking(move || {
        let inside = mounted.insides.inside(&asker.sandbox).map_err(|error| error.to_string())?;
        let wanted: Vec<_> = trees.iter().map(|it| (it.tree, asker.path(&it.path))).collect();
        mounts::mount_all(&inside, mounted.caches.trees(), &asker.folder, &wanted)
    });
    match all.await.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(()) => json!({"kind": "mounted", "matched_key": entry.key, "size_bytes": entry.size_bytes}),
        Err(why) => {
            tracing::debug!(why, key = entry.key, "a cache is unpacked and not mounted");
            as_archive()
        }
    }
}

async fn save(State(ci): State<Ci>, principal: Option<Extension<Principal>>, Json(call): Json<Save>) -> Response {
    let Some(asker) = asker(&ci, principal).await else { return refused() };
    let Some(mounted) = ci.mounted.clone() else { return Json(as_archive()).into_response() };
    if Kept::read(&asker.folder).is_ok_and(|kept| kept.in_image) {
        return Json(as_archive()).into_response();
    }
    let reach = Reach::of(&asker.grant);
    let name = CacheName { key: call.key, version: call.version };
    let reserved = match mounted.caches.reserve(asker.grant.project(), &reach, &name, store::now()).await {
        Ok(reserved) => reserved,
        Err(CacheError::Keep(error)) => return failed(&error),
        Err(error) => return Json(json!({"kind": "refused", "message": error.to_string()})).into_response(),
    };
    let (work, names) = (mounted.clone(), call.names);
    let saved = tokio::task::spawn_blocking(move || {
        let inside = work.insides.inside(&asker.sandbox).map_err(|error| error.to_string())?;
        let paths: Vec<_> = names.into_iter().map(|name| (asker.path(&name), name)).collect();
        mounts::save_all(&inside, work.caches.trees(), &paths, ENTRY_BYTES_MAX)
    });
    let saved = saved.await.unwrap_or_else(|error| Err(error.to_string()));
    let (trees, size_bytes) = match saved {
        Ok(saved) => saved,
        Err(why) => {
            if let Err(error) = mounted.caches.abandon(&reserved).await {
                tracing::error!(%error, "the place of a cache entry could not be given up");
            }
            return Json(json!({"kind": "failed", "message": why})).into_response();
        }
    };
    match mounted.caches.fill_with_trees(&reserved, trees, call.packing, size_bytes, store::now()).await {
        Ok(_) => Json(json!({"kind": "saved", "size_bytes": size_bytes})).into_response(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "a cache entry could not be saved");
    Json(json!({"kind": "failed", "message": error.to_string()})).into_response()
}
