//! Bad input gets a clear error and leaves nothing behind.

use std::{fs, net::TcpListener};

use serde_json::json;

use crate::{installation::Installation, repository::Repository};

const CHECKOUT: &str = "      - uses: actions/checkout@v4\n";

#[test]
fn a_workflow_that_cannot_be_run_is_refused_at_its_place() {
    let Some(landfall) = Installation::start() else { return };
    let repository = landfall.repository("shop");
    let refused = |jobs: &str, place: &str, texts: &[&str]| {
        let pushed = repository.workflow(jobs).push();
        pushed.git.told(&format!(".github/workflows/ci.yml:{place}"));
        let explained = landfall.landfall(&["explain", &pushed.commit]);
        for text in texts {
            pushed.git.told(text);
            explained.told(text);
        }
        landfall.watch(&pushed.commit).ended_with(1);
    };
    refused("  a:\n    runs-on: ubuntu-latest\n   steps: [\n", "6:4", &["not YAML"]);
    refused(
        "  a:\n    runs-on: ubuntu-latest\n    step:\n      - run: true\n",
        "6:5",
        &["unknown key `step`", "did you mean `steps`?"],
    );
    refused(
        "  a:\n    runs-on: ubuntu-latest\n    if: env.X == 'y'\n    steps:\n      - run: true\n",
        "6:9",
        &["env"],
    );
    let runs = landfall.landfall(&["runs", "--output", "json"]).json();
    assert_eq!(runs["items"], json!([]), "nothing starts");
}

#[test]
fn a_dockerfile_is_told_with_its_line() {
    let Some((landfall, repository)) = with_job("docker build -t shop:1 .") else { return };
    let pushed = repository.write("Dockerfile", "FROM scratch\nCOPPY a b\n").push();
    landfall.watch(&pushed.commit).ended_with(1);
    pushed.git.told("Dockerfile:2:1").told("`COPPY` is no instruction").told("did you mean `COPY`?");
    assert!(landfall.logs("shop#1").contains("Dockerfile:2:1: `COPPY` is no instruction"));
    landfall.landfall(&["explain", &pushed.commit]).told("LF-R0113");
}

#[test]
fn a_missing_base_image_says_where_it_was_looked_for() {
    let Some((landfall, repository)) = with_job("docker build -t shop:1 .") else { return };
    let pushed = repository.write("Dockerfile", "FROM registry.invalid/base:14\nRUN true\n").push();
    landfall.watch(&pushed.commit).ended_with(1);
    let log = landfall.logs("shop#1");
    for text in ["no image `registry.invalid/base:14`", "in the local store, then at its registry", "landfall image import SOURCE registry.invalid/base:14"] {
        assert!(log.contains(text), "`{text}` is not told:\n{log}");
    }
    landfall.landfall(&["explain", &pushed.commit]).told("LF-R0114").told("landfall image import SOURCE registry.invalid/base:14");
    let images = landfall.landfall(&["image", "ls", "--output", "json"]).json();
    assert_eq!(images["items"], json!([]));
}

#[test]
fn a_misspelt_field_shows_the_message_of_the_api_server() {
    let Some((landfall, repository)) = with_job("kubectl apply -f k8s/") else { return };
    let manifest = crate::shop::GOOD.manifests("shop").replace("          image:", "          imagee:");
    let pushed = repository.write("k8s/all.yaml", manifest).push();
    landfall.watch(&pushed.commit).ended_with(1);
    let field = "unknown field \"spec.template.spec.containers[0].imagee\"";
    pushed.git.told(field).told("did you mean `image`?");
    let log = landfall.logs("shop#1");
    assert!(log.contains(&format!("strict decoding error: {field}")), "{log}");
    landfall.landfall(&["explain", &pushed.commit]).told("LF-R0111").told(field);
    assert_eq!(landfall.object("shop", "deployment", "shop"), None);
}

#[test]
fn a_taken_port_is_said_at_the_start() {
    let Some(landfall) = Installation::prepare() else { return };
    let taken = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let port = taken.local_addr().expect("a listener has an address").port();
    let up = landfall.up(&["--port", &port.to_string()]).ended_with(1);
    up.told(&format!("port {port} is taken")).told("landfall up --port PORT");
    assert_eq!(landfall.status()["state"], "stopped");

    drop(taken);
    landfall.up(&["--port", &port.to_string()]).succeeded();
}

#[test]
fn a_data_folder_that_cannot_be_made_is_said_at_the_start() {
    let Some(landfall) = Installation::prepare() else { return };
    // Nobody, not even root, can make a folder below a file.
    fs::write(landfall.data(), "in the way").expect("a file can be written");
    let up = landfall.up(&[]).ended_with(1);
    up.told(landfall.data().to_str().expect("the path is text")).told("--data DIR");
    fs::remove_file(landfall.data()).expect("the file can be removed");
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let Some(landfall) = Installation::start() else { return };
    landfall.landfall(&["up"]).ended_with(1).told("a server uses").told("landfall status");
    assert_eq!(landfall.status()["state"], "running");
}

/// An installation and a repository whose job checks out and runs one command.
fn with_job(command: &str) -> Option<(Installation, Repository)> {
    let landfall = Installation::start()?;
    let repository = landfall.repository("shop");
    repository.workflow(&format!("  a:\n    runs-on: ubuntu-latest\n    steps:\n{CHECKOUT}      - run: {command}\n"));
    Some((landfall, repository))
}
