//! The acts that a pod's worker sends off; each tells how it went.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use names::Timestamp;
use sandbox::{PodAddress, SandboxId};
use tokio::sync::mpsc;

use crate::{
    api::now,
    context::Context,
    ending,
    events::{Event, Level},
    folders::{RunName, network_name},
    images,
    launch::{self, Launch, LaunchError, Launched},
    pod::Pod,
    seen::{Ended, News},
    sources::TokenCache,
    task::Problem,
};

/// How long taking a pod out of service may delay its end.
pub const LONGEST_DRAIN: Duration = Duration::from_secs(2);

/// What acts and watches tell their worker.
pub enum Message {
    News(News),
    Launched(Launched),
    /// The volumes are to be brought up to date.
    Refresh,
}

/// The way back to a worker; cheap to clone.
#[derive(Clone)]
pub struct Teller {
    messages: mpsc::UnboundedSender<Message>,
}

impl Teller {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Message>) {
        let (messages, incoming) = mpsc::unbounded_channel();
        (Self { messages }, incoming)
    }

    pub fn news(&self, news: News) {
        self.tell(Message::News(news));
    }

    fn tell(&self, message: Message) {
        // A worker that has left needs no news.
        let _ = self.messages.send(message);
    }
}

pub async fn prepare_network(context: Arc<Context>, pod: Arc<Pod>, teller: Teller) {
    let made = make_network(&context, &pod).await;
    let made = made.map_err(|message| {
        let message = format!("Failed to create pod sandbox: {message}");
        event(
            &context,
            &pod,
            Level::Warning,
            "FailedCreatePodSandBox",
            message.clone(),
            None,
        );
        Problem::new("FailedCreatePodSandBox", message)
    });
    teller.news(News::Network(made));
}

async fn make_network(context: &Context, pod: &Pod) -> Result<IpAddr, String> {
    let uid = &pod.metadata.uid;
    let address = match pod.spec.host_network {
        true => context.host_ip,
        false => {
            let range = context.addresses.range();
            let address = context
                .addresses
                .take(uid)
                .map_err(|error| error.to_string())?;
            let name = network_name(uid).map_err(|error| error.to_string())?;
            let wanted = PodAddress {
                address,
                prefix: range.prefix(),
                gateway: range.gateway(),
                bridge: context.config.bridge.clone(),
            };
            if let Err(error) = context.networks.create(&name, &wanted).await {
                // An earlier life of the agent may have made it.
                let known = context.networks.list().await.unwrap_or_default();
                if known.get(&name) != Some(&wanted) {
                    return Err(error.to_string());
                }
            }
            IpAddr::V4(address)
        }
    };
    launch::write_etc(context, pod, address).map_err(|error| error.to_string())?;
    Ok(address)
}

pub async fn prepare_volumes(
    context: Arc<Context>,
    pod: Arc<Pod>,
    teller: Teller,
    tokens: Arc<TokenCache>,
    address: Option<IpAddr>,
) {
    let done = set_up(&context, &pod, &teller, &tokens, address).await;
    let done = done.map_err(|message| {
        event(
            &context,
            &pod,
            Level::Warning,
            "FailedMount",
            message.clone(),
            None,
        );
        Problem::new("FailedMount", message)
    });
    teller.news(News::Volumes(done));
}

pub async fn refresh_volumes(
    context: Arc<Context>,
    pod: Arc<Pod>,
    teller: Teller,
    tokens: Arc<TokenCache>,
    address: Option<IpAddr>,
) {
    // What is mounted stays as it is until the source is whole again.
    if let Err(message) = set_up(&context, &pod, &teller, &tokens, address).await {
        event(&context, &pod, Level::Warning, "FailedMount", message, None);
    }
}

async fn set_up(
    context: &Context,
    pod: &Arc<Pod>,
    teller: &Teller,
    tokens: &TokenCache,
    address: Option<IpAddr>,
) -> Result<(), String> {
    let renew = launch::set_up_volumes(context, pod, tokens, address).await?;
    if let Some(renew) = renew {
        let teller = teller.clone();
        tokio::spawn(async move {
            let delay = renew.saturating_duration_since(Instant::now());
            tokio::select! {
                () = tokio::time::sleep(delay) => teller.tell(Message::Refresh),
                () = teller.messages.closed() => {}
            }
        });
    }
    Ok(())
}

pub async fn pull(context: Arc<Context>, pod: Arc<Pod>, teller: Teller, container: String) {
    let Some(spec) = pod.container(&container) else {
        return;
    };
    let result = images::ensure(&context, &pod, spec).await;
    teller.news(News::Image { container, result });
}

