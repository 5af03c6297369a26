//! Reads an Argo CD `Application`; what is not carried out is refused by name.

use std::collections::BTreeMap;

use api::{
    AppSource, AppSpec, Automated, DirectorySource, HelmParameter, HelmSource, IgnoreRule, KustomizeSource, NamespaceMarks, Propagation, Retry,
    RolloutPlan, SyncOptions,
};
use names::parse_duration;
use serde_json::Value;
use yaml::{Diagnostic, Node};

use crate::{findings::Findings, rollout};

use super::jq_path::JqPath;

/// What an `Application` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub name: String,
    pub spec: AppSpec,
}

/// Everything that is wrong with an `Application`.
#[derive(Clone, Debug)]
pub struct ReadError(pub Vec<Diagnostic>);

/// Deployments kept to go back to, as in Argo CD.
pub(super) const HISTORY: u32 = 10;

/// How long a deployment may take when nothing is said.
pub(super) const DEADLINE_SECONDS: u64 = 600;

/// A refusal may be a matter of a moment, so it is tried twice; longer would only delay the way back, unless somebody says so.
pub(super) const RETRIES_UNSAID: i64 = 1;

/// The names of the cluster that Landfall itself deploys to.
const THIS_CLUSTER: [&str; 2] = ["https://kubernetes.default.svc", "in-cluster"];

/// Reads the `Application` documents of a file; other documents are an error.
///
/// # Errors
///
/// All findings at once, each with its place and the way out.
pub fn read(source: &str, file: &str) -> Result<Vec<Read>, ReadError> {
    let documents = yaml::parse(source, file, yaml::Flavor::Go11).map_err(ReadError)?;
    let mut reader = Reader { findings: Findings::new(file) };
    let apps: Vec<_> = documents.iter().filter(|it| !it.root.is_null()).filter_map(|it| reader.application(&it.root)).collect();
    reader.findings.none_or(apps).map_err(ReadError)
}

struct Reader<'a> {
    findings: Findings<'a>,
}

