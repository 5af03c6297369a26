//! Chooses the home of every port and puts the services together.

use std::{path::PathBuf, sync::Arc, time::Duration};

use access::{Action, Principal};
use anyhow::Context as _;
use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware,
    response::{IntoResponse as _, Response},
};
use deliver::Deliver;
use identity::{Seal, Tokens};
use repo::Repositories;
use sandbox::{Local, Sandbox as _, Signal, Target};
use store::{Blobs, DiskBlobs, Logs, Records, SqliteRecords};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{
    Choice,
    authority::Authority,
    embedded::{Embedded, Foundation},
    job_services, jobs,
    join::{Existing, Joined, Joining},
    kubeconfig::kubeconfig,
};
use crate::data::{DataFolder, Settings};

/// Steps of builds that run at the same time: more than the cores of a small machine wait for disks anyway.
const PARALLEL_STEPS: usize = 4;

/// Jobs and pods get this long to end when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// A server's parts.
pub struct Parts {
    pub router: Router,
    pub authority: Authority,
    pub kubeconfig: Option<PathBuf>,
    pub cluster_name: String,
    sandbox: Local,
    embedded: Option<Embedded>,
    joined: Option<Joined>,
    network: Option<crate::data::NetworkSettings>,
}

/// Where the spawner keeps its state.
pub fn sandbox_folder(data: &DataFolder) -> PathBuf {
    data.join("sandboxes")
}

