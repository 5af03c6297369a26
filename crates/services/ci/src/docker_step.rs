//! Docker actions: an image of their own, with the folders of the job where GitHub has them.

use sandbox::{Access, Io, Main, Mount, Process, ProcessName, Root, SandboxId, Spec};
use workflow::{ContainerStep, ImageSource, StepKey, StepStart};

use crate::{
    Ci, JOB_PROCESSES_MAX, caches,
    containers::{
        self,
        images::{self, Image},
    },
    ending,
    jobs::OpenError,
    place::JobPlace,
    process::Variables,
    spec,
    steps::NotBegun,
    trust,
};

/// The sandbox of one step.
pub fn sandbox_id(place: &JobPlace, step: &StepKey) -> SandboxId {
    format!("{}-s{}", place.sandbox, step.index).parse().expect("letters, digits and dashes name a sandbox")
}

/// The process of the step in its sandbox.
pub fn process() -> ProcessName {
    "main".parse().expect("letters name a process")
}

/// Finds or builds the image and starts it.
pub async fn start(ci: &Ci, place: &JobPlace, start: &StepStart, step: &ContainerStep) -> Result<(), NotBegun> {
    let id = sandbox_id(place, &start.step);
    caches::settle(ci, place).await?;
    let image = match &step.image {
        ImageSource::Reference(name) => images::find(ci, name, None).await.map_err(not_begun)?,
        ImageSource::Dockerfile { file, context } => build(ci, place, file, context).await?,
    };
    let mut spec = Spec::new(
        Root::Layers { lower: image.lower.clone(), scratch: place.folder.join("docker").join(id.to_string()) },
        Main::Process(main(ci, place, start, step, &image)?),
    );
    spec.mounts = mounts(place, step)?;
    spec.limits.pids = Some(JOB_PROCESSES_MAX);
    spec.labels = spec::labels(&place.run.id, place, "step");
    spec::start(ci, &id, &spec).await.map_err(not_begun)
}

fn not_begun(error: OpenError) -> NotBegun {
    match error {
        OpenError::Refused(why) => NotBegun::Failed(why),
        OpenError::Lost(why) => NotBegun::Lost(why),
    }
}

fn main(
    ci: &Ci,
    place: &JobPlace,
    start: &StepStart,
    step: &ContainerStep,
    image: &Image,
) -> Result<Process, String> {
    let mut env = Variables(Vec::new());
    let of_machine = &place.place.env;
    for (name, value) in &start.env.0 {
        // The paths of the machine's programs mean nothing in an image.
        if !of_machine.iter().any(|(known, own)| known == name && own == value) {
            env.set(name, value);
        }
    }
    for (name, value) in image.env() {
        if !env.0.iter().any(|(known, _)| *known == name) {
            env.set(&name, &value);
        }
    }
    let services = (ci.config.job_services)(&place.grant);
    for (name, value) in services.for_all.iter().chain(&services.for_actions) {
        env.set(name, value);
    }
    for (name, value) in &step.inputs {
        env.set(&format!("INPUT_{}", name.replace(' ', "_").to_uppercase()), value);
    }
    env.set("HOME", "/github/home");
    env.set("LANDFALL_TOKEN", place.token.reveal());
    env.set("LANDFALL_URL", &ci.config.url);
    let entry = match &step.entrypoint {
        Some(text) => containers::words::parse_words(text)?,
        None => image.config.entrypoint.clone().unwrap_or_default(),
    };
    let command = if step.args.is_empty() && step.entrypoint.is_none() {
        image.config.cmd.clone().unwrap_or_default()
    } else {
        step.args.clone()
    };
    let args = [entry, command].concat();
    if args.is_empty() {
        return Err("the image says no command, and the action no `entrypoint`".to_owned());
    }
    Ok(Process { args, env: env.0, cwd: step.cwd.clone(), user: String::new(), io: Io::Logged })
}

fn mounts(place: &JobPlace, step: &ContainerStep) -> Result<Vec<Mount>, String> {
    let mut mounts = Vec::new();
    for (source, target) in &step.mounts {
        let (root, rest) = place.on_host(source).ok_or_else(|| format!("`{source}` lies outside the job's folders"))?;
        // What a job planted must not lead a mount astray.
        let folder = crate::beneath::folder(&root, &rest).map_err(|error| format!("`{source}`: {error}"))?;
        mounts.push(Mount::Bind { source: folder, target: target.into(), access: Access::ReadWrite });
    }
    let hosts = place.folder.join("hosts");
    if hosts.is_file() {
        mounts.push(Mount::Bind { source: hosts, target: "/etc/hosts".into(), access: Access::ReadOnly });
    }
    Ok(mounts)
}

/// Builds the image of a Dockerfile through the server's own builder.
async fn build(ci: &Ci, place: &JobPlace, file: &str, context: &str) -> Result<Image, NotBegun> {
    let builder = ci.config.build_image.as_ref().ok_or("there is no builder here".to_owned())?;
    let outside = |path: &str| format!("`{path}` lies outside the job's folders");
    let (root, rest) = place.on_host(context).ok_or_else(|| outside(context))?;
    let folder = crate::beneath::folder(&root, &rest).map_err(|error| format!("`{context}`: {error}"))?;
    let dockerfile = file.strip_prefix(context).unwrap_or(file).trim_start_matches('/').to_owned();
    let view = trust::view(ci, &place.run.id, &place.key.to_string()).await.map_err(NotBegun::Lost)?;
    let digest = builder(folder, dockerfile, place.run.id.clone(), view).await;
    let digest = digest.map_err(|why| format!("the image of the action cannot be built: {why}"))?;
    Ok(images::of(ci, digest).await?)
}

/// Removes the sandbox of a step that is over.
pub async fn remove(ci: &Ci, id: &SandboxId) {
    ending::remove_sandbox(ci, id).await;
}
