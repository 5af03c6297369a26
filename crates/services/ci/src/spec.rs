//! The sandboxes of a job: a view of this machine, or an image.

use std::{collections::BTreeMap, path::PathBuf};

use api::Run;
use sandbox::{Access, HostView, Limits, Main, Mount, Network, Root, SandboxId, Spec};

use crate::{
    Ci, JOB_PROCESSES_MAX,
    containers::JobImage,
    jobs::OpenError,
    place::{JobPlace, TOOLS},
};

fn bind(source: PathBuf, target: &str, access: Access) -> Mount {
    Mount::Bind { source, target: target.into(), access }
}

/// Labels by which a sandbox is found again; only the one where steps run is a `job`.
pub fn labels(run: &names::RunId, place: &JobPlace, part: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("landfall.run".to_owned(), run.to_string()),
        ("landfall.job".to_owned(), place.key.id.clone()),
        ("landfall.leg".to_owned(), place.key.leg.to_string()),
        ("landfall.attempt".to_owned(), place.attempt.to_string()),
        ("landfall.part".to_owned(), part.to_owned()),
    ])
}

/// The folders of the job, where its steps see them.
pub fn folders(ci: &Ci, place: &JobPlace) -> Vec<Mount> {
    let mut mounts = vec![
        bind(place.workspace(), &place.place.workspace, Access::ReadWrite),
        bind(place.folder.join("temp"), &place.place.temp, Access::ReadWrite),
        bind(place.folder.join("actions"), &place.actions, Access::ReadWrite),
        bind(place.folder.join("tools"), TOOLS, Access::ReadOnly),
        bind(ci.config.program.clone(), &format!("{TOOLS}/landfall"), Access::ReadOnly),
    ];
    if place.companion.is_some() {
        mounts.extend([
            bind(place.folder.join("home"), "/github/home", Access::ReadWrite),
            bind(place.folder.join("tool_cache"), &place.place.tool_cache, Access::ReadWrite),
        ]);
    }
    mounts
}

/// A copy-on-write view of this machine.
pub fn on_machine(ci: &Ci, run: &Run, place: &JobPlace, id: &SandboxId) -> Spec {
    let view = HostView {
        scratch: place.folder.join("scratch"),
        home: ci.config.home.clone(),
        shown_home: ci.config.shown_home.clone(),
        hidden: ci.config.hidden.clone(),
    };
    let mut spec = Spec::new(Root::Host(view), Main::Idle);
    spec.mounts = folders(ci, place);
    spec.hostname = Some(machine_name());
    spec.limits = Limits { pids: Some(JOB_PROCESSES_MAX), ..Limits::default() };
    spec.labels = labels(&run.id, place, if *id == place.sandbox { "job" } else { "companion" });
    spec
}

/// The machine's own name: programs look up the address of the machine by it, and `/etc/hosts` has it.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost" } else { name }.to_owned()
}

/// The image of `container:`.
pub fn in_image(ci: &Ci, run: &Run, place: &JobPlace, job: &JobImage) -> Spec {
    let root = Root::Layers { lower: job.lower.clone(), scratch: place.folder.join("container") };
    let mut spec = Spec::new(root, Main::Idle);
    spec.mounts = folders(ci, place);
    spec.mounts.extend(job.node_mounts());
    spec.mounts.extend(job.mounts.iter().cloned());
    spec.hostname = job.options.hostname.clone();
    spec.network = job.network.clone().map_or(Network::Host, Network::Pod);
    spec.limits = job.options.limits(JOB_PROCESSES_MAX);
    spec.security = job.options.security();
    spec.labels = labels(&run.id, place, "job");
    spec
}

/// Starts a sandbox unless an earlier server did.
pub async fn start(ci: &Ci, id: &SandboxId, spec: &Spec) -> Result<(), OpenError> {
    match ci.sandbox.run(id, spec).await {
        Ok(_) | Err(sandbox::Error::Exists(_)) => Ok(()),
        Err(sandbox::Error::CannotStart(why)) => Err(OpenError::Refused(format!("no sandbox: {why}"))),
        Err(error) => Err(OpenError::Lost(format!("no sandbox: {error}"))),
    }
}
