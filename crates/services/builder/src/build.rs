//! Builds an image: reads, plans, carries out all stages, stores and tags.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
};

use buildgraph::{Options, Plan, Problem, plan::Stage};
use bytes::Bytes;
use futures_util::future::{BoxFuture, try_join_all};
use image::Platform;
use names::{Digest, ImageRef, Timestamp};
use oci::{Images, Keychain, StoredImage, View};
use sandbox::Sandbox;
use store::{Blobs, Records};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::{
    BuildError, Progress, Surroundings,
    base::Finder,
    cache::StepCache,
    context::{self, Context},
    progress::Reporter,
    run,
    run_mounts::CacheMounts,
    stage::{self, Built, StageRun},
};

/// What a builder works with.
pub struct Config {
    pub records: Arc<dyn Records>,
    pub blobs: Arc<dyn Blobs>,
    pub images: Arc<Images>,
    pub sandbox: Arc<dyn Sandbox>,
    /// For work folders and cache mounts; in the file system of the images' folder.
    pub dir: PathBuf,
    pub surroundings: Surroundings,
    /// Steps that run at the same time, over all builds.
    pub parallel_steps: usize,
}

/// Builds images; one for the whole server, so that equal steps of several builds run once.
pub struct Builder {
    images: Arc<Images>,
    sandbox: Arc<dyn Sandbox>,
    cache: Arc<StepCache>,
    cache_mounts: Arc<CacheMounts>,
    surroundings: Arc<Surroundings>,
    permits: Arc<Semaphore>,
    pub(crate) work: PathBuf,
    nothing: PathBuf,
}

/// Where the Dockerfile is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerfileSource {
    /// A path in the context.
    InContext(String),
    /// The text itself, and what messages call it.
    Text { name: String, text: String },
}

/// Whether steps are looked up; results are remembered in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    #[default]
    Used,
    Ignored,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pull {
    #[default]
    IfMissing,
    /// Asks the registry even for images that are here.
    Always,
}

/// What to build.
pub struct BuildRequest {
    /// The context: a folder.
    pub context: PathBuf,
    pub dockerfile: DockerfileSource,
    pub target: Option<String>,
    pub build_args: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub tags: Vec<ImageRef>,
    /// By id; never logged, never part of a key.
    pub secrets: BTreeMap<String, Bytes>,
    pub cache: Cache,
    pub pull: Pull,
    pub keychain: Keychain,
    /// Who is told to have built the image.
    pub origin: oci::Origin,
    /// Whose names of images count. What is built apart leaves no steps and no cache mounts to others.
    pub view: View,
}

impl BuildRequest {
    /// A build of `Dockerfile` in `context`, with nothing else said.
    pub fn new(context: PathBuf) -> Self {
        Self {
            context,
            dockerfile: DockerfileSource::InContext("Dockerfile".to_owned()),
            target: None,
            build_args: BTreeMap::new(),
            labels: BTreeMap::new(),
            tags: Vec::new(),
            secrets: BTreeMap::new(),
            cache: Cache::default(),
            pull: Pull::default(),
            keychain: Keychain::anonymous(),
            origin: oci::Origin::default(),
            view: View::default(),
        }
    }
}

/// A built image.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BuildResult {
    /// The digest of its manifest.
    pub image: Digest,
    pub steps: usize,
    /// How many of the steps came from the cache.
    pub cached: usize,
}

/// What all stages of a build share.
pub(crate) struct Session {
    pub images: Arc<Images>,
    pub sandbox: Arc<dyn Sandbox>,
    pub cache: Arc<StepCache>,
    pub cache_mounts: Arc<CacheMounts>,
    pub surroundings: Arc<Surroundings>,
    pub permits: Arc<Semaphore>,
    pub work: PathBuf,
    /// An empty folder.
    pub nothing: PathBuf,
    pub context: Context,
    pub bases: BTreeMap<String, StoredImage>,
    pub secrets: BTreeMap<String, Bytes>,
    pub use_cache: Cache,
    pub view: View,
    pub platform: Platform,
    pub epoch: Option<Timestamp>,
    pub report: Reporter,
}

impl Builder {
    /// Opens the builder's folder, removing what builds of an earlier server left there.
    ///
    /// # Errors
    ///
    /// [`BuildError::Machine`] if the folder cannot be made.
    pub fn new(config: Config) -> Result<Self, BuildError> {
        let work = config.dir.join("work");
        let nothing = config.dir.join("nothing");
        // Best effort: a folder that is still mounted goes with `sweep`.
        let _ = std::fs::remove_dir_all(&work);
        for folder in [&work, &nothing] {
            std::fs::create_dir_all(folder).map_err(BuildError::machine(format!("making `{}`", folder.display())))?;
        }
        Ok(Self {
            images: config.images,
            sandbox: config.sandbox,
            cache: Arc::new(StepCache::new(config.records, config.blobs)),
            cache_mounts: Arc::new(CacheMounts::new(config.dir.join("cache-mounts"))),
            surroundings: Arc::new(config.surroundings),
            permits: Arc::new(Semaphore::new(config.parallel_steps.max(1))),
            work,
            nothing,
        })
    }

