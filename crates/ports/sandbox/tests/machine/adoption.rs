//! The server goes and comes back; the spawner is killed.

use std::{fs, time::Duration};

use sandbox::{Local, Sandbox, Signal, Target};

use crate::world::{World, id, process_name, shell};

#[tokio::test]
async fn a_new_server_finds_what_runs_and_what_ended() {
    let Some(mut world) = World::new().await else { return };
    world.local.run(&id("job"), &world.idle("job")).await.expect("run");
    assert_eq!(world.exec("job", "done", &shell("echo before; exit 2")).await, "before=2");
    world.local.exec(&id("job"), &process_name("runs"), &shell("echo up; cat /tmp/x; while ! test -e /go; do sleep 0.02; done; echo after; exit 9")).await.expect("exec");

    world.local = Local::start(&world.path("state")).await.expect("start again");
    assert_eq!(world.output("job", "done").await, "before=2");
    assert_eq!(world.exec("job", "sign", &shell("touch /go")).await, "=0");
    let told = world.output("job", "runs").await;
    assert!(told.starts_with("up|") && told.ends_with("|after=9"), "{told}");
    world.end().await;
}

#[tokio::test]
async fn a_killed_spawner_takes_everything_with_it_and_the_next_one_tells() {
    let Some(world) = World::new().await else { return };
    let marker = format!("31{}", std::process::id());
    world.local.run(&id("pod"), &world.shell("pod", &format!("sleep {marker}"))).await.expect("run");
    world.local.run(&id("job"), &world.idle("job")).await.expect("run");
    assert_eq!(world.exec("job", "done", &shell("exit 2")).await, "=2");
    world.local.exec(&id("job"), &process_name("step"), &shell(&format!("setsid sleep {marker} & sleep {marker}"))).await.expect("exec");
    let waiting = world.local.attach(&id("pod"), &process_name("main")).await.expect("attach");
    let waits = tokio::spawn(waiting.wait());

    kill_spawner(&world);
    let exit = tokio::time::timeout(Duration::from_secs(20), waits).await.expect("in time").expect("joins").expect("an exit");
    assert!(exit.lost, "{exit:?}");
    assert_eq!(world.output("job", "done").await, "=2");
    assert_eq!(world.output("job", "step").await, "=137 lost");
    assert_eq!(running(&marker), 0);
    world.remove("pod").await;
    world.remove("job").await;
    assert_eq!(world.told("again", &world.shell("again", "echo new")).await, "new=0");
    let stop = Target::All { signal: Signal::TERM, grace: Duration::ZERO };
    world.local.stop(&id("again"), stop).await.expect("stop");
    world.end().await;
}

fn kill_spawner(world: &World) {
    let state = world.path("state");
    let found = processes().find(|(_, arguments)| {
        arguments.first().is_some_and(|it| it == "landfall-spawner") && arguments.get(1) == Some(&state.display().to_string())
    });
    let (pid, _) = found.expect("a spawner");
    let status = std::process::Command::new("kill").args(["-9", &pid]).status().expect("kill");
    assert!(status.success());
}

pub fn running(marker: &str) -> usize {
    processes().filter(|(_, arguments)| arguments.iter().any(|it| it == marker)).count()
}

pub fn processes() -> impl Iterator<Item = (String, Vec<String>)> {
    let entries = fs::read_dir("/proc").expect("proc").flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().into_string().ok()?;
        pid.parse::<u32>().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let arguments = line.split(|byte| *byte == 0).map(|it| String::from_utf8_lossy(it).into_owned()).collect();
        Some((pid, arguments))
    })
}
