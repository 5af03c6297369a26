//! A sandbox and pod networks that play a script, for tests of those who use them.

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use loglines::Entry;
use names::Timestamp;
use tokio::sync::watch;

use crate::{
    Attached, Error, Exit, Io, Main, NetworkName, PodAddress, PodNetworks, Process, ProcessName, ProcessStatus, Result, Sandbox,
    SandboxId, Signal, Spec, Status, Streams, Target, error::CannotStart, log,
};

/// What a scripted process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Writes these lines and ends.
    Ends { lines: Vec<(log::Stream, String)>, code: i32 },
    /// Writes these lines and runs until it is stopped (then it ends as if by that signal) or
    /// [`Scripted::end`] is called.
    Runs { lines: Vec<(log::Stream, String)> },
    /// Cannot be started.
    Fails(CannotStart),
}

impl Answer {
    pub fn exit(code: i32) -> Self {
        Self::Ends { lines: Vec::new(), code }
    }

    pub fn prints<T: Into<String>>(lines: impl IntoIterator<Item = T>, code: i32) -> Self {
        Self::Ends { lines: lines.into_iter().map(|line| (log::Stream::Stdout, line.into())).collect(), code }
    }

    pub fn runs() -> Self {
        Self::Runs { lines: Vec::new() }
    }
}

/// What a [`Scripted`] sandbox was asked to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    Run(SandboxId, Box<Spec>),
    Exec(SandboxId, ProcessName, Process),
    Stop(SandboxId, Target),
}

type Script = dyn Fn(&SandboxId, &ProcessName, &Process) -> Answer + Send + Sync;

/// Plays processes: a function says what each of them does; idle main processes just run.
pub struct Scripted {
    /// Log files are written here.
    dir: PathBuf,
    script: Box<Script>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    sandboxes: BTreeMap<SandboxId, Played>,
    networks: BTreeMap<NetworkName, PodAddress>,
}

struct Played {
    labels: BTreeMap<String, String>,
    /// The main process under its name, idle or not.
    processes: BTreeMap<ProcessName, PlayedProcess>,
    idle: bool,
}

