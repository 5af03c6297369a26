//! Turns a container of a pod and its image into the sandbox that runs it. Pure.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use sandbox::{
    Access, Io, Limits, Main, Mount, Network, Privilege, Process, Root, Seccomp, Security, Signal,
    Spec,
};

use crate::{
    env,
    pod::{Container, Pod},
    quantity,
    task::Problem,
    volumes::Content,
};

/// Processes that one container may have; a fork bomb ends here, a large server does not.
const PIDS_PER_CONTAINER: u64 = 16 * 1024;

/// What was prepared for one container.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// The image's own settings.
    pub image: image::RunConfig,
    /// Unpacked layers, the topmost first.
    pub lower: Vec<PathBuf>,
    pub scratch: PathBuf,
    pub variables: Vec<(String, String)>,
    /// One for each volume mount, in the same order.
    pub mounts: Vec<Mounted>,
    /// Files that the node writes: `/etc/hosts`, the termination message, ….
    pub files: Vec<(PathBuf, PathBuf)>,
    pub network: Network,
    pub hostname: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// Memory of the node in bytes, by which pods are chosen when it runs out.
    pub node_memory: u64,
}

/// The source of a volume mount on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    pub source: PathBuf,
    pub content: Content,
}

/// Names what a pod asks for and this node cannot do; silently ignoring it would be worse.
pub fn refuse(pod: &Pod, container: &Container) -> Result<(), Problem> {
    let host_port = |port: &crate::pod::Port| port.host_port.is_some_and(|host| host > 0);
    let localhost = |profile: &Option<crate::pod::SeccompProfile>| {
        profile
            .as_ref()
            .is_some_and(|profile| profile.kind == "Localhost")
    };
    let refused = [
        (pod.spec.host_pid, "hostPID"),
        (pod.spec.host_ipc, "hostIPC"),
        (pod.spec.share_process_namespace, "shareProcessNamespace"),
        (!container.volume_devices.is_empty(), "volumeDevices"),
        (
            !pod.spec.host_network && container.ports.iter().any(host_port),
            "hostPort",
        ),
        (
            localhost(&pod.spec.security_context.seccomp_profile),
            "seccompProfile type Localhost",
        ),
        (
            localhost(&container.security_context.seccomp_profile),
            "seccompProfile type Localhost",
        ),
    ];
    match refused.iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(Problem::new(
            "CreateContainerConfigError",
            format!("`{what}` is not supported by this node"),
        )),
        None => Ok(()),
    }
}

/// The sandbox of a container.
pub fn spec(pod: &Pod, container: &Container, prepared: Prepared) -> Result<Spec, Problem> {
    let user = user(pod, container, &prepared.image)?;
    let args = command(container, &prepared)?;
    let cwd = container.working_dir.clone().filter(|dir| !dir.is_empty());
    let process = Process {
        args,
        env: environment(&prepared),
        cwd: cwd.unwrap_or_else(|| prepared.image.working_dir.clone()),
        user,
        io: Io::Logged,
    };
    let mounts = mounts(container, &prepared);
    Ok(Spec {
        root: Root::Layers {
            lower: prepared.lower,
            scratch: prepared.scratch,
        },
        mounts,
        hostname: prepared.hostname,
        network: prepared.network,
        limits: limits(container),
        security: security(pod, container, prepared.node_memory),
        main: Main::Process(process),
        labels: prepared.labels,
    })
}

/// The image's variables, overridden by the pod's.
fn environment(prepared: &Prepared) -> Vec<(String, String)> {
    let own = prepared
        .image
        .env
        .iter()
        .map(|line| line.split_once('=').unwrap_or((line, "")));
    let own = own.filter(|(name, _)| !prepared.variables.iter().any(|(known, _)| known == name));
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    own.chain(prepared.variables.iter().cloned()).collect()
}

/// `command` replaces the image's entry point and command, `args` only its command.
fn command(container: &Container, prepared: &Prepared) -> Result<Vec<String>, Problem> {
    let expand = |words: &[String]| -> Vec<_> {
        words
            .iter()
            .map(|word| env::expand(word, &prepared.variables))
            .collect()
    };
    let image = &prepared.image;
    let (entrypoint, cmd) = (
        image.entrypoint.clone().unwrap_or_default(),
        image.cmd.clone().unwrap_or_default(),
    );
    let args = match (container.command.is_empty(), container.args.is_empty()) {
        (false, _) => [expand(&container.command), expand(&container.args)].concat(),
        (true, false) => [entrypoint, expand(&container.args)].concat(),
        (true, true) => [entrypoint, cmd].concat(),
    };
    match args.is_empty() {
        true => Err(Problem::new("CreateContainerError", "no command specified")),
        false => Ok(args),
    }
}