pub async fn start(context: Arc<Context>, launch: Launch, teller: Teller) {
    let (pod, container) = (&launch.pod, launch.container.name.clone());
    let path = Some(pod.field_path(&container));
    let result = launch::launch(&context, &launch).await;
    if let Ok(_) | Err(LaunchError::CannotStart { .. }) = &result {
        event(
            &context,
            pod,
            Level::Normal,
            "Created",
            format!("Created container: {container}"),
            path.clone(),
        );
    }
    match result {
        Ok(launched) => {
            event(
                &context,
                pod,
                Level::Normal,
                "Started",
                format!("Started container {container}"),
                path,
            );
            teller.tell(Message::Launched(launched));
        }
        Err(LaunchError::Refused(problem)) => {
            event(
                &context,
                pod,
                Level::Warning,
                "Failed",
                format!("Error: {}", problem.message),
                path,
            );
            teller.news(News::Refused { container, problem });
        }
        Err(LaunchError::CannotStart { id, message }) => {
            event(
                &context,
                pod,
                Level::Warning,
                "Failed",
                format!("Error: {message}"),
                path,
            );
            let at = now();
            let ended = start_error(&id, message, at);
            teller.news(News::Ended { container, ended });
        }
    }
}

/// The end of a container whose program could not be executed, as container runtimes tell it.
fn start_error(id: &SandboxId, message: String, at: Timestamp) -> Ended {
    Ended {
        id: id.to_string(),
        exit_code: 128,
        reason: "StartError".to_owned(),
        message,
        started: Timestamp::default(),
        finished: at,
    }
}

/// Waits for the end of a container, however often the sandbox has to be asked.
pub async fn watch_end(
    context: Arc<Context>,
    pod: Arc<Pod>,
    name: RunName,
    id: SandboxId,
    teller: Teller,
) {
    let ended = loop {
        match ending::wait(&context, &pod, &name, &id).await {
            Ok(ended) => break ended,
            Err(sandbox::Error::NoSandbox(_) | sandbox::Error::NoProcess(..)) => {
                break lost(&id, now());
            }
            Err(error) => {
                tracing::warn!(%error, sandbox = %id, "a container's end could not be watched");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    };
    teller.news(News::Ended {
        container: name.container,
        ended,
    });
}

fn lost(id: &SandboxId, at: Timestamp) -> Ended {
    Ended {
        id: id.to_string(),
        exit_code: 137,
        reason: Ended::LOST.to_owned(),
        message: "The container is gone and nobody saw its end".to_owned(),
        started: at,
        finished: at,
    }
}

pub async fn drain(context: Arc<Context>, teller: Teller, address: Option<IpAddr>) {
    if let (Some(drain), Some(address)) = (&context.config.drain, address) {
        // A proxy that does not answer must not keep a pod alive.
        let _ = tokio::time::timeout(LONGEST_DRAIN, drain(address)).await;
    }
    teller.news(News::Drained);
}

pub async fn release_network(context: Arc<Context>, pod: Arc<Pod>, teller: Teller) {
    if !pod.spec.host_network
        && let Err(problem) = ending::release_network(&context, &pod.metadata.uid).await
    {
        tracing::warn!(message = %problem.message, pod = %pod.title(), "a network could not be released");
    }
    teller.news(News::NetworkReleased);
}

pub async fn clean_up(context: Arc<Context>, pod: Arc<Pod>, teller: Teller) {
    let cleaned = ending::clean_up(&context, &pod.metadata.uid).await;
    if let Err(problem) = &cleaned {
        event(
            &context,
            &pod,
            Level::Warning,
            "FailedKillPod",
            problem.message.clone(),
            None,
        );
    }
    teller.news(News::Cleaned(cleaned));
}

/// Removes the pod's object, after its last status was written.
pub async fn delete(
    context: Arc<Context>,
    pod: Arc<Pod>,
    teller: Teller,
    last: impl Future<Output = ()>,
) {
    last.await;
    let metadata = &pod.metadata;
    let deleted = context
        .requests
        .delete_pod(&metadata.namespace, &metadata.name, &metadata.uid)
        .await;
    let deleted = deleted.map_err(|error| {
        tracing::warn!(%error, pod = %pod.title(), "a pod could not be removed from the API");
        Problem::new("FailedDelete", error.to_string())
    });
    teller.news(News::Deleted(deleted));
}

fn event(
    context: &Context,
    pod: &Pod,
    level: Level,
    reason: &'static str,
    message: String,
    field_path: Option<String>,
) {
    context.recorder.tell(
        &pod.metadata,
        Event {
            level,
            reason,
            message,
            field_path,
        },
    );
}
