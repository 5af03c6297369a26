//! What the spawner does for its clients: run, execute, attach, stop, and what follows from ends.

use std::{
    fs, io,
    os::fd::AsFd,
    rc::Rc,
    time::Instant,
};

use super::{
    client::failed,
    records::{self, ProcessRecord, Record, now},
    serve::{Source, Spawner},
    start::{self, Ground, Started},
    table::{Entry, Live, ProcessEntry, RunningProcess, Starting, Token},
};
use crate::{
    Error, Exit, Main, Network, Process, ProcessName, Result, SandboxId, Signal, Spec, Target, child,
    log::Stream,
    spawner::output::Taken,
    sys,
    wire::{Inbox, Reply},
};

impl Spawner {
    pub(super) fn run(&mut self, asker: Token, id: SandboxId, spec: Box<Spec>) -> Result<()> {
        if self.table.contains_key(&id) {
            return Err(Error::Exists(id));
        }
        child::check(&spec)?;
        let folder = self.state.join(records::FOLDER).join(id.as_str());
        let made = self.make(asker, &id, &spec);
        match made {
            Ok(()) => Ok(()),
            Err(error) => {
                let entry = self.table.remove(&id);
                let _ = entry.map(|entry| entry.cgroups.remove());
                self.forget_sources(&id);
                let _ = fs::remove_dir_all(folder);
                Err(error)
            }
        }
    }

    fn make(&mut self, asker: Token, id: &SandboxId, spec: &Spec) -> Result<()> {
        let folder = self.state.join(records::FOLDER).join(id.as_str());
        let root = folder.join("root");
        fs::create_dir_all(&root).map_err(Error::machine(format!("making `{}`", root.display())))?;
        let cgroups = self.cgroups.make(id.as_str(), &spec.limits).map_err(Error::machine("making control groups"))?;
        let started = now();
        let process = match &spec.main {
            Main::Idle => None,
            Main::Process(process) => Some(process),
        };
        let idle = process.is_none();
        let record = Record { labels: spec.labels.clone(), started, cgroups: cgroups.clone(), idle };
        records::write_record(&folder, &record).map_err(Error::machine("writing a record"))?;
        let filter = child::filter(&spec.security).map_err(Error::machine("making a system call filter"))?.map(Rc::new);
        let entry = Entry {
            folder: folder.clone(),
            labels: record.labels,
            started,
            idle,
            cgroups,
            live: Some(Live { spec: Box::new(spec.clone()), filter: filter.clone() }),
            exit: None,
            processes: Default::default(),
            stoppers: Vec::new(),
            deadline: None,
            removers: Vec::new(),
            forget: false,
            failure: None,
        };
        let network = match &spec.network {
            Network::Pod(name) => Some(self.networks.get(name).ok_or_else(|| Error::NoNetwork(name.clone()))?),
            Network::Host | Network::None => None,
        };
        let name = ProcessName::main();
        let ground =
            Ground { id, spec, cgroups: &entry.cgroups, filter: filter.as_deref(), own: self.own_pids.as_fd() };
        let log = records::log_path(&folder, &name);
        let child = start::first(&ground, process, &log, &root, &self.state, network)?;
        let process = process.cloned();
        self.table.insert(id.clone(), entry);
        self.enter(asker, id, name, process, child)
    }

    pub(super) fn exec(&mut self, asker: Token, id: &SandboxId, name: ProcessName, process: Process) -> Result<()> {
        let entry = self.table.get(id).filter(|entry| !entry.forget).ok_or_else(|| Error::NoSandbox(id.clone()))?;
        if entry.processes.contains_key(&name) {
            return Err(Error::ProcessExists(id.clone(), name));
        }
        let gone = || Error::NotRunning(id.clone());
        let live = entry.live.as_ref().ok_or_else(gone)?;
        let main = entry.main().filter(|main| main.starting.is_none() && main.failed.is_none()).ok_or_else(gone)?;
        let ground = Ground {
            id,
            spec: &live.spec,
            cgroups: &entry.cgroups,
            filter: live.filter.as_deref(),
            own: self.own_pids.as_fd(),
        };
        let log = records::log_path(&entry.folder, &name);
        let child = start::further(&ground, &process, &log, main.pidfd.as_fd())?;
        self.enter(asker, id, name, Some(process), child)
    }