/// The user in Docker's form, refused if it must not be root and is or may be.
fn user(pod: &Pod, container: &Container, image: &image::RunConfig) -> Result<String, Problem> {
    let (own, common) = (&container.security_context, &pod.spec.security_context);
    let id = own.run_as_user.or(common.run_as_user);
    let group = own.run_as_group.or(common.run_as_group);
    let name = id.map_or_else(|| image.user.clone(), |id| id.to_string());
    if own.run_as_non_root.or(common.run_as_non_root) == Some(true) {
        let who = name.split(':').next().unwrap_or_default();
        let title = format!("(pod: \"{}\", container: {})", pod.title(), container.name);
        let wrong = match who.parse::<u32>() {
            Ok(0) if id.is_some() => {
                Some("container's runAsUser breaks non-root policy".to_owned())
            }
            Ok(0) => Some("container has runAsNonRoot and image will run as root".to_owned()),
            Ok(_) => None,
            Err(_) if who.is_empty() => {
                Some("container has runAsNonRoot and image will run as root".to_owned())
            }
            Err(_) => Some(format!(
                "container has runAsNonRoot and image has non-numeric user ({who}), cannot verify user is non-root"
            )),
        };
        if let Some(wrong) = wrong {
            return Err(Problem::new(
                "CreateContainerConfigError",
                format!("{wrong} {title}"),
            ));
        }
    }
    Ok(match group {
        Some(group) => {
            let who = name
                .split(':')
                .next()
                .filter(|who| !who.is_empty())
                .unwrap_or("0");
            format!("{who}:{group}")
        }
        None => name,
    })
}

/// Outer targets first; what the pod mounts itself is left to it.
fn mounts(container: &Container, prepared: &Prepared) -> Vec<Mount> {
    let asked = container
        .volume_mounts
        .iter()
        .zip(&prepared.mounts)
        .map(|(mount, place)| {
            let read_only = mount.read_only || place.content == Content::Projected;
            let access = if read_only {
                Access::ReadOnly
            } else {
                Access::ReadWrite
            };
            (
                PathBuf::from(&mount.mount_path),
                place.source.clone(),
                access,
            )
        });
    let is_asked = |target: &PathBuf| {
        container
            .volume_mounts
            .iter()
            .any(|mount| Path::new(&mount.mount_path) == target.as_path())
    };
    let own = prepared
        .files
        .iter()
        .filter(|(target, _)| !is_asked(target));
    let own = own.map(|(target, source)| (target.clone(), source.clone(), Access::ReadWrite));
    let mut mounts: Vec<_> = own.chain(asked).collect();
    mounts.sort_by_key(|(target, ..)| target.components().count());
    mounts
        .into_iter()
        .map(|(target, source, access)| Mount::Bind {
            source,
            target,
            access,
        })
        .collect()
}

fn limits(container: &Container) -> Limits {
    let limit = |name: &str| container.resources.limits.get(name);
    let positive = |value: u64| (value > 0).then_some(value);
    Limits {
        cpu_millis: limit("cpu")
            .and_then(|text| u64::try_from(quantity::millis(text)?).ok())
            .and_then(positive),
        memory_bytes: limit("memory")
            .and_then(|text| quantity::units(text))
            .and_then(positive),
        pids: Some(PIDS_PER_CONTAINER),
    }
}

fn security(pod: &Pod, container: &Container, node_memory: u64) -> Security {
    let (own, common) = (&container.security_context, &pod.spec.security_context);
    let profile = own
        .seccomp_profile
        .as_ref()
        .or(common.seccomp_profile.as_ref());
    let unconfined = profile.is_some_and(|profile| profile.kind == "Unconfined");
    let sysctl = |value: &serde_json::Value| {
        Some((
            value["name"].as_str()?.to_owned(),
            value["value"].as_str()?.to_owned(),
        ))
    };
    Security {
        privilege: if own.privileged {
            Privilege::Privileged
        } else {
            Privilege::Confined
        },
        add_capabilities: own.capabilities.add.clone(),
        drop_capabilities: own.capabilities.drop.clone(),
        no_new_privileges: own.allow_privilege_escalation == Some(false),
        seccomp: if unconfined {
            Seccomp::Unconfined
        } else {
            Seccomp::Standard
        },
        read_only_root: own.read_only_root_filesystem,
        groups: common
            .fs_group
            .iter()
            .chain(&common.supplemental_groups)
            .copied()
            .collect(),
        oom_score: oom_score(pod, container, node_memory),
        sysctls: common.sysctls.iter().filter_map(sysctl).collect(),
    }
}

/// The less a container asked for, the sooner it is chosen when memory runs out.
fn oom_score(pod: &Pod, container: &Container, node_memory: u64) -> Option<i32> {
    match pod.qos_class() {
        "Guaranteed" => None,
        "BestEffort" => Some(1000),
        _ => {
            let asked = container
                .resources
                .requests
                .get("memory")
                .and_then(|text| quantity::units(text))
                .unwrap_or(0);
            let share = asked.saturating_mul(1000) / node_memory.max(1);
            i32::try_from(1000_u64.saturating_sub(share).clamp(3, 999)).ok()
        }
    }
}

/// The signal that asks a container to end.
pub fn stop_signal(container: &Container, image: &image::RunConfig) -> Signal {
    let named = container
        .lifecycle
        .stop_signal
        .as_ref()
        .or(image.stop_signal.as_ref());
    named
        .and_then(|name| Signal::parse(name))
        .unwrap_or(Signal::TERM)
}

#[cfg(test)]
#[path = "container_tests.rs"]
mod tests;
