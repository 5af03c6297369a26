//! The server's pipeline service for one local run: records in memory, files in a folder that goes.

use std::{net::Ipv4Addr, path::Path, sync::Arc};

use anyhow::{Context as _, bail};
use api::{ProjectSecret, ProjectVariable, Run};
use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware,
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ci::Ci;
use identity::{Seal, Tokens};
use names::{ImageRef, ProjectName};
use repo::{Repositories, Repository};
use sandbox::Local;
use serde_json::json;
use store::{Blobs, DiskBlobs, Logs, MemoryRecords, Records};
use tokio::{net::TcpListener, task::JoinSet};

use super::{addresses::Addresses, place::Place};
use crate::{
    data::DataFolder,
    server::{end_sandboxes, job_services, jobs},
};

/// Steps of image builds that run at the same time.
const PARALLEL_STEPS: usize = 4;

/// Why runs end that somebody at the keyboard ends.
pub const BY_HAND: &str = "cancelled by Ctrl-C";

/// Everything that a run needs, in this process.
pub struct Engine {
    pub ci: Ci,
    pub records: Arc<dyn Records>,
    pub logs: Logs,
    pub repository: Repository,
    pub project: ProjectName,
    seal: Seal,
    images: Arc<oci::Images>,
    sandbox: Local,
    tasks: JoinSet<anyhow::Result<()>>,
    addresses: Option<Addresses>,
}

/// Says what this machine lacks, if it cannot run jobs.
pub fn check_machine() -> anyhow::Result<()> {
    let missing = Local::capabilities().missing();
    if !rustix::process::geteuid().is_root() {
        bail!(
            "each job runs in a sandbox of its own, and making one needs root (mounts, namespaces, control groups); \
             run it as `sudo landfall run`, or look at the plan with `landfall run --dry-run`"
        );
    }
    match missing.iter().find(|it| it.contains("need")) {
        Some(lack) => bail!("{lack}; `landfall doctor` says more"),
        None => Ok(()),
    }
}

