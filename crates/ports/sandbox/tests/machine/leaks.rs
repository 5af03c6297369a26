//! Many sandboxes come and go, and nothing of them is left.

use std::fs;

use sandbox::{Limits, Sandbox, netlink};

use crate::{
    adoption::processes,
    world::{World, id, process_name, shell},
};

#[tokio::test]
async fn a_hundred_sandboxes_leave_nothing() {
    let Some(world) = World::new().await else { return };
    // The first one makes what is kept: the blank folder and the like.
    assert_eq!(world.told("first", &world.shell("first", "true")).await, "=0");
    world.remove("first").await;
    let before = census(&world);
    for round in 0..10 {
        let names: Vec<_> = (0..10).map(|number| format!("s{round}-{number}")).collect();
        let runs = names.iter().enumerate().map(|(number, name)| {
            let world = &world;
            async move {
                let mut spec = if number % 2 == 0 { world.idle(name) } else { world.shell(name, "sleep 1000 & sleep 1000") };
                spec.limits = Limits { memory_bytes: Some(64 << 20), pids: Some(50), cpu_millis: Some(1000) };
                world.local.run(&id(name), &spec).await.expect("run");
                world.local.exec(&id(name), &process_name("x"), &shell("sleep 1000 & echo x")).await.expect("exec");
                world.remove(name).await;
            }
        });
        futures_util::future::join_all(runs).await;
    }
    assert_eq!(census(&world), before);
    world.end().await;
}

/// Everything that could leak, of this test's own spawner.
fn census(world: &World) -> String {
    let state = world.path("state").display().to_string();
    let spawner = processes().find(|(_, arguments)| arguments.get(1) == Some(&state)).expect("a spawner").0;
    let count = |path: String| fs::read_dir(path).map_or(0, Iterator::count);
    // Connections end a moment after they were closed.
    let is_file = |entry: &fs::DirEntry| fs::read_link(entry.path()).is_ok_and(|to| !to.to_string_lossy().starts_with("socket:"));
    let descriptors = fs::read_dir(format!("/proc/{spawner}/fd")).expect("fds").flatten();
    let descriptors = descriptors.filter(|entry| is_file(entry)).count();
    let mounts = fs::read_to_string(format!("/proc/{spawner}/mountinfo")).expect("mounts");
    let group = fs::read_to_string("/proc/self/cgroup").map_or(0, |text| text.lines().count());
    let children = fs::read_to_string(format!("/proc/{spawner}/task/{spawner}/children")).expect("children");
    let groups: usize = walk("/sys/fs/cgroup").iter().filter(|path| path.contains("/s0-") || path.contains("/s9-")).count();
    let links = netlink::links().expect("links").iter().filter(|link| link.name.starts_with("lf0")).count();
    format!(
        "descriptors {descriptors} mounts {} folders {} children {children:?} groups {groups} of {group} links {links}",
        mounts.lines().filter(|line| line.contains(&state)).count(),
        count(format!("{state}/s")),
    )
}

fn walk(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = entry.path().display().to_string();
            found.extend(walk(&path));
            found.push(path);
        }
    }
    found
}
