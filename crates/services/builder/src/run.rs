//! Carries out RUN in a sandbox.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
};

use buildgraph::op::{Network, Run};
use sandbox::{Access, CannotStart, Main, Mount, Process, ProcessName, Reason, Root, Sandbox, SandboxId, Spec, Target, log};

use crate::{
    error::Failure,
    progress::{OutputStream, Progress, Reporter},
    run_mounts::{self, Prepared},
    surroundings::{SHOWN_IN, Surroundings},
    unpack::Scratch,
    view::View,
};

/// Lines of output that an error repeats.
const TAIL_LINES: usize = 20;

/// The label by which a restarted server finds what a build left.
pub(crate) const LABEL: (&str, &str) = ("landfall.part", "build");

/// Where a command runs.
pub(crate) struct Room {
    pub sandbox: Arc<dyn Sandbox>,
    pub surroundings: Arc<Surroundings>,
    /// The layers below, the top first.
    pub lower: Vec<PathBuf>,
    pub scratch: Arc<Scratch>,
    pub prepared: Prepared,
}

/// Removes a sandbox however its build ends.
struct Guard {
    sandbox: Arc<dyn Sandbox>,
    id: Option<SandboxId>,
    /// The folder that the sandbox has mounted goes after it.
    scratch: Arc<Scratch>,
}

impl Guard {
    async fn remove(mut self) -> Result<(), Failure> {
        let Some(id) = self.id.take() else { return Ok(()) };
        self.sandbox.stop(&id, Target::Remove).await.map_err(|it| Failure::new(format!("removing the sandbox: {it}")))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let (sandbox, scratch) = (self.sandbox.clone(), self.scratch.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = sandbox.stop(&id, Target::Remove).await {
                    tracing::warn!(%id, %error, "a sandbox of a stopped build could not be removed");
                }
                drop(scratch);
            });
        }
    }
}

/// Runs the command; returns the folder with what it changed.
pub(crate) async fn run(op: &Run, room: Room, step: usize, report: &Reporter) -> Result<PathBuf, Failure> {
    let below = View::new(room.lower.clone());
    let spec = spec(op, &room)?;
    let targets: Vec<PathBuf> = spec.mounts.iter().map(|it| match it {
        Mount::Bind { target, .. } | Mount::Tmpfs { target, .. } => target.clone(),
    }).collect();
    let stubs = run_mounts::stubs(&below, targets.iter().map(PathBuf::as_path));
    let id: SandboxId = format!("build-{}", uuid::Uuid::new_v4()).parse().map_err(|_| Failure::new("no name for a sandbox"))?;
    let guard = Guard { sandbox: room.sandbox.clone(), id: Some(id.clone()), scratch: room.scratch.clone() };
    match room.sandbox.run(&id, &spec).await {
        Ok(_) => {}
        Err(sandbox::Error::CannotStart(why)) => {
            guard.remove().await?;
            return Err(cannot_start(op, &why));
        }
        Err(error) => return Err(Failure::new(error.to_string())),
    }
    let attached = room.sandbox.attach(&id, &ProcessName::main()).await.map_err(|it| Failure::new(it.to_string()))?;
    let mut output = attached.follow(0);
    let mut tail = VecDeque::new();
    let exit = loop {
        match output.next().await.map_err(|it| Failure::new(it.to_string()))? {
            Some(log::Followed::Line(line)) => {
                let stream = match line.stream {
                    log::Stream::Stdout => OutputStream::Stdout,
                    log::Stream::Stderr => OutputStream::Stderr,
                };
                let text = line.text();
                if tail.len() == TAIL_LINES {
                    tail.pop_front();
                }
                tail.push_back(text.clone());
                report.tell(Progress::Output { step, stream, line: text }).await;
            }
            Some(log::Followed::Exit(exit)) => break exit,
            None => return Err(Failure::new("the command's end was not seen")),
        }
    };
    guard.remove().await?;
    let upper = room.scratch.path().join("sandbox/upper");
    if !exit.success() {
        return Err(ended(op, &exit, tail.into()));
    }
    let cleaned = upper.clone();
    tokio::task::spawn_blocking(move || run_mounts::remove_stubs(&below, &cleaned, &stubs))
        .await
        .map_err(|it| Failure::new(it.to_string()))?;
    drop(room.prepared);
    Ok(upper)
}

