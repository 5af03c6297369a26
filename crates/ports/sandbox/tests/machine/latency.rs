//! How long it takes until a program runs; a number to look at, not a test: `--ignored --nocapture`.

use std::time::{Duration, Instant};

use sandbox::{HostView, Limits, Main, Process, Root, Sandbox, Spec};

use crate::world::{World, id, process_name};

const ROUNDS: usize = 50;

#[tokio::test]
#[ignore = "a measurement"]
async fn time_until_the_program_runs() {
    let Some(world) = World::new().await else { return };
    let program = || Process::new(["/bin/true"]);
    let limits = Limits { cpu_millis: Some(1000), memory_bytes: Some(256 << 20), pids: Some(100) };
    for (what, limits, host) in
        [("layers", Limits::default(), false), ("layers, 3 limits", limits, false), ("host view", Limits::default(), true)]
    {
        let (mut runs, mut execs, mut removes) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let name = format!("r{round}");
            let root = if host {
                let scratch = world.path(&format!("host-{round}"));
                Root::Host(HostView { scratch, home: "/root".into(), ..HostView::default() })
            } else {
                world.layers(&format!("scratch-{round}"))
            };
            let mut spec = Spec::new(root, Main::Idle);
            spec.limits = limits;
            let start = Instant::now();
            world.local.run(&id(&name), &spec).await.expect("run");
            runs.push(start.elapsed());
            let start = Instant::now();
            world.local.exec(&id(&name), &process_name("x"), &program()).await.expect("exec");
            execs.push(start.elapsed());
            let start = Instant::now();
            world.remove(&name).await;
            removes.push(start.elapsed());
        }
        println!("{what}: run {:?}, exec {:?}, remove {:?} (p50)", middle(runs), middle(execs), middle(removes));
    }
    world.end().await;
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
