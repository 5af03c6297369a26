//! Small repositories and what is said about them.

use lint::Tree;

#[test]
fn an_image_that_is_built_tagged_or_pulled_may_be_pushed() {
    for script in [
        "docker build -t a/b:1 . && docker push a/b:1",
        "docker build --tag=a/b . ; docker push a/b:latest",
        "docker build -t b . \\\n  --no-cache\ndocker tag b a/b\ndocker push a/b",
        "docker pull a/b\ndocker push a/b",
        "docker build -t $NAME .\ndocker push a/b",
        "docker buildx build -t a/b:${{ github.sha }} . --push",
        "docker build -ta/b:1 -t a/b:2 .\ndocker push --all-tags a/b",
        "make image\ndocker push a/b",
    ] {
        check(script, &[("Dockerfile", "FROM scratch\n")], "");
    }
}

#[test]
fn variables_of_the_workflow_are_known() {
    let workflow = "on: push\nenv:\n  IMAGE: team/shop\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: docker build -t shop .\n      - run: docker push ${{ env.IMAGE }}\n";
    check_workflow(workflow, &[("Dockerfile", "FROM scratch\n")], "\
.github/workflows/ci.yml:10:26: error[LF-L0001]: `team/shop` is pushed, but no step of job `build` builds or tags it\n");
}

#[test]
fn a_push_after_an_unknown_command_is_only_doubted() {
    check("make test\ndocker build -t shop .\ndocker push team/shop", &[("Dockerfile", "FROM scratch\n")], "\
.github/workflows/ci.yml:10:23: warning[LF-L0001]: `team/shop` is pushed, but no step of job `build` builds or tags it; perhaps `make test` does\n");
}

#[test]
fn another_tag_is_another_image() {
    check("docker build -t shop:1 .\ndocker push shop:2", &[("Dockerfile", "FROM scratch\n")], "\
.github/workflows/ci.yml:9:23: error[LF-L0001]: `shop:2` is pushed, but no step of job `build` builds or tags it\n");
    check("docker push Shop", &[], "\
.github/workflows/ci.yml:8:23: error[LF-L0005]: `Shop` is no name of an image: expected lowercase letters, digits and single `.`, `_`, `-` between them in `Shop`\n");
}

#[test]
fn manifests_that_are_applied_must_be_there() {
    let deployment = ("k8s/app.yaml", MANIFEST);
    check("kubectl apply -f k8s/", &[deployment], "");
    check("kubectl apply -f k8s/app.yml", &[deployment], "\
.github/workflows/ci.yml:8:28: error[LF-L0003]: `k8s/app.yml` is not in the repository\n");
    check("cd k8s\nkubectl apply -f app.yaml -f ../other.yaml", &[deployment], "\
.github/workflows/ci.yml:9:40: error[LF-L0003]: `../other.yaml` is not in the repository\n");
    check("make build\nkubectl apply -f out/", &[deployment], "\
.github/workflows/ci.yml:9:28: warning[LF-L0003]: `out/` is not in the repository; perhaps `make build` makes it\n");
    check("echo x > gen.yaml\nkubectl apply -f gen.yaml", &[], "");
    check("kubectl apply -f https://example.org/x.yaml\ncat x | kubectl apply -f -", &[], "");
}

#[test]
fn an_image_that_is_deployed_must_be_the_one_that_was_built() {
    check("docker build -t shop:1 .\nkubectl apply -f k8s", &[("Dockerfile", "FROM scratch\n"), ("k8s/app.yaml", MANIFEST)], "\
k8s/app.yaml:16:16: error[LF-L0002]: `team/shop:1` is deployed, but job `build` of .github/workflows/ci.yml builds `shop:1`\n");
    check("docker build -t team/shop:1 .\nkubectl apply -f k8s", &[("Dockerfile", "FROM scratch\n"), ("k8s/app.yaml", MANIFEST)], "");
}

#[test]
fn a_job_without_checkout_has_no_files() {
    let workflow = "on: push\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    steps:\n      - run: kubectl apply -f k8s/app.yaml\n";
    check_workflow(workflow, &[("k8s/app.yaml", MANIFEST)], "\
.github/workflows/ci.yml:6:31: error[LF-L0006]: `k8s/app.yaml` is in the repository, but job `deploy` does not fetch it\n");
}

#[test]
fn a_build_needs_its_dockerfile() {
    check("docker build -t a api", &[("api/Dockerfile.prod", "FROM scratch\n"), ("api/x", "")], "\
.github/workflows/ci.yml:8:29: error[LF-L0004]: `api/Dockerfile` is not in the repository\n");
    check("docker build -f api/Dockerfile.prod -t a .", &[("api/Dockerfile.prod", "FROM scratch\n")], "");
}

#[test]
fn fields_of_manifests_are_checked_with_their_places() {
    let wrong = MANIFEST.replace("image:", "imagee:").replace("replicas: 3", "replicas: three");
    check("true", &[("k8s/app.yaml", &wrong)], "\
k8s/app.yaml:6:13: error[LF-K0002]: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32
k8s/app.yaml:16:9: error[LF-K0001]: unknown field \"spec.template.spec.containers[0].imagee\"\n");
    check("true", &[("k8s/app.yaml", &MANIFEST.replace("app: shop\n  template", "app: other\n  template"))], "\
k8s/app.yaml:12:7: error[LF-K0003]: spec.template.metadata.labels: Invalid value: {\"app\":\"shop\"}: `selector` does not match template `labels`\n");
    check("true", &[("k8s/app.yaml", &MANIFEST.replace("apps/v1", "apps/v1beta1"))], "\
k8s/app.yaml:1:13: error[LF-K0004]: no kind `Deployment` in version `apps/v1beta1`\n");
    check("true", &[("k8s/app.yaml", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: x}\n")], "\
k8s/app.yaml:2:7: warning[LF-K0004]: the embedded cluster serves no `Ingress` of `networking.k8s.io/v1`\n");
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec: {replicas: 5}\n";
    let kustomization = ("over/kustomization.yaml", "resources: [../k8s]\npatches:\n  - path: more.yaml\n");
    check("true", &[("over/more.yaml", patch), kustomization], "");
    check("true", &[("values.yaml", "replicas: [\n"), ("chart/templates/x.yaml", "apiVersion: v1\nkind: {{ .x }}\n")], "");
}

const MANIFEST: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
spec:
  replicas: 3
  selector:
    matchLabels:
      app: shop
  template:
    metadata:
      labels: {app: shop}
    spec:
      containers:
      - name: shop
        image: team/shop:1
";

#[track_caller]
fn check(script: &str, files: &[(&str, &str)], expected: &str) {
    let head = "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: |\n";
    let body: String = script.lines().map(|line| format!("          {line}\n")).collect();
    check_workflow(&format!("{head}{body}"), files, expected);
}

#[track_caller]
fn check_workflow(workflow: &str, files: &[(&str, &str)], expected: &str) {
    let mut tree = Tree::default();
    tree.add(".github/workflows/ci.yml", Some(workflow.to_owned()));
    for (path, text) in files {
        tree.add(*path, Some((*text).to_owned()));
    }
    let found: String = lint::check(&tree, &["actions/checkout"]).iter().map(|it| format!("{it}\n")).collect();
    assert_eq!(found, expected, "{workflow}");
}
