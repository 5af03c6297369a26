//! A small app that says what its ConfigMap and its Secret hold.

use crate::{
    installation::Installation,
    repository::{Pushed, Repository},
};

/// One state of the app's manifests.
#[derive(Clone, Debug)]
pub struct Shop {
    pub greeting: &'static str,
    pub secret: &'static str,
    pub image: &'static str,
    /// What the container runs, as a list in YAML.
    pub command: &'static str,
    /// The path that the readiness probe asks for.
    pub health: &'static str,
    /// Further lines of the container.
    pub more: &'static str,
    /// Further objects.
    pub added: &'static str,
}

/// The app as it should be.
pub const GOOD: Shop = Shop {
    greeting: "hello",
    secret: "first",
    image: "busybox:1",
    command: r#"["/bin/sh", "-c", "mkdir -p /www && echo $GREETING $SECRET > /www/index.html && exec httpd -f -p 8080 -h /www"]"#,
    health: "/",
    more: "",
    added: "",
};

/// What [`GOOD`] answers.
pub const GOOD_ANSWER: &str = "hello first";

impl Shop {
    /// All manifests of the app in one file.
    pub fn manifests(&self, name: &str) -> String {
        let Self { greeting, secret, image, command, health, more, added } = self;
        format!(
            r#"apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
data:
  GREETING: {greeting}
---
apiVersion: v1
kind: Secret
metadata:
  name: {name}
stringData:
  SECRET: {secret}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  replicas: 2
  progressDeadlineSeconds: 10
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: {name}
          image: {image}
          command: {command}
          envFrom:
            - configMapRef: {{name: {name}}}
            - secretRef: {{name: {name}}}
          readinessProbe:
            httpGet: {{path: {health}, port: 8080}}
            periodSeconds: 1
{more}
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector: {{app: {name}}}
  ports:
    - port: 80
      targetPort: 8080
{added}"#
        )
    }

    /// Pushes the app at this state, to be applied as it is.
    pub fn push(&self, name: &str, repository: &Repository) -> Pushed {
        repository
            .workflow(
                "  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: kubectl apply -f k8s/
",
            )
            .write("k8s/all.yaml", self.manifests(name))
            .push()
    }
}

/// Starts an installation in which the good app serves.
pub fn serving(name: &str) -> Option<(Installation, Repository)> {
    let landfall = Installation::start()?;
    landfall.import_busybox();
    let repository = landfall.repository(name);
    let pushed = GOOD.push(name, &repository);
    landfall.watch(&pushed.commit).ended_with(0);
    landfall.answers(&landfall.address(name, name), GOOD_ANSWER);
    Some((landfall, repository))
}
