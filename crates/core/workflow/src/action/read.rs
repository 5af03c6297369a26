//! Reads an `action.yml`.

use yaml::{Diagnostic, Flavor, Node, NodeValue, Severity, Span};

use super::{
    ActionHome, ActionInput, ActionOutput, DockerImage, DockerRuns, Manifest, NativeRuns, NodeRuns,
    ParsedManifest, PhaseConditions, Runs, steps,
};
use crate::{
    expr::{Condition, Expression, Template},
    tree::{Mapping, NamedTemplates},
};

/// Larger manifests are no manifests; the limit of a workflow file.
const MAX_BYTES: usize = 1 << 20;

const INPUT_CONTEXTS: &[&str] = &["github", "strategy", "matrix", "job", "runner"];
const ARG_CONTEXTS: &[&str] = &["inputs"];
const PHASE_CONTEXTS: &[&str] = &[
    "github", "inputs", "strategy", "matrix", "job", "runner", "env",
];
pub(super) const STEP_CONTEXTS: &[&str] = &[
    "github", "inputs", "strategy", "matrix", "steps", "job", "runner", "env",
];

/// Collects what is wrong with one manifest.
pub(super) struct Reader<'a> {
    pub path: &'a str,
    pub found: Vec<Diagnostic>,
}

pub(super) fn manifest(source: &str, path: &str, home: &ActionHome) -> ParsedManifest {
    let refused = |message: String| ParsedManifest {
        manifest: None,
        diagnostics: vec![Diagnostic::error(
            path,
            Span::default(),
            "LF-W0101",
            message,
        )],
    };
    if source.len() > MAX_BYTES {
        return refused(format!(
            "file has {} bytes, expected at most {MAX_BYTES}",
            source.len()
        ));
    }
    let documents = match yaml::parse(source, path, Flavor::Core12) {
        Ok(documents) => documents,
        Err(diagnostics) => {
            return ParsedManifest {
                manifest: None,
                diagnostics,
            };
        }
    };
    let Some(document) = documents.into_iter().next() else {
        return refused("file is empty".to_owned());
    };
    let mut reader = Reader {
        path,
        found: document.warnings,
    };
    let manifest = reader.manifest(&document.root, home);
    let mut diagnostics = reader.found;
    diagnostics.sort_by_key(|it| it.span.start);
    let broken = diagnostics.iter().any(|it| it.severity == Severity::Error);
    ParsedManifest {
        manifest: manifest.filter(|_| !broken),
        diagnostics,
    }
}

