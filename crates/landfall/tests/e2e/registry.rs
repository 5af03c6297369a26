//! The registry as skopeo sees it.

use std::process::Command;

use crate::{
    busybox,
    installation::{Installation, status_of},
    program::{Ran, is_there, run},
};

#[test]
fn skopeo_copies_images_out_and_in() {
    let Some((landfall, registry)) = with_skopeo() else { return };
    landfall.import_busybox();
    let layout = format!("oci:{}:one", landfall.folder("layout").display());

    skopeo(&landfall, &["copy", &format!("docker://{registry}/library/busybox:1"), &layout]).ended_with(1);
    let own = format!("docker://{registry}/docker.io/library/busybox:1");
    skopeo(&landfall, &["copy", &own, &layout]).succeeded();
    let copy = format!("docker://{registry}/team/copy:2");
    skopeo(&landfall, &["copy", &layout, &copy]).succeeded();

    assert_eq!(digest(&landfall, &copy), digest(&landfall, &own));
    let tags = skopeo(&landfall, &["list-tags", &format!("docker://{registry}/team/copy")]).json();
    assert_eq!(tags["Tags"], serde_json::json!(["2"]));
    let anonymous = run(Command::new("skopeo").args(["inspect", "--tls-verify=false", "--no-creds", &copy]).env("NO_PROXY", "*"));
    anonymous.ended_with(1).told("unauthorized");
}

#[test]
fn the_tag_of_a_commit_never_moves() {
    let Some((landfall, registry)) = with_skopeo() else { return };
    let repository = landfall.repository("web");
    std::fs::copy(busybox::file().expect("busybox is there"), repository.folder().join("busybox")).expect("busybox can be copied");
    repository.write("Dockerfile", "FROM scratch\nCOPY busybox /bin/busybox\nCMD [\"/bin/busybox\", \"true\"]\n").workflow(
        "  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: docker build -t web:1 . && docker push web:1
",
    );
    let pushed = repository.push();
    landfall.watch(&pushed.commit).ended_with(0);
    let fixed = format!("docker://{registry}/docker.io/library/web:sha-{}", &pushed.commit[..12]);
    let built = digest(&landfall, &fixed);
    assert_eq!(built, digest(&landfall, &format!("docker://{registry}/docker.io/library/web:1")));

    landfall.import_busybox();
    let other = format!("docker://{registry}/docker.io/library/busybox:1");
    let moved = skopeo(&landfall, &["copy", &other, &fixed]);
    assert_ne!(moved.code, Some(0), "{moved}");
    assert_eq!(digest(&landfall, &fixed), built);
    // The same image may be pushed again.
    let layout = format!("oci:{}:one", landfall.folder("layout").display());
    skopeo(&landfall, &["copy", &fixed, &layout]).succeeded();
    skopeo(&landfall, &["copy", &layout, &fixed]).succeeded();
    let bearer = format!("Authorization: Bearer {}", landfall.token());
    assert_eq!(status_of(&["--header", &bearer, &format!("http://{registry}/v2/")]), "200");
}

fn with_skopeo() -> Option<(Installation, String)> {
    if !is_there("skopeo") {
        println!("skipped: there is no `skopeo` on this machine");
        return None;
    }
    let landfall = Installation::start()?;
    let registry = landfall.told("registry");
    Some((landfall, registry))
}

/// Runs skopeo with the owner's token.
fn skopeo(landfall: &Installation, arguments: &[&str]) -> Ran {
    let credentials = format!("landfall:{}", landfall.token());
    let mut command = Command::new("skopeo");
    command.arg("--insecure-policy").args(arguments).env("NO_PROXY", "*").env("HOME", landfall.folder("home"));
    match arguments.first() {
        Some(&"copy") => command.args(["--src-creds", &credentials, "--dest-creds", &credentials, "--src-tls-verify=false", "--dest-tls-verify=false"]),
        _ => command.args(["--creds", &credentials, "--tls-verify=false"]),
    };
    run(&mut command)
}

#[track_caller]
fn digest(landfall: &Installation, image: &str) -> String {
    let told = skopeo(landfall, &["inspect", "--no-tags", image]).json();
    told["Digest"].as_str().expect("an image has a digest").to_owned()
}
