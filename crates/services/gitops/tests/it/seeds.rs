//! Deploy and rollback with faults at random moments: in the end everything is as it was, and stays so.
//!
//! Each run lives other stories and prints their seeds. `LANDFALL_SEED=17` lives one of them
//! again, `LANDFALL_SEEDS=1000` lives so many.

use std::{sync::Arc, time::Duration};

use api::{App, DeploymentState, Health, SyncState};
use futures_util::{StreamExt as _, stream};
use gitops::Pace;
use names::CommitId;
use serde_json::{Value, json};

use crate::{
    faults::{Dice, Faults},
    world::{Ground, World},
};

/// Half a minute's worth.
const SEEDS: u64 = 12;

/// Stories at the same time; each of them mostly waits.
const TOGETHER: usize = 12;

/// Faults of one half of a story, at most.
const FAULTS: u64 = 8;

/// A story that takes longer never ends.
const PATIENCE: Duration = Duration::from_secs(180);

/// How often the end of a story is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// As many looks of the app come to nothing before it counts as calm.
const CALM: usize = 5;

/// Every so many looks the service is told of a push: nobody tells it of its own commits here.
const TELL: usize = 20;

const PACE: Pace = Pace {
    retry: Duration::from_millis(50),
    glance: Duration::from_millis(50),
    settle: Duration::from_millis(100),
    write_back: Duration::from_millis(100),
};

/// What a story changes.
const COLLECTIONS: [&str; 4] = ["api/v1/configmaps", "api/v1/secrets", "api/v1/services", "apis/apps/v1/deployments"];

/// How the Deployment of a story changes over.
fn plan(dice: Dice) -> &'static str {
    ["rolling", "canary 50, 1s", "blue-green keep=0s"][usize::try_from(dice.at(1 << 40, 3)).expect("few")]
}

fn deployment(plan: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, annotations: {{landfall.dev/rollout: '{plan}'}}}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{app: web}}}}\n  \
         template:\n    metadata: {{labels: {{app: web}}}}\n    spec: {{containers: [{{name: main, image: {image}}}]}}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}\n"
    )
}

fn settings(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{argocd.argoproj.io/sync-wave: '-1'}}}}\ndata: {{VALUE: '{value}'}}\n")
}

fn secret(value: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{KEY: {value}}}\n")
}