struct PlayedProcess {
    log: Option<PathBuf>,
    exit: Arc<watch::Sender<Option<Exit>>>,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Scripted {
    pub fn new(
        dir: impl Into<PathBuf>,
        script: impl Fn(&SandboxId, &ProcessName, &Process) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self { dir: dir.into(), script: Box::new(script), state: Mutex::default() }
    }

    /// Takes the calls made since the last time.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }

    /// Ends a process that runs, as if by itself.
    pub fn end(&self, id: &SandboxId, name: &ProcessName, code: i32) {
        let state = self.state();
        if let Some(process) = state.sandboxes.get(id).and_then(|played| played.processes.get(name)) {
            process.end(exit(code, None));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn play(&self, id: &SandboxId, name: &ProcessName, process: &Process) -> Result<(PlayedProcess, Option<Streams>)> {
        let (lines, code) = match (self.script)(id, name, process) {
            Answer::Ends { lines, code } => (lines, Some(code)),
            Answer::Runs { lines } => (lines, None),
            Answer::Fails(why) => return Err(why.into()),
        };
        let end = code.map(|code| exit(code, None));
        let sender = Arc::new(watch::Sender::new(end));
        match process.io {
            Io::Logged => {
                let log = self.dir.join(format!("{id}.{name}.log"));
                let mut bytes = Vec::new();
                for (stream, line) in lines {
                    let stream = match stream {
                        log::Stream::Stdout => loglines::Stream::Stdout,
                        log::Stream::Stderr => loglines::Stream::Stderr,
                    };
                    Entry { time: b"2026-01-01T00:00:00.000000000Z", stream, partial: false, bytes: line.as_bytes() }.write(&mut bytes);
                }
                std::fs::write(&log, bytes).map_err(Error::machine("writing a log"))?;
                Ok((PlayedProcess { log: Some(log), exit: sender }, None))
            }
            Io::Streams { .. } => {
                let text = |wanted| {
                    let lines = lines.iter().filter(|(stream, _)| *stream == wanted).map(|(_, line)| format!("{line}\n"));
                    Box::new(std::io::Cursor::new(lines.collect::<String>().into_bytes()))
                };
                let streams = Streams {
                    stdin: Box::new(tokio::io::sink()),
                    stdout: text(log::Stream::Stdout),
                    stderr: Some(text(log::Stream::Stderr)),
                    terminal: None,
                };
                Ok((PlayedProcess { log: None, exit: sender }, Some(streams)))
            }
        }
    }
}

impl PlayedProcess {
    fn end(&self, exit: Exit) {
        self.exit.send_if_modified(|current| {
            let runs = current.is_none();
            if runs {
                *current = Some(exit);
            }
            runs
        });
    }
}

fn exit(code: i32, signal: Option<Signal>) -> Exit {
    let signal = signal.map(|signal| signal.0);
    let at = Timestamp::from_micros(0);
    Exit { code, signal, oom_killed: false, lost: false, started: at, finished: at }
}

#[async_trait::async_trait]
impl Sandbox for Scripted {
    async fn run(&self, id: &SandboxId, spec: &Spec) -> Result<Option<Streams>> {
        self.state().calls.push(Call::Run(id.clone(), Box::new(spec.clone())));
        if self.state().sandboxes.contains_key(id) {
            return Err(Error::Exists(id.clone()));
        }
        let name = ProcessName::main();
        let (process, streams) = match &spec.main {
            Main::Idle => (PlayedProcess { log: None, exit: Arc::new(watch::Sender::new(None)) }, None),
            Main::Process(process) => self.play(id, &name, process)?,
        };
        let played = Played {
            labels: spec.labels.clone(),
            processes: BTreeMap::from([(name, process)]),
            idle: spec.main == Main::Idle,
        };
        self.state().sandboxes.insert(id.clone(), played);
        Ok(streams)
    }

    async fn exec(&self, id: &SandboxId, name: &ProcessName, process: &Process) -> Result<Option<Streams>> {
        self.state().calls.push(Call::Exec(id.clone(), name.clone(), process.clone()));
        {
            let state = self.state();
            let played = state.sandboxes.get(id).ok_or_else(|| Error::NoSandbox(id.clone()))?;
            if played.processes.contains_key(name) {
                return Err(Error::ProcessExists(id.clone(), name.clone()));
            }
            if played.processes.get(&ProcessName::main()).is_some_and(|main| main.exit.borrow().is_some()) {
                return Err(Error::NotRunning(id.clone()));
            }
        }
        let (process, streams) = self.play(id, name, process)?;
        if let Some(played) = self.state().sandboxes.get_mut(id) {
            played.processes.insert(name.clone(), process);
        }
        Ok(streams)
    }

    async fn list(&self) -> Result<Vec<Status>> {
        let at = Timestamp::from_micros(0);
        let status = |(id, played): (&SandboxId, &Played)| Status {
            id: id.clone(),
            labels: played.labels.clone(),
            started: at,
            exit: played.processes.get(&ProcessName::main()).and_then(|main| main.exit.borrow().clone()),
            processes: played
                .processes
                .iter()
                .filter(|(name, _)| !played.idle || **name != ProcessName::main())
                .map(|(name, process)| ProcessStatus {
                    name: name.clone(),
                    started: at,
                    log: process.log.clone(),
                    exit: process.exit.borrow().clone(),
                })
                .collect(),
        };
        Ok(self.state().sandboxes.iter().map(status).collect())
    }

    async fn attach(&self, id: &SandboxId, name: &ProcessName) -> Result<Attached> {
        let state = self.state();
        let played = state.sandboxes.get(id).ok_or_else(|| Error::NoSandbox(id.clone()))?;
        let process = played.processes.get(name).ok_or_else(|| Error::NoProcess(id.clone(), name.clone()))?;
        let mut ended = process.exit.subscribe();
        let gone = Error::NoSandbox(id.clone());
        Ok(Attached::new(process.log.clone(), async move {
            let exit = ended.wait_for(Option::is_some).await.ok().and_then(|exit| exit.clone());
            exit.ok_or(gone)
        }))
    }

    async fn stop(&self, id: &SandboxId, target: Target) -> Result<()> {
        let mut state = self.state();
        state.calls.push(Call::Stop(id.clone(), target.clone()));
        let Some(played) = state.sandboxes.get(id) else {
            return if target == Target::Remove { Ok(()) } else { Err(Error::NoSandbox(id.clone())) };
        };
        let by = |signal: Signal| exit(128 + signal.0, Some(signal));
        match target {
            Target::Process(name, signal) => {
                let process = played.processes.get(&name).ok_or_else(|| Error::NoProcess(id.clone(), name.clone()))?;
                process.end(by(signal));
            }
            Target::All { signal, .. } => played.processes.values().for_each(|process| process.end(by(signal))),
            Target::Remove => {
                played.processes.values().for_each(|process| process.end(by(Signal::KILL)));
                state.sandboxes.remove(id);
            }
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl PodNetworks for Scripted {
    async fn create(&self, name: &NetworkName, address: &PodAddress) -> Result<()> {
        self.state().networks.insert(name.clone(), address.clone());
        Ok(())
    }

    async fn remove(&self, name: &NetworkName) -> Result<()> {
        self.state().networks.remove(name);
        Ok(())
    }

    async fn list(&self) -> Result<BTreeMap<NetworkName, PodAddress>> {
        Ok(self.state().networks.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Root, log::Followed};

    #[tokio::test]
    async fn a_script_is_played_and_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let sandbox = Scripted::new(dir.path(), |_, name, _| match name.as_str() {
            "waits" => Answer::runs(),
            _ => Answer::prints(["one", "two"], 3),
        });
        let id: SandboxId = "job".parse().expect("a name");
        sandbox.run(&id, &Spec::new(Root::Dir("/".into()), Main::Idle)).await.expect("run");
        let (prints, waits) = ("prints".parse().expect("a name"), "waits".parse().expect("a name"));
        sandbox.exec(&id, &prints, &Process::new(["x"])).await.expect("exec");
        sandbox.exec(&id, &waits, &Process::new(["x"])).await.expect("exec");

        let mut output = sandbox.attach(&id, &prints).await.expect("attach").follow(0);
        let mut told = String::new();
        while let Some(followed) = output.next().await.expect("follow") {
            match followed {
                Followed::Line(line) => told.push_str(&format!("{},", line.text())),
                Followed::Exit(exit) => told.push_str(&exit.code.to_string()),
            }
        }
        assert_eq!(told, "one,two,3");

        let waiting = sandbox.attach(&id, &waits).await.expect("attach");
        sandbox.stop(&id, Target::Process(waits, Signal::TERM)).await.expect("stop");
        assert_eq!(waiting.wait().await.expect("wait").code, 143);
        sandbox.stop(&id, Target::Remove).await.expect("remove");
        assert!(Sandbox::list(&sandbox).await.expect("list").is_empty());
        assert_eq!(sandbox.take_calls().len(), 5);
    }
}
