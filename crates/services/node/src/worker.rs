//! Looks after one pod: decides, acts, tells, and waits for news.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use names::Timestamp;
use sandbox::SandboxId;
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
};

use crate::{
    actions::{self, Message, Teller},
    api::now,
    care::{Care, until},
    context::{Context, Known},
    ending::{self, Stopping},
    events::{Event, Level},
    folders::{RunName, Template},
    handler::Subject,
    launch::{self, Launch, Launched},
    plan::{Action, Decision, StopCause, decide},
    pod::{Container, Pod},
    publisher::Publisher,
    seen::{News, Run, Running, Seen},
    sources::TokenCache,
    status,
};

/// The longest sleep without news; only a guard against clocks that jump.
const LONGEST_SLEEP: Duration = Duration::from_secs(300);

/// The worker of one pod.
pub struct Worker {
    context: Arc<Context>,
    pod: Arc<Pod>,
    seen: Seen,
    /// News of the pod's object; `None` when it is gone.
    objects: watch::Receiver<Option<Arc<Pod>>>,
    /// The pod as running tasks see it.
    pods: watch::Sender<Arc<Pod>>,
    shown: watch::Sender<Seen>,
    teller: Teller,
    messages: mpsc::UnboundedReceiver<Message>,
    tasks: JoinSet<()>,
    runs: HashMap<String, RunSide>,
    tokens: Arc<TokenCache>,
    publisher: Publisher,
    told: Value,
    left: bool,
}

/// What belongs to a container that runs, besides what is seen of it.
struct RunSide {
    id: SandboxId,
    template: Arc<Template>,
    care: Option<AbortHandle>,
}

impl Worker {
    /// A worker that begins where `seen` says the pod is.
    pub fn new(
        context: Arc<Context>,
        pod: Arc<Pod>,
        seen: Seen,
        objects: watch::Receiver<Option<Arc<Pod>>>,
    ) -> Self {
        let (teller, messages) = Teller::new();
        let (shown, _) = watch::channel(seen.clone());
        let (pods, _) = watch::channel(pod.clone());
        let publisher = Publisher::start(context.requests.clone(), pod.metadata.clone());
        let told = pod.status.clone();
        Self {
            context,
            pod,
            seen,
            objects,
            pods,
            shown,
            teller,
            messages,
            tasks: JoinSet::new(),
            runs: HashMap::new(),
            tokens: Arc::default(),
            publisher,
            told,
            left: false,
        }
    }

    /// Runs until nothing is left to do for the pod.
    pub async fn run(mut self) {
        self.show();
        self.adopt_running();
        self.watch_sources();
        loop {
            let wake = self.advance();
            if self.left {
                break;
            }
            let sleep = wake.map_or(LONGEST_SLEEP, until).min(LONGEST_SLEEP);
            tokio::select! {
                changed = self.objects.changed() => match changed {
                    Ok(()) => self.take_object(),
                    // The agent itself ends; what runs goes on and is adopted later.
                    Err(_) => break,
                },
                Some(message) = self.messages.recv() => {
                    self.take(message);
                    // News that came together are told together.
                    while let Ok(message) = self.messages.try_recv() {
                        self.take(message);
                    }
                }
                () = tokio::time::sleep(sleep) => {}
                Some(ended) = self.tasks.join_next() => {
                    if let Some(error) = ended.err().filter(tokio::task::JoinError::is_panic) {
                        tracing::error!(%error, pod = %self.pod.title(), "a part of a pod's worker panicked");
                    }
                }
            }
        }
        self.context.hide(&self.pod);
    }

    /// Decides and acts until nothing more is to be done now; says when to look again.
    fn advance(&mut self) -> Option<Timestamp> {
        let at = now();
        let Decision { actions, wake } = decide(&self.pod, &self.seen, at);
        for action in actions {
            self.seen.begin(&action, at);
            self.act(action);
        }
        self.tell_status(at);
        self.shown.send_replace(self.seen.clone());
        wake
    }

