//! `container:` and `services:` of a job: images run beside each other, found again after a restart.

mod health;
pub mod images;
mod network;
mod node_home;
mod options;
mod ports;
mod service;
pub mod words;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use sandbox::{Access, Mount, NetworkName, SandboxId};
use serde::{Deserialize, Serialize};
use workflow::{ContainerPlace, ContainerSpec, JobStart, ServicePlace};

use crate::{
    Ci, ending,
    jobs::{OpenError, write_private},
    output,
    place::{JobPlace, TOOLS},
};
pub use network::JobNetworks;
pub use node_home::NODE;
use options::Options;
pub use ports::Forwarders;
use service::Service;

/// The forwarders of all jobs, by their sandbox.
pub type AllForwarders = tokio::sync::Mutex<HashMap<SandboxId, Forwarders>>;

/// More services than this are a mistake.
const SERVICES_MAX: usize = 50;

/// What must be known of a job's containers after a restart; lies beside the job, for its owner alone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Kept {
    /// Whether steps run in an image.
    pub in_image: bool,
    /// What the image sets, without what `container.env` sets.
    pub image_env: Vec<(String, String)>,
    /// `container.env`; may hold secrets.
    pub container_env: Vec<(String, String)>,
    pub user: String,
    pub container: Option<ContainerPlace>,
    pub services: Vec<ServicePlace>,
    runs: Vec<KeptService>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptService {
    name: String,
    sandbox: SandboxId,
    network: NetworkName,
    /// Ports of this machine, and where they lead.
    ports: Vec<(u16, SocketAddr)>,
}

impl Kept {
    fn path(folder: &Path) -> PathBuf {
        folder.join("containers.json")
    }

    /// What an earlier server wrote; a job without containers has nothing.
    pub fn read(folder: &Path) -> io::Result<Self> {
        match std::fs::read(Self::path(folder)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }
}

/// The image of `container:`, ready to be mounted.
pub struct JobImage {
    pub lower: Vec<PathBuf>,
    pub options: Options,
    pub network: Option<NetworkName>,
    pub mounts: Vec<Mount>,
    node: Option<PathBuf>,
}

impl JobImage {
    /// Where JavaScript actions find their Node.
    pub fn node_mounts(&self) -> Vec<Mount> {
        let mount = |folder: &PathBuf| Mount::Bind { source: folder.clone(), target: node_home::TARGET.into(), access: Access::ReadOnly };
        self.node.iter().map(mount).collect()
    }
}

/// The containers of a job that is about to start.
pub struct Containers {
    job: Option<JobImage>,
    services: Vec<Service>,
    kept: Kept,
    hosts: Vec<(String, String)>,
}

/// The sandbox beside a job container, where Landfall's own actions run.
pub fn companion(job: &SandboxId) -> SandboxId {
    format!("{job}-host").parse().expect("letters, digits and dashes name a sandbox")
}

fn service_id(job: &SandboxId, index: usize) -> SandboxId {
    format!("{job}-v{index}").parse().expect("letters, digits and dashes name a sandbox")
}

/// Finds the images, addresses and ports; nothing runs yet.
pub async fn prepare(ci: &Ci, id: &SandboxId, folder: &Path, start: &JobStart) -> Result<Containers, OpenError> {
    if start.container.is_none() && start.services.is_empty() {
        return Ok(Containers { job: None, services: Vec::new(), kept: Kept::default(), hosts: Vec::new() });
    }
    if start.services.len() > SERVICES_MAX {
        return Err(OpenError::Refused(format!("expected at most {SERVICES_MAX} services, found {}", start.services.len())));
    }
    let before = Kept::read(folder).map_err(|error| OpenError::Lost(error.to_string()))?;
    let mut kept = Kept::default();
    let mut services = Vec::new();
    let mut forwarders = Forwarders::default();
    for (index, wanted) in start.services.iter().enumerate() {
        // An empty image is how a workflow leaves a service out.
        if wanted.container.image.trim().is_empty() {
            continue;
        }
        let sandbox = service_id(id, index);
        let service = Service::prepare(ci, sandbox, folder, wanted).await?;
        let known = before.runs.iter().find(|it| it.name == wanted.id);
        let mut ports = Vec::new();
        for (at, port) in service.ports.iter().enumerate() {
            let target = SocketAddr::from((service.address, port.container));
            let host = known.and_then(|it| it.ports.get(at)).map(|it| it.0).or(port.host);
            let host = forwarders.add(host, target).await;
            ports.push((host.map_err(|why| OpenError::Refused(format!("service `{}`: {why}", wanted.id)))?, target));
        }
        kept.services.push(ServicePlace {
            name: wanted.id.clone(),
            id: service.sandbox.to_string(),
            network: id.to_string(),
            ports: ports.iter().map(|(host, target)| (target.port().to_string(), host.to_string())).collect(),
        });
        kept.runs.push(KeptService {
            name: wanted.id.clone(),
            sandbox: service.sandbox.clone(),
            network: service.network.clone(),
            ports,
        });
        services.push(service);
    }
    ci.forwarders.lock().await.insert(id.clone(), forwarders);
    let hosts = services.iter().flat_map(Service::names).collect::<Vec<_>>();
    let job = match &start.container {
        Some(wanted) if !wanted.image.trim().is_empty() => {
            Some(job_image(ci, id, folder, wanted, &hosts, &mut kept).await?)
        }
        _ => None,
    };
    let bytes = serde_json::to_vec(&kept).map_err(|error| OpenError::Lost(error.to_string()))?;
    write_private(&Kept::path(folder), &bytes).map_err(|error| OpenError::Lost(error.to_string()))?;
    Ok(Containers { job, services, kept, hosts })
}

async fn job_image(
    ci: &Ci,
    id: &SandboxId,
    folder: &Path,
    wanted: &ContainerSpec,
    hosts: &[(String, String)],
    kept: &mut Kept,
) -> Result<JobImage, OpenError> {
    let options = Options::parse(&wanted.options).map_err(OpenError::Refused)?;
    let image = images::find(ci, &wanted.image, wanted.credentials.as_ref()).await?;
    let mut own_env = options.env.clone();
    own_env.extend(wanted.env.0.iter().cloned());
    kept.in_image = true;
    kept.image_env = image.env().into_iter().filter(|(name, _)| !own_env.iter().any(|(own, _)| own == name)).collect();
    kept.container_env = own_env;
    kept.user = options.user.clone().unwrap_or_else(|| image.config.user.clone());
    kept.container = Some(ContainerPlace { id: id.to_string(), network: id.to_string() });
    let volumes: Vec<_> = wanted.volumes.iter().chain(&options.volumes).cloned().collect();
    let mut mounts = service::volumes(folder, &volumes).map_err(OpenError::Refused)?;
    let file = folder.join("hosts");
    let own = options.hostname.clone().unwrap_or_default();
    let names: Vec<_> = hosts.iter().chain(&options.hosts).cloned().collect();
    network::write_hosts(&file, &own, &names).map_err(|error| OpenError::Lost(error.to_string()))?;
    mounts.push(Mount::Bind { source: file, target: "/etc/hosts".into(), access: Access::ReadOnly });
    mounts.extend(service::resolver());
    let node = node_home::open(ci).await;
    // The job's container stands in the machine's own network, as the server and forwarded ports do.
    Ok(JobImage { lower: image.lower, options, network: None, mounts, node })
}

impl Containers {
    pub fn kept(&self) -> Kept {
        self.kept.clone()
    }

