//! What an app asks of the API server: for its first deployment, and at rest.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use api::{App, DeploymentState, SyncState};
use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
};
use gitops::Pace;

use crate::world::{Ground, World};

const APPS: usize = 10;
const OBJECTS: usize = 4;

/// What is not deployed by then never is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nothing is asked for in this time once all looks are taken, which they are after a few of these.
const REST: Duration = Duration::from_secs(2);
const ROUNDS_MAX: usize = 10;

const LOOK: Duration = Duration::from_millis(20);

/// Requests by what they are.
#[derive(Clone, Default)]
struct Count(Arc<Mutex<BTreeMap<&'static str, usize>>>);

impl Count {
    fn before(&self, router: Router) -> Router {
        let count = self.clone();
        router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let kind = kind(&request);
            *count.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
            next.run(request)
        }))
    }

    fn take(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn kind(request: &Request) -> &'static str {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let is_discovery = !path.contains("/namespaces") && !query.contains('=');
    match request.method().as_str() {
        "GET" if query.contains("watch=") => "watch",
        "GET" if is_discovery => "discover",
        "GET" => "read",
        _ if query.contains("dryRun") => "try",
        _ => "write",
    }
}

async fn until_deployed(world: &World) {
    let began = tokio::time::Instant::now();
    loop {
        let apps = store::list::<App>(&*world.records, "").await.expect("a list");
        let is_done = |it: &App| {
            it.status.sync == SyncState::Synced && it.status.operation.is_none() && it.status.history.last().is_some_and(|it| it.state == DeploymentState::Healthy)
        };
        if apps.iter().all(is_done) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{apps:#?}");
        tokio::time::sleep(LOOK).await;
    }
}

/// What one app asks for, of each kind.
fn each(count: &BTreeMap<&'static str, usize>, kind: &str) -> usize {
    count.get(kind).copied().unwrap_or_default() / APPS
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_reads_tries_and_writes_each_object_few_times_and_asks_nothing_at_rest() {
    let (ground, count) = (Ground::open(), Count::default());
    let world = World::new(&ground, "shop").await;
    for app in 0..APPS {
        for object in 0..OBJECTS {
            let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings-{object}}}\ndata: {{VALUE: x}}\n");
            world.write(&format!("app-{app}/{object}.yaml"), &text);
        }
    }
    world.push_file("README.md", "Many.").await;
    for app in 0..APPS {
        world.follow_as(&format!("app-{app}"), "shop", &format!("app-{app}")).await;
    }
    let service = world.service_by(|router| count.before(router), Pace::default());
    let task = tokio::spawn(async move { drop(service.run().await) });
    until_deployed(&world).await;
    let mut first = BTreeMap::new();
    // The last looks may still be under way.
    for _ in 0..ROUNDS_MAX {
        tokio::time::sleep(REST).await;
        let more = count.take();
        if more.is_empty() {
            break;
        }
        more.into_iter().for_each(|(kind, number)| *first.entry(kind).or_insert(0) += number);
    }
    println!("{APPS} apps of {OBJECTS} objects: {first:?}");
    assert_eq!(each(&first, "write"), OBJECTS + 1, "each object and the namespace is written once: {first:?}");
    assert!(each(&first, "try") <= 2 * OBJECTS, "{first:?}");
    assert!(each(&first, "read") <= 12 * OBJECTS, "{first:?}");

    tokio::time::sleep(REST).await;
    assert_eq!(count.take(), BTreeMap::new(), "an app at rest asks for nothing");
    task.abort();
}
