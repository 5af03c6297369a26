//! The basic pipeline, as it is: `make build`, `make test`, `kubectl apply -f k8s/`.

use std::fs;

use crate::{
    busybox,
    installation::Installation,
};

const WORKFLOW: &str = "name: Basic Pipeline
on:
  push:
    branches: [main]
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v2
      - name: Build
        run: make build
      - name: Test
        run: make test
      - name: Deploy
        run: kubectl apply -f k8s/
";

const MAKEFILE: &str = "build:
\tdocker build -t counter:1 .
\tdocker push counter:1

test:
\t./busybox grep -q welcome index.html

.PHONY: build test
";

const DOCKERFILE: &str = r#"FROM scratch AS tools
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]

FROM tools
ARG PORT=8080
ENV PORT=$PORT
WORKDIR /www
COPY index.html .
RUN echo "built by $(id -u)" >> built
CMD exec httpd -f -p $PORT -h /www
"#;

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: counter
spec:
  replicas: 2
  selector:
    matchLabels: {app: counter}
  template:
    metadata:
      labels: {app: counter}
    spec:
      containers:
        - name: counter
          image: counter:1
          ports: [{containerPort: 8080}]
          readinessProbe:
            tcpSocket: {port: 8080}
            periodSeconds: 1
";

const SERVICE: &str = "apiVersion: v1
kind: Service
metadata:
  name: counter
spec:
  selector: {app: counter}
  ports: [{port: 8080}]
";

#[test]
fn the_basic_pipeline_runs_as_it_is() {
    let Some(landfall) = Installation::start() else { return };
    let repository = landfall.repository("counter");
    repository
        .write(".github/workflows/basic.yml", WORKFLOW)
        .write("Makefile", MAKEFILE)
        .write("Dockerfile", DOCKERFILE)
        .write("index.html", "welcome\n")
        .write("k8s/deployment.yaml", DEPLOYMENT)
        .write("k8s/service.yaml", SERVICE);
    fs::copy(busybox::file().expect("busybox is there"), repository.folder().join("busybox")).expect("busybox can be copied");

    let pushed = repository.push();
    landfall.watch(&pushed.commit).ended_with(0);
    pushed.git.told("run counter#1").told("counter answers at http://");

    let address = landfall.address("counter", "counter");
    landfall.answers(&address, "welcome");
    landfall.answers(&format!("{address}built"), "built by 0");
    landfall.landfall(&["ps"]).ended_with(0).told("2/2").told(&pushed.commit[..12]).told(address.trim_end_matches('/'));

    let thread = landfall.thread(&pushed.commit);
    let steps = thread["runs"][0]["jobs"][0]["steps"].as_array().expect("the job has steps").clone();
    let conclusions: Vec<_> = steps.iter().map(|step| step["conclusion"].as_str().unwrap_or_default()).collect();
    // The four of the file, and what checkout does at the end.
    assert_eq!(conclusions, ["success"; 5]);
    let images = thread["releases"][0]["images"].as_array().expect("the release has images").clone();
    let [image] = &images[..] else { panic!("not one image: {images:?}") };
    assert_eq!(image["reference"], "counter:1");
    let running = landfall.object("counter", "deployment", "counter").expect("the Deployment is there");
    let running = running.pointer("/spec/template/spec/containers/0/image").and_then(|it| it.as_str()).unwrap_or_default();
    let digest = image["digest"].as_str().expect("a digest is a text");
    assert!(running.ends_with(&format!("@{digest}")), "`{running}` is not pinned to {digest}");
}
