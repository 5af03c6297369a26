//! Reads the apps that a `landfall.yaml` asks for: a few lines where an `Application` has thirty.

use api::{AppSource, AppSpec, Automated, Retry, RolloutPlan, SyncOptions};
use names::{ProjectName, parse_duration};
use serde_json::Value;
use yaml::Node;

use crate::findings::Findings;

use super::read::{DEADLINE_SECONDS, HISTORY, RETRIES_UNSAID, Read, ReadError, clean, nearest};

/// Where a repository says what is followed in it.
pub const PROJECT_FILE: &str = "landfall.yaml";

/// The keys of an app.
const KEYS: [&str; 10] = ["name", "path", "environment", "namespace", "branch", "rollout", "prune", "selfHeal", "sync", "deadline"];

/// Reads the `apps` of a project's file; other keys of the file are not looked at.
///
/// # Errors
///
/// All findings at once, each with its place and the way out.
pub fn read_project_file(text: &str, project: &ProjectName) -> Result<Vec<Read>, ReadError> {
    let documents = yaml::parse(text, PROJECT_FILE, yaml::Flavor::Go11).map_err(ReadError)?;
    let mut reader = Reader { project, findings: Findings::new(PROJECT_FILE) };
    let mut apps: Vec<Read> = Vec::new();
    for document in documents.iter().filter(|it| !it.root.is_null()) {
        let Some(list) = document.root.get("apps") else { continue };
        let yaml::NodeValue::Sequence(items) = &list.value else {
            reader.findings.wrong(list, "`apps` is no list", "each app begins with a dash: `- path: deploy`");
            continue;
        };
        for item in items {
            let app = reader.app(item);
            if apps.iter().any(|it| it.name == app.name) {
                reader.findings.wrong(item, format!("two apps are called `{}`", app.name), "give one of them another `name` or `environment`");
            }
            apps.push(app);
        }
    }
    reader.findings.none_or(apps).map_err(ReadError)
}

struct Reader<'a> {
    project: &'a ProjectName,
    findings: Findings<'a>,
}

