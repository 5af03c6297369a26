//! The lines.

use crate::side_by_side::SideBySide;

const CHART: &str = "\
-- web/Chart.yaml --
apiVersion: v2
name: web
version: 1.2.3
appVersion: \"7\"
description: A server of pages
keywords: [pages, shop]
maintainers:
- name: A Person
  email: person@example.com
dependencies:
- name: db
  version: 0.x
  repository: oci://registry.example/charts
  condition: db.enabled
- name: cache
  version: ^2
  repository: https://charts.example
  condition: cache.enabled
-- web/values.yaml --
# How many.
replicas: 2
image: {name: web, tag: null}
db: {enabled: true}
cache: {enabled: false}
-- web/README.md --
# Web

Serves pages.
-- web/crds/page.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: pages.example.com}
-- web/templates/_names.tpl --
{{- define \"web.name\" -}}{{ .Release.Name }}-{{ .Chart.Name }}{{- end -}}
-- web/templates/deployment.yaml --
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include \"web.name\" . }}
  namespace: {{ .Release.Namespace }}
  labels: {helm: {{ .Chart.Name }}-{{ .Chart.Version }}, upgrade: {{ .Release.IsUpgrade | quote }}}
spec:
  replicas: {{ .Values.replicas }}
  template:
    spec:
      containers:
      - name: web
        image: {{ .Values.image.name }}:{{ .Values.image.tag | default .Chart.AppVersion }}
        env: {{- toYaml .Values.env | nindent 8 }}
-- web/templates/service.yaml --
{{- if .Capabilities.APIVersions.Has \"example.com/v1\" }}
apiVersion: example.com/v1
kind: Route
metadata: {name: route, annotations: {kube: {{ .Capabilities.KubeVersion }}}}
{{- end }}
---
apiVersion: v1
kind: Service
metadata: {name: web}
-- web/templates/hook.yaml --
apiVersion: batch/v1
kind: Job
metadata: {name: before, annotations: {helm.sh/hook: \"pre-install,pre-upgrade\"}}
-- web/templates/tests/test.yaml --
apiVersion: v1
kind: Pod
metadata: {name: test, annotations: {helm.sh/hook: test}}
-- web/templates/NOTES.txt --
Hello {{ .Release.Name }}
-- web/charts/db/Chart.yaml --
apiVersion: v2
name: db
version: 0.4.0
-- web/charts/db/templates/secret.yaml --
apiVersion: v1
kind: Secret
metadata: {name: db}
-- prod.yaml --
replicas: 5
env: [{name: A, value: \"1\"}]
-- more.yaml --
image: {tag: \"9\"}
-- text.txt --
from a file
-- kid/Chart.yaml --
apiVersion: v2
name: kid
version: 0.1.0
-- kid/templates/a.yaml --
kind: ConfigMap
metadata: {name: {{ required \"a name is needed\" .Values.name }}}
";

/// A whole chart: `web` lacks one that it needs.
fn whole() -> SideBySide {
    let cache = "-- web/charts/cache/Chart.yaml --\napiVersion: v2\nname: cache\nversion: 2.1.0\n";
    SideBySide::new(&format!("{CHART}{cache}"))
}

#[tokio::test]
async fn charts_render_alike() {
    let both = whole();
    both.same("helm", "template web").await;
    both.same("helm", "template shop ./web -n prod -f prod.yaml -f more.yaml").await;
    both.same("helm", "template shop web --values prod.yaml,more.yaml --set replicas=7,image.name=x").await;
    both.same("helm", "template shop web --set-string a=1 --set-json env=[] --set-literal b={x} --set-file c=text.txt").await;
    both.same("helm", "template shop web --kube-version 1.30.2 --api-versions example.com/v1,other/v2").await;
    both.same("helm", "template shop web --include-crds --no-hooks").await;
    both.same("helm", "template shop web --skip-tests --is-upgrade").await;
    both.same("helm", "template shop web -s templates/service.yaml --show-only templates/hook.yaml").await;
    both.same("helm", "template web --name-template given --namespace=other").await;
    both.same("helm", "template kid kid --set name=x").await;
    both.same("helm", "template shop web --output-dir ours").await;
}

#[tokio::test]
async fn mistakes_are_told_alike() {
    let both = whole();
    both.same("helm", "template shop kid").await;
    both.same("helm", "template shop web -s templates/nothing.yaml").await;
    both.same("helm", "template shop web -f nowhere.yaml").await;
    both.same("helm", "template shop web --set a[=1").await;
    both.same("helm", "template shop web --bogus").await;
    both.same("helm", "template a b c").await;
    both.same("helm", "template").await;
    both.same("helm", "template Not_a_name web").await;
    both.same("helm", "template shop web --kube-version x").await;
    both.same("helm", "frob").await;
    let missing = SideBySide::new(CHART);
    missing.same("helm", "template shop web").await;
    missing.same("helm", "package web").await;
}

#[tokio::test]
async fn charts_are_described_and_checked_alike() {
    let both = whole();
    both.same("helm", "show chart web").await;
    both.same("helm", "show values web").await;
    both.same("helm", "show readme web").await;
    both.same("helm", "show crds web").await;
    both.same("helm", "show all web").await;
    both.same("helm", "inspect chart kid").await;
    both.same("helm", "dependency list web").await;
    both.same("helm", "dep ls kid").await;
    both.same("helm", "lint kid").await;
    both.same("helm", "lint web --strict -f prod.yaml").await;
    both.same("helm", "lint nowhere").await;
    both.same("helm", "lint web kid --quiet").await;
    both.same("helm", "package kid --version 2.0.0+x --app-version 8 -d out").await;
    both.same("helm", "show chart out/kid-2.0.0+x.tgz").await;
}

#[tokio::test]
async fn what_is_not_done_is_refused_by_name() {
    let both = whole();
    for (line, expected) in [
        ("repo add a https://b", "Error: `helm repo add` is not supported by Landfall's helm: chart repositories are not used; name a folder, an archive or `oci://…`"),
        ("template shop web --repo https://b", "Error: --repo is not supported by this helm: chart repositories are not used; name a folder, an archive or `oci://…`"),
        ("template web --name-template {{1}}", "Error: --name-template with `{{` is not supported by this helm: give the name itself"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let (code, out, err) = both.ours("helm", &words).await;
        assert_eq!((code, out.as_str(), err.trim_end()), (1, "", expected), "{line}");
    }
}

const KUSTOMIZATION: &str = "\
-- base/kustomization.yaml --
resources: [web.yaml]
configMapGenerator:
- name: settings
  literals: [a=1]
-- base/web.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: web
        image: shop/web
        envFrom: [{configMapRef: {name: settings}}]
-- prod/kustomization.yaml --
resources: [../base]
namePrefix: prod-
images: [{name: shop/web, newTag: \"3\"}]
replicas: [{name: web, count: 4}]
-- broken/kustomization.yaml --
resources: [nothing.yaml]
";

#[tokio::test]
async fn kustomizations_are_built_alike() {
    let both = SideBySide::new(KUSTOMIZATION);
    both.same("kubectl", "kustomize base").await;
    let built = both.same("kubectl", "kustomize ./prod").await;
    assert!(built.contains("name: prod-web"), "{built}");
    both.same("kubectl", "kustomize").await;
    both.same("kubectl", "kustomize a b").await;
    both.same("kubectl", "kustomize nowhere").await;
    both.same("kubectl", "apply -k base -f x").await;
    let (code, out, err) = both.ours("kubectl", &["kustomize", "broken"]).await;
    assert!(code == 1 && out.is_empty() && err.contains("nothing.yaml"), "{err}");
}