impl Reader<'_> {
    fn application(&mut self, root: &Node) -> Option<Read> {
        let said = |key: &str| root.get(key).and_then(Node::text).unwrap_or_default();
        if said("apiVersion") != "argoproj.io/v1alpha1" || said("kind") != "Application" {
            let (version, kind) = (said("apiVersion"), said("kind"));
            self.findings.wrong(root, format!("`{kind}` of `{version}` is no Application"), "an app needs apiVersion `argoproj.io/v1alpha1` and kind `Application`");
            return None;
        }
        self.only(root, &["apiVersion", "kind", "metadata", "spec", "status", "operation"], "");
        let name = root.get("metadata").and_then(|it| it.get("name")).and_then(Node::text).unwrap_or_default().to_owned();
        if name.is_empty() {
            self.findings.wrong(root, "`metadata.name` is missing", "");
        }
        let Some(node) = root.get("spec") else {
            self.findings.wrong(root, "`spec` is missing", "");
            return None;
        };
        let mut spec = self.spec(node);
        // Other readers of the file refuse fields that they do not know, but no annotations.
        let said = root.get("metadata").and_then(|it| it.get("annotations")).and_then(|it| it.get(rollout::ANNOTATION));
        if let Some(said) = said {
            spec.rollout = self.rollout(said);
        }
        Some(Read { name, spec })
    }

    /// Refuses keys that are neither known nor without effect here.
    fn only(&mut self, node: &Node, known: &[&str], refused: &str) {
        for entry in node.entries() {
            let key = entry.key.as_str();
            if known.contains(&key) {
                continue;
            }
            let help = match refused.split(';').find_map(|it| it.trim().strip_prefix(&format!("{key}: "))) {
                Some(help) => help.to_owned(),
                None => match nearest(key, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.join(", ")),
                },
            };
            self.findings.unsupported(entry, help);
        }
    }

    fn spec(&mut self, node: &Node) -> AppSpec {
        self.only(
            node,
            &["project", "source", "sources", "destination", "syncPolicy", "ignoreDifferences", "revisionHistoryLimit", "info", "rollout"],
            "sourceHydrator: render into a branch with `landfall render` in a workflow",
        );
        let mut spec = AppSpec {
            project: text(node, "project").unwrap_or_else(|| "default".to_owned()),
            history: node.get("revisionHistoryLimit").and_then(number).and_then(|it| u32::try_from(it).ok()).unwrap_or(HISTORY),
            deadline_seconds: DEADLINE_SECONDS,
            rollout: RolloutPlan::Rolling,
            retry: Retry { limit: RETRIES_UNSAID, ..Retry::default() },
            ..AppSpec::default()
        };
        let sources: Vec<&Node> = match (node.get("sources"), node.get("source")) {
            (Some(list), _) => items(list),
            (None, Some(one)) => vec![one],
            (None, None) => {
                self.findings.wrong(node, "`source` is missing", "say where the manifests are: `source: {repoURL: …, path: …}`");
                Vec::new()
            }
        };
        spec.sources = sources.into_iter().map(|it| self.source(it)).collect();
        match node.get("destination") {
            Some(destination) => (spec.cluster, spec.namespace) = self.destination(destination),
            None => self.findings.wrong(node, "`destination` is missing", "for the cluster of this installation: `destination: {name: in-cluster, namespace: …}`"),
        }
        if let Some(plan) = node.get("rollout") {
            spec.rollout = self.rollout(plan);
        }
        if let Some(policy) = node.get("syncPolicy") {
            self.policy(policy, &mut spec);
        }
        spec.ignore = node.get("ignoreDifferences").map(items).unwrap_or_default().into_iter().map(|it| self.ignore(it)).collect();
        spec
    }

    fn rollout(&mut self, node: &Node) -> RolloutPlan {
        rollout::strategy(node, self.findings.file).unwrap_or_else(|found| {
            self.findings.extend(found);
            RolloutPlan::Rolling
        })
    }

    /// The cluster elsewhere, if it is one, and the namespace.
    fn destination(&mut self, node: &Node) -> (Option<String>, String) {
        self.only(node, &["server", "name", "namespace"], "");
        let mut cluster = None;
        for key in ["server", "name"] {
            let Some(value) = node.get(key) else { continue };
            let said = value.text().unwrap_or_default();
            if said.is_empty() || THIS_CLUSTER.contains(&said) {
                continue;
            }
            if key == "name" {
                cluster = Some(said.to_owned());
            } else {
                self.findings.wrong(value, format!("the cluster `{said}` is not known"), "name the cluster that an agent runs in (`name: …`), or use `name: in-cluster`");
            }
        }
        if node.get("server").is_some_and(|it| !it.is_null()) && node.get("name").is_some_and(|it| !it.is_null()) {
            self.findings.wrong(node, "`server` and `name` exclude each other", "keep one of them");
        }
        (cluster, text(node, "namespace").unwrap_or_else(|| "default".to_owned()))
    }

    fn source(&mut self, node: &Node) -> AppSource {
        self.only(
            node,
            &["repoURL", "path", "chart", "targetRevision", "helm", "kustomize", "directory", "ref", "name"],
            "plugin: run the tool in a workflow and commit what it renders;\
             tagPrefix: name the tag in `targetRevision`",
        );
        let mut source = AppSource {
            repository: text(node, "repoURL").unwrap_or_default(),
            revision: text(node, "targetRevision").filter(|it| !it.is_empty()).unwrap_or_else(|| "HEAD".to_owned()),
            path: text(node, "path").map(|it| clean(&it)).unwrap_or_default(),
            chart: text(node, "chart").filter(|it| !it.is_empty()),
            reference: text(node, "ref"),
            ..AppSource::default()
        };
        if source.repository.is_empty() {
            self.findings.wrong(node, "`repoURL` is missing", "");
        }
        if let Some(chart) = node.get("chart").filter(|_| source.chart.is_some()) {
            let is_place = source.repository.contains(['.', ':']) || source.repository.is_empty();
            if source.reference.is_some() {
                self.findings.wrong(chart, "a source with `chart` lends no files", "name the values in a source of their own, with `ref`");
            } else if !is_place {
                self.findings.wrong(chart, format!("`{}` is no place of charts", source.repository), "`repoURL` of a chart is a chart repository (`https://…`) or a registry (`oci://…`); a chart in a repository is a `path`");
            }
            // As in Argo CD, the chart decides.
            source.path.clear();
        }
        if source.path.split('/').any(|part| part == "..") {
            self.findings.wrong(node.get("path").unwrap_or(node), "`path` leaves the repository", "paths are counted from the top of the repository");
        }
        if let Some(helm) = node.get("helm") {
            source.helm = self.helm(helm);
        }
        if let Some(kustomize) = node.get("kustomize") {
            source.kustomize = self.kustomize(kustomize);
        }
        if let Some(directory) = node.get("directory") {
            self.only(directory, &["recurse", "include", "exclude"], "jsonnet: render it in a workflow and commit the result");
            source.directory = DirectorySource {
                recurse: flag(directory, "recurse"),
                include: text(directory, "include"),
                exclude: text(directory, "exclude"),
            };
        }
        source
    }

    fn helm(&mut self, node: &Node) -> HelmSource {
        let known = [
            "releaseName", "valueFiles", "ignoreMissingValueFiles", "values", "valuesObject", "parameters", "skipCrds",
            "skipTests", "skipSchemaValidation", "version", "passCredentials", "namespace", "kubeVersion", "apiVersions",
        ];
        self.only(node, &known, "fileParameters: put the text into `values`");
        let parameter = |it: &Node| HelmParameter {
            name: text(it, "name").unwrap_or_default(),
            value: text(it, "value").unwrap_or_default(),
            force_string: flag(it, "forceString"),
        };
        HelmSource {
            release_name: text(node, "releaseName"),
            value_files: texts(node, "valueFiles"),
            ignore_missing_value_files: flag(node, "ignoreMissingValueFiles"),
            values: text(node, "values"),
            values_object: node.get("valuesObject").map(Node::to_json),
            parameters: node.get("parameters").map(items).unwrap_or_default().into_iter().map(parameter).collect(),
            skip_crds: flag(node, "skipCrds"),
            namespace: text(node, "namespace"),
            kube_version: text(node, "kubeVersion"),
            api_versions: texts(node, "apiVersions"),
            version: match text(node, "version").as_deref() {
                Some("v3" | "3") => Some(3),
                Some("v4" | "4") => Some(4),
                _ => None,
            },
        }
    }

    fn kustomize(&mut self, node: &Node) -> KustomizeSource {
        let known = [
            "images", "namePrefix", "nameSuffix", "commonLabels", "commonAnnotations", "namespace", "replicas", "components",
            "patches", "version", "forceCommonLabels", "forceCommonAnnotations",
        ];
        self.only(node, &known, "");
        let replica = |it: &Node| Some((text(it, "name")?, it.get("count").and_then(number).and_then(|it| u32::try_from(it).ok())?));
        KustomizeSource {
            images: texts(node, "images"),
            name_prefix: text(node, "namePrefix"),
            name_suffix: text(node, "nameSuffix"),
            common_labels: pairs(node, "commonLabels"),
            common_annotations: pairs(node, "commonAnnotations"),
            namespace: text(node, "namespace"),
            replicas: node.get("replicas").map(items).unwrap_or_default().into_iter().filter_map(replica).collect(),
            components: texts(node, "components"),
            patches: node.get("patches").map(items).unwrap_or_default().into_iter().map(Node::to_json).collect(),
        }
    }

    fn policy(&mut self, node: &Node, spec: &mut AppSpec) {
        self.only(node, &["automated", "syncOptions", "retry", "managedNamespaceMetadata"], "");
        if let Some(marks) = node.get("managedNamespaceMetadata") {
            self.only(marks, &["labels", "annotations"], "");
            spec.namespace_marks = NamespaceMarks { labels: pairs(marks, "labels"), annotations: pairs(marks, "annotations") };
        }
        if let Some(automated) = node.get("automated") {
            self.only(automated, &["enabled", "prune", "selfHeal", "allowEmpty"], "");
            let is_enabled = automated.get("enabled").is_none_or(|it| it.to_json() != Value::Bool(false));
            spec.automated = is_enabled.then(|| Automated {
                prune: flag(automated, "prune"),
                self_heal: flag(automated, "selfHeal"),
                allow_empty: flag(automated, "allowEmpty"),
            });
        }
        for option in node.get("syncOptions").map(items).unwrap_or_default() {
            self.option(option, &mut spec.options);
        }
        match node.get("retry") {
            Some(retry) => spec.retry = self.retry(retry),
            None => spec.retry.limit = RETRIES_UNSAID,
        }
    }

    fn option(&mut self, node: &Node, options: &mut SyncOptions) {
        let said = node.text().unwrap_or_default();
        let (name, value) = said.split_once('=').unwrap_or((said, ""));
        let on = value == "true";
        match name {
            "CreateNamespace" => options.create_namespace = on,
            "PruneLast" => options.prune_last = on,
            "ApplyOutOfSyncOnly" => options.apply_out_of_sync_only = on,
            "Replace" => options.replace = on,
            "Validate" => options.validate = value != "false",
            "RespectIgnoreDifferences" => options.respect_ignore_differences = on,
            "PrunePropagationPolicy" => match value {
                "foreground" => options.propagation = Propagation::Foreground,
                "background" => options.propagation = Propagation::Background,
                "orphan" => options.propagation = Propagation::Orphan,
                _ => self.findings.wrong(node, format!("`{value}` is no propagation policy"), "one of foreground, background, orphan"),
            },
            // Every sync is a server-side apply here; the other two are about leaving client-side apply.
            "ServerSideApply" | "ClientSideApplyMigration" | "FailOnSharedResource" | "SkipDryRunOnMissingResource" => {}
            _ => self.findings.wrong(
                node,
                format!("the sync option `{said}` is not supported"),
                "known: CreateNamespace, PruneLast, ApplyOutOfSyncOnly, Replace, Validate, RespectIgnoreDifferences, PrunePropagationPolicy, ServerSideApply",
            ),
        }
    }

    fn retry(&mut self, node: &Node) -> Retry {
        self.only(node, &["limit", "backoff", "refresh"], "");
        let mut retry = Retry { limit: node.get("limit").and_then(number).unwrap_or(5), ..Retry::default() };
        let Some(backoff) = node.get("backoff") else { return retry };
        self.only(backoff, &["duration", "factor", "maxDuration"], "");
        let mut seconds = |key: &str, otherwise: u64| match backoff.get(key) {
            None => otherwise,
            // A bare number counts seconds.
            Some(node) if number(node).is_some() => number(node).and_then(|it| u64::try_from(it).ok()).unwrap_or(otherwise),
            Some(node) => match parse_duration(node.text().unwrap_or_default()) {
                Ok(duration) => duration.as_secs() + u64::from(duration.subsec_nanos() > 0),
                Err(error) => {
                    self.findings.wrong(node, error.to_string(), "");
                    otherwise
                }
            },
        };
        (retry.seconds, retry.seconds_max) = (seconds("duration", retry.seconds), seconds("maxDuration", retry.seconds_max));
        retry.factor = backoff.get("factor").and_then(number).and_then(|it| u64::try_from(it).ok()).unwrap_or(retry.factor);
        retry
    }

    fn ignore(&mut self, node: &Node) -> IgnoreRule {
        self.only(
            node,
            &["group", "kind", "name", "namespace", "jsonPointers", "jqPathExpressions", "managedFieldsManagers"],
            "",
        );
        for expression in node.get("jqPathExpressions").map(items).unwrap_or_default() {
            if let Err(error) = JqPath::parse(expression.text().unwrap_or_default()) {
                let help = "known: .field, .\"field\", [index], [], .., ?, |, commas and select(PATH == LITERAL); else say it with `jsonPointers` or `managedFieldsManagers`";
                self.findings.wrong(expression, error.to_string(), help);
            }
        }
        IgnoreRule {
            group: text(node, "group").unwrap_or_default(),
            kind: text(node, "kind").unwrap_or_default(),
            name: text(node, "name").unwrap_or_default(),
            namespace: text(node, "namespace").unwrap_or_default(),
            json_pointers: texts(node, "jsonPointers"),
            managers: texts(node, "managedFieldsManagers"),
            jq: texts(node, "jqPathExpressions"),
        }
    }
}

