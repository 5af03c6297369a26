//! `landfall.yaml`, judged as the server judges it after a push.

use delivery::gitops::{PROJECT_FILE, read_project_file};
use names::ProjectName;
use yaml::{Diagnostic, Flavor};

use crate::mend::Source;

/// The keys at the top of the file.
const KEYS: [&str; 1] = ["apps"];

pub(crate) fn check(source: &Source, found: &mut Vec<Diagnostic>) {
    // Only the server knows what the project is called, and so which namespaces are its own.
    let any: ProjectName = "project".parse().expect("letters name a project");
    let errors = read_project_file(source.text(), &any).err().map(|error| error.0).unwrap_or_default();
    let mut problems: Vec<_> = errors.into_iter().filter(|it| !it.message.starts_with("the namespace `")).collect();
    for document in yaml::parse(source.text(), PROJECT_FILE, Flavor::Go11).unwrap_or_default() {
        problems.extend(document.warnings);
        for entry in document.root.entries().iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
            let message = format!("`{}` is not supported here", entry.key);
            let told = Diagnostic::error(PROJECT_FILE, entry.key_span, "LF-G0002", message);
            problems.push(told.help(format!("known here: {}", KEYS.join(", "))));
        }
    }
    found.extend(problems.into_iter().map(|it| source.place(it)));
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::{Tree, check};

    const SCHEMA: &str = include_str!("../../../../docs/schema/landfall.schema.json");

    /// The findings, one a line.
    fn told(text: &str) -> String {
        let mut tree = Tree::default();
        tree.add("landfall.yaml", Some(text.to_owned()));
        let lines = check(&tree, &[]).into_iter().map(|it| format!("{}:{} {} {}", it.span.line, it.span.column, it.code, it.message));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_file_is_judged_without_a_server() {
        assert_eq!(told("apps:\n  - path: deploy\n    namespace: shop-eu\n    rollout: canary 10, 5m, 50\n    deadline: 5m\n"), "");
        assert_eq!(told("# nothing yet\n"), "");
        let expected = "1:1 LF-G0002 `app` is not supported here\n4:5 LF-G0002 `paht` is not supported here\n4:5 LF-G0001 `path` is missing";
        let found = told("app: []\napps:\n  -\n    paht: deploy\n");
        let mut lines: Vec<_> = found.lines().collect();
        lines.sort_by_key(|line| line.contains("G0001"));
        assert_eq!(lines.join("\n"), expected);
    }

    /// A value of each key that fits, and one that does not.
    const VALUES: [(&str, &str, &str); 10] = [
        ("path", "deploy", "../up"),
        ("name", "web", "Web!"),
        ("environment", "staging", "No Name"),
        ("namespace", "shop", "Shop!"),
        ("branch", "main", ""),
        ("rollout", "rolling", "sometimes"),
        ("prune", "true", "maybe"),
        ("selfHeal", "false", "maybe"),
        ("sync", "manual", "never"),
        ("deadline", "10m", "soon"),
    ];

    #[test]
    fn the_schema_knows_what_the_reader_knows() {
        let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
        let app = &schema["$defs"]["app"];
        assert_eq!((&schema["additionalProperties"], &app["additionalProperties"]), (&Value::Bool(false), &Value::Bool(false)));
        assert_eq!(app["required"], serde_json::json!(["path"]));
        let mut named: Vec<_> = app["properties"].as_object().expect("keys").keys().map(String::as_str).collect();
        named.sort_unstable();
        let mut known: Vec<_> = VALUES.iter().map(|(key, ..)| *key).collect();
        known.sort_unstable();
        assert_eq!(named, known);
        for (key, good, bad) in VALUES {
            let with = |value: &str| {
                let path = if key == "path" { "" } else { "    path: deploy\n" };
                told(&format!("apps:\n  - {key}: {value}\n{path}"))
            };
            assert_eq!(with(good), "", "{key}");
            assert!(bad.is_empty() || with(bad).contains("LF-G000"), "{key}: {}", with(bad));
            assert!(app["properties"][key]["description"].is_string(), "{key}");
        }
    }
}