/// Lets go what waits for what it owned to be gone: nothing owns anything here.
async fn collect(world: &World, namespace: &str) {
    for collection in COLLECTIONS {
        let (root, plural) = collection.rsplit_once('/').expect("a group and a plural");
        let (_, api_version) = root.split_once('/').expect("a root");
        for it in world.kube.list(&format!("/{root}/namespaces/{namespace}/{plural}")).await.unwrap_or_default() {
            if it["metadata"]["deletionTimestamp"].is_null() {
                continue;
            }
            let object = api::ObjectRef {
                api_version: api_version.to_owned(),
                kind: String::new(),
                plural: plural.to_owned(),
                namespace: Some(namespace.to_owned()),
                name: it["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            };
            // It may be gone by now.
            let _ = world.kube.merge(&object, &json!({"metadata": {"finalizers": null}})).await;
        }
    }
}

/// Deployments get healthy or bad by the name of their image, without pods.
pub async fn control_of(world: Arc<World>, namespace: &str) {
    loop {
        collect(&world, namespace).await;
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
        for it in world.kube.list(&path).await.unwrap_or_default() {
            let generation = &it["metadata"]["generation"];
            if it["status"]["observedGeneration"] == *generation {
                continue;
            }
            let replicas = it["spec"]["replicas"].as_i64().unwrap_or(1);
            let is_bad = it["spec"]["template"]["spec"]["containers"][0]["image"] == "bad";
            let (available, reason) = if is_bad { (0, "ProgressDeadlineExceeded") } else { (replicas, "NewReplicaSetAvailable") };
            let progressing = json!({"type": "Progressing", "status": if is_bad { "False" } else { "True" }, "reason": reason});
            let object = api::ObjectRef {
                api_version: "apps/v1".to_owned(),
                kind: "Deployment".to_owned(),
                plural: "deployments".to_owned(),
                namespace: Some(namespace.to_owned()),
                name: format!("{}/status", it["metadata"]["name"].as_str().unwrap_or_default()),
            };
            let status = json!({"status": {
                "observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas,
                "availableReplicas": available, "readyReplicas": available, "conditions": [progressing],
            }});
            // It may be gone by now.
            let _ = world.kube.merge(&object, &status).await;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether nothing is under way, and the cluster holds what Git says.
fn is_settled(app: &App) -> bool {
    let last = app.status.history.last();
    app.status.operation.is_none()
        && app.status.rollout.is_none()
        && app.status.sync == SyncState::Synced
        && app.status.health == Health::Healthy
        && last.is_some_and(|it| it.state == DeploymentState::Healthy)
}

fn commit_of(app: &App) -> Option<CommitId> {
    app.status.seen.as_ref().and_then(|it| it.commits.first()).copied()
}

/// Waits until the app is settled at a commit that fits; tells now and then of `pushed`.
async fn settled(world: &World, pushed: CommitId, fits: impl Fn(CommitId) -> bool) -> App {
    let began = tokio::time::Instant::now();
    for look in 1_usize.. {
        if look.is_multiple_of(TELL) {
            world.tell(pushed).await;
        }
        let app = world.app().await;
        if commit_of(&app).is_some_and(&fits) && is_settled(&app) {
            return app;
        }
        assert!(began.elapsed() < PATIENCE, "it never settles: {}", serde_json::to_string_pretty(&app.status).unwrap_or_default());
        tokio::time::sleep(LOOK).await;
    }
    unreachable!("it looks for ever")
}

/// Tells of pushes until a few looks in a row write nothing.
async fn calm(world: &World, faults: &Faults, commit: CommitId) {
    let began = tokio::time::Instant::now();
    let mut quiet = 0;
    while quiet < CALM {
        faults.take_writes();
        world.tell(commit).await;
        tokio::time::sleep(LOOK * 3).await;
        let writes = faults.take_writes();
        quiet = if writes.is_empty() { quiet + 1 } else { 0 };
        assert!(began.elapsed() < PATIENCE, "it never rests: {writes:?}");
    }
}

/// Serves the world, whose service may end at any moment and is made anew then.
struct Server {
    faults: Faults,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    fn of(world: Arc<World>, faults: Faults) -> Self {
        let its = faults.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = serve(&world, &its) => {}
                () = control_of(world.clone(), &world.name) => {}
            }
        });
        Self { faults, task }
    }
}

async fn serve(world: &World, faults: &Faults) {
    loop {
        let service = world.frail(faults, PACE);
        tokio::select! {
            ended = service.run() => if ended.is_err() { tokio::task::yield_now().await },
            () = faults.crash() => {}
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn live(ground: Arc<Ground>, seed: u64) {
    let dice = Dice(seed);
    let name = format!("s{seed}");
    let world = Arc::new(World::new(&ground, &name).await);
    let plan = plan(dice);
    let files = [
        ("web.yaml", deployment(plan, "good")),
        ("settings.yaml", settings("settings", "one")),
        ("secret.yaml", secret("one")),
        ("old.yaml", settings("old", "kept")),
    ];
    let first = world.push(&files).await;
    world.follow().await;
    let server = Server::of(world.clone(), Faults::new(dice, FAULTS));
    settled(&world, first, |seen| seen == first).await;
    server.faults.stop();
    calm(&world, &server.faults, first).await;
    let before = world.objects(&COLLECTIONS).await;
    drop(server);

    // The second state is bad: it changes, adds and removes objects.
    let files = [
        ("web.yaml", deployment(plan, "bad")),
        ("settings.yaml", settings("settings", "two")),
        ("secret.yaml", secret("two")),
        ("added.yaml", settings("added", "new")),
    ];
    let bad = world.push(&files).await;
    world.refuse_pushes(dice.at(2 << 40, 3));
    let server = Server::of(world.clone(), Faults::new(Dice(seed.rotate_left(32) ^ 0x5eed), FAULTS));
    let app = settled(&world, bad, |seen| seen != first && seen != bad).await;
    server.faults.stop();
    let reverted = commit_of(&app).expect("a commit");
    calm(&world, &server.faults, reverted).await;
    let (after, app) = (world.objects(&COLLECTIONS).await, world.app().await);
    drop(server);

    assert_eq!(show(&after), show(&before), "not as it was");
    let states: Vec<_> = app.status.history.iter().map(|it| (it.id, it.state, it.back_to)).collect();
    assert!(states.len() <= 4, "it went back and forth: {states:?}");
    let bad_ones = app.status.history.iter().filter(|it| it.state == DeploymentState::RolledBack).count();
    assert_eq!(bad_ones, 1, "{states:?}");
}

fn show(objects: &[Value]) -> String {
    serde_json::to_string_pretty(objects).unwrap_or_default()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_everything_is_as_it_was() {
    let seeds: Vec<u64> = match (number("LANDFALL_SEED"), number("LANDFALL_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, count) => {
            // Other places are hit in each run.
            let first = u64::from(std::time::UNIX_EPOCH.elapsed().expect("it is after 1970").subsec_nanos()) * 10_000;
            (first..).take(usize::try_from(count.unwrap_or(SEEDS)).expect("not that many")).collect()
        }
    };
    println!("seeds {} to {}", seeds[0], seeds[seeds.len() - 1]);
    let ground = Arc::new(Ground::open());
    let stories = seeds.iter().map(|seed| {
        let (seed, story) = (*seed, tokio::spawn(live(ground.clone(), *seed)));
        async move { story.await.map_err(|error| (seed, error)) }
    });
    let ends: Vec<_> = stream::iter(stories).buffer_unordered(TOGETHER).collect().await;
    let failed: Vec<_> = ends.into_iter().filter_map(Result::err).collect();
    for (seed, error) in &failed {
        println!("LANDFALL_SEED={seed}: {error}");
    }
    assert!(failed.is_empty(), "{} of {} stories ended badly", failed.len(), seeds.len());
}
