//! What people and clusters get wrong: each has its own word, its message and a way out, and stops only its own app.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use api::App;
use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use gitops::Pace;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinSet};

use crate::world::{Ground, World};

/// What is not told by then is not told.
const PATIENCE: Duration = Duration::from_secs(60);

const LOOK: Duration = Duration::from_millis(10);

const PACE: Pace = Pace {
    retry: Duration::from_millis(50),
    glance: Duration::from_millis(50),
    settle: Duration::from_millis(50),
    write_back: Duration::from_millis(50),
};

fn settings(value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {{VALUE: {value}}}\n")
}

/// A Deployment of no pods: nobody starts any here.
fn deployment(label: &str, more: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web{more}}}\nspec:\n  replicas: 0\n  selector: {{matchLabels: {{app: {label}}}}}\n  \
         template:\n    metadata: {{labels: {{app: {label}}}}}\n    spec: {{containers: [{{name: main, image: busybox}}]}}\n"
    )
}

/// How an app stands, and what is told with which way out.
fn show(app: &App) -> Vec<String> {
    let status = &app.status;
    let last = status.history.last().map_or("none".to_owned(), |it| format!("{:?}", it.state).to_lowercase());
    let mut lines = vec![format!("{} {} {last}", status.sync, status.health)];
    lines.extend(status.conditions.iter().map(|it| format!("{}: {} ({})", it.kind, it.message, it.help)));
    let causes = status.quarantined.iter().map(|it| &it.cause).chain(status.history.last().and_then(|it| it.cause.as_ref()));
    lines.extend(causes.map(|it| format!("{}: {} ({})", it.code, it.summary, it.help.join("; "))));
    lines
}

/// Waits until the app stands so (any way, if nothing is said), and one of its lines has all of these parts.
#[track_caller]
fn until<'a>(world: &'a World, name: &'a str, state: &'a str, parts: &'a [&'a str]) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        let began = tokio::time::Instant::now();
        loop {
            let lines = show(&world.app_called(name).await);
            let is_told = parts.is_empty() || lines.iter().any(|line| parts.iter().all(|part| line.contains(part)));
            if (state.is_empty() || lines[0] == state) && is_told {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{caller}: {name} is not `{state}` with {parts:?} but\n{}", lines.join("\n"));
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A cluster that may be away, and never lets anybody into one namespace.
#[derive(Clone, Default)]
struct Gate {
    is_away: Arc<AtomicBool>,
}

impl Gate {
    fn before(&self, router: Router) -> Router {
        let gate = self.clone();
        router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let gate = gate.clone();
            async move { gate.pass(request, next).await }
        }))
    }

    async fn pass(&self, request: Request, next: Next) -> Response {
        if self.is_away.load(Ordering::SeqCst) {
            let lost = futures_util::stream::once(async { Err::<axum::body::Bytes, _>(std::io::Error::other("no route to host")) });
            return Response::new(Body::from_stream(lost));
        }
        if request.uri().path().contains("/namespaces/forbidden/") {
            let message = "configmaps \"settings\" is forbidden: User \"landfall\" cannot patch resource \"configmaps\" in API group \"\" in the namespace \"forbidden\"";
            return (StatusCode::FORBIDDEN, Json(json!({"kind": "Status", "message": message, "reason": "Forbidden", "code": 403}))).into_response();
        }
        next.run(request).await
    }
}