/// Makes all parts and starts their work in `tasks`.
pub async fn wire(
    data: &DataFolder,
    settings: &Settings,
    choice: &Choice,
    existing: Option<Existing>,
    tasks: &mut JoinSet<anyhow::Result<()>>,
    stop: &CancellationToken,
) -> anyhow::Result<Parts> {
    let records: Arc<dyn Records> =
        Arc::new(SqliteRecords::open(&data.join("records.db")).context("the record store cannot be opened")?);
    let blobs: Arc<dyn Blobs> =
        Arc::new(DiskBlobs::open(data.join("blobs")).context("the blob store cannot be opened")?);
    let logs = Logs::open(data.join("logs"), blobs.clone());
    let seal = Seal::open(&data.join("seal.key"))?;
    let tokens = Tokens::open(records.clone(), &data.join("token"), seal.clone())?;
    let authority = Authority::open(data.path(), settings.network.as_ref().map(|network| network.api))?;
    let sandbox = Local::start(&sandbox_folder(data))
        .await
        .context("no sandbox can be made on this machine; `landfall doctor` says what it lacks")?;
    let port = settings.port;
    let own_hosts = vec![format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let images = oci::Images::open(records.clone(), blobs.clone(), data.join("images"), own_hosts)
        .context("the image store cannot be opened")?;
    let images = Arc::new(images);
    let repositories = Repositories::open(data.join("git"))?;

    let token = tokens.admin().reveal().to_owned();
    let server = format!("https://127.0.0.1:{port}");
    let mut joined = None;
    let (client, embedded, kubeconfig_path, cluster_name) = match existing {
        Some(existing) => {
            if let Some(name) = &choice.node {
                let network = settings.network.as_ref().context("the installation has no addresses for pods")?;
                let joining = Joining { name, data, network, sandbox: &sandbox, images: &images };
                joined = Some(Joined::start(&existing, joining, tasks, stop).await?);
            }
            (existing.client, None, None, existing.name)
        }
        None => {
            let network = settings.network.as_ref().context("the installation has no addresses for a cluster")?;
            let foundation =
                Foundation { data, network, port, authority: &authority, tokens: &tokens, sandbox: &sandbox, images: &images };
            let embedded = Embedded::start(foundation, tasks, stop).await?;
            let path = data.join("kubeconfig");
            write_private(&path, &kubeconfig(&server, &authority.ca_pem, &token, "default").to_string())?;
            (embedded.client("deliver"), Some(embedded), Some(path), "embedded".to_owned())
        }
    };

    let git = git::Git::new(repositories.clone(), records.clone());
    git.recover().await.context("pushes that were cut off cannot be taken up")?;
    let toolkit = job_services::open(data, port, records.clone(), repositories.clone())?;
    let builder = builder::Builder::new(builder::Config {
        records: records.clone(),
        blobs: blobs.clone(),
        images: images.clone(),
        sandbox: Arc::new(sandbox.clone()),
        dir: data.join("builds"),
        surroundings: builder::Surroundings::of_machine(&data.join("builds")),
        parallel_steps: PARALLEL_STEPS,
    })
    .context("the builder cannot be started")?;
    builder.sweep().await.context("what a killed build left cannot be removed")?;
    let builder = Arc::new(builder);
    let (ca_pem, job_server) = (authority.ca_pem.clone(), server.clone());
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
        kubeconfig: Box::new(move |token, project| {
            kubeconfig(&job_server, &ca_pem, token, project.as_str()).to_string()
        }),
        actions: jobs::actions(data)?,
        job_services: job_services::for_jobs(toolkit.clone()),
        images: Some(images.clone()),
        networks: jobs::networks(settings, &sandbox),
        build_image: Some(jobs::build_image(builder.clone())),
    };
    let stores = ci::Stores {
        records: records.clone(),
        blobs: blobs.clone(),
        logs: logs.clone(),
        repositories: repositories.clone(),
    };
    let ci = ci::Ci::new(config, stores, Arc::new(sandbox.clone()), tokens.clone(), seal.clone())
        .with_mounted_caches(job_services::mounted_caches(&toolkit, &sandbox));
    let push_token = token.clone();
    let nodes = if embedded.is_some() || joined.is_some() { gitops::Nodes::ShareImages } else { gitops::Nodes::PullThemselves };
    let gitops = gitops::GitOps::new(
        gitops::Config {
            mirrors: data.join("mirrors"),
            render_key: render_key(&data.join("render.key"))?,
            push_url: Box::new(move |project| format!("http://landfall:{push_token}@127.0.0.1:{port}/git/{project}.git")),
            node_registry: choice.registry.clone(),
            nodes,
            breadth: gitops::Breadth::Cluster,
            pace: gitops::Pace::default(),
        },
        records.clone(),
        blobs.clone(),
        repositories.clone(),
        images.clone(),
        embedded.as_ref().map_or_else(|| client.clone(), |embedded| embedded.client("gitops")),
        seal.clone(),
    )?;
    // Where this process runs the cluster's proxy, requests can be divided and counted.
    let counters = embedded.as_ref().and_then(Embedded::counters).or_else(|| joined.as_ref().and_then(Joined::counters));
    let gitops = counters.into_iter().fold(gitops.following_files(), gitops::GitOps::with_counters);
    let mut deliver = Deliver::new(records.clone(), blobs.clone(), client, images.clone(), seal, nodes);
    if let Some(prefix) = &choice.registry {
        deliver = deliver.with_registry(prefix.clone());
    }
    let registry = registry::Registry::open(records.clone(), blobs.clone(), data.join("uploads"))?;
    let images_state = builder::ImagesState { images: images.clone(), records: records.clone() };
    let web = web::Web::new(records, logs, tokens.clone()).with_blobs(blobs.clone());

    let clusters = Clusters {
        own: embedded.as_ref().map(Embedded::router),
        captured: deliver.cluster_router(),
    };
    let router = web
        .router()
        .merge(git.router())
        .merge(ci.router())
        .merge(toolkit.router())
        .merge(deliver.router())
        .merge(gitops.router())
        .merge(gitops.agents_router(tokens.clone()))
        .merge(registry::router(Arc::new(registry)))
        .merge(builder::images_router(images_state))
        .merge(builder::router(builder::State { builder }))
        .layer(middleware::from_fn_with_state(clusters, kubernetes))
        .layer(middleware::from_fn_with_state(ci.clone(), ci::refuse_untrusted))
        .layer(middleware::from_fn_with_state(tokens, identity::authenticate));
    tasks.spawn(async move {
        toolkit.run().await;
        Ok(())
    });
    tasks.spawn(async move { ci.run().await.map_err(anyhow::Error::from) });
    tasks.spawn(async move { deliver.run().await.map_err(anyhow::Error::from) });
    tasks.spawn(async move { gitops.run().await.map_err(anyhow::Error::from) });
    Ok(Parts {
        router,
        authority,
        kubeconfig: kubeconfig_path,
        cluster_name,
        sandbox,
        embedded,
        joined,
        network: settings.network.clone(),
    })
}