    fn act(&mut self, action: Action) {
        let (context, pod, teller) = (self.context.clone(), self.pod.clone(), self.teller.clone());
        match action {
            Action::PrepareNetwork => self.spawn(actions::prepare_network(context, pod, teller)),
            Action::PrepareVolumes => {
                self.spawn(actions::prepare_volumes(
                    context,
                    pod,
                    teller,
                    self.tokens.clone(),
                    self.seen.address,
                ));
            }
            Action::Pull(name) => self.spawn(actions::pull(context, pod, teller, name)),
            Action::Start { container, attempt } => self.start(&container, attempt),
            Action::Stop { container, cause } => self.stop(&container, cause),
            Action::TellBackOff { container } => {
                let message = format!(
                    "Back-off restarting failed container {container} in pod {}",
                    self.pod.title()
                );
                self.event(
                    Level::Warning,
                    "BackOff",
                    message,
                    Some(self.pod.field_path(&container)),
                );
            }
            Action::Fail(problem) => {
                self.event(Level::Normal, "DeadlineExceeded", problem.message, None)
            }
            Action::Initialized => {}
            Action::Drain => self.spawn(actions::drain(context, teller, self.seen.address)),
            Action::ReleaseNetwork => self.spawn(actions::release_network(context, pod, teller)),
            Action::CleanUp => {
                self.tasks.abort_all();
                self.spawn(actions::clean_up(context, pod, teller));
            }
            Action::Delete => {
                let last = self.publisher.finish(self.status(now()));
                self.spawn(actions::delete(context, pod, teller, last));
            }
            Action::Leave => self.left = true,
        }
    }

    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    fn start(&mut self, name: &str, attempt: u32) {
        let seen = self.seen.containers.get(name);
        let image = seen
            .and_then(|seen| seen.image.done())
            .map(|image| image.digest);
        let (Some(container), Some(image)) = (self.pod.container(name).cloned(), image) else {
            return;
        };
        let launch = Launch {
            pod: self.pod.clone(),
            container: Arc::new(container),
            attempt,
            image,
            address: self.address(),
        };
        self.spawn(actions::start(
            self.context.clone(),
            launch,
            self.teller.clone(),
        ));
    }

    fn stop(&mut self, name: &str, cause: StopCause) {
        let Some(run) = self.runs.get_mut(name) else {
            return;
        };
        if let Some(care) = run.care.take() {
            care.abort();
        }
        let (id, template) = (run.id.clone(), run.template.clone());
        let Some(subject) = self.subject(name, id, &template) else {
            return;
        };
        let stopping = Stopping {
            context: self.context.clone(),
            pods: self.pods.subscribe(),
            subject,
            signal: template.stop_signal,
            cause,
        };
        self.spawn(stopping.run());
    }

    fn take_object(&mut self) {
        let object = self.objects.borrow_and_update().clone();
        match object {
            Some(pod) => {
                self.pod = pod;
                self.pods.send_replace(self.pod.clone());
                self.show();
            }
            None => self.seen.gone = true,
        }
    }

    fn take(&mut self, message: Message) {
        let at = now();
        match message {
            Message::Launched(launched) => self.launched(launched, at),
            Message::Refresh => self.refresh(),
            Message::News(News::MustStop { container, cause }) => {
                let runs = self
                    .seen
                    .running(&container)
                    .is_some_and(|running| running.stopping.is_none());
                if runs {
                    let action = Action::Stop { container, cause };
                    self.seen.begin(&action, at);
                    self.act(action);
                }
            }
            Message::News(news) => {
                if let News::Ended { container, .. } = &news {
                    self.runs
                        .remove(container)
                        .and_then(|run| run.care)
                        .inspect(AbortHandle::abort);
                }
                if news == News::SourceChanged {
                    self.refresh();
                }
                self.seen.learn(news, at);
            }
        }
    }

    fn launched(&mut self, launched: Launched, at: Timestamp) {
        let Launched {
            name,
            id,
            template,
            at: started,
        } = launched;
        let container = name.container.clone();
        self.seen.learn(
            News::Started {
                container: container.clone(),
                id: id.to_string(),
                at: started,
            },
            at,
        );
        if let Some(old) = name.attempt.checked_sub(2) {
            let (context, old) = (
                self.context.clone(),
                RunName {
                    attempt: old,
                    ..name.clone()
                },
            );
            self.spawn(async move { ending::forget(&context, &old).await });
        }
        self.look_after(name, id, template);
    }