/// A source of numbers that takes questions and never answers; gives its address.
async fn silent_source(tasks: &mut JoinSet<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tasks.spawn(async move {
        let mut asked = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            asked.push(stream);
        }
    });
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mistake_is_told_with_its_way_out_and_stops_only_its_own_app() {
    // Another test may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (ground, gate, mut tasks) = (Ground::open(), Gate::default(), JoinSet::new());
    let world = Arc::new(World::new(&ground, "shop").await);
    let names = ["fine", "vanishing", "empty", "unreadable", "unheard", "fixed", "forbidden", "silent"];
    for name in names {
        world.write(&format!("{name}/settings.yaml"), &settings("one"));
    }
    world.write("fixed/web.yaml", &deployment("one", ""));
    world.write("silent/web.yaml", &deployment("web", ""));
    world.push_file("README.md", "Hello.").await;
    let vanishing = world.repeat_repository("vanishing").await;
    for name in names {
        world.follow_as(name, if name == "vanishing" { "vanishing" } else { "shop" }, name).await;
    }
    tasks.spawn(crate::seeds::control_of(world.clone(), "fixed"));
    tasks.spawn(crate::seeds::control_of(world.clone(), "silent"));
    let service = world.service_by(|router| gate.before(router), PACE);
    tasks.spawn(async move { drop(service.run().await) });

    until(&world, "forbidden", "OutOfSync Unknown failed", &["LF-D0201", "cannot patch resource", "or choose another namespace"]).await;
    for name in names.iter().filter(|it| **it != "forbidden") {
        until(&world, name, "Synced Healthy healthy", &[]).await;
    }

    // All of them break at once.
    let source = silent_source(&mut tasks).await;
    let plan = format!(", annotations: {{landfall.dev/rollout: '{{canary: {{steps: [{{setWeight: 50}}], analysis: {{interval: 1s, prometheus: {{address: \"{source}\", query: up, max: 1}}}}}}}}'}}");
    std::fs::remove_dir_all(vanishing).expect("removed");
    world.remove("empty/settings.yaml");
    world.write("empty/README.md", "Nothing here.");
    world.write("unreadable/settings.yaml", "kind: [\n");
    world.write("unheard/other.yaml", "apiVersion: example.org/v1\nkind: Unheard\nmetadata: {name: a}\n");
    world.write("fixed/web.yaml", &deployment("two", ""));
    world.write("silent/web.yaml", &deployment("web", &plan).replace("image: busybox", "image: other"));
    world.push_file("fine/settings.yaml", &settings("two")).await;

    until(&world, "vanishing", "Unknown Healthy healthy", &["RepositoryMissing", "no repository `vanishing`", "push the repository"]).await;
    until(&world, "empty", "OutOfSync Healthy healthy", &["NoManifests", "`empty`", "mend `path`"]).await;
    until(&world, "unreadable", "Unknown Healthy healthy", &["RenderError", "unreadable/settings.yaml", "landfall render"]).await;
    until(&world, "unheard", "Unknown Healthy healthy", &["KindMissing", "`Unheard`", "apply the definition"]).await;
    // It is taken back in Git at once, so how the app stands is a matter of the moment.
    until(&world, "fixed", "", &["LF-D0302", "immutable", "give the object another name"]).await;
    until(&world, "silent", "Synced Suspended waiting", &["AnalysisUnanswered", "nothing came within", "landfall app abort silent"]).await;
    until(&world, "fine", "Synced Healthy healthy", &[]).await;
    assert_eq!(world.kube.get("/api/v1/namespaces/fine/configmaps/settings").await.expect("readable").expect("it is there")["data"]["VALUE"], "two");
    for name in ["vanishing", "empty", "unreadable", "unheard"] {
        let kept = world.kube.get(&format!("/api/v1/namespaces/{name}/configmaps/settings")).await.expect("readable");
        assert!(kept.is_some(), "an error of `{name}` deleted something");
    }

    // The cluster is away, and comes back.
    gate.is_away.store(true, Ordering::SeqCst);
    world.push_file("fine/settings.yaml", &settings("three")).await;
    until(&world, "fine", "Unknown Unknown healthy", &["ClusterUnreachable", "out of reach", "check that the cluster answers"]).await;
    gate.is_away.store(false, Ordering::SeqCst);
    until(&world, "fine", "Synced Healthy healthy", &[]).await;
    assert_eq!(world.kube.get("/api/v1/namespaces/fine/configmaps/settings").await.expect("readable").expect("it is there")["data"]["VALUE"], "three");
}
