//! One service of a job: its image, its address, its health.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    time::Duration,
};

use names::Digest;
use sandbox::{Access, Io, Main, Mount, Network, NetworkName, Process, ProcessName, Root, SandboxId, Spec};
use workflow::ServiceSpec;

use super::{
    health::{self, Check},
    images::{self, Image},
    network::write_hosts,
    options::Options,
    ports::{self, Wanted},
    words::parse_words,
};
use crate::{
    Ci, JOB_PROCESSES_MAX,
    jobs::OpenError,
    place::JobPlace,
    spec,
};

/// A service that ends right after its start is told as ended, not as started.
const SETTLE: Duration = Duration::from_millis(30);

/// No more lines of a service are shown.
const LINES_MAX: usize = 2000;

/// A service that is ready to start.
pub struct Service {
    pub name: String,
    pub image: String,
    pub sandbox: SandboxId,
    pub network: NetworkName,
    pub address: Ipv4Addr,
    pub ports: Vec<Wanted>,
    options: Options,
    folder: PathBuf,
    found: Image,
    process: Process,
    mounts: Vec<Mount>,
    check: Option<Check>,
}

impl Service {
    pub async fn prepare(ci: &Ci, sandbox: SandboxId, job: &Path, wanted: &ServiceSpec) -> Result<Self, OpenError> {
        let named = |why: String| OpenError::Refused(format!("service `{}`: {why}", wanted.id));
        let spec = &wanted.container;
        let options = Options::parse(&spec.options).map_err(named)?;
        let networks = ci.config.networks.as_ref();
        let networks = networks.ok_or_else(|| named("this installation has no networks for services".to_owned()))?;
        let found = images::find(ci, &spec.image, spec.credentials.as_ref()).await?;
        let process = process(&found, &options, spec).map_err(named)?;
        let network: NetworkName = sandbox.as_str().parse().map_err(|error| named(format!("{error}")))?;
        let address = networks.open(&network).await.map_err(named)?;
        let folder = job.join("services").join(sandbox.to_string());
        std::fs::create_dir_all(&folder).map_err(|error| OpenError::Lost(error.to_string()))?;
        let wanted_ports = spec.ports.iter().chain(&options.ports).map(|text| ports::parse(text));
        let ports = wanted_ports.collect::<Result<_, _>>().map_err(named)?;
        let volumes_wanted: Vec<_> = spec.volumes.iter().chain(&options.volumes).cloned().collect();
        let mut mounts = volumes(job, &volumes_wanted).map_err(named)?;
        mounts.extend(options.tmpfs.iter().map(|path| Mount::Tmpfs {
            target: path.split(':').next().unwrap_or(path).into(),
            size_bytes: None,
            mode: 0o1777,
        }));
        let check = Check::new(found.config.healthcheck.as_ref(), &options.health);
        Ok(Self {
            name: wanted.id.clone(),
            image: spec.image.clone(),
            sandbox,
            network,
            address,
            ports,
            options,
            folder,
            found,
            process,
            mounts,
            check,
        })
    }

    /// Its names with its address.
    pub fn names(&self) -> Vec<(String, String)> {
        let names = std::iter::once(&self.name).chain(&self.options.aliases);
        names.map(|name| (name.clone(), self.address.to_string())).collect()
    }

    pub async fn start(&self, ci: &Ci, place: &JobPlace, hosts: &[(String, String)]) -> Result<(), OpenError> {
        let file = self.folder.join("hosts");
        let own = self.options.hostname.clone().unwrap_or_else(|| self.name.clone());
        let names: Vec<_> = hosts.iter().chain(&self.options.hosts).cloned().collect();
        write_hosts(&file, &own, &names).map_err(|error| OpenError::Lost(error.to_string()))?;
        let root = Root::Layers { lower: self.found.lower.clone(), scratch: self.folder.join("scratch") };
        let mut spec = Spec::new(root, Main::Process(self.process.clone()));
        spec.mounts = vec![Mount::Bind { source: file, target: "/etc/hosts".into(), access: Access::ReadOnly }];
        spec.mounts.extend(resolver());
        spec.mounts.extend(self.mounts.iter().cloned());
        spec.hostname = Some(own);
        spec.network = Network::Pod(self.network.clone());
        spec.limits = self.options.limits(JOB_PROCESSES_MAX);
        spec.security = self.options.security();
        spec.labels = spec::labels(&place.run.id, place, "service");
        spec::start(ci, &self.sandbox, &spec).await.map_err(|error| match error {
            OpenError::Refused(why) => OpenError::Refused(format!("service `{}`: {why}", self.name)),
            OpenError::Lost(why) => OpenError::Lost(why),
        })
    }