/// Random bytes that stay with the installation; made at its first start.
pub fn render_key(file: &std::path::Path) -> anyhow::Result<[u8; 32]> {
    if let Ok(known) = std::fs::read_to_string(file)
        && let Ok(digest) = known.trim().parse::<names::Digest>()
    {
        return Ok(*digest.as_bytes());
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    write_private(file, &names::Digest::from_bytes(key).to_string())?;
    Ok(key)
}

fn write_private(path: &std::path::Path, text: &str) -> anyhow::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes()).with_context(|| format!("`{}` cannot be written", path.display()))
}

/// Who answers the paths of the Kubernetes API.
#[derive(Clone)]
struct Clusters {
    /// The embedded cluster itself; none where an existing one is used.
    own: Option<Router>,
    /// The way by which what jobs do is captured.
    captured: Router,
}

/// The first parts of the paths that Kubernetes' clients ask for.
const KUBERNETES_ROOTS: [&str; 7] = ["api", "apis", "openapi", "version", "healthz", "livez", "readyz"];

/// Middleware: takes the paths of the Kubernetes API before they are routed.
///
/// What jobs do is captured; others reach the cluster itself.
async fn kubernetes(State(clusters): State<Clusters>, request: Request, next: middleware::Next) -> Response {
    let root = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
    if !KUBERNETES_ROOTS.contains(&root) || is_for_github(request.uri().path()) {
        return next.run(request).await;
    }
    if let Some(refusal) = refuse_foreign(&request, clusters.own.is_some()) {
        return refusal;
    }
    let is_job = matches!(request.extensions().get::<Principal>(), Some(Principal::Job { .. }));
    let target = clusters.own.filter(|_| !is_job).unwrap_or(clusters.captured);
    // The router answers every request.
    target.oneshot(request).await.unwrap_or_else(|never| match never {})
}

/// GitHub's interface begins with `api`, too; Kubernetes has no version of these names.
fn is_for_github(path: &str) -> bool {
    ["/api/v3", "/api/graphql"].iter().any(|own| {
        path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Through an existing cluster's credentials only its owner and jobs may pass.
fn refuse_foreign(request: &Request, is_embedded: bool) -> Option<Response> {
    if is_embedded {
        return None;
    }
    match request.extensions().get::<Principal>() {
        Some(Principal::Job { .. }) | None => None,
        Some(principal) => match access::check(principal, &Action::AdministerCluster) {
            Ok(()) => None,
            Err(denied) => Some((StatusCode::FORBIDDEN, denied.to_string()).into_response()),
        },
    }
}

/// Ends everything that runs in sandboxes, and the spawner with it.
pub async fn end_sandboxes(sandbox: &Local) -> anyhow::Result<()> {
    for status in sandbox.list().await? {
        let all = Target::All { signal: Signal::TERM, grace: GRACE };
        for target in [all, Target::Remove] {
            match sandbox.stop(&status.id, target).await {
                Ok(()) | Err(sandbox::Error::NoSandbox(_) | sandbox::Error::NotRunning(_)) => {}
                Err(error) => return Err(error).context("a sandbox could not be ended"),
            }
        }
    }
    sandbox.shutdown_spawner(sandbox::Running::Kill).await.context("the spawner could not be ended")
}

impl Parts {
    /// Ends pods and jobs, then what they ran in.
    pub async fn shut_down(&mut self) {
        if let Some(embedded) = &mut self.embedded {
            embedded.shut_down().await;
        }
        if let Some(joined) = &mut self.joined {
            joined.shut_down().await;
        }
        if let Err(error) = end_sandboxes(&self.sandbox).await {
            tracing::error!(%error, "sandboxes could not be ended");
        }
        if let Some(network) = &self.network
            && let Err(error) = super::addresses::give_back(network)
        {
            tracing::error!(%error, "the cluster's addresses could not be given back");
        }
    }
}