fn items(node: &Node) -> Vec<&Node> {
    match &node.value {
        yaml::NodeValue::Sequence(items) => items.iter().collect(),
        yaml::NodeValue::Scalar { .. } | yaml::NodeValue::Mapping(_) => Vec::new(),
    }
}

fn text(node: &Node, key: &str) -> Option<String> {
    let value = node.get(key)?;
    if value.is_null() { None } else { value.text().map(str::to_owned) }
}

fn texts(node: &Node, key: &str) -> Vec<String> {
    node.get(key).map(items).unwrap_or_default().into_iter().filter_map(|it| it.text().map(str::to_owned)).collect()
}

fn pairs(node: &Node, key: &str) -> BTreeMap<String, String> {
    let entries = node.get(key).map(Node::entries).unwrap_or_default();
    entries.iter().map(|it| (it.key.clone(), it.value.text().unwrap_or_default().to_owned())).collect()
}

fn flag(node: &Node, key: &str) -> bool {
    node.get(key).is_some_and(|it| it.to_json() == Value::Bool(true))
}

fn number(node: &Node) -> Option<i64> {
    node.to_json().as_i64()
}

/// Without the marks that mean the same folder.
pub(super) fn clean(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

/// The known word that differs least, if one is near.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let distance = |it: &&str| names::edits(&lower, &it.to_lowercase());
    known.iter().min_by_key(|it| distance(it)).copied().filter(|it| distance(it) <= 2 + word.len() / 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop, namespace: argocd}
spec:
  project: default
  source:
    repoURL: https://git.example/shop.git
    targetRevision: main
    path: ./deploy/prod/
    helm: {releaseName: shop, valueFiles: [values.yaml, prod.yaml], parameters: [{name: image.tag, value: '1.2', forceString: true}]}
  destination: {server: https://kubernetes.default.svc, namespace: shop}
  syncPolicy:
    automated: {prune: true, selfHeal: true}
    syncOptions: [CreateNamespace=true, ServerSideApply=true]
    retry: {limit: 3, backoff: {duration: 10s, factor: 3, maxDuration: 5m}}
  ignoreDifferences: [{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}]
";

    #[test]
    fn an_application_is_read_whole() {
        let apps = read(APP, "app.yaml").expect("an app");
        let [Read { name, spec }] = &apps[..] else { panic!("one app") };
        assert_eq!(name, "shop");
        assert_eq!(spec.namespace, "shop");
        let source = &spec.sources[0];
        assert_eq!((source.path.as_str(), source.revision.as_str()), ("deploy/prod", "main"));
        assert_eq!(source.helm.value_files, ["values.yaml", "prod.yaml"]);
        assert!(source.helm.parameters[0].force_string);
        assert_eq!(spec.automated, Some(Automated { prune: true, self_heal: true, allow_empty: false }));
        assert!(spec.options.create_namespace);
        assert_eq!(spec.retry, Retry { limit: 3, seconds: 10, factor: 3, seconds_max: 300 });
        assert_eq!(spec.ignore[0].json_pointers, ["/spec/replicas"]);
        assert_eq!(spec.history, 10);
    }

    #[test]
    fn a_chart_is_named_with_its_version() {
        let apps = read(&APP.replace("path: ./deploy/prod/", "chart: web").replace("targetRevision: main", "targetRevision: ^1.2"), "app.yaml").expect("an app");
        let source = &apps[0].spec.sources[0];
        assert_eq!((source.chart.as_deref(), source.revision.as_str(), source.path.as_str()), (Some("web"), "^1.2", ""));
    }

    #[track_caller]
    fn check(from: &str, to: &str, expected: &[&str]) {
        let source = APP.replace(from, to);
        assert_ne!(source, APP, "`{from}` is not there");
        let found = read(&source, "app.yaml").expect_err("findings").0;
        let show = |it: &Diagnostic| format!("{}:{} {}", it.span.line, it.span.column, it.message);
        assert_eq!(found.iter().map(show).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_plan_of_roll_outs_is_a_field_or_an_annotation() {
        let plan = |from: &str, to: &str| {
            let apps = read(&APP.replace(from, to), "app.yaml").expect("an app");
            rollout::show(&apps[0].spec.rollout)
        };
        assert_eq!(plan("  project: default", "  rollout: canary 10, pause"), "canary 10%, pause");
        assert_eq!(plan("  project: default", "  rollout: {canary: {steps: [{setWeight: 5}]}}"), "canary 5%");
        assert_eq!(plan("namespace: argocd}", "annotations: {landfall.dev/rollout: 'canary 20'}}"), "canary 20%");
        check("  project: default", "  rollout: canary soon", &["5:12 `soon` is no step: a weight such as `10%`, a pause such as `5m`, or `pause` until a person goes on"]);
    }

    #[test]
    fn what_is_not_carried_out_is_refused_by_name() {
        check("path: ./deploy/prod/", "pth: x", &["9:5 `pth` is not supported here"]);
        check("selfHeal", "selfheal", &["13:30 `selfheal` is not supported here"]);
        check("server: https://kubernetes.default.svc", "server: https://staging", &["11:25 the cluster `https://staging` is not known"]);
        check("path: ./deploy/prod/", "path: ../secrets", &["9:11 `path` leaves the repository"]);
        check("CreateNamespace=true", "Turbo=true", &["14:19 the sync option `Turbo=true` is not supported"]);
        check("jsonPointers: [/spec/replicas]", "jqPathExpressions: [.spec | keys]", &["16:75 `keys` is no part of jq that names a place"]);
        check("repoURL: https://git.example/shop.git\n    targetRevision: main\n    path: ./deploy/prod/", "repoURL: shop\n    chart: web", &["8:12 `shop` is no place of charts"]);
        check("path: ./deploy/prod/", "chart: web\n    ref: values", &["9:12 a source with `chart` lends no files"]);
        check("{limit: 3,", "{limit: 3, times: 4,", &["15:23 `times` is not supported here"]);
        check("kind: Application", "kind: AppProject", &["1:1 `AppProject` of `argoproj.io/v1alpha1` is no Application"]);
    }
}
