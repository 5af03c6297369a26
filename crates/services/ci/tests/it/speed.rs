//! How much the engine adds to what steps do themselves.

use std::time::Duration;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_steps_of_nothing_take_little() {
    let world = World::new().await;
    let steps = "      - run: 'true'\n".repeat(100);
    let workflow = format!("on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n{steps}");
    let run = world.run(&workflow, &[]).await;
    world.succeeded(&run).await;
    let took = |from: Option<names::Timestamp>, to: Option<names::Timestamp>| to.zip(from).map(|(to, from)| to.since(from)).unwrap_or_default();
    let job = &run.jobs[0];
    let first = job.steps.first().and_then(|it| it.started);
    let last = job.steps.last().and_then(|it| it.finished);
    println!("a hundred steps: {:?}", took(first, last));
    println!("run created to finished: {:?}", took(Some(run.created), run.finished));
    // Far above the goal of a second, so that a busy machine without optimisation passes.
    assert!(took(first, last) < Duration::from_secs(20));
    world.end().await;
}