    /// Takes a new child into the table and the loop.
    fn enter(&mut self, asker: Token, id: &SandboxId, name: ProcessName, process: Option<Process>, child: Started) -> Result<()> {
        let watched = |error| Error::machine("watching a child")(error);
        let logged = child.output.is_some();
        if let Some(output) = &child.output {
            for stream in [Stream::Stdout, Stream::Stderr] {
                if let Some(pipe) = output.pipe(stream) {
                    self.watch(pipe, Source::Output(id.clone(), name.clone(), stream)).map_err(watched)?;
                }
            }
        }
        self.watch(&child.report, Source::Report(id.clone(), name.clone())).map_err(watched)?;
        self.watch(&child.pidfd, Source::End(id.clone(), name.clone())).map_err(watched)?;
        let Some(entry) = self.table.get_mut(id) else { return Err(Error::NoSandbox(id.clone())) };
        let started = now();
        if process.is_some() && !logged {
            let record = ProcessRecord { started, logged, exit: None };
            records::write_process(&entry.folder, &name, &record).map_err(Error::machine("writing a record"))?;
        }
        let starting = Starting { report: child.report, inbox: Inbox::default(), streams: child.streams };
        let running =
            RunningProcess { pid: child.pid, pidfd: child.pidfd, starting: Some(starting), failed: None, asker };
        let process = ProcessEntry {
            started,
            process,
            logged,
            running: Some(running),
            output: child.output,
            exit: None,
            waiters: Vec::new(),
            memory_kills: entry.cgroups.memory_kills(),
        };
        entry.processes.insert(name, process);
        Ok(())
    }

