//! Starts one container: gathers its variables and mounts, builds its sandbox, runs it.

use std::{collections::BTreeMap, fs, io, net::IpAddr, path::PathBuf, sync::Arc};

use names::{Digest, Timestamp};
use sandbox::{Main, Network, SandboxId};

use crate::{
    api::now,
    container::{self, Mounted, Prepared},
    context::Context,
    dns, env,
    folders::{AttemptFolder, PodFolder, RunName, Template, network_name},
    pod::{Container, Pod},
    sources::{self, Needs},
    task::Problem,
    volumes::{self, payload::is_inner, subpath},
};

/// A container to start.
#[derive(Debug, Clone)]
pub struct Launch {
    pub pod: Arc<Pod>,
    pub container: Arc<Container>,
    pub attempt: u32,
    pub image: Digest,
    pub address: IpAddr,
}

/// A container that was started.
#[derive(Debug, Clone)]
pub struct Launched {
    pub name: RunName,
    pub id: SandboxId,
    pub template: Arc<Template>,
    pub at: Timestamp,
}

/// Why a container does not run.
#[derive(Debug)]
pub enum LaunchError {
    /// It could not be made; nothing was tried with its program.
    Refused(Problem),
    /// It was made, but its program could not be executed.
    CannotStart { id: SandboxId, message: String },
}

impl From<Problem> for LaunchError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

/// Starts the container and returns when its program runs.
pub async fn launch(context: &Context, launch: &Launch) -> Result<Launched, LaunchError> {
    let Launch {
        pod,
        container,
        attempt,
        ..
    } = launch;
    container::refuse(pod, container)?;
    let uid = pod.metadata.uid.clone();
    let name = RunName {
        uid: uid.clone(),
        container: container.name.clone(),
        attempt: *attempt,
    };
    let id = name.sandbox().map_err(|error| create_error(&error))?;
    let folder = context.folders.pod(&uid);
    let run = folder.attempt(&container.name, *attempt);
    let prepared = prepare(context, launch, &name, &folder, &run).await?;
    let stop_signal = container::stop_signal(container, &prepared.image);
    let spec = container::spec(pod, container, prepared)?;
    let Main::Process(process) = &spec.main else {
        return Err(config_error("no process").into());
    };
    let template = Template {
        process: process.clone(),
        stop_signal,
    };
    write_run(&run, &template).map_err(|error| create_error(&error))?;
    match context.sandbox.run(&id, &spec).await {
        Ok(_) => Ok(Launched {
            name,
            id,
            template: Arc::new(template),
            at: now(),
        }),
        Err(sandbox::Error::CannotStart(cannot)) => Err(LaunchError::CannotStart {
            id,
            message: cannot.message,
        }),
        Err(error) => Err(Problem::new("RunContainerError", error.to_string()).into()),
    }
}

async fn prepare(
    context: &Context,
    launch: &Launch,
    name: &RunName,
    folder: &PodFolder,
    run: &AttemptFolder,
) -> Result<Prepared, Problem> {
    let Launch {
        pod,
        container,
        image,
        address,
        ..
    } = launch;
    let needs = Needs::of_variables(container);
    let image = async {
        let stored = context
            .images
            .image(*image)
            .await
            .map_err(|error| create_error(&error))?;
        let lower = context
            .images
            .lower_dirs(&stored)
            .await
            .map_err(|error| create_error(&error))?;
        Ok::<_, Problem>((stored.config.config, lower))
    };
    let sources = async {
        let gathered = sources::gather(context, pod, &needs, Some(*address));
        let (sources, services) =
            tokio::try_join!(gathered, sources::service_variables(context, pod))
                .map_err(|error| config_error(&format!("the API could not be asked: {error}")))?;
        Ok(env::Sources {
            services,
            ..sources
        })
    };
    let ((image, lower), sources) = tokio::try_join!(image, sources)?;
    let variables = env::variables(pod, container, &sources)
        .map_err(|error| config_error(&error.to_string()))?;
    let mounts = mounts(pod, container, folder, &variables)?;
    let (network, hostname) = match pod.spec.host_network {
        true => (Network::Host, None),
        false => {
            let network = network_name(&name.uid).map_err(|error| create_error(&error))?;
            (
                Network::Pod(network),
                Some(dns::hostname(pod, &context.resolver)),
            )
        }
    };
    let files = [
        ("/etc/hosts", folder.hosts()),
        ("/etc/resolv.conf", folder.resolv_conf()),
        (container.message_path(), run.message()),
    ];
    Ok(Prepared {
        image,
        lower,
        scratch: run.scratch(),
        variables,
        mounts,
        files: files
            .map(|(target, source)| (PathBuf::from(target), source))
            .into(),
        network,
        hostname,
        labels: name.labels(&context.config.name),
        node_memory: context.node_memory,
    })
}

