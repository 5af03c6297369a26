//! What tries to get out, and what must look as in other container engines.

use std::{fs, os::unix::fs::symlink};

use sandbox::{Access, Mount, Process, Root, Sandbox, Security};

use crate::world::{World, id, shell};

#[tokio::test]
async fn a_sandbox_looks_like_a_container() {
    let Some(world) = World::new().await else { return };
    let script = "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr '\\t' ' '; \
                  ls /dev | tr '\\n' ' '; echo; \
                  cat /proc/kcore 2>/dev/null | head -c 1; ls /sys/firmware; \
                  (echo 1 > /proc/sys/kernel/panic) 2>/dev/null || echo read-only; \
                  touch /sys/x 2>/dev/null || echo sys; ls -d /sys/fs/cgroup; ps | grep -c sh; stat -c %a /dev/shm";
    let told = world.told("c", &world.shell("c", script)).await;
    let expected = "CapEff: 00000000a80425fb|CapBnd: 00000000a80425fb|NoNewPrivs: 0|Seccomp: 2|\
                    core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero |\
                    read-only|sys|/sys/fs/cgroup|";
    assert!(told.starts_with(expected) && told.ends_with("|1777=0"), "{told}");
    world.end().await;
}

#[tokio::test]
async fn rights_follow_the_spec() {
    let Some(world) = World::new().await else { return };
    let mut spec = world.shell("r", "grep -E '^(CapEff|NoNewPrivs|Groups):' /proc/self/status | tr '\\t' ' '; touch /x 2>&1; touch /tmp/y && echo ok");
    spec.security = Security {
        drop_capabilities: vec!["ALL".into()],
        add_capabilities: vec!["NET_BIND_SERVICE".into()],
        no_new_privileges: true,
        read_only_root: true,
        groups: vec![4242],
        ..Security::default()
    };
    spec.mounts.push(Mount::Tmpfs { target: "/tmp".into(), size_bytes: Some(1 << 20), mode: 0o1777 });
    let expected = "Groups: 0 4242 |CapEff: 0000000000000400|NoNewPrivs: 1|touch: /x: Read-only file system|ok=0";
    let told = world.told("r", &spec).await;
    assert_eq!(told.split('|').collect::<std::collections::BTreeSet<_>>(), expected.split('|').collect(), "{told}");

    spec.security.sysctls.insert("kernel.panic".into(), "1".into());
    assert!(world.told("no", &spec).await.contains("sysctl `kernel.panic` does not belong to the sandbox"));
    spec.security.add_capabilities.push("FLY".into());
    assert_eq!(world.told("no", &spec).await, "error: no capability `FLY`");
    world.end().await;
}

#[tokio::test]
async fn calls_and_devices_that_reach_the_host_are_refused() {
    let Some(world) = World::new().await else { return };
    let script = "mount -t tmpfs x /tmp 2>&1; unshare -m true 2>&1; unshare -U true 2>&1; \
                  mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk 2>&1; mknod /dev/mem2 c 1 1 2>&1 && head -c 1 /dev/mem2 2>&1; \
                  head -c 1 /dev/zero > /dev/null && echo devices";
    let expected = "mount: permission denied (are you root?)|unshare: unshare(0x20000): Operation not permitted|\
                    unshare: unshare(0x10000000): Operation not permitted|head: /tmp/disk: Permission denied|\
                    head: /dev/mem2: Permission denied|devices=0";
    assert_eq!(world.told("k", &world.shell("k", script)).await, expected);
    world.end().await;
}

#[tokio::test]
async fn mount_targets_stay_inside() {
    let Some(world) = World::new().await else { return };
    let outside = world.path("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(world.path("source"), "bound").expect("a file");
    symlink(&outside, world.path("base/leak")).expect("a link");
    symlink("../../../../../../etc/made", world.path("base/up")).expect("a link");
    let mut spec = world.shell("m", "cat /up /etc/made; ls -a /leak/; readlink /leak; (echo x > /up) 2>/dev/null || echo kept");
    let bind = |target: &str| Mount::Bind { source: world.path("source"), target: target.into(), access: Access::ReadOnly };
    spec.mounts = vec![bind("/leak/deep/file"), bind("/up")];
    let told = world.told("m", &spec).await;
    assert!(told.starts_with("boundbound.|..|deep|") && told.ends_with("|kept=0"), "{told}");
    assert!(fs::read_dir(&outside).expect("outside").next().is_none());

    for target in ["/proc/self/x", "/sys/x", "/", "/../proc/x"] {
        spec.mounts = vec![bind(target)];
        let told = world.told("n", &spec).await;
        assert!(told.starts_with("error: mounting"), "{target}: {told}");
    }
    symlink("/tmp", world.path("base/proc")).expect("a link");
    let told = world.told("p", &world.shell("p", "true")).await;
    assert!(told.starts_with("error: mounting /proc"), "{told}");
    world.end().await;
}

#[tokio::test]
async fn no_descriptor_of_the_host_is_left_open() {
    let Some(world) = World::new().await else { return };
    world.local.run(&id("fd"), &world.idle("fd")).await.expect("run");
    for number in 3..12 {
        let process = Process { cwd: format!("/proc/self/fd/{number}"), ..shell("pwd; ls ../../..") };
        let told = world.exec("fd", &format!("fd{number}"), &process).await;
        assert!(told.starts_with("error: "), "{number}: {told}");
    }
    let listed = world.exec("fd", "ls", &shell("ls /proc/self/fd | tr '\\n' ' '; cat /proc/1/environ 2>/dev/null; echo; readlink /proc/1/exe || echo hidden")).await;
    assert!(listed == "0 1 2 3 |hidden=0", "{listed}");
    world.end().await;
}

#[tokio::test]
async fn a_folder_can_be_the_root_and_is_written_to() {
    let Some(world) = World::new().await else { return };
    let spec = sandbox::Spec { root: Root::Dir(world.path("base")), ..world.shell("d", "echo x > /written") };
    assert_eq!(world.told("d", &spec).await, "=0");
    assert!(world.path("base/written").exists());
    world.end().await;
}