impl Reader<'_> {
    fn app(&mut self, node: &Node) -> Read {
        for entry in node.entries() {
            let key = entry.key.as_str();
            if KEYS.contains(&key) {
                continue;
            }
            let help = match (key, nearest(key, &KEYS)) {
                ("replicas", _) => "an app runs what its manifests say; put the number there".to_owned(),
                ("repoURL" | "repository", _) => "an app of this file follows its own repository; for others write an `Application`".to_owned(),
                (_, Some(near)) => format!("did you mean `{near}`?"),
                (_, None) => format!("known here: {}", KEYS.join(", ")),
            };
            self.findings.unsupported(entry, help);
        }
        let environment = self.name(node, "environment").unwrap_or_else(|| "production".to_owned());
        let is_production = environment == "production";
        let own = |name: &str| if is_production { name.to_owned() } else { format!("{name}-{environment}") };
        let name = self.name(node, "name").map_or_else(|| own(self.project.as_str()), |it| own(&it));
        let namespace = match self.name(node, "namespace") {
            Some(namespace) => {
                let is_own = namespace == self.project.as_str() || namespace.starts_with(&format!("{}-", self.project));
                if !is_own && let Some(node) = node.get("namespace") {
                    let help = format!("a project deploys to `{0}` and to namespaces that begin with `{0}-`; for others write an `Application`", self.project);
                    self.findings.wrong(node, format!("the namespace `{namespace}` is not one of the project `{}`", self.project), &help);
                }
                namespace
            }
            None => own(self.project.as_str()),
        };
        let path = clean(node.get("path").and_then(Node::text).unwrap_or_default());
        match node.get("path") {
            None => self.findings.wrong(node, "`path` is missing", "say which folder is followed: `path: deploy`; `path: .` is the whole repository"),
            Some(at) if path.split('/').any(|part| part == "..") => self.findings.wrong(at, "`path` leaves the repository", "paths are counted from the top of the repository"),
            Some(_) => {}
        }
        let is_automatic = match node.get("sync").and_then(Node::text) {
            None | Some("automatic") => true,
            Some("manual") => false,
            Some(other) => {
                let message = format!("`{other}` is no way to sync");
                self.findings.wrong(node.get("sync").unwrap_or(node), message, "one of automatic, manual");
                true
            }
        };
        let automated = Automated { prune: self.flag(node, "prune"), self_heal: self.flag(node, "selfHeal"), allow_empty: false };
        let spec = AppSpec {
            project: self.project.to_string(),
            sources: vec![AppSource {
                repository: self.project.to_string(),
                revision: node.get("branch").and_then(Node::text).filter(|it| !it.is_empty()).unwrap_or("HEAD").to_owned(),
                path,
                ..AppSource::default()
            }],
            namespace,
            automated: is_automatic.then_some(automated),
            options: SyncOptions { create_namespace: true, ..SyncOptions::default() },
            retry: Retry { limit: RETRIES_UNSAID, ..Retry::default() },
            history: HISTORY,
            rollout: self.rollout(node),
            deadline_seconds: self.deadline(node),
            declared_by: Some(self.project.to_string()),
            ..AppSpec::default()
        };
        Read { name, spec }
    }

    /// A text that may be a part of a DNS name.
    fn name(&mut self, node: &Node, key: &str) -> Option<String> {
        let value = node.get(key)?;
        let text = value.text().unwrap_or_default();
        let is_label = !text.is_empty()
            && text.len() <= 63
            && text.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if !is_label {
            self.findings.wrong(value, format!("`{text}` is no name"), "lowercase letters, digits and dashes, at most 63");
        }
        Some(text.to_owned())
    }

    /// On unless it is said to be off.
    fn flag(&mut self, node: &Node, key: &str) -> bool {
        match node.get(key).map(|it| (it, it.to_json())) {
            None | Some((_, Value::Bool(true))) => true,
            Some((_, Value::Bool(false))) => false,
            Some((at, other)) => {
                self.findings.wrong(at, format!("`{other}` is neither true nor false"), "");
                true
            }
        }
    }

    fn deadline(&mut self, node: &Node) -> u64 {
        let Some(value) = node.get("deadline") else { return DEADLINE_SECONDS };
        match parse_duration(value.text().unwrap_or_default()) {
            Ok(duration) => duration.as_secs().max(1),
            Err(error) => {
                self.findings.wrong(value, error.to_string(), "");
                DEADLINE_SECONDS
            }
        }
    }

    fn rollout(&mut self, node: &Node) -> RolloutPlan {
        let Some(value) = node.get("rollout") else { return RolloutPlan::Rolling };
        crate::rollout::strategy(value, PROJECT_FILE).unwrap_or_else(|found| {
            self.findings.extend(found);
            RolloutPlan::Rolling
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> ProjectName {
        "shop".parse().expect("a name")
    }

    #[test]
    fn a_few_lines_are_an_app() {
        let text = "apps:\n  - path: ./deploy/\n  - path: deploy\n    environment: staging\n    branch: next\n    sync: manual\n    deadline: 2m\n";
        let apps = read_project_file(text, &project()).expect("apps");
        let told: Vec<_> = apps
            .iter()
            .map(|it| {
                let source = &it.spec.sources[0];
                format!("{} {} {} {} {} {:?} {}", it.name, it.spec.namespace, source.repository, source.path, source.revision, it.spec.automated.is_some(), it.spec.deadline_seconds)
            })
            .collect();
        assert_eq!(told, ["shop shop shop deploy HEAD true 600", "shop-staging shop-staging shop deploy next false 120"]);
        assert_eq!(apps[0].spec.automated, Some(Automated { prune: true, self_heal: true, allow_empty: false }));
        assert!(read_project_file("other: 1\n", &project()).expect("nothing").is_empty());
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = read_project_file(text, &project()).expect_err("findings").0;
        let show = |it: &yaml::Diagnostic| format!("{}:{} {}", it.span.line, it.span.column, it.message);
        assert_eq!(found.iter().map(show).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        check("apps: 1\n", &["1:7 `apps` is no list"]);
        check("apps:\n- name: a\n", &["2:3 `path` is missing"]);
        check("apps:\n- {path: a, repoURL: x}\n", &["2:13 `repoURL` is not supported here"]);
        check("apps:\n- {path: ../a, namespace: bank}\n", &["2:27 the namespace `bank` is not one of the project `shop`", "2:10 `path` leaves the repository"]);
        check("apps:\n- {path: a, prune: maybe}\n", &["2:20 `\"maybe\"` is neither true nor false"]);
        check("apps:\n- path: a\n- path: b\n", &["3:3 two apps are called `shop`"]);
    }
}
