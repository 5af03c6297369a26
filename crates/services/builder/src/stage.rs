//! Carries out the steps of one stage, one after the other, each from the cache if it is there.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::Instant,
};

use buildgraph::{
    op::{From, Mount, Op},
    plan::{self, StageBase},
    step_key,
};
use names::{Digest, Timestamp};
use oci::{Layer, StoredImage};
use tokio::sync::watch;

use crate::{
    BuildError,
    build::{Cache, Session},
    cache::Remembered,
    copy::{self, Origin, Selected},
    error::{Failure, StepError},
    progress::Progress,
    run::{self, Room},
    run_mounts::{self, Caches},
    select::Owners,
    unpack::Scratch,
    view::View,
};

/// A stage that is built.
#[derive(Clone, Debug, Default)]
pub(crate) struct Built {
    /// The lowest first.
    pub layers: Vec<Layer>,
    pub history: Vec<image::History>,
    pub cached: usize,
}

/// Where stages wait for each other.
pub(crate) type Results = BTreeMap<usize, watch::Receiver<Option<Arc<Built>>>>;

pub(crate) struct StageRun<'a> {
    pub session: &'a Session,
    pub stage: &'a plan::Stage,
    pub results: &'a Results,
    /// The number of this stage's first step in the whole build.
    pub first_step: usize,
    pub steps: usize,
}

