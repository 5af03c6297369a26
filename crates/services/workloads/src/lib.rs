//! The cluster's controllers and scheduler, written purely against the Kubernetes API.
//!
//! Watches keep one shared [picture](picture::Picture); each change puts the
//! objects it concerns into the queues of their controllers; a controller looks
//! at the picture, asks `core/workload` for a plan, and carries it out. Nothing
//! polls: timers exist only where time itself changes something.

mod api;
mod collector;
mod deployments;
mod dispatch;
mod hand;
mod namespaces;
mod nodes;
mod picture;
mod queue;
mod reconnect;
mod replica_sets;
mod scheduler;
mod services;
mod teller;
mod worker;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{dispatch::Queues, hand::Hand, picture::Picture, teller::Teller};

/// Work is mostly waiting for answers, so a few workers a controller keep rollouts from queueing behind each other.
const WORKERS: usize = 4;

/// What the controllers cannot find out by themselves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The certificate of the authority that signs the API server's own, for pods.
    pub ca_pem: String,
    /// How long a node may be silent before it counts as lost.
    pub node_grace: Duration,
}

impl Config {
    pub fn new(ca_pem: String) -> Self {
        // Four lost heartbeats of ten seconds each, as on any cluster.
        Self { ca_pem, node_grace: Duration::from_secs(40) }
    }
}

/// Runs every controller and the scheduler until told to stop.
pub async fn run(client: kube::Client, config: Config, shutdown: CancellationToken) {
    let mut tasks = JoinSet::new();
    let api = api::Api::new(client.clone());
    let picture = Arc::new(Picture::default());
    let (teller, posting) = Teller::new(api.clone());
    tasks.spawn(posting);
    let queues = Arc::new(Queues::new());
    let heartbeats = Arc::new(nodes::Heartbeats::default());
    let listed = dispatch::watch_all(&mut tasks, &client, &picture, &queues, &heartbeats);
    let hand = Hand { component: "landfall", api, picture, teller };
    let start = async {
        // Before every list is complete a missing object means nothing.
        for mut listed in listed {
            if listed.wait_for(|listed| *listed).await.is_err() {
                return;
            }
        }
        spawn_controllers(&mut tasks, &hand, &queues, heartbeats, config);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = start => {}
    }
    tasks.shutdown().await;
}

fn spawn_controllers(
    tasks: &mut JoinSet<()>,
    hand: &Hand,
    queues: &Queues,
    heartbeats: Arc<nodes::Heartbeats>,
    config: Config,
) {
    let Config { ca_pem, node_grace } = config;
    let deployments = deployments::Deployments(hand.named("deployment-controller"));
    worker::spawn(tasks, WORKERS, &queues.deployments, deployments);
    worker::spawn(tasks, WORKERS, &queues.sets, replica_sets::ReplicaSets(hand.named("replicaset-controller")));
    worker::spawn(tasks, WORKERS, &queues.services, services::Services(hand.named("endpoint-slice-controller")));
    let scheduler = scheduler::Scheduler { hand: hand.named("default-scheduler"), deciding: Mutex::new(()) };
    worker::spawn(tasks, WORKERS, &queues.pods, scheduler);
    let namespaces = namespaces::Namespaces { hand: hand.named("namespace-controller"), ca_pem };
    worker::spawn(tasks, WORKERS, &queues.namespaces, namespaces);
    worker::spawn(tasks, WORKERS, &queues.litter, collector::Collector(hand.named("garbage-collector-controller")));
    let nodes = nodes::Nodes { hand: hand.named("node-controller"), heartbeats, grace: node_grace };
    worker::spawn(tasks, 1, &queues.nodes, nodes);
}