    pub fn job(&self) -> Option<&JobImage> {
        self.job.as_ref()
    }

    /// Starts the services and waits until they are healthy.
    pub async fn start(&self, ci: &Ci, place: &JobPlace) -> Result<(), OpenError> {
        if self.services.is_empty() {
            return Ok(());
        }
        let section = crate::place::SET_UP;
        let names: Vec<_> = self.services.iter().map(|it| format!("Starting service {} ({})", it.name, it.image)).collect();
        output::say(place, section, names).await;
        for service in &self.services {
            service.start(ci, place, &self.hosts).await?;
        }
        for service in &self.services {
            if let Err(why) = service.wait(ci).await {
                let told = format!("service `{}`: {why}", service.name);
                output::say(place, section, [format!("##[error]{told}")]).await;
                return Err(OpenError::Refused(told));
            }
        }
        Ok(())
    }
}

/// Makes the ports of a job's services reachable again.
pub async fn adopt(ci: &Ci, place: &JobPlace) {
    let mut forwarders = Forwarders::default();
    for (host, target) in place.kept.runs.iter().flat_map(|it| &it.ports) {
        if let Err(error) = forwarders.add(Some(*host), *target).await {
            tracing::error!(error, "a port of a service could not be taken again");
        }
    }
    ci.forwarders.lock().await.insert(place.sandbox.clone(), forwarders);
}

/// Shows what services printed.
pub async fn tell_logs(ci: &Ci, place: &JobPlace, section: u32) {
    for run in &place.kept.runs {
        let lines = service::printed(ci, &run.sandbox).await;
        let head = [format!("##[group]Print service container logs: {}", run.name)];
        output::say(place, section, head.into_iter().chain(lines).chain(["##[endgroup]".to_owned()])).await;
    }
}

/// Removes what stands beside the sandbox of a job.
pub async fn remove(ci: &Ci, id: &SandboxId) {
    ci.forwarders.lock().await.remove(id);
    let folder = ci.config.folder.join(id.to_string());
    let kept = Kept::read(&folder).unwrap_or_default();
    if !kept.in_image && kept.runs.is_empty() && !folder.join("docker").exists() {
        return;
    }
    let own = format!("{id}-");
    match ci.sandbox.list().await {
        Ok(listed) => {
            for status in listed.iter().filter(|status| status.id.as_str().starts_with(&own)) {
                ending::remove_sandbox(ci, &status.id).await;
            }
        }
        Err(error) => tracing::error!(%error, "the containers of a job could not be listed"),
    }
    for run in &kept.runs {
        if let Some(networks) = &ci.config.networks {
            networks.close(&run.network).await;
        }
    }
}

/// Adds what `container.env` sets; what the workflow sets for its steps wins.
pub fn add_env(place: &JobPlace, env: &mut Vec<(String, String)>) {
    for (name, value) in &place.kept.container_env {
        if !env.iter().any(|(known, _)| known == name) {
            env.push((name.clone(), value.clone()));
        }
    }
}

/// Who runs the steps; empty is root.
pub fn user(place: &JobPlace) -> String {
    place.kept.user.clone()
}

/// The path of programs where Landfall's own actions run.
pub fn own_path(ci: &Ci) -> String {
    let path = ci.config.env.iter().find(|(name, _)| name == "PATH").map_or("/usr/bin:/bin", |(_, value)| value);
    format!("{TOOLS}/bin:{path}")
}
