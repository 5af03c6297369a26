//! Ends containers and takes down what was made for a pod.

use std::{fs, io, path::Path, sync::Arc, time::Duration};

use sandbox::{Attached, Error, ProcessName, SandboxId, Signal, Target, log};
use tokio::{sync::watch, time::Instant};

use crate::{
    adopt,
    context::Context,
    events::{Event, Level},
    folders::{RunName, network_name},
    handler::{self, Subject},
    plan::StopCause,
    pod::{MessagePolicy, Pod},
    seen::Ended,
    task::Problem,
    volumes,
};

/// What a termination message may have at most, as in the kubelet.
const MESSAGE_BYTES: usize = 4096;
/// What of the log stands in for a missing message.
const LOG_MESSAGE_BYTES: usize = 2048;
const LOG_MESSAGE_LINES: usize = 80;

/// Even after a slow hook a container gets this long to end by itself.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// A container to end.
pub struct Stopping {
    pub context: Arc<Context>,
    pub pods: watch::Receiver<Arc<Pod>>,
    pub subject: Subject,
    pub signal: Signal,
    pub cause: StopCause,
}

impl Stopping {
    /// Runs the hook, asks the container to end, and insists when its time is up.
    pub async fn run(mut self) {
        let pod = self.pods.borrow().clone();
        let name = &self.subject.container.name;
        let (message, grace) = match &self.cause {
            StopCause::PodEnds => (format!("Stopping container {name}"), pod.grace_seconds()),
            StopCause::Unwell {
                message,
                grace_seconds,
            } => (
                message.clone(),
                grace_seconds.unwrap_or(pod.spec.termination_grace_period_seconds),
            ),
        };
        self.event(&pod, Level::Normal, "Killing", message);
        let begun = Instant::now();
        let gentle = async {
            self.stop_hook(&pod, Duration::from_secs(grace)).await;
            let left = Duration::from_secs(grace).saturating_sub(begun.elapsed());
            let least = if grace == 0 {
                Duration::ZERO
            } else {
                LEAST_GRACE
            };
            self.stop(self.signal, left.max(least)).await;
        };
        let mut pods = self.pods.clone();
        tokio::select! {
            () = gentle => {}
            // Whoever deletes again with less grace means it.
            () = shortened(&mut pods, begun, grace) => self.stop(Signal::KILL, Duration::ZERO).await,
        }
        self.pods.mark_unchanged();
    }

    async fn stop_hook(&self, pod: &Pod, grace: Duration) {
        let Some(hook) = &self.subject.container.lifecycle.pre_stop else {
            return;
        };
        let failure = match tokio::time::timeout(grace, handler::hook(&self.subject, hook)).await {
            Ok(Ok(())) => return,
            Ok(Err(text)) => text,
            Err(_) => "the hook took longer than the grace period".to_owned(),
        };
        self.event(
            pod,
            Level::Warning,
            "FailedPreStopHook",
            format!("PreStopHook failed: {failure}"),
        );
    }

    async fn stop(&self, signal: Signal, grace: Duration) {
        let target = Target::All { signal, grace };
        match self.context.sandbox.stop(&self.subject.id, target).await {
            Ok(()) | Err(Error::NoSandbox(_) | Error::NotRunning(_)) => {}
            Err(error) => {
                tracing::warn!(%error, sandbox = %self.subject.id, "a container could not be stopped")
            }
        }
    }

    fn event(&self, pod: &Pod, level: Level, reason: &'static str, message: String) {
        let field_path = Some(pod.field_path(&self.subject.container.name));
        self.context.recorder.tell(
            &pod.metadata,
            Event {
                level,
                reason,
                message,
                field_path,
            },
        );
    }
}