impl Engine {
    /// Starts all parts; `own` is the user's data folder, whose map of actions counts here, too.
    pub async fn start(place: &Place, own: &DataFolder, project: ProjectName) -> anyhow::Result<Self> {
        let data = place.data();
        let records: Arc<dyn Records> = Arc::new(MemoryRecords::default());
        let blobs: Arc<dyn Blobs> =
            Arc::new(DiskBlobs::open(data.join("blobs")).context("the blob store cannot be opened")?);
        let logs = Logs::open(data.join("logs"), blobs.clone());
        let seal = Seal::open(&data.join("seal.key"))?;
        let tokens = Tokens::open(records.clone(), &data.join("token"), seal.clone())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port is free")?;
        let port = listener.local_addr()?.port();
        let repositories = Repositories::open(data.join("git"))?;
        let repository = repositories.create(&project).await?;
        let own_hosts = vec![format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        let images = oci::Images::open(records.clone(), blobs.clone(), data.join("images"), own_hosts)
            .context("the image store cannot be opened")?;
        let images = Arc::new(images);
        let sandbox = Local::start(&data.join("sandboxes"))
            .await
            .context("no sandbox can be made on this machine; `landfall doctor` says what it lacks")?;
        let builder = Arc::new(
            builder::Builder::new(builder::Config {
                records: records.clone(),
                blobs: blobs.clone(),
                images: images.clone(),
                sandbox: Arc::new(sandbox.clone()),
                dir: data.join("builds"),
                surroundings: builder::Surroundings::of_machine(&data.join("builds")),
                parallel_steps: PARALLEL_STEPS,
            })
            .context("the builder cannot be started")?,
        );
        let toolkit = job_services::open(data, port, records.clone(), repositories.clone())?;
        let addresses = Addresses::hold()?;
        let config = ci::Config {
            folder: data.join("jobs"),
            url: format!("http://127.0.0.1:{port}"),
            server_url: job_services::server_url(port),
            program: std::env::current_exe().context("this program's own file cannot be found")?,
            tools: jobs::tools(),
            hidden: jobs::hidden(data),
            home: jobs::home(),
            shown_home: jobs::shown_home(),
            env: jobs::environment(),
            kubeconfig: Box::new(move |token, project| kubeconfig(port, token, project)),
            actions: jobs::actions(own)?,
            job_services: job_services::for_jobs(toolkit.clone()),
            images: Some(images.clone()),
            networks: addresses.as_ref().map(|it| it.networks(&sandbox)),
            build_image: Some(jobs::build_image(builder.clone())),
        };
        let stores = ci::Stores {
            records: records.clone(),
            blobs: blobs.clone(),
            logs: logs.clone(),
            repositories: repositories.clone(),
        };
        let ci = Ci::new(config, stores, Arc::new(sandbox.clone()), tokens.clone(), seal.clone())
            .with_mounted_caches(job_services::mounted_caches(&toolkit, &sandbox));
        let registry = registry::Registry::open(records.clone(), blobs, data.join("uploads"))?;
        let images_state = builder::ImagesState { images: images.clone(), records: records.clone() };
        let router = git::Git::new(repositories, records.clone())
            .router()
            .merge(ci.router())
            .merge(toolkit.router())
            .merge(registry::router(Arc::new(registry)))
            .merge(builder::images_router(images_state))
            .merge(builder::router(builder::State { builder }))
            .layer(middleware::from_fn(no_cluster))
            .layer(middleware::from_fn_with_state(tokens, identity::authenticate));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, router));
        let carried = ci.clone();
        tasks.spawn(async move { carried.carry_out().await.map_err(anyhow::Error::from) });
        Ok(Self { ci, records, logs, repository, project, seal, images, sandbox, tasks, addresses })
    }

    pub async fn put_secret(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let sealed = STANDARD.encode(self.seal.seal(value.as_bytes())?);
        let (project, name) = (self.project.clone(), name.to_owned());
        let secret = ProjectSecret { project, environment: None, name, sealed, updated: store::now() };
        store::put(&*self.records, &secret).await?;
        Ok(())
    }

    pub async fn put_variable(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let (project, name, value) = (self.project.clone(), name.to_owned(), value.to_owned());
        let variable = ProjectVariable { project, environment: None, name, value, updated: store::now() };
        store::put(&*self.records, &variable).await?;
        Ok(())
    }

    /// Lets `name` mean the image that lies at `source`.
    pub async fn put_image(&self, name: &ImageRef, source: &Path) -> anyhow::Result<()> {
        let imported = self.images.import(source, name, &oci::Origin::default(), Arc::new(|_| {})).await;
        imported.with_context(|| format!("the image `{name}` cannot be taken from `{}`", source.display()))?;
        Ok(())
    }

    /// Asks every run to end.
    pub async fn cancel(&self, reason: &str) -> anyhow::Result<()> {
        for run in store::list::<Run>(&*self.records, "").await? {
            store::modify::<Run>(&*self.records, &Run::key_of(&run.id), |run| {
                if run.status != api::Status::Completed {
                    run.cancel = true;
                    run.reason = Some(reason.to_owned());
                }
            })
            .await?;
        }
        Ok(())
    }

    /// Waits for the end of a part, which only a fault brings.
    pub async fn fault(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(Err(error))) => error.context("a part of the engine failed"),
            Some(Err(error)) => anyhow::Error::from(error).context("a part of the engine failed"),
            Some(Ok(Ok(()))) | None => anyhow::anyhow!("a part of the engine ended"),
        }
    }

    /// Ends whatever still runs and all that it ran in.
    pub async fn end(mut self) -> anyhow::Result<()> {
        self.tasks.shutdown().await;
        end_sandboxes(&self.sandbox).await?;
        match self.addresses.take() {
            Some(addresses) => addresses.give_back(),
            None => Ok(()),
        }
    }
}

async fn serve(listener: TcpListener, router: Router) -> anyhow::Result<()> {
    Ok(axum::serve(listener, router).await?)
}

/// The kubeconfig that jobs find; nothing but a refusal in words stands behind it.
fn kubeconfig(port: u16, token: &str, project: &ProjectName) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "none", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
        "users": [{"name": "job", "user": {"token": token}}],
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "job", "namespace": project.as_str()}}],
        "current-context": "none",
    })
    .to_string()
}

/// Middleware: refuses what asks for a cluster.
async fn no_cluster(request: Request, next: middleware::Next) -> Response {
    let path = request.uri().path();
    let is_cluster = ["/api", "/apis", "/openapi", "/version"].iter().any(|root| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if !is_cluster || path.starts_with("/api/v3") || path.starts_with("/api/graphql") {
        return next.run(request).await;
    }
    // Of an answer that is no object kubectl shows the text, of a `Status` here it does not.
    (StatusCode::FORBIDDEN, "a local run has no cluster; push to a server (`landfall up`) to deploy").into_response()
}