    /// Removes sandboxes that builds of an earlier server left running.
    pub async fn sweep(&self) -> Result<(), sandbox::Error> {
        for status in self.sandbox.list().await? {
            if status.labels.get(run::LABEL.0).is_some_and(|it| it == run::LABEL.1) {
                self.sandbox.stop(&status.id, sandbox::Target::Remove).await?;
            }
        }
        Ok(())
    }

    /// Builds an image and gives it its tags.
    ///
    /// Dropping the future stops the build; nothing half-done stays.
    ///
    /// # Errors
    ///
    /// [`BuildError`], with file, line and column where there is one.
    pub async fn build(&self, request: BuildRequest, progress: mpsc::Sender<Progress>) -> Result<BuildResult, BuildError> {
        let report = Reporter(progress);
        let (folder, source) = (request.context.clone(), request.dockerfile.clone());
        let context = tokio::task::spawn_blocking(move || context::open(&folder, &source))
            .await
            .map_err(|it| BuildError::Image(it.to_string()))??;
        let parsed = buildgraph::parse(&context.text);
        warn(&report, &context.dockerfile, &parsed.problems).await;
        let Some(file) = parsed.dockerfile else {
            return Err(BuildError::Dockerfile { file: context.dockerfile, problems: parsed.problems });
        };
        let platform = Platform::of_machine(std::env::consts::ARCH);
        let options = Options {
            target: request.target.clone(),
            build_args: request.build_args.clone(),
            labels: request.labels.clone(),
            platform: platform.clone(),
        };
        let finder = Finder {
            images: &self.images,
            keychain: &request.keychain,
            pull: request.pull,
            view: &request.view,
            file_name: &context.dockerfile,
            file: &file,
            report: &report,
        };
        let (plan, bases) = finder.plan(&options).await?;
        warn(&report, &context.dockerfile, &plan.warnings).await;
        report.tell(Progress::Planned { steps: plan.step_count() }).await;
        let session = Session {
            images: self.images.clone(),
            sandbox: self.sandbox.clone(),
            cache: self.cache.clone(),
            cache_mounts: self.cache_mounts.clone(),
            surroundings: self.surroundings.clone(),
            permits: self.permits.clone(),
            work: self.work.clone(),
            nothing: self.nothing.clone(),
            context,
            bases,
            secrets: request.secrets,
            use_cache: request.cache,
            view: request.view.clone(),
            platform,
            epoch: stage::epoch(&request.build_args),
            report: report.clone(),
        };
        let (target, cached) = carry_out(&plan, &session).await?;
        let image = self.store(&plan.stages[&plan.target], &target).await?;
        for tag in &request.tags {
            self.images.tag_in(&request.view, tag, image, &request.origin).await.map_err(|it| BuildError::Image(it.to_string()))?;
            report.tell(Progress::Tagged { name: tag.to_string(), digest: image }).await;
        }
        Ok(BuildResult { image, steps: plan.step_count(), cached })
    }

    async fn store(&self, stage: &Stage, built: &Built) -> Result<Digest, BuildError> {
        let mut config = stage.config.clone();
        config.created = built.history.iter().rev().find_map(|it| it.created.clone());
        config.history = built.history.clone();
        self.images.put_image(&config, &built.layers).await.map_err(|it| BuildError::Image(it.to_string()))
    }
}

/// Carries out all stages side by side; the first that fails ends the others.
async fn carry_out(plan: &Plan, session: &Session) -> Result<(Arc<Built>, usize), BuildError> {
    let steps = plan.step_count();
    let mut results = BTreeMap::new();
    let mut senders = BTreeMap::new();
    for index in plan.stages.keys() {
        let (sender, receiver) = watch::channel(None);
        results.insert(*index, receiver);
        senders.insert(*index, sender);
    }
    let mut first_step = 1;
    let mut runs: Vec<BoxFuture<'_, Result<(usize, Arc<Built>), BuildError>>> = Vec::new();
    for (index, stage) in &plan.stages {
        let run = StageRun { session, stage, results: &results, first_step, steps };
        let sender = senders.remove(index);
        first_step += stage.steps.len();
        runs.push(Box::pin(async move {
            let built = Arc::new(run.run().await?);
            if let Some(sender) = sender {
                sender.send_replace(Some(built.clone()));
            }
            Ok((run.stage.index, built))
        }));
    }
    let built: BTreeMap<usize, Arc<Built>> = try_join_all(runs).await?.into_iter().collect();
    let cached = built.values().map(|it| it.cached).sum();
    Ok((built[&plan.target].clone(), cached))
}

async fn warn(report: &Reporter, file: &str, problems: &[Problem]) {
    for problem in problems {
        if problem.is_error() {
            continue;
        }
        report.tell(Progress::Warning {
            file: file.to_owned(),
            line: problem.line,
            column: problem.column,
            code: problem.code.to_owned(),
            message: problem.message.clone(),
            help: problem.help.clone(),
        }).await;
    }
}
