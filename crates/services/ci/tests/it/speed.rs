//! How much the engine adds to what steps do themselves; bounds are far above the goals, so that a
//! busy machine without optimisation passes, and what was measured is printed.

use std::{fmt::Write as _, time::Duration};

use names::Timestamp;

use crate::world::World;

fn took(from: Option<Timestamp>, to: Option<Timestamp>) -> Duration {
    to.zip(from).map(|(to, from)| to.since(from)).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_steps_of_nothing_take_little() {
    let world = World::new().await;
    let steps = "      - run: 'true'\n".repeat(100);
    let workflow = format!("on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n{steps}");
    let run = world.run(&workflow, &[]).await;
    world.succeeded(&run).await;
    let job = &run.jobs[0];
    let first = job.steps.first().and_then(|it| it.started);
    let last = job.steps.last().and_then(|it| it.finished);
    println!("a hundred steps: {:?}", took(first, last));
    println!("run created to finished: {:?}", took(Some(run.created), run.finished));
    assert!(took(first, last) < Duration::from_secs(20));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_follows_the_one_it_needs_at_once() {
    let world = World::new().await;
    let mut workflow = "on: push\njobs:\n".to_owned();
    for number in 0..10_usize {
        let needs = number.checked_sub(1).map(|it| format!("    needs: j{it}\n")).unwrap_or_default();
        write!(workflow, "  j{number}:\n    runs-on: ubuntu-latest\n{needs}    steps:\n      - run: 'true'\n").expect("text");
    }
    let run = world.run(&workflow, &[]).await;
    assert_eq!(run.conclusion, Some(api::Conclusion::Success), "{}", world.told(&run).await);
    let edge = |pair: &[api::Job]| took(pair[0].steps[0].finished, pair[1].steps[0].started);
    let mut edges: Vec<_> = run.jobs.windows(2).map(edge).collect();
    edges.sort();
    println!("from the end of a job to the first step of the next: {edges:?}");
    assert!(edges[edges.len() / 2] < Duration::from_secs(2));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_lines_is_kept_whole() {
    const LINES: usize = 200_000;
    let world = World::new().await;
    let mut script = String::new();
    for number in 0..200 {
        writeln!(script, "          echo '::add-mask::secret-number-{number}-of-many'").expect("text");
    }
    let text = "of a flood of lines, each as long as a compiler or a test is wont to print, or a bit more";
    writeln!(script, "          seq 1 {LINES} | awk '{{ print $1 \" {text}\" }}'").expect("text");
    let workflow = format!("on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n{script}");
    let run = world.run(&workflow, &[]).await;
    assert_eq!(run.conclusion, Some(api::Conclusion::Success));
    let step = &run.jobs[0].steps[0];
    println!("{LINES} lines: {:?}", took(step.started, step.finished));
    let lines = world.lines(&run, "test").await;
    let kept = lines.iter().filter(|line| line.stream == store::OutputStream::Stdout).count();
    assert_eq!(kept, LINES);
    world.end().await;
}