/// Returns when the pod's grace has become shorter than `grace` and is over.
async fn shortened(pods: &mut watch::Receiver<Arc<Pod>>, begun: Instant, grace: u64) {
    loop {
        let now = pods.borrow_and_update().grace_seconds();
        if now < grace {
            tokio::time::sleep_until(begun + Duration::from_secs(now)).await;
            return;
        }
        if pods.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for the end of a container and tells how it ended.
pub async fn wait(
    context: &Context,
    pod: &Pod,
    name: &RunName,
    id: &SandboxId,
) -> Result<Ended, Error> {
    let attached = context.sandbox.attach(id, &ProcessName::main()).await?;
    let Attached { log, .. } = &attached;
    let log = log.clone();
    let exit = attached.wait().await?;
    let message = message(context, pod, name, log.as_deref(), exit.code != 0).await;
    Ok(adopt::ended(id.as_str(), &exit, message))
}

/// The termination message of a container that has ended.
pub async fn message(
    context: &Context,
    pod: &Pod,
    name: &RunName,
    log: Option<&Path>,
    failed: bool,
) -> String {
    let file = context
        .folders
        .pod(&name.uid)
        .attempt(&name.container, name.attempt)
        .message();
    let policy = pod
        .container(&name.container)
        .map(|container| container.termination_message_policy);
    let log = log
        .filter(|_| failed && policy == Some(MessagePolicy::FallbackToLogsOnError))
        .map(Path::to_owned);
    let read = move || {
        let bytes = fs::read(file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MESSAGE_BYTES)]).into_owned();
        match log {
            Some(log) if text.is_empty() => log_end(&log),
            Some(_) | None => text,
        }
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

fn log_end(path: &Path) -> String {
    let lines = log::tail(path, LOG_MESSAGE_LINES).unwrap_or_default();
    let text: String = lines
        .iter()
        .map(|line| line.text() + if line.partial { "" } else { "\n" })
        .collect();
    let mut from = text.len().saturating_sub(LOG_MESSAGE_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].to_owned()
}

/// Removes the sandboxes, the network, the mounts and the files of a pod; repeating it does no harm.
pub async fn clean_up(context: &Context, uid: &str) -> Result<(), Problem> {
    let problem = |error: &dyn std::error::Error| Problem::new("FailedKillPod", error.to_string());
    for status in context
        .sandbox
        .list()
        .await
        .map_err(|error| problem(&error))?
    {
        let name = RunName::from_labels(&status.labels);
        if name.is_some_and(|name| name.uid == uid) {
            context
                .sandbox
                .stop(&status.id, Target::Remove)
                .await
                .map_err(|error| problem(&error))?;
        }
    }
    release_network(context, uid).await?;
    let (folder, trash) = (context.folders.pod(uid), context.folders.trash().join(uid));
    let put_aside = move || -> io::Result<()> {
        if !folder.root().exists() {
            return Ok(());
        }
        volumes::unmount_below(folder.root())?;
        fs::create_dir_all(trash.parent().unwrap_or(&trash))?;
        if fs::rename(folder.root(), &trash).is_err() {
            // An earlier try left something there.
            fs::remove_dir_all(folder.root())?;
        }
        // Deleting files takes longer than anybody should wait for a name to become free.
        std::thread::spawn(move || fs::remove_dir_all(trash));
        Ok(())
    };
    let done = tokio::task::spawn_blocking(put_aside)
        .await
        .map_err(|error| problem(&error))?;
    done.map_err(|error| problem(&error))
}

/// Removes the pod's network and gives its address back.
pub async fn release_network(context: &Context, uid: &str) -> Result<(), Problem> {
    let problem = |error: &dyn std::error::Error| Problem::new("FailedKillPod", error.to_string());
    let network = network_name(uid).map_err(|error| problem(&error))?;
    context
        .networks
        .remove(&network)
        .await
        .map_err(|error| problem(&error))?;
    context
        .addresses
        .release(uid)
        .map_err(|error| problem(&error))
}

/// Removes a run of a container that is no longer needed, not even for its log.
pub async fn forget(context: &Context, name: &RunName) {
    let Ok(id) = name.sandbox() else { return };
    if let Err(error) = context.sandbox.stop(&id, Target::Remove).await {
        tracing::debug!(%error, sandbox = %id, "an old sandbox could not be removed");
        return;
    }
    let folder = context
        .folders
        .pod(&name.uid)
        .attempt(&name.container, name.attempt);
    let _ = tokio::fs::remove_dir_all(folder.root()).await;
}
