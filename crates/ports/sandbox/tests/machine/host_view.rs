//! Jobs on this machine's own files.

use std::{fs, os::unix::fs::symlink};

use sandbox::{HostView, Main, Root, Sandbox, ShownAccess, ShownFolder, Spec};

use crate::world::{World, id, shell};

#[tokio::test]
async fn tools_are_there_secrets_are_not_and_writes_vanish() {
    let Some(world) = World::new().await else { return };
    // Not below /tmp, which is new inside.
    let place = tempfile::Builder::new().prefix("sandbox-test").tempdir_in("/opt").expect("a folder");
    let home = place.path().join("home");
    for folder in ["tool/bin", "cow/deep", "secret"] {
        fs::create_dir_all(home.join(folder)).expect("a folder");
    }
    fs::write(home.join("cow/deep/file"), "old").expect("a file");
    fs::write(home.join("secret/key"), "key").expect("a file");
    fs::write(place.path().join("hidden"), "hidden").expect("a file");
    symlink("hidden", place.path().join("link")).expect("a link");
    let show = |path: &str, access| ShownFolder { path: path.into(), access };
    let view = HostView {
        scratch: place.path().join("scratch"),
        home: home.clone(),
        shown_home: vec![
            show("tool/bin", ShownAccess::ReadOnly),
            show("cow", ShownAccess::CopyOnWrite),
            show("missing", ShownAccess::ReadOnly),
        ],
        hidden: vec![place.path().join("link"), "/nowhere".into(), "/var/run/docker.sock".into()],
    };
    let spec = Spec::new(Root::Host(view), Main::Idle);
    world.local.run(&id("job"), &spec).await.expect("run");
    let script = format!(
        "cd {home}; ls; touch tool/bin/x 2>/dev/null || echo read-only; cat cow/deep/file; echo; echo new > cow/deep/file; \
         cat {place}/hidden; wc -c < /etc/shadow; ls /tmp /root | wc -l; touch /etc/mark /usr/mark && echo written; \
         ls {scratch} | wc -l",
        home = home.display(),
        place = place.path().display(),
        scratch = place.path().join("scratch").display(),
    );
    let told = world.exec("job", "look", &shell(&script)).await;
    // The two empty folders take three lines: a title each and a space between.
    assert_eq!(told, "cow|tool|read-only|old|0|3|written|0=0");
    assert!(!fs::exists("/etc/mark").expect("etc") && !fs::exists("/usr/mark").expect("usr"));
    assert_eq!(fs::read_to_string(home.join("cow/deep/file")).expect("file"), "old");
    for (name, script) in [
        ("python", "python3 -c 'import subprocess,threading; threading.Thread(target=print,args=(\"py\",)).start(); print(subprocess.check_output([\"echo\",\"sub\"]).decode().strip())'"),
        ("gcc", "cd /tmp && echo 'int main(){return 0;}' > a.c && cc a.c -o a && ./a && echo gcc"),
    ] {
        let tool = if name == "gcc" { "cc" } else { "python3" };
        if std::process::Command::new("which").arg(tool).output().is_ok_and(|found| found.status.success()) {
            let told = world.exec("job", name, &shell(script)).await;
            assert!(told.ends_with("=0"), "{told}");
        }
    }
    world.remove("job").await;
    world.end().await;
}
