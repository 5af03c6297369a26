//! The `landfall.yaml` of a repository: its apps are made, changed and let go with it.

use std::time::Duration;

use api::{App, Push};

use crate::world::{Ground, World};

/// A change that takes longer never comes.
const PATIENCE: Duration = Duration::from_secs(30);

const LOOK: Duration = Duration::from_millis(5);

/// Waits until the apps are these, each with its namespace and branch.
async fn until(world: &World, expected: &[&str]) {
    let began = tokio::time::Instant::now();
    loop {
        let apps = store::list::<App>(&*world.records, "").await.expect("a list");
        let found: Vec<_> = apps.iter().map(|it| format!("{} {} {}", it.name, it.spec.namespace, it.spec.sources[0].revision)).collect();
        if found == expected {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{found:?} never becomes {expected:?}");
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test]
async fn apps_come_and_go_with_the_file() {
    let ground = Ground::open();
    let world = World::new(&ground, "s1").await;
    let service = world.service().following_files();
    let serve = tokio::spawn(service.run());

    world.push_file("landfall.yaml", "apps:\n  - path: deploy\n  - {path: deploy, environment: staging, branch: next}\n").await;
    until(&world, &["s1 s1 HEAD", "s1-staging s1-staging next"]).await;
    world.push_file("landfall.yaml", "apps:\n  - {path: deploy, branch: main}\n").await;
    until(&world, &["s1 s1 main"]).await;

    // A mistake is told and changes nothing.
    world.push_file("landfall.yaml", "apps:\n  - {pth: deploy}\n").await;
    let began = tokio::time::Instant::now();
    let told = loop {
        let pushes = store::list::<Push>(&*world.records, "").await.expect("a list");
        if let Some(told) = pushes.last().and_then(|it| it.errors.first()) {
            break told.clone();
        }
        assert!(began.elapsed() < PATIENCE, "the mistake is not told");
        tokio::time::sleep(LOOK).await;
    };
    assert!(told.contains("`pth` is not supported here") && told.contains("landfall.yaml:2"), "{told}");
    until(&world, &["s1 s1 main"]).await;
    serve.abort();
}
