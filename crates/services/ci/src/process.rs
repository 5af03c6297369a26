//! What a step runs: its program, its environment, and where.

use std::{io, path::Component};

use sandbox::{Io, Process};
use workflow::{BuiltinStep, CommandStep, ContainerStep, NodeStep, StepStart, StepWork};

use crate::{
    Ci, caches, containers, native, node,
    place::{Debug, JobPlace, TOOLS},
};

/// Where a step runs.
pub enum Where {
    /// Beside the other steps of the job.
    Job(Process),
    /// Where Landfall's own actions run.
    Own(Process),
    /// In an image of its own.
    Image(ContainerStep),
}

/// What the log shows before the step's own output.
pub fn headline(start: &StepStart) -> Vec<String> {
    let title = start.name.strip_prefix("Run ").unwrap_or(&start.name);
    let with = |inputs: &[(String, String)]| {
        let shown = inputs.iter().filter(|(_, value)| !value.is_empty());
        let lines: Vec<_> = shown.map(|(name, value)| format!("  {name}: {value}")).collect();
        let head = (!lines.is_empty()).then(|| "with:".to_owned());
        head.into_iter().chain(lines).collect::<Vec<_>>()
    };
    let (first, rest) = match &start.work {
        StepWork::Command(CommandStep { script, shell, .. }) => {
            let mut lines: Vec<_> = script.lines().map(str::to_owned).collect();
            lines.push(format!("shell: {shell}"));
            (format!("Run {}", script.lines().next().unwrap_or_default()), lines)
        }
        StepWork::Builtin(BuiltinStep { action, inputs, .. }) => (format!("Run {action}"), with(inputs)),
        StepWork::Node(NodeStep { inputs, .. }) => (format!("Run {title}"), with(inputs)),
        StepWork::Container(ContainerStep { inputs, .. }) => (format!("Run {title}"), with(inputs)),
    };
    let mut lines = vec![format!("##[group]{first}")];
    lines.extend(rest);
    lines.push("##[endgroup]".to_owned());
    lines
}

/// The process of a step.
pub fn of(ci: &Ci, place: &JobPlace, start: &StepStart) -> Result<Where, String> {
    let mut env = Variables(start.env.0.clone());
    env.set("LANDFALL_TOKEN", place.token.reveal());
    if place.debug == Debug::Shown {
        env.set("RUNNER_DEBUG", "1");
    }
    containers::add_env(place, &mut env.0);
    let services = (ci.config.job_services)(&place.grant);
    services.for_all.iter().for_each(|(name, value)| env.set(name, value));
    // Steps of the file itself may ask for an identity, but not for caches and artifacts.
    if !matches!(start.work, StepWork::Command(_)) {
        services.for_actions.iter().for_each(|(name, value)| env.set(name, value));
    }
    let process = |args: Vec<String>, env: Variables, cwd: &str, user: String| Process {
        args,
        env: env.0,
        cwd: cwd.to_owned(),
        user,
        io: Io::Logged,
    };
    let user = containers::user(place);
    match &start.work {
        StepWork::Command(CommandStep { argv, cwd, .. }) if is_there(place, cwd) => {
            Ok(Where::Job(process(argv.clone(), env, cwd, user)))
        }
        StepWork::Command(CommandStep { cwd, .. }) => Err(format!("the working directory `{cwd}` is not there")),
        StepWork::Builtin(builtin) => {
            env.inputs(&builtin.inputs);
            for (name, value) in &builtin.state {
                env.set(&format!("STATE_{name}"), value);
            }
            env.set("LANDFALL_CLONE_URL", &place.run.clone_url);
            env.set("LANDFALL_FORGE", ci.actions.forge());
            if place.companion.is_some() {
                env.set("PATH", &containers::own_path(ci));
            }
            let program = format!("{TOOLS}/bin/{}", native::PROGRAM);
            let phase = start.phase.to_string();
            let args = vec![program, builtin.entry.clone(), phase];
            Ok(Where::Own(process(args, env, &place.place.workspace, String::new())))
        }
        StepWork::Node(step) => {
            env.inputs(&step.inputs);
            let node = node::choose(&ci.config.env, step.version)?;
            let program = match place.companion {
                Some(_) => containers::NODE.to_owned(),
                None => node.program.display().to_string(),
            };
            Ok(Where::Job(process(vec![program, step.script.clone()], env, &step.cwd, user)))
        }
        StepWork::Container(container) => Ok(Where::Image(container.clone())),
    }
}

/// Whether a working directory is there, as far as the server sees; a sandbox would make it.
fn is_there(place: &JobPlace, cwd: &str) -> bool {
    let Some((mut folder, rest)) = place.on_host(cwd).filter(|_| !caches::has_mounts(place)) else { return true };
    for part in rest.components() {
        match part {
            Component::CurDir => continue,
            Component::ParentDir => drop(folder.pop()),
            Component::Normal(name) => folder.push(name),
            Component::RootDir | Component::Prefix(_) => return true,
        }
        match folder.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return false,
            // Only the job knows where a link leads.
            Ok(found) if found.is_symlink() => return true,
            Ok(_) | Err(_) => {}
        }
    }
    true
}

/// The environment of a process; names come once.
pub struct Variables(pub Vec<(String, String)>);

impl Variables {
    pub fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Inputs as actions read them; what the run has set already stays.
    fn inputs(&mut self, inputs: &[(String, String)]) {
        for (name, value) in inputs {
            let name = format!("INPUT_{}", name.replace(' ', "_").to_uppercase());
            if !self.0.iter().any(|(known, _)| *known == name) {
                self.0.push((name, value.clone()));
            }
        }
    }
}
