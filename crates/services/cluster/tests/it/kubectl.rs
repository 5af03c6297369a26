//! The real kubectl creates, applies and changes objects.

use crate::home::Home;

pub const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: shop/web:1
        ports: [{containerPort: 8080}]
";

#[tokio::test(flavor = "multi_thread")]
async fn typed_creates_send_protobuf_and_are_understood() {
    let home = Home::start().await;
    home.check(
        "create configmap settings --from-literal=a=1 --from-literal=b=two",
        "",
        0,
        "configmap/settings created\n",
    )
    .await;
    home.check(
        "get configmap settings -o jsonpath={.data.a}-{.data.b}",
        "",
        0,
        "1-two",
    )
    .await;
    home.check("create namespace shop", "", 0, "namespace/shop created\n")
        .await;
    home.check(
        "create deployment web --image=shop/web:1 --replicas=3 -n shop",
        "",
        0,
        "deployment.apps/web created\n",
    )
    .await;
    home.check(
        "get deployment web -n shop -o jsonpath={.spec.replicas}/{.spec.template.spec.containers[0].image}/{.spec.strategy.type}",
        "",
        0,
        "3/shop/web:1/RollingUpdate",
    )
    .await;
    home.check(
        "create secret generic key --from-literal=k=v",
        "",
        0,
        "secret/key created\n",
    )
    .await;
    home.check(
        "get secret key -o jsonpath={.data.k}/{.type}",
        "",
        0,
        "dg==/Opaque",
    )
    .await;
    home.check(
        "create service clusterip web --tcp=80:8080",
        "",
        0,
        "service/web created\n",
    )
    .await;
    home.check("auth can-i create pods", "", 0, "yes\n").await;
    home.check(
        "create configmap settings --from-literal=a=1",
        "",
        1,
        "error: failed to create configmap: configmaps \"settings\" already exists\n",
    )
    .await;
    home.check(
        "create configmap x -n nowhere",
        "",
        1,
        "error: failed to create configmap: namespaces \"nowhere\" not found\n",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_creates_updates_and_leaves_alone() {
    let home = Home::start().await;
    home.check("apply -f -", DEPLOYMENT, 0, "deployment.apps/web created\n")
        .await;
    home.check(
        "apply -f -",
        DEPLOYMENT,
        0,
        "deployment.apps/web unchanged\n",
    )
    .await;
    home.check(
        "get deployment web -o jsonpath={.metadata.generation}",
        "",
        0,
        "1",
    )
    .await;
    let newer = DEPLOYMENT.replace("shop/web:1", "shop/web:2");
    let (code, difference) = home.kubectl("diff -f -", &newer).await;
    let changed: Vec<&str> = difference
        .lines()
        .filter(|line| line.contains("image:") || line.contains("generation:"))
        .map(str::trim)
        .collect();
    assert_eq!(
        (code, changed),
        (
            1,
            vec![
                "-  generation: 1",
                "+  generation: 2",
                "-      - image: shop/web:1",
                "+      - image: shop/web:2"
            ]
        )
    );
    home.check(
        "apply --dry-run=server -f -",
        &newer,
        0,
        "deployment.apps/web configured (server dry run)\n",
    )
    .await;
    home.check(
        "get deployment web -o jsonpath={.metadata.generation}",
        "",
        0,
        "1",
    )
    .await;
    home.check("apply -f -", &newer, 0, "deployment.apps/web configured\n")
        .await;
    home.check(
        "get deployment web -o jsonpath={.metadata.generation}/{.spec.template.spec.containers[*].image}",
        "",
        0,
        "2/shop/web:2",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_field_is_refused() {
    let home = Home::start().await;
    let misspelt = DEPLOYMENT.replace("image:", "imagee:");
    home.check(
        "apply -f -",
        &misspelt,
        1,
        "Error from server (BadRequest): error when creating \"STDIN\": Deployment in version \"v1\" cannot be handled as a \
         Deployment: strict decoding error: unknown field \"spec.template.spec.containers[0].imagee\"\n",
    )
    .await;
    home.check(
        "apply --validate=warn -f -",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndataa: {x: y}\n",
        0,
        "configmap/a created\nWarning: unknown field \"dataa\"\n",
    )
    .await;
    home.check("get configmap a -o jsonpath={.dataa}", "", 0, "")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_side_apply_creates_and_merges() {
    let home = Home::start().await;
    home.check(
        "apply --server-side -f -",
        DEPLOYMENT,
        0,
        "deployment.apps/web serverside-applied\n",
    )
    .await;
    let newer = DEPLOYMENT.replace("shop/web:1", "shop/web:2");
    home.check(
        "apply --server-side -f -",
        &newer,
        0,
        "deployment.apps/web serverside-applied\n",
    )
    .await;
    home.check(
        "get deployment web -o jsonpath={.spec.template.spec.containers[*].image}",
        "",
        0,
        "shop/web:2",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_applier_owns_what_it_sends_and_takes_back_what_it_drops() {
    let home = Home::start().await;
    let settings = |data: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {data}\n");
    let apply = "apply --server-side --field-manager=landfall -f -";
    home.check(apply, &settings("{a: '1', b: '1'}"), 0, "configmap/settings serverside-applied\n").await;
    home.check("patch configmap settings --type=merge -p {\"data\":{\"c\":\"9\"}}", "", 0, "configmap/settings patched\n").await;
    home.check(
        "apply --server-side --field-manager=other -f -",
        &settings("{a: '2'}"),
        1,
        "error: Apply failed with 1 conflict: conflict with \"landfall\": .data.a\n\
         Please review the fields above--they currently have other managers. Here\n\
         are the ways you can resolve this warning:\n\
         * If you intend to manage all of these fields, please re-run the apply\n  command with the `--force-conflicts` flag.\n\
         * If you do not intend to manage all of the fields, please edit your\n  manifest to remove references to the fields that should keep their\n  current managers.\n\
         * You may co-own fields by updating your manifest to match the existing\n  value; in this case, you'll become the manager if the other manager(s)\n  stop managing the field (remove it from their configuration).\n\
         See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts\n",
    )
    .await;
    home.check(
        "apply --server-side --force-conflicts --dry-run=server --field-manager=other -f -",
        &settings("{a: '2'}"),
        0,
        "configmap/settings serverside-applied (server dry run)\n",
    )
    .await;
    home.check(apply, &settings("{a: '1'}"), 0, "configmap/settings serverside-applied\n").await;
    home.check("get configmap settings -o jsonpath={.data}", "", 0, "{\"a\":\"1\",\"c\":\"9\"}").await;
    home.check(
        "get configmap settings --show-managed-fields -o jsonpath={range.metadata.managedFields[*]}{.manager}={.operation}:{.fieldsV1}{\";\"}{end}",
        "",
        0,
        "landfall=Apply:{\"f:data\":{\"f:a\":{}}};kubectl-patch=Update:{\"f:data\":{\"f:c\":{}}};",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_changed_in_every_way() {
    let home = Home::start().await;
    home.check("apply -f -", DEPLOYMENT, 0, "deployment.apps/web created\n")
        .await;
    home.check(
        "label deployment web tier=front",
        "",
        0,
        "deployment.apps/web labeled\n",
    )
    .await;
    home.check(
        "annotate deployment web note=hello",
        "",
        0,
        "deployment.apps/web annotated\n",
    )
    .await;
    home.check(
        "scale deployment web --replicas=5",
        "",
        0,
        "deployment.apps/web scaled\n",
    )
    .await;
    home.check(
        "set image deployment/web web=shop/web:9",
        "",
        0,
        "deployment.apps/web image updated\n",
    )
    .await;
    for (form, patch) in [
        (
            "strategic",
            r#"{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"shop/side"}]}}}}"#,
        ),
        ("merge", r#"{"spec":{"minReadySeconds":7}}"#),
        (
            "json",
            r#"[{"op":"replace","path":"/spec/paused","value":true}]"#,
        ),
    ] {
        let patch = if form == "json" {
            patch.replace("replace", "add")
        } else {
            patch.to_owned()
        };
        let words = ["patch", "deployment", "web", "--type", form, "-p", &patch];
        assert_eq!(
            home.kubectl_words(&words, "").await,
            (0, "deployment.apps/web patched\n".to_owned())
        );
    }
    home.check(
        "get deployment web -o jsonpath={.metadata.labels.tier}/{.metadata.annotations.note}/{.spec.replicas}/{.spec.minReadySeconds}/{.spec.paused}/{.metadata.generation}",
        "",
        0,
        "front/hello/5/7/true/6",
    )
    .await;
    let (_, images) = home
        .kubectl(
            "get deployment web -o jsonpath={.spec.template.spec.containers[*].image}",
            "",
        )
        .await;
    let mut images: Vec<&str> = images.split(' ').collect();
    images.sort_unstable();
    assert_eq!(images, ["shop/side", "shop/web:9"]);
    home.check(
        "delete deployment web",
        "",
        0,
        "deployment.apps \"web\" deleted\n",
    )
    .await;
    home.check(
        "get deployment web",
        "",
        1,
        "Error from server (NotFound): deployments.apps \"web\" not found\n",
    )
    .await;
}
