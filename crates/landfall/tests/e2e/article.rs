//! A Node app as an article sets it up: `FROM node:14`, `npm install`, three replicas on port 3000.
//!
//! The base image is made from this machine's own Node. As printed the app has
//! three slips: blanks of a web page, a CMD that is no JSON, a push of a name
//! that nothing was tagged with.

mod node;

use crate::{installation::Installation, repository::Repository};

const WORKFLOW: &str = "name: Node CI/CD
on:
  push:
    branches: [main]
jobs:
  ship:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v2
      - name: Build the image
        run: docker build -t {built} .
      - name: Push the image
        run: docker push myregistry/myapp:latest
      - name: Deploy
        run: kubectl apply -f deployment.yaml
";

const DOCKERFILE: &str = "FROM node:14
WORKDIR /usr/src/app
COPY package*.json ./
RUN npm install
COPY . .
EXPOSE 3000
CMD {command}
";

const PACKAGE: &str = r#"{
  "name": "myapp",
  "version": "1.0.0",
  "main": "index.js",
  "scripts": { "start": "node index.js" }
}
"#;

const PROGRAM: &str = "const http = require('http');
http.createServer((_, answer) => answer.end('hello from node\\n')).listen(3000);
";

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: myapp
spec:
  replicas: 3
  selector:
    matchLabels:
      app: myapp
  template:
    metadata:
      labels:
        app: myapp
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: myapp
          image: myregistry/myapp:latest
          ports:
            - containerPort: 3000
";

/// Which slips are left in.
#[derive(Clone, Copy)]
struct Slips {
    blanks: Slip,
    command: Slip,
    tag: Slip,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slip {
    In,
    Mended,
}

const MENDED: Slips = Slips { blanks: Slip::Mended, command: Slip::Mended, tag: Slip::Mended };

#[test]
fn mended_it_ends_green_and_each_slip_is_told_exactly() {
    let Some(node) = node::find() else { return };
    let Some(landfall) = Installation::start() else { return };
    let root = landfall.folder("node-root");
    node.make_root(&root);
    landfall.landfall(&["image", "import", root.to_str().expect("the path is text"), "node:14"]).succeeded();
    let repository = landfall.repository("myapp");

    blanks_start_nothing(&landfall, &repository);
    an_untagged_push_fails_the_run(&landfall, &repository);
    mended_it_serves(&landfall, &repository);
    a_command_that_is_no_json_is_taken_back(&landfall, &repository);
}

fn blanks_start_nothing(landfall: &Installation, repository: &Repository) {
    let pushed = write(repository, Slips { blanks: Slip::In, ..MENDED }).push();
    pushed.git.told("non-breaking space").told(".github/workflows/ci.yml:7:13").told("landfall lint --fix");
    landfall.watch(&pushed.commit).ended_with(1);
    let runs = landfall.landfall(&["runs", "--output", "json"]).json();
    assert_eq!(runs["items"], serde_json::json!([]), "nothing starts");

    let folder = repository.folder().to_str().expect("the path is text");
    landfall.landfall(&["lint", "--fix", folder]);
    let mended = std::fs::read_to_string(repository.folder().join(".github/workflows/ci.yml")).expect("the file is there");
    assert_eq!(mended, workflow(MENDED), "`lint --fix` repairs it");
}

fn an_untagged_push_fails_the_run(landfall: &Installation, repository: &Repository) {
    let pushed = write(repository, Slips { tag: Slip::In, ..MENDED }).push();
    pushed.git.told("`myregistry/myapp:latest` is pushed, but no step of job `ship` builds or tags it").told(".github/workflows/ci.yml:13:26");
    landfall.watch(&pushed.commit).ended_with(1);
    let log = landfall.logs("myapp#1");
    assert!(log.contains("An image does not exist locally with the tag: docker.io/myregistry/myapp"), "{log}");
    assert!(log.contains("help: docker tag myapp:latest myregistry/myapp:latest"), "{log}");
    landfall.landfall(&["explain", &pushed.commit]).told("LF-R0104").told("name it again before the push: `docker tag myapp:latest myregistry/myapp:latest");
    assert_eq!(landfall.object("myapp", "deployment", "myapp"), None);
}

fn mended_it_serves(landfall: &Installation, repository: &Repository) {
    let pushed = write(repository, MENDED).push();
    landfall.watch(&pushed.commit).ended_with(0);
    landfall.kubectl(&["rollout", "status", "deployment/myapp", "-n", "myapp", "--timeout=60s"]).succeeded();
    assert_eq!(landfall.pods("myapp").len(), 3);
    landfall.kubectl(&["expose", "deployment", "myapp", "-n", "myapp", "--port=3000"]).succeeded();
    landfall.answers(&landfall.address("myapp", "myapp"), "hello from node");
}

fn a_command_that_is_no_json_is_taken_back(landfall: &Installation, repository: &Repository) {
    let pushed = write(repository, Slips { command: Slip::In, ..MENDED }).push();
    pushed.git.told("is not a JSON array, so Docker takes it as shell form").told("Dockerfile:7:5");
    landfall.watch(&pushed.commit).ended_with(10);
    landfall.landfall(&["explain", &pushed.commit]).told("LF-D0102").told("exit code 127");
    landfall.answers(&landfall.address("myapp", "myapp"), "hello from node");
}

fn write(repository: &Repository, slips: Slips) -> &Repository {
    let command = if slips.command == Slip::In { r#"["npm""start"]"# } else { r#"["npm", "start"]"# };
    repository
        .write(".github/workflows/ci.yml", workflow(slips))
        .write("Dockerfile", DOCKERFILE.replace("{command}", command))
        .write("package.json", PACKAGE)
        .write("index.js", PROGRAM)
        .write("deployment.yaml", DEPLOYMENT)
}

fn workflow(slips: Slips) -> String {
    let built = if slips.tag == Slip::In { "myapp:latest" } else { "myregistry/myapp:latest" };
    let text = WORKFLOW.replace("{built}", built);
    match slips.blanks {
        Slip::In => text.replace("runs-on: ", "runs-on:\u{a0}"),
        Slip::Mended => text,
    }
}
