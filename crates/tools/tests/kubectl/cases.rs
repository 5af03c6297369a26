//! The same lines to both.

use crate::home::{Home, words};

const WEB: &str = "\
apiVersion: apps/v1
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
        env: [{name: A, value: b}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_through_its_life() {
    let home = Home::start().await;
    home.write("k8s/web.yaml", WEB);
    home.write("k8s/settings.yml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: '<1>'}\n");
    home.write("k8s/notes.txt", "no manifest");
    home.same("get all", "").await;
    home.same("apply -f k8s/ --dry-run=client", "").await;
    home.same("apply -f k8s/ --dry-run=server", "").await;
    let applied = home.same("apply -f k8s", "").await;
    assert_eq!(applied, "0 configmap/settings created\ndeployment.apps/web created\nservice/web created\n");
    home.same_end("rollout status deployment/web --timeout=30s -w=true", "deployment \"web\" successfully rolled out").await;
    home.same("apply -f k8s", "").await;
    home.same("wait --for=condition=Available deployment/web --timeout=20s", "").await;
    home.same("wait --for=condition=Ready pod -l app=web --timeout=20s", "").await;
    home.same("get deployment web -o name", "").await;
    home.same("get deploy,svc", "").await;
    home.same("get deploy web -o wide", "").await;
    home.same("get deploy web nothing", "").await;
    home.same("get pods -l app=web --show-labels --no-headers", "").await;
    home.same("get pods -L app", "").await;
    home.same("get configmap settings -o json", "").await;
    home.same("get configmap settings -o yaml", "").await;
    home.same("get configmap/settings -o jsonpath='{.data.a}{\"\\n\"}'", "").await;
    home.same("get deploy -o jsonpath='{range .items[*]}{.metadata.name} {.spec.replicas}{\"\\n\"}{end}'", "").await;
    home.same("get deploy -o custom-columns=NAME:.metadata.name,IMAGE:.spec.template.spec.containers[*].image", "").await;
    home.same("get deploy web -o go-template='{{.metadata.name}} {{len .spec.template.spec.containers}}'", "").await;
    home.same("get secrets", "").await;
    home.same("get nonsense", "").await;
    home.same("logs deploy/web --tail=5", "").await;
    home.same("logs -l app=web --prefix", "").await;
    home.same("logs nothing", "").await;

    home.same("set image deployment/web web=shop/web:2", "").await;
    home.same_end("rollout status deploy web --timeout=30s", "deployment \"web\" successfully rolled out").await;
    home.same("rollout history deployment/web", "").await;
    home.same("rollout undo deployment/web", "").await;
    home.same_end("rollout status deploy/web --timeout=30s", "deployment \"web\" successfully rolled out").await;
    home.same("get deploy web -o jsonpath={.spec.template.spec.containers[0].image}", "").await;
    home.same("rollout history deploy web", "").await;
    home.same("rollout undo deploy/web --to-revision=9", "").await;
    home.same("rollout pause deploy/web", "").await;
    home.same("rollout pause deploy/web", "").await;
    home.same("rollout restart deploy/web", "").await;
    home.same("rollout resume deploy/web", "").await;
    home.same("rollout restart deploy/web", "").await;
    home.same("scale deploy/web --replicas=3", "").await;
    home.same("scale deploy web --replicas=1 --current-replicas=7", "").await;
    home.same("set image deployment/web db=x", "").await;
    home.same("apply -f k8s/web.yaml", "").await;

    home.same("delete -f k8s/web.yaml", "").await;
    home.same("delete deployment web", "").await;
    home.same("delete deployment web --ignore-not-found", "").await;
    home.same("delete configmap -l none=such", "").await;
    home.same("wait --for=delete pod -l app=web --timeout=30s", "").await;
    home.same("delete configmap settings", "").await;
    home.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_alike() {
    let home = Home::start().await;
    let misspelt = WEB.replace("image:", "imagee:");
    home.same("apply -f -", &misspelt).await;
    home.same("apply -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A_b}\n").await;
    home.same("apply -f nowhere.yaml", "").await;
    home.same("apply -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}\n").await;
    home.same("apply -n default -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: other}\n").await;
    home.same("get", "").await;
    home.same("get pod nothing", "").await;
    home.same("get pod nothing --ignore-not-found", "").await;
    home.same("get pods", "").await;
    home.same("get pods -A", "").await;
    home.same("delete pod nothing", "").await;
    home.same("delete pod", "").await;
    home.same("rollout status deploy/nothing", "").await;
    home.same("wait --for=condition=Ready pod/nothing", "").await;
    home.same("wait --for=condition=Ready pod -l a=b", "").await;
    home.same("wait pod/nothing", "").await;
    home.same("scale deploy/nothing --replicas=1", "").await;
    home.same("get pods --context=other", "").await;
    home.same("--server=http://127.0.0.1:1 get pods", "").await;
    home.same("wait --for=condition=Ready node/node-1 --timeout=1s", "").await;
    home.same("wait --for=condition=DiskPressure node/node-1 --timeout=1s", "").await;
    home.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_created_changed_and_deleted_alike() {
    let home = Home::start().await;
    home.write("dir/one.txt", "1\n");
    home.write("env", "# note\nA=b\nC=d e\n");
    home.same("create configmap c --from-literal=a=b --from-file=dir --from-file=x=dir/one.txt", "").await;
    home.same("get configmap c -o yaml", "").await;
    home.same("create configmap c", "").await;
    home.same("create configmap e --from-env-file=env --dry-run=client -o yaml", "").await;
    home.same("create secret generic s --from-literal=p=q", "").await;
    home.same("create secret docker-registry r --docker-server=reg.example --docker-username=u --docker-password=p", "").await;
    home.same("get secret r -o jsonpath='{.type} {.data.\\.dockerconfigjson}'", "").await;
    home.same("create deployment d --image=shop/web:1 --replicas=2 --port=80 --dry-run=client -o yaml", "").await;
    home.same("create secret generic t --from-literal=p=q --dry-run=client -o yaml", "").await;
    home.same("create namespace n --dry-run=client -o yaml", "").await;
    home.same("create sa robot", "").await;
    home.same("create -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: f}\n").await;
    home.same("create -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: f}\n").await;
    home.same("label configmap f a=b c=d", "").await;
    home.same("label configmap f a=c", "").await;
    home.same("label configmap f a=c --overwrite", "").await;
    home.same("label configmap/f a-", "").await;
    home.same("label configmap f a=b -l x=y", "").await;
    home.same("annotate configmap f note='some words'", "").await;
    home.same("get cm f -o jsonpath='{.metadata.labels} {.metadata.annotations}'", "").await;
    home.same("patch configmap f -p '{\"data\":{\"k\":\"v\"}}'", "").await;
    home.same("patch configmap f --type=json -p '[{\"op\":\"add\",\"path\":\"/data/l\",\"value\":\"w\"}]'", "").await;
    home.same("patch cm f --type=merge -p 'data: {k: v}'", "").await;
    home.same("get cm f -o jsonpath={.data}", "").await;
    home.same("apply -f - -o name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: f}\ndata: {k: new}\n").await;
    home.same("get cm f -o yaml", "").await;
    home.same("delete cm f e2 --ignore-not-found", "").await;
    home.same("delete cm,secret --all", "").await;
    home.same("auth can-i create deployments", "").await;
    home.same("config current-context", "").await;
    home.same("config set-context --current --namespace=elsewhere", "").await;
    home.same("get cm f", "").await;
    home.same("config view --minify -o jsonpath='{..namespace}'", "").await;
    home.same("api-versions", "").await;
    home.same("api-resources -o name --namespaced=true --verbs=list", "").await;
    home.same("cluster-info", "").await;
    home.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_supported_is_refused_by_name() {
    let home = Home::start().await;
    let (code, out, err) = home.ours(&words("exec -it web -- sh"), "").await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(err, "error: `kubectl exec` is not supported by Landfall's kubectl: use the kubectl of Kubernetes with the same kubeconfig\n");
    let unknown = home.ours(&words("apply -f -"), "apiVersion: v1\nkind: Pot\nmetadata: {name: a}\n").await;
    let said = "error: resource mapping not found for name: \"a\" namespace: \"\" from \"STDIN\": no matches for kind \"Pot\" in version \"v1\"\nensure CRDs are installed first\n";
    assert_eq!(unknown, (1, String::new(), said.to_owned()));
    let unknown = home.ours(&words("get pods --colour"), "").await;
    assert_eq!(unknown, (1, String::new(), "error: unknown flag: --colour\nSee 'kubectl get --help' for usage.\n".to_owned()));
    let unknown = home.ours(&words("frobnicate"), "").await;
    assert_eq!(unknown, (1, String::new(), "error: unknown command \"frobnicate\" for \"kubectl\"\n".to_owned()));
    let (code, _, err) = home.ours(&words("apply -k https://example.org/x"), "").await;
    assert_eq!((code, err.as_str()), (1, "error: `https://example.org/x` is not fetched: check it out first\n"));
    let (code, _, err) = home.ours(&words("apply -f https://example.org/x.yaml"), "").await;
    assert_eq!(code, 1);
    assert_eq!(err, "error: `-f https://example.org/x.yaml` is not supported by Landfall's kubectl: URLs are not fetched; check the file in or fetch it in a step of its own\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptions_say_what_matters() {
    let home = Home::start().await;
    assert_eq!(home.ours(&words("apply -f -"), WEB).await.0, 0);
    assert_eq!(home.ours(&words("rollout status deploy/web --timeout=30s"), "").await.0, 0);
    let (code, pod, err) = home.ours(&words("describe pod web"), "").await;
    assert_eq!((code, err.as_str()), (0, ""));
    for line in ["Namespace:      ours", "Labels:         app=web", "Status:         Running", "IP:             10.0.0.9", "    Image:      shop/web:1", "      A:        b"] {
        assert!(pod.lines().any(|it| it == line), "no `{line}` in\n{pod}");
    }
    let (code, deployment, _) = home.ours(&words("describe deploy/web"), "").await;
    assert_eq!(code, 0);
    let replicas = "Replicas:       2 desired | 2 updated | 2 total | 2 available | 0 unavailable";
    assert!(deployment.lines().any(|it| it == replicas), "{deployment}");
    assert!(deployment.contains("ScalingReplicaSet"), "{deployment}");
}