impl StageRun<'_> {
    pub async fn run(&self) -> Result<Built, BuildError> {
        let mut built = match &self.stage.base {
            StageBase::Scratch => Built::default(),
            StageBase::Stage(index) => {
                let base = self.built(*index).await;
                Built { cached: 0, ..(*base).clone() }
            }
            StageBase::Image(name) => {
                let image = self.image(name);
                Built { layers: image.layers.clone(), history: image.config.history.clone(), cached: 0 }
            }
        };
        let mut created = None;
        for (index, step) in self.stage.steps.iter().enumerate() {
            let number = self.first_step + index;
            let started = Instant::now();
            self.session.report.tell(Progress::Step {
                step: number,
                steps: self.steps,
                stage: self.stage.name.clone().unwrap_or_else(|| self.stage.index.to_string()),
                line: step.line,
                instruction: step.text.clone(),
            }).await;
            let mut cached = false;
            let mut empty_layer = true;
            if let Some(op) = &step.op {
                let (made, from_cache) = self.step(op, &built, number).await.map_err(|it| self.failed(step, it))?;
                cached = from_cache;
                created = Some(made.built);
                if let Some((blob, diff_id, size)) = made.layer {
                    built.layers.push(self.session.images.layer(blob, diff_id, size));
                    empty_layer = false;
                }
            }
            built.cached += usize::from(cached);
            if let Some(created_by) = &step.created_by {
                built.history.push(image::History {
                    created: self.session.epoch.or(created).map(|it| it.to_string()),
                    created_by: Some(created_by.clone()),
                    comment: Some("buildkit.dockerfile.v0".to_owned()),
                    empty_layer,
                    ..Default::default()
                });
            }
            let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.session.report.tell(Progress::Done { step: number, cached, millis }).await;
        }
        Ok(built)
    }

    fn failed(&self, step: &plan::Step, failure: Failure) -> BuildError {
        BuildError::Step(Box::new(StepError {
            file: self.session.context.dockerfile.clone(),
            line: step.line,
            column: step.column,
            instruction: step.text.clone(),
            reason: failure.reason,
            help: failure.help,
            code: failure.code,
            output: failure.output,
        }))
    }

    /// Waits for another stage; if that fails, the whole build ends and this wait with it.
    async fn built(&self, index: usize) -> Arc<Built> {
        if let Some(result) = self.results.get(&index) {
            let mut result = result.clone();
            if let Ok(built) = result.wait_for(Option::is_some).await
                && let Some(built) = built.as_ref() {
                    return built.clone();
                }
        }
        std::future::pending().await
    }

    fn image(&self, name: &str) -> &StoredImage {
        self.session.bases.get(name).expect("a plan names only images that it was given")
    }

    /// The layers behind a `from`; none for the context.
    async fn layers_of(&self, from: &From) -> Option<Vec<Layer>> {
        match from {
            From::Context => None,
            From::Stage(index) => Some(self.built(*index).await.layers.clone()),
            From::Image(name) => Some(self.image(name).layers.clone()),
        }
    }

    async fn origin(&self, from: &From) -> Result<Origin, Failure> {
        let Some(layers) = self.layers_of(from).await else {
            let context = &self.session.context;
            return Ok(Origin { view: context.view.clone(), ignore: context.ignore.clone(), owners: Owners::Root });
        };
        Ok(Origin { view: self.view(&layers).await?, ignore: Default::default(), owners: Owners::Kept })
    }

    async fn view(&self, layers: &[Layer]) -> Result<View, Failure> {
        let mut folders = self.session.images.unpack(layers).await.map_err(|it| Failure::new(it.to_string()))?;
        if folders.is_empty() {
            folders.push(self.session.nothing.clone());
        }
        Ok(View::new(folders))
    }

    async fn step(&self, op: &Op, built: &Built, number: usize) -> Result<(Remembered, bool), Failure> {
        let below: Vec<Digest> = built.layers.iter().map(|it| it.diff_id).collect();
        let mut inputs = Vec::new();
        let mut foreign = false;
        for from in op.froms() {
            match self.layers_of(from).await {
                Some(layers) => {
                    foreign = true;
                    inputs.push(chain(&layers));
                }
                None => inputs.push(self.content(op, from).await?),
            }
        }
        let key = step_key(op, &self.session.platform, &below, &inputs);
        let _alone = self.session.cache.alone(key).await;
        let store_failed = |it: store::TypedError| Failure::new(it.to_string());
        if let Some(made) = self.remembered(key).await.map_err(store_failed)? {
            return Ok((made, true));
        }
        // Other layers may hold the same files: look at what would be copied.
        let mut content_key = None;
        if foreign && matches!(op, Op::Copy(_)) {
            let mut inputs = vec![Digest::of(b"content")];
            for from in op.froms() {
                inputs.push(self.content(op, from).await?);
            }
            let by_content = step_key(op, &self.session.platform, &below, &inputs);
            if let Some(made) = self.remembered(by_content).await.map_err(store_failed)? {
                self.remember(key, &made).await.map_err(store_failed)?;
                return Ok((made, true));
            }
            content_key = Some(by_content);
        }
        let _permit = self.session.permits.acquire().await.map_err(|it| Failure::new(it.to_string()))?;
        let layer = self.carry_out(op, &built.layers, number).await?;
        let made = Remembered { layer: layer.map(|it| (it.digest, it.diff_id, it.size)), built: store::now() };
        for key in std::iter::once(key).chain(content_key) {
            self.remember(key, &made).await.map_err(store_failed)?;
        }
        Ok((made, false))
    }

    /// What a step made before: for all, or in this build's own view.
    async fn remembered(&self, key: Digest) -> Result<Option<Remembered>, store::TypedError> {
        if self.session.use_cache != Cache::Used {
            return Ok(None);
        }
        match self.session.cache.find(key).await? {
            None if self.own(key) != key => self.session.cache.find(self.own(key)).await,
            found => Ok(found),
        }
    }

    async fn remember(&self, key: Digest, made: &Remembered) -> Result<(), store::TypedError> {
        self.session.cache.put(self.own(key), made).await
    }

    /// What a build apart makes is no truth for others: a secret or a cache may have led its command astray.
    fn own(&self, key: Digest) -> Digest {
        match &self.session.view {
            oci::View::Shared => key,
            apart @ oci::View::Apart(_) => Digest::of(apart.repository(&key.to_string()).as_bytes()),
        }
    }

    /// The digest of what `op` reads from `from`.
    async fn content(&self, op: &Op, from: &From) -> Result<Digest, Failure> {
        let copies: Vec<buildgraph::op::Copy> = match op {
            Op::Copy(copy) => vec![copy.clone()],
            Op::Run(run) => {
                let sources = run.mounts.iter().filter_map(|mount| match mount {
                    Mount::Bind { from: own, source, .. } if own == from => Some(source),
                    _ => None,
                });
                sources.map(|source| run_mounts::bind_copy(source)).collect()
            }
            Op::Workdir(_) => Vec::new(),
        };
        let origin = self.origin(from).await?;
        blocking(move || {
            let mut all = buildgraph::content::Framed::default();
            for copy in copies {
                let selected = copy::select(&copy, &origin)?;
                all.field(copy::digest(&origin, &selected)?.hex());
            }
            Ok(all.finish())
        })
        .await
    }

    async fn carry_out(&self, op: &Op, layers: &[Layer], number: usize) -> Result<Option<Layer>, Failure> {
        let scratch = Scratch::new(&self.session.work, "step-").map_err(Failure::io("making a work folder"))?;
        let scratch = Arc::new(scratch);
        let upper = match op {
            Op::Copy(op) => {
                let origin = self.origin(&op.from).await?;
                let below = if op.link && op.owner.as_ref().is_none_or(|it| !it.has_names()) {
                    View::new(vec![self.session.nothing.clone()])
                } else {
                    self.view(layers).await?
                };
                let (op, scratch) = (op.clone(), scratch.clone());
                blocking(move || {
                    let upper = new_upper(&scratch)?;
                    let selected: Selected = copy::select(&op, &origin)?;
                    copy::copy(&op, &origin, &selected, &below, &upper, scratch.path())?;
                    Ok(upper)
                })
                .await?
            }
            Op::Workdir(op) => {
                let below = self.view(layers).await?;
                let (op, scratch) = (op.clone(), scratch.clone());
                blocking(move || {
                    let upper = new_upper(&scratch)?;
                    copy::workdir(&op, &below, &upper)?;
                    Ok(upper)
                })
                .await?
            }
            Op::Run(op) => {
                let lower = self.session.images.unpack(layers).await.map_err(|it| Failure::new(it.to_string()))?;
                let mut origins = Vec::new();
                for mount in &op.mounts {
                    if let Mount::Bind { from, .. } = mount {
                        origins.push(self.origin(from).await?);
                    }
                }
                let caches = match &self.session.view {
                    oci::View::Shared => Caches::Kept(&self.session.cache_mounts),
                    oci::View::Apart(_) => Caches::Fresh,
                };
                let prepared = run_mounts::prepare(&op.mounts, origins, &caches, &self.session.secrets, scratch.path()).await?;
                let room = Room {
                    sandbox: self.session.sandbox.clone(),
                    surroundings: self.session.surroundings.clone(),
                    lower,
                    scratch: scratch.clone(),
                    prepared,
                };
                run::run(op, room, number, &self.session.report).await?
            }
        };
        let is_empty = std::fs::read_dir(&upper).map_err(Failure::io("reading the new layer"))?.next().is_none();
        if is_empty {
            return Ok(None);
        }
        let layer = self.session.images.commit_layer(&upper).await.map_err(|it| Failure::new(it.to_string()))?;
        Ok(Some(layer))
    }
}

/// What a stage or image is to those who copy from it.
fn chain(layers: &[Layer]) -> Digest {
    let mut hash = buildgraph::content::Framed::default();
    for layer in layers {
        hash.field(layer.diff_id.hex());
    }
    hash.finish()
}

fn new_upper(scratch: &Scratch) -> Result<std::path::PathBuf, Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    let upper = scratch.path().join("upper");
    std::fs::create_dir(&upper).map_err(Failure::io("making a work folder"))?;
    std::fs::set_permissions(&upper, std::fs::Permissions::from_mode(0o755)).map_err(Failure::io("making a work folder"))?;
    Ok(upper)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|it| Failure::new(it.to_string()))?
}

/// `SOURCE_DATE_EPOCH`, if the build arguments have it.
pub(crate) fn epoch(build_args: &BTreeMap<String, String>) -> Option<Timestamp> {
    let seconds: i64 = build_args.get("SOURCE_DATE_EPOCH")?.parse().ok()?;
    Some(Timestamp::from_micros(seconds.checked_mul(1_000_000)?))
}