    /// Watches a running container for its end, and cares for it until then.
    fn look_after(&mut self, name: RunName, id: SandboxId, template: Arc<Template>) {
        let container = name.container.clone();
        let end = actions::watch_end(
            self.context.clone(),
            self.pod.clone(),
            name.clone(),
            id.clone(),
            self.teller.clone(),
        );
        self.spawn(end);
        let subject = self.subject(&container, id.clone(), &template);
        let running = self.seen.running(&container).cloned();
        let care = subject
            .zip(running)
            .map(|(subject, running)| self.care(subject, running));
        self.runs.insert(container, RunSide { id, template, care });
    }

    fn care(&mut self, subject: Subject, running: Running) -> AbortHandle {
        let teller = self.teller.clone();
        let (context, pod) = (self.context.clone(), self.pod.clone());
        let care = Care {
            context,
            pod,
            subject,
            running,
            tell: move |news| teller.news(news),
        };
        self.tasks.spawn(care.run())
    }

    /// Takes over the containers that ran before this worker began.
    fn adopt_running(&mut self) {
        let uid = self.pod.metadata.uid.clone();
        let running = self
            .seen
            .containers
            .iter()
            .filter_map(|(container, seen)| match &seen.run {
                Run::Running(_) => Some(RunName {
                    uid: uid.clone(),
                    container: container.clone(),
                    attempt: seen.restarts,
                }),
                Run::Never | Run::Starting | Run::Refused { .. } | Run::Ended(_) => None,
            });
        for name in running.collect::<Vec<_>>() {
            let template = launch::read_template(&self.context, &name);
            match (template, name.sandbox()) {
                (Ok(template), Ok(id)) => self.look_after(name, id, Arc::new(template)),
                (template, _) => {
                    let error = template
                        .err()
                        .map(|error| error.to_string())
                        .unwrap_or_default();
                    tracing::warn!(%error, container = %name.container, "a running container could not be adopted");
                }
            }
        }
    }

    fn watch_sources(&mut self) {
        let (context, pod, teller) = (self.context.clone(), self.pod.clone(), self.teller.clone());
        self.spawn(
            async move { crate::sources::watch(&context, &pod, |news| teller.news(news)).await },
        );
    }

    /// Brings the volumes up to date after a source changed or a token aged.
    fn refresh(&mut self) {
        if self.seen.volumes.is_done() && !self.pod.is_being_deleted() {
            let (context, pod, teller) =
                (self.context.clone(), self.pod.clone(), self.teller.clone());
            self.spawn(actions::refresh_volumes(
                context,
                pod,
                teller,
                self.tokens.clone(),
                self.seen.address,
            ));
        }
    }

    fn subject(&self, name: &str, id: SandboxId, template: &Template) -> Option<Subject> {
        let container: Container = self.pod.container(name)?.clone();
        Some(Subject {
            sandbox: self.context.sandbox.clone(),
            id,
            container: Arc::new(container),
            address: self.address(),
            process: Arc::new(template.process.clone()),
        })
    }

    fn address(&self) -> IpAddr {
        self.seen.address.unwrap_or(self.context.host_ip)
    }

    fn status(&self, at: Timestamp) -> Value {
        status::render(
            &self.pod,
            &self.seen,
            &self.context.host_ip.to_string(),
            &self.told,
            at,
        )
    }

    fn tell_status(&mut self, at: Timestamp) {
        if self.seen.gone || self.seen.deleted.is_working() || self.seen.deleted.is_done() {
            return;
        }
        let status = self.status(at);
        if status != self.told {
            self.told = status.clone();
            self.publisher.publish(status);
        }
    }

    fn show(&self) {
        self.context.show(Known {
            pod: self.pod.clone(),
            seen: self.shown.subscribe(),
        });
    }

    fn event(
        &self,
        level: Level,
        reason: &'static str,
        message: String,
        field_path: Option<String>,
    ) {
        self.context.recorder.tell(
            &self.pod.metadata,
            Event {
                level,
                reason,
                message,
                field_path,
            },
        );
    }
}
