//! The server at work inside the mounts of a sandbox that runs.

use std::{fs, os::fd::AsRawFd as _, path::Path};

use sandbox::{Insides as _, OverlayError, Sandbox as _};

use crate::world::{World, id, shell};

#[tokio::test]
async fn a_folder_is_laid_over_another_and_taken_away() {
    let Some(world) = World::new().await else { return };
    let lower = world.path("tree");
    fs::create_dir_all(lower.join("bin")).expect("a folder");
    fs::write(lower.join("one"), "1").expect("a file");
    world.local.run(&id("job"), &world.idle("job")).await.expect("run");
    world.exec("job", "make", &shell("mkdir /full; echo x > /full/x; ln -s /real /link; mkdir /real")).await;

    let inside = world.local.inside(&id("job")).expect("its mounts");
    inside.overlay(&lower, &world.path("a"), Path::new("/work/new")).expect("a missing folder");
    inside.overlay(&lower, &world.path("b"), Path::new("/link")).expect("an empty folder");
    let occupied = inside.overlay(&lower, &world.path("c"), Path::new("/full"));
    assert!(matches!(occupied, Err(OverlayError::Occupied(path)) if path == "/full"));

    let told = world.exec("job", "look", &shell("cd /work/new; cat one; echo; echo 2 > one; rm -r bin; echo 3 > two; ls; ls /real /full")).await;
    assert_eq!(told, "1|one|two|/full:|x||/real:|bin|one=0");
    assert_eq!(fs::read_to_string(lower.join("one")).expect("a file"), "1");
    assert!(lower.join("bin").exists() && !lower.join("two").exists());

    let seen = inside.open_folder(Path::new("/work/new")).expect("a folder");
    let through = format!("/proc/self/fd/{}", seen.as_raw_fd());
    assert_eq!(fs::read_to_string(Path::new(&through).join("one")).expect("a file"), "2\n");

    inside.detach(Path::new("/work/new")).expect("a mount");
    assert_eq!(world.exec("job", "after", &shell("ls /work/new")).await, "=0");
    assert!(inside.detach(Path::new("/full")).is_err(), "nothing is mounted there");
    world.remove("job").await;
    assert!(world.local.inside(&id("job")).is_err());
    world.end().await;
}