/// Where each of the container's volume mounts comes from.
fn mounts(
    pod: &Pod,
    container: &Container,
    folder: &PodFolder,
    variables: &[(String, String)],
) -> Result<Vec<Mounted>, Problem> {
    let places = volumes::places(pod, &folder.volumes())
        .map_err(|error| config_error(&error.to_string()))?;
    let find = |(index, mount): (usize, &crate::pod::VolumeMount)| {
        let place = places.get(&mount.name);
        let place =
            place.ok_or_else(|| config_error(&format!("volume `{}` not found", mount.name)))?;
        let inner = match mount.sub_path_expr.is_empty() {
            true => mount.sub_path.clone(),
            false => env::expand(&mount.sub_path_expr, variables),
        };
        if inner.is_empty() {
            return Ok(Mounted {
                source: place.path.clone(),
                content: place.content,
            });
        }
        if !is_inner(&inner) {
            return Err(config_error(&format!(
                "subPath `{inner}` must stay inside the volume"
            )));
        }
        let pin = folder.pin(&container.name, index);
        subpath::pin(&place.path, &inner, &pin).map_err(|error| {
            let mount_name = &mount.name;
            config_error(&format!("failed to prepare subPath for volumeMount \"{mount_name}\" of container \"{}\": {error}", container.name))
        })?;
        Ok(Mounted {
            source: pin,
            content: place.content,
        })
    };
    container
        .volume_mounts
        .iter()
        .enumerate()
        .map(find)
        .collect()
}

fn write_run(run: &AttemptFolder, template: &Template) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(run.root())?;
    fs::write(run.message(), b"")?;
    // Any user of the container may leave a message.
    fs::set_permissions(run.message(), fs::Permissions::from_mode(0o666))?;
    fs::write(run.template(), serde_json::to_vec(template)?)
}

/// Reads what an earlier life of the agent wrote about a run.
pub fn read_template(context: &Context, name: &RunName) -> io::Result<Template> {
    let run = context
        .folders
        .pod(&name.uid)
        .attempt(&name.container, name.attempt);
    Ok(serde_json::from_slice(&fs::read(run.template())?)?)
}

/// Writes the files of `/etc` that the node makes for a pod; the last one in one stroke, see [`has_etc`].
pub fn write_etc(context: &Context, pod: &Pod, address: IpAddr) -> io::Result<()> {
    let folder = context.folders.pod(&pod.metadata.uid);
    fs::create_dir_all(folder.root())?;
    let hosts = match pod.spec.host_network {
        true => {
            fs::read_to_string("/etc/hosts").unwrap_or_default()
                + &dns::hosts(pod, None, &context.resolver)
        }
        false => dns::hosts(pod, Some(address), &context.resolver),
    };
    fs::write(folder.hosts(), hosts)?;
    let draft = folder.resolv_conf().with_extension("draft");
    fs::write(&draft, dns::resolv_conf(pod, &context.resolver))?;
    fs::rename(draft, folder.resolv_conf())
}

/// Whether an earlier life of the agent came to the end of [`write_etc`].
pub fn has_etc(context: &Context, uid: &str) -> bool {
    context.folders.pod(uid).resolv_conf().exists()
}

/// Sets up the pod's volumes; says when a token in them must be renewed.
pub async fn set_up_volumes(
    context: &Context,
    pod: &Arc<Pod>,
    tokens: &sources::TokenCache,
    address: Option<IpAddr>,
) -> Result<Option<std::time::Instant>, String> {
    let needs = Needs::of_volumes(pod);
    let asked = tokio::try_join!(
        sources::gather(context, pod, &needs, address),
        tokens.tokens(context, pod)
    );
    let (sources, (tokens, renew)) =
        asked.map_err(|error| format!("the API could not be asked: {error}"))?;
    let (pod, dir) = (
        pod.clone(),
        context.folders.pod(&pod.metadata.uid).volumes(),
    );
    let version = format!("{:x}", now().as_micros());
    let work = move || -> Result<(), String> {
        fs::create_dir_all(&dir).map_err(|error| format!("`{}`: {error}", dir.display()))?;
        volumes::set_up(&pod, &dir, &sources, &tokens, &version).map_err(|error| error.to_string())
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map(|()| renew),
        Err(error) => Err(error.to_string()),
    }
}

fn config_error(message: &str) -> Problem {
    Problem::new("CreateContainerConfigError", message)
}

fn create_error(error: &dyn std::error::Error) -> Problem {
    Problem::new("CreateContainerError", error.to_string())
}

/// Names of containers and pods that are safe in paths, which the API server checks as well.
pub fn is_safe(pod: &Pod) -> bool {
    let plain = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let volumes: BTreeMap<_, _> = pod
        .spec
        .volumes
        .iter()
        .map(|volume| (&volume.name, ()))
        .collect();
    plain(&pod.metadata.uid)
        && pod.all_containers().all(|container| plain(&container.name))
        && volumes.keys().all(|name| plain(name))
}