    /// Waits until it is healthy; one without a check only must not have ended.
    pub async fn wait(&self, ci: &Ci) -> Result<(), String> {
        if let Some(check) = &self.check {
            return health::wait(ci, &self.sandbox, check, &self.process.env, &self.process.user).await;
        }
        let attached = ci.sandbox.attach(&self.sandbox, &main()).await.map_err(|error| error.to_string())?;
        match tokio::time::timeout(SETTLE, attached.wait()).await {
            Err(_) => Ok(()),
            Ok(Ok(exit)) => Err(format!("it ended with exit code {}", exit.code)),
            Ok(Err(error)) => Err(error.to_string()),
        }
    }
}

fn main() -> ProcessName {
    "main".parse().expect("letters name a process")
}

/// The main process: the image's, as the file and the options change it.
fn process(image: &Image, options: &Options, spec: &workflow::ContainerSpec) -> Result<Process, String> {
    let entrypoint = spec.entrypoint.as_ref().or(options.entrypoint.as_ref()).filter(|it| !it.trim().is_empty());
    let (own_entry, own_command) = (image.config.entrypoint.clone(), image.config.cmd.clone());
    let entry = match entrypoint {
        Some(text) => parse_words(text)?,
        None => own_entry.unwrap_or_default(),
    };
    let command = match spec.command.as_ref().filter(|it| !it.trim().is_empty()) {
        Some(text) => parse_words(text)?,
        // An entry point of one's own takes the image's command away, as Docker does.
        None if entrypoint.is_some() => Vec::new(),
        None => own_command.unwrap_or_default(),
    };
    let args = [entry, command].concat();
    if args.is_empty() {
        return Err("the image says no command".to_owned());
    }
    let mut env = image.env();
    for (name, value) in options.env.iter().chain(&spec.env.0) {
        env.retain(|(known, _)| known != name);
        env.push((name.clone(), value.clone()));
    }
    Ok(Process {
        args,
        env,
        cwd: options.workdir.clone().unwrap_or_else(|| image.config.working_dir.clone()),
        user: options.user.clone().unwrap_or_else(|| image.config.user.clone()),
        io: Io::Logged,
    })
}

/// What `volumes:` asks for; folders of this machine are not given away.
pub fn volumes(job: &Path, wanted: &[String]) -> Result<Vec<Mount>, String> {
    let mut mounts = Vec::new();
    for text in wanted {
        let mut parts: Vec<_> = text.split(':').collect();
        let read_only = parts.last().is_some_and(|it| it.split(',').any(|word| word == "ro"));
        if parts.len() > 1 && !parts.last().is_some_and(|it| it.starts_with('/')) {
            parts.pop();
        }
        let (source, target) = match parts.as_slice() {
            [target] => (None, *target),
            [source, target] => (Some(*source), *target),
            _ => return Err(format!("volumes: expected `source:/target`, found `{text}`")),
        };
        if !target.starts_with('/') {
            return Err(format!("volumes: expected an absolute target, found `{text}`"));
        }
        let folder = match source {
            // Landfall answers `docker` in jobs by itself.
            Some("/var/run/docker.sock") => continue,
            Some(path) if path.starts_with('/') => seen_folder(job, path).ok_or_else(|| {
                format!("volumes: `{path}` is a folder of this machine, which jobs do not get; use a named volume")
            })?,
            named => {
                let name = Digest::of(named.unwrap_or(target).as_bytes()).hex();
                job.join("volumes").join(name)
            }
        };
        std::fs::create_dir_all(&folder).map_err(|error| format!("volumes: `{text}`: {error}"))?;
        let access = if read_only { Access::ReadOnly } else { Access::ReadWrite };
        mounts.push(Mount::Bind { source: folder, target: target.into(), access });
    }
    Ok(mounts)
}

/// The folder of the job that a path on the machine means, as steps on the machine see it.
fn seen_folder(job: &Path, path: &str) -> Option<PathBuf> {
    if path.split('/').any(|part| part == "..") {
        return None;
    }
    let rest = path.strip_prefix("/home/runner/work/")?;
    let mut parts = rest.splitn(3, '/');
    let (first, second) = (parts.next()?, parts.next()?);
    let rest = parts.next().unwrap_or_default();
    (first == second).then(|| job.join("work").join(rest))
}

/// The machine's own way to resolve names.
pub fn resolver() -> Option<Mount> {
    let path = Path::new("/etc/resolv.conf");
    path.exists().then(|| Mount::Bind { source: path.into(), target: path.into(), access: Access::ReadOnly })
}

/// The last lines that a service printed.
pub async fn printed(ci: &Ci, id: &SandboxId) -> Vec<String> {
    let Ok(attached) = ci.sandbox.attach(id, &main()).await else { return Vec::new() };
    let Some(path) = attached.log else { return Vec::new() };
    let bytes = tokio::fs::read(path).await.unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| sandbox::log::parse(line, 0));
    let lines: Vec<_> = lines.map(|line| line.text()).collect();
    lines[lines.len().saturating_sub(LINES_MAX)..].to_vec()
}