    /// The child said something, or became its program.
    pub(super) fn read_report(&mut self, token: Token, id: &SandboxId, name: &ProcessName) {
        let Some(process) = self.table.get_mut(id).and_then(|entry| entry.processes.get_mut(name)) else { return };
        let Some(running) = &mut process.running else { return };
        let Some(starting) = &mut running.starting else { return };
        loop {
            match starting.inbox.receive(&starting.report) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => break,
            }
        }
        let asker = running.asker;
        let Some(mut starting) = running.starting.take() else { return };
        let report = child::read_report(&mut starting.inbox);
        let mut started = None;
        match report {
            Ok(report) => {
                let terminal = report.terminal.is_some();
                starting.streams.extend(report.terminal);
                running.failed = report.failure;
                if running.failed.is_none() {
                    started = Some(Reply::Started { terminal });
                }
            }
            Err(error) => {
                running.failed = Some(crate::CannotStart { reason: crate::Reason::Spec, message: error.to_string() });
            }
        }
        self.unwatch(token, Some(&starting.report));
        if let Some(reply) = started {
            self.reply(asker, &reply, &starting.streams);
        }
    }

    pub(super) fn take_output(&mut self, token: Token, id: &SandboxId, name: &ProcessName, stream: Stream) {
        let process = self.table.get_mut(id).and_then(|entry| entry.processes.get_mut(name));
        let Some(output) = process.and_then(|process| process.output.as_mut()) else {
            return self.unwatch(token, None);
        };
        if output.take(stream) == Taken::End {
            // The pipe is closed with this.
            self.unwatch(token, None);
        }
    }

    /// A process ended.
    pub(super) fn reap(&mut self, token: Token, id: &SandboxId, name: &ProcessName) {
        if let Some(report) = self.starting_token(id, name) {
            self.read_report(report, id, name);
        }
        let Some(entry) = self.table.get_mut(id) else { return };
        let Some(process) = entry.processes.get_mut(name) else { return };
        let Some(running) = process.running.take() else { return };
        let (code, signal) = sys::reap(running.pidfd.as_fd()).unwrap_or((137, Some(libc::SIGKILL)));
        if let Some(output) = &mut process.output {
            output.drain();
        }
        let ended_badly = code != 0;
        let exit = Exit {
            code,
            signal,
            oom_killed: ended_badly && entry.cgroups.memory_kills() > process.memory_kills,
            lost: false,
            started: process.started,
            finished: now(),
        };
        let main = *name == ProcessName::main();
        self.unwatch(token, Some(&running.pidfd));
        match running.failed {
            Some(why) if main => self.run_failed(id, running.asker, why),
            Some(why) => {
                if let Some(entry) = self.table.get_mut(id) {
                    entry.processes.remove(name);
                    records::remove_process(&entry.folder, name);
                }
                self.reply(running.asker, &failed(why.into()), &[]);
            }
            None => self.ended(id, name, exit),
        }
    }

    /// The source of a report that was not read to its end.
    fn starting_token(&self, id: &SandboxId, name: &ProcessName) -> Option<Token> {
        let process = self.table.get(id)?.processes.get(name)?;
        process.running.as_ref()?.starting.as_ref()?;
        self.report_token(id, name)
    }

    fn run_failed(&mut self, id: &SandboxId, asker: Token, why: crate::CannotStart) {
        if let Some(entry) = self.table.get_mut(id) {
            entry.forget = true;
            entry.exit = Some(records::lost(entry.started));
            entry.kill();
            entry.failure = Some((asker, why));
        }
        self.going.push(id.clone());
    }

    fn ended(&mut self, id: &SandboxId, name: &ProcessName, exit: Exit) {
        let Some(entry) = self.table.get_mut(id) else { return };
        let Some(process) = entry.processes.get_mut(name) else { return };
        let record = ProcessRecord { started: process.started, logged: process.logged, exit: Some(exit.clone()) };
        process.exit = Some(exit.clone());
        process.process = None;
        let waiters = std::mem::take(&mut process.waiters);
        if let Err(error) = records::write_process(&entry.folder, name, &record) {
            eprintln!("spawner: the end of `{name}` of `{id}` is not kept: {error}");
        }
        if *name == ProcessName::main() {
            entry.exit = Some(exit.clone());
            entry.live = None;
            // The kernel ended all others before; this is for machines where it somehow did not.
            entry.kill();
        }
        for waiter in waiters {
            self.reply(waiter, &Reply::Exit(exit.clone()), &[]);
        }
    }

    pub(super) fn attach(&mut self, token: Token, id: &SandboxId, name: &ProcessName) -> Result<()> {
        let entry = self.table.get_mut(id).filter(|entry| !entry.forget).ok_or_else(|| Error::NoSandbox(id.clone()))?;
        let log = records::log_path(&entry.folder, name);
        let process = entry.processes.get_mut(name).ok_or_else(|| Error::NoProcess(id.clone(), name.clone()))?;
        let log = process.logged.then_some(log);
        let exit = process.exit.clone();
        if exit.is_none() {
            process.waiters.push(token);
        }
        self.reply(token, &Reply::Found { log }, &[]);
        if let Some(exit) = exit {
            self.reply(token, &Reply::Exit(exit), &[]);
        }
        Ok(())
    }

    pub(super) fn stop(&mut self, token: Token, id: &SandboxId, target: Target) -> Result<Option<Reply>> {
        let Some(entry) = self.table.get_mut(id).filter(|entry| !entry.forget || target == Target::Remove) else {
            return if target == Target::Remove { Ok(Some(Reply::Done)) } else { Err(Error::NoSandbox(id.clone())) };
        };
        match target {
            Target::Process(name, signal) => {
                let process = entry.processes.get(&name).ok_or_else(|| Error::NoProcess(id.clone(), name.clone()))?;
                let Some(running) = &process.running else { return Ok(Some(Reply::Done)) };
                // The process is not reaped yet, so its number is still its own.
                let group = if name == ProcessName::main() { running.pid } else { -running.pid };
                match sys::kill(group, signal.0) {
                    Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                        Err(Error::machine(format!("signalling `{name}`"))(error))
                    }
                    _ => Ok(Some(Reply::Done)),
                }
            }
            Target::All { signal, grace } => {
                if !entry.is_running() {
                    return Ok(Some(Reply::Done));
                }
                if let Some(main) = entry.main() {
                    let _ = sys::pidfd_signal(main.pidfd.as_fd(), signal.0);
                }
                if signal == Signal::KILL || grace.is_zero() {
                    entry.kill();
                }
                let deadline = Instant::now() + grace;
                entry.deadline = Some(entry.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
                entry.stoppers.push(token);
                Ok(None)
            }
            Target::Remove => {
                entry.kill();
                entry.forget = true;
                entry.removers.push(token);
                if !self.going.contains(id) {
                    self.going.push(id.clone());
                }
                Ok(None)
            }
        }
    }

    /// After every round: deadlines, ends that somebody waits for, and removals.
    pub(super) fn carry_on(&mut self) {
        let mut stopped = Vec::new();
        for entry in self.table.values_mut() {
            if entry.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                entry.deadline = None;
                entry.kill();
            }
            if !entry.is_running() {
                entry.deadline = None;
                stopped.append(&mut entry.stoppers);
            }
        }
        for token in stopped {
            self.reply(token, &Reply::Done, &[]);
        }
        for id in std::mem::take(&mut self.going) {
            match self.table.get(&id) {
                Some(entry) if !entry.is_running() && entry.cgroups.remove().is_ok() => self.forget(&id),
                Some(_) => self.going.push(id),
                None => {}
            }
        }
    }

    fn forget(&mut self, id: &SandboxId) {
        let Some(entry) = self.table.remove(id) else { return };
        self.forget_sources(id);
        if let Err(error) = fs::remove_dir_all(&entry.folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            eprintln!("spawner: removing `{}`: {error}", entry.folder.display());
        }
        let Entry { failure, removers, processes, .. } = entry;
        // Who hears that it is gone finds no descriptor left of it.
        drop(processes);
        if let Some((asker, why)) = failure {
            self.reply(asker, &failed(why.into()), &[]);
        }
        for token in removers {
            self.reply(token, &Reply::Done, &[]);
        }
    }
}

impl Entry {
    /// Ends everything inside at once.
    pub(super) fn kill(&self) {
        if let Some(main) = self.main() {
            let _ = sys::pidfd_signal(main.pidfd.as_fd(), libc::SIGKILL);
        }
        if self.is_running() {
            self.cgroups.kill();
        }
    }
}