fn spec(op: &Run, room: &Room) -> Result<Spec, Failure> {
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    let layers = [&room.surroundings.env, &op.untraced_env, &op.env, &room.prepared.env];
    for (name, value) in layers.into_iter().flatten() {
        env.insert(name.clone(), value.clone());
    }
    let mut lower = room.lower.clone();
    if lower.is_empty() {
        let empty = room.scratch.path().join("empty");
        std::fs::create_dir_all(&empty).map_err(Failure::io("making a folder"))?;
        lower.push(empty);
    }
    let root = Root::Layers { lower, scratch: room.scratch.path().join("sandbox") };
    let process = Process {
        env: env.into_iter().collect(),
        cwd: op.cwd.clone(),
        user: op.user.clone(),
        ..Process::new(op.args.clone())
    };
    let mut spec = Spec::new(root, Main::Process(process));
    spec.hostname = Some("buildkitsandbox".to_owned());
    spec.labels.insert(LABEL.0.to_owned(), LABEL.1.to_owned());
    spec.network = match op.network {
        Network::None => sandbox::Network::None,
        Network::Default | Network::Host => sandbox::Network::Host,
    };
    let mut show = |source: &Path, target: PathBuf| {
        spec.mounts.push(Mount::Bind { source: source.to_owned(), target, access: Access::ReadOnly });
    };
    if let Some(resolver) = &room.surroundings.resolver {
        show(resolver, "/etc/resolv.conf".into());
    }
    if let Some(hosts) = &room.surroundings.hosts {
        show(hosts, "/etc/hosts".into());
    }
    for (file, name) in &room.surroundings.files {
        show(file, Path::new(SHOWN_IN).join(name));
    }
    for (name, content) in &op.scripts {
        let file = room.scratch.path().join("scripts").join(name.replace('/', "_"));
        write_script(&file, content).map_err(Failure::io("writing a script"))?;
        show(&file, Path::new("/dev/pipes").join(name));
    }
    spec.mounts.extend(room.prepared.mounts.iter().cloned());
    Ok(spec)
}

fn write_script(file: &Path, content: &str) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(file, content)?;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))
}

fn cannot_start(op: &Run, why: &CannotStart) -> Failure {
    let program = op.args.first().map_or("", String::as_str);
    let mut failure = Failure::new(why.message.clone());
    failure.code = Some(why.exit_code());
    match why.reason {
        Reason::ProgramNotFound if program == "/bin/sh" => {
            failure.with_help("the image has no shell: write the command as a JSON array, or start from an image with a shell")
        }
        Reason::ProgramNotFound => failure.with_help(format!("`{program}` is not in the image, or not in its PATH")),
        Reason::ProgramNotExecutable => failure.with_help("check its mode, its first line and what machine it is for"),
        Reason::NoSuchUser => failure.with_help("make the user in a RUN before USER names it, or name it by its number"),
        Reason::Spec => failure,
    }
}

fn ended(op: &Run, exit: &sandbox::Exit, output: Vec<String>) -> Failure {
    let mut failure = match (exit.oom_killed, exit.signal) {
        (true, _) => Failure::new("the command used more memory than it may"),
        (false, Some(signal)) => Failure::new(format!("the command was ended by signal {signal}")),
        (false, None) => Failure::new(format!("the command ended with exit code {}", exit.code)),
    };
    if exit.lost {
        failure = Failure::new("the machine or the spawner went away while the command ran");
    }
    failure.code = Some(exit.code);
    if exit.code == 127 && exit.signal.is_none() {
        let named = output.iter().rev().find_map(|line| not_found(line));
        let culprit = named.or_else(|| op.command.split_whitespace().next().map(str::to_owned)).unwrap_or_default();
        failure.help = Some(format!("127 means `command not found`: `{culprit}` is not in the image, or not in its PATH"));
    } else if exit.code == 126 && exit.signal.is_none() {
        failure.help = Some("126 means that the program is there and cannot be executed: check its mode and its first line".to_owned());
    }
    failure.output = output;
    failure
}

/// The program in a shell's complaint: `sh: 1: foo: not found`, `bash: line 1: foo: command not found`.
fn not_found(line: &str) -> Option<String> {
    let head = line.strip_suffix(": not found").or_else(|| line.strip_suffix(": command not found"))?;
    head.rsplit(": ").next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::not_found;

    #[test]
    fn the_missing_program_is_read_from_the_shells_words() {
        assert_eq!(not_found("/bin/sh: foo: not found").as_deref(), Some("foo"));
        assert_eq!(not_found("bash: line 1: npm: command not found").as_deref(), Some("npm"));
        assert_eq!(not_found("done"), None);
    }
}