impl Reader<'_> {
    pub fn error(&mut self, node: &Node, message: impl Into<String>) {
        self.found.push(Diagnostic::error(
            self.path,
            node.span,
            "LF-W0102",
            message.into(),
        ));
    }

    fn manifest(&mut self, root: &Node, home: &ActionHome) -> Option<Manifest> {
        if !matches!(root.value, NodeValue::Mapping(_)) {
            self.error(root, "an action is a mapping");
            return None;
        }
        let Some(runs) = root.get("runs") else {
            self.error(root, "`runs` is missing");
            return None;
        };
        Some(Manifest {
            name: root.get("name").and_then(text),
            description: root.get("description").and_then(text),
            inputs: self.inputs(root.get("inputs")),
            outputs: self.outputs(root.get("outputs")),
            runs: self.runs(runs, home)?,
        })
    }

    fn inputs(&mut self, node: Option<&Node>) -> Vec<ActionInput> {
        let mut inputs: Vec<ActionInput> = Vec::new();
        for entry in node.map(Node::entries).unwrap_or_default() {
            let field = |name: &str| entry.value.get(name).filter(|it| !it.is_null());
            let default = field("default").and_then(|it| self.template(it, INPUT_CONTEXTS));
            inputs.push(ActionInput {
                name: entry.key.clone(),
                description: field("description").and_then(text),
                required: field("required").and_then(text).as_deref() == Some("true"),
                default,
                deprecation: field("deprecationMessage").and_then(text),
            });
        }
        inputs
    }

    fn outputs(&mut self, node: Option<&Node>) -> Vec<ActionOutput> {
        let mut outputs = Vec::new();
        for entry in node.map(Node::entries).unwrap_or_default() {
            let value = entry.value.get("value").filter(|it| !it.is_null());
            outputs.push(ActionOutput {
                name: entry.key.clone(),
                description: entry.value.get("description").and_then(text),
                value: value.and_then(|it| self.template(it, STEP_CONTEXTS)),
            });
        }
        outputs
    }

    fn runs(&mut self, node: &Node, home: &ActionHome) -> Option<Runs> {
        let Some(using) = node.get("using").and_then(text) else {
            self.error(node, "`runs.using` is missing");
            return None;
        };
        let using_node = node.get("using").unwrap_or(node);
        let using = using.to_ascii_lowercase();
        if let Some(version) = using.strip_prefix("node").and_then(|it| it.parse().ok()) {
            return self.node(node, version);
        }
        match using.as_str() {
            "docker" => self.docker(node),
            "composite" => {
                let Some(list) = node.get("steps") else {
                    self.error(node, "a composite action needs `steps`");
                    return None;
                };
                Some(Runs::Composite(steps::steps(self, list)))
            }
            "native" if *home == ActionHome::Native => Some(Runs::Native(NativeRuns {
                main: self.required(node, "main")?,
                pre: node.get("pre").and_then(text),
                post: node.get("post").and_then(text),
                conditions: self.conditions(node),
            })),
            other => {
                self.error(
                    using_node,
                    format!(
                        "unknown `using: {other}`: expected node20, node24, docker or composite"
                    ),
                );
                None
            }
        }
    }

    fn node(&mut self, node: &Node, version: u32) -> Option<Runs> {
        if ![12, 16, 20, 24].contains(&version) {
            let using = node.get("using").unwrap_or(node);
            self.error(
                using,
                format!("unknown `using: node{version}`: expected node20 or node24"),
            );
        }
        Some(Runs::Node(NodeRuns {
            version,
            main: self.required(node, "main")?,
            pre: node.get("pre").and_then(text),
            post: node.get("post").and_then(text),
            conditions: self.conditions(node),
        }))
    }

    fn docker(&mut self, node: &Node) -> Option<Runs> {
        let image = self.required(node, "image")?;
        let image = match image.strip_prefix("docker://") {
            Some(reference) => DockerImage::Reference(reference.to_owned()),
            None => DockerImage::Dockerfile(image),
        };
        let args = match node.get("args").map(|it| (it, &it.value)) {
            Some((_, NodeValue::Sequence(items))) => items
                .iter()
                .filter_map(|it| self.template(it, ARG_CONTEXTS))
                .collect(),
            Some((other, _)) if !other.is_null() => {
                self.error(other, "`args` is a sequence");
                Vec::new()
            }
            _ => Vec::new(),
        };
        let entry = |name: &str| node.get(name).and_then(text).filter(|it| !it.is_empty());
        Some(Runs::Docker(DockerRuns {
            image,
            entrypoint: entry("entrypoint"),
            pre_entrypoint: entry("pre-entrypoint"),
            post_entrypoint: entry("post-entrypoint"),
            args,
            env: node
                .get("env")
                .map(|it| self.named(it, ARG_CONTEXTS))
                .unwrap_or_default(),
            conditions: self.conditions(node),
        }))
    }

    fn conditions(&mut self, node: &Node) -> PhaseConditions {
        let mut one = |name| {
            let node = node.get(name).filter(|it| !it.is_null())?;
            self.condition(node, PHASE_CONTEXTS)
        };
        PhaseConditions {
            pre: one("pre-if"),
            post: one("post-if"),
        }
    }

    fn required(&mut self, node: &Node, key: &str) -> Option<String> {
        let found = node.get(key).and_then(text).filter(|it| !it.is_empty());
        if found.is_none() {
            self.error(node, format!("`runs.{key}` is missing"));
        }
        found
    }

    pub fn template(&mut self, node: &Node, contexts: &[&str]) -> Option<Template> {
        let Some(source) = text(node) else {
            self.error(node, "expected text");
            return None;
        };
        match Template::parse(&source) {
            Ok(template) => {
                for (expression, _) in template.expressions() {
                    self.check(node, expression, contexts);
                }
                Some(template)
            }
            Err(error) => {
                self.error(node, error.to_string());
                None
            }
        }
    }

    pub fn named(&mut self, node: &Node, contexts: &[&str]) -> NamedTemplates {
        if !matches!(node.value, NodeValue::Mapping(_)) && !node.is_null() {
            self.error(node, "expected names with values");
        }
        let entries = node.entries().iter();
        entries
            .filter_map(|it| Some((it.key.clone(), self.template(&it.value, contexts)?)))
            .collect()
    }

    /// Names with texts, or one expression for all of them.
    pub fn mapping(&mut self, node: &Node, contexts: &[&str]) -> Mapping {
        match &node.value {
            NodeValue::Scalar { .. } if !node.is_null() => self
                .template(node, contexts)
                .map_or_else(Mapping::default, Mapping::Whole),
            NodeValue::Scalar { .. } | NodeValue::Sequence(_) | NodeValue::Mapping(_) => {
                Mapping::Named(self.named(node, contexts))
            }
        }
    }

    /// A condition, with or without `${{ }}`; an empty one is none.
    pub fn condition(&mut self, node: &Node, contexts: &[&str]) -> Option<Expression> {
        let source = text(node)?;
        let written = source.trim();
        if written.is_empty() {
            return None;
        }
        let parsed = if written.contains("${{") {
            match Template::parse(&source) {
                Ok(template) => match template.into_condition() {
                    Condition::Lone(it) | Condition::AmongBlanks(it) => Ok(it),
                    Condition::Text => Err(
                        "text around `${{ }}` makes a condition that always holds; write one expression"
                            .to_owned(),
                    ),
                },
                Err(error) => Err(error.to_string()),
            }
        } else {
            Expression::parse(written).map_err(|error| error.to_string())
        };
        match parsed {
            Ok(expression) => {
                self.check(node, &expression, contexts);
                Some(expression)
            }
            Err(problem) => {
                self.error(node, problem);
                None
            }
        }
    }

    fn check(&mut self, node: &Node, expression: &Expression, contexts: &[&str]) {
        for (name, _) in expression.contexts() {
            if !contexts.iter().any(|it| it.eq_ignore_ascii_case(name)) {
                let allowed: Vec<_> = contexts.iter().map(|it| format!("`{it}`")).collect();
                let message = format!(
                    "context `{name}` is not available here, only {}",
                    allowed.join(", ")
                );
                self.error(node, message);
            }
        }
    }
}

/// The text that a scalar stands for: numbers print as numbers do, so `3.10` is `3.1`.
pub(super) fn text(node: &Node) -> Option<String> {
    let NodeValue::Scalar { text, value, .. } = &node.value else {
        return None;
    };
    Some(match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
            crate::expr::Value::from(value).to_text()
        }
        serde_json::Value::String(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => text.clone(),
    })
}
