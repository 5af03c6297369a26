//! What `helm lint` finds in a chart. API versions that Kubernetes dropped are not judged here.

use std::sync::Arc;

use files::{Files, join};
use serde_json::Value;

use crate::{
    Chart, ChartError, Compat, Metadata, RenderErrorKind, RenderOptions, Strictness, render,
    yaml_text,
};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LintSeverity {
    Info,
    Warning,
    Error,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintFinding {
    pub severity: LintSeverity,
    /// The file or folder it is about; empty for the chart.
    pub path: String,
    pub message: String,
}

impl std::fmt::Display for LintFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            LintSeverity::Info => "INFO",
            LintSeverity::Warning => "WARNING",
            LintSeverity::Error => "ERROR",
        };
        write!(f, "[{severity}] {}: {}", self.path, self.message)
    }
}

/// Kinds that find their pods by a selector.
const SELECTING: [&str; 4] = ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"];

/// Looks a chart over; `options` are those of a render, whose strictness is taken back.
pub fn lint(files: &dyn Files, path: &str, options: &RenderOptions) -> Vec<LintFinding> {
    let mut linter = Linter { found: Vec::new() };
    let loaded = Chart::load_for(files, path, options.compat);
    linter.chart_yaml(files, path);
    linter.values(files, path, &loaded);
    linter.templates(files, path, &loaded, options);
    linter.dependencies(&loaded);
    linter.found
}

struct Linter {
    found: Vec<LintFinding>,
}

impl Linter {
    fn add(&mut self, severity: LintSeverity, path: &str, message: impl Into<String>) {
        self.found.push(LintFinding {
            severity,
            path: path.to_owned(),
            message: message.into(),
        });
    }

    fn chart_yaml(&mut self, files: &dyn Files, path: &str) {
        const FILE: &str = "Chart.yaml";
        let Some(text) = read(files, path, FILE) else {
            return self.add(LintSeverity::Error, FILE, "unable to open: the file does not exist");
        };
        let value = match yaml_text::first_document(&text) {
            Ok(value) => value,
            Err(error) => {
                return self.add(LintSeverity::Error, FILE, format!("unable to parse YAML\n\t{error}"));
            }
        };
        let mut metadata = Metadata::default();
        let decoder = crate::decode::Decoder {
            compat: Compat::Helm4,
            root_type: "chart.Metadata",
            struct_name: "Metadata",
        };
        if let Err(error) = metadata.merge(&value, &decoder) {
            return self.add(LintSeverity::Error, FILE, error.to_string());
        }
        for message in metadata_errors(&metadata, &value) {
            self.add(LintSeverity::Error, FILE, message);
        }
        if metadata.icon.is_empty() {
            self.add(LintSeverity::Info, FILE, "icon is recommended");
        } else if !is_url(&metadata.icon) {
            self.add(LintSeverity::Error, FILE, format!("invalid icon URL '{}'", metadata.icon));
        }
        if metadata.api_version == "v1" && !metadata.kind.is_empty() {
            self.add(LintSeverity::Error, FILE, "chart type is not valid in apiVersion 'v1'. It is valid in apiVersion 'v2'");
        }
        if metadata.api_version == "v1" && metadata.declares_dependencies {
            self.add(LintSeverity::Error, FILE, "dependencies are not valid in the Chart file with apiVersion 'v1'. They are valid in apiVersion 'v2'");
        }
        let strict = metadata.version.split(['-', '+']).next().unwrap_or_default();
        if !metadata.version.is_empty() && strict.split('.').count() != 3 {
            self.add(LintSeverity::Warning, FILE, format!("version '{}' is not a valid SemVerV2", metadata.version));
        }
    }

    fn values(&mut self, files: &dyn Files, path: &str, loaded: &Result<Chart, ChartError>) {
        const FILE: &str = "values.yaml";
        if read(files, path, FILE).is_none() {
            return self.add(LintSeverity::Info, FILE, "file does not exist");
        }
        if let Err(ChartError::Values(error)) = loaded {
            let text = error.to_string();
            let text = text.strip_prefix("cannot unmarshal yaml document: ").unwrap_or(&text);
            self.add(LintSeverity::Error, FILE, format!("unable to parse YAML: {text}"));
        }
    }

    fn templates(
        &mut self,
        files: &dyn Files,
        path: &str,
        loaded: &Result<Chart, ChartError>,
        options: &RenderOptions,
    ) {
        const FOLDER: &str = "templates/";
        let folder = join(path, "templates").unwrap_or_default();
        if !matches!(files.list(&folder), Ok(Some(_))) {
            return self.add(LintSeverity::Warning, FOLDER, "directory does not exist");
        }
        if let Err(error) = loaded {
            self.add(LintSeverity::Error, FOLDER, error.to_string());
            return self.add(LintSeverity::Error, "", format!("unable to load chart\n\t{error}"));
        }
        // Loaded anew: a chart that is shared cannot be taken apart.
        let Ok(chart) = Chart::load_for(files, path, options.compat) else { return };
        for template in &chart.templates {
            let end = template.name.rsplit_once('.').map_or("", |(_, end)| end);
            if !["yaml", "yml", "tpl", "txt"].contains(&end) {
                let message = format!("file extension '.{end}' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt");
                self.add(LintSeverity::Error, &template.name, message);
            }
        }
        if chart.metadata.is_library() {
            return;
        }
        let name = chart.name().to_owned();
        let options = RenderOptions {
            strictness: Strictness::Lint,
            ..options.clone()
        };
        match render(&Arc::new(chart), &options) {
            Err(error) if error.kind == RenderErrorKind::Manifest => {
                let text = error.message.strip_prefix("YAML parse error on ");
                let (file, text) = text.and_then(|it| it.split_once(": ")).unwrap_or(("", ""));
                let file = file.strip_prefix(&format!("{name}/")).unwrap_or(file);
                self.add(LintSeverity::Error, file, format!("unable to parse YAML: {text}"));
            }
            Err(error) => self.add(LintSeverity::Error, FOLDER, error.message),
            Ok(rendered) => {
                let hooks = rendered.hooks.iter().map(|hook| &hook.manifest);
                for manifest in rendered.manifests.iter().chain(hooks) {
                    let file = manifest.source.strip_prefix(&format!("{name}/"));
                    if !is_object_name(&manifest.name) {
                        self.add(LintSeverity::Warning, file.unwrap_or(&manifest.source), name_message(&manifest.name));
                    }
                    let selects = ["matchLabels", "matchExpressions"].iter().any(|it| manifest.content.contains(it));
                    if SELECTING.contains(&manifest.kind.as_str()) && !selects {
                        let message = format!("a {} must contain matchLabels or matchExpressions, and {:?} does not", manifest.kind, manifest.name);
                        self.add(LintSeverity::Error, file.unwrap_or(&manifest.source), message);
                    }
                }
            }
        }
    }

    fn dependencies(&mut self, loaded: &Result<Chart, ChartError>) {
        let Ok(chart) = loaded else { return };
        let named: Vec<&str> = chart.metadata.dependencies.iter().map(|it| it.name.as_str()).collect();
        let there: Vec<&str> = chart.dependencies.iter().map(|it| it.name()).collect();
        let missing = |wanted: &[&str], have: &[&str]| -> Vec<String> {
            wanted.iter().filter(|it| !have.contains(it)).map(|it| (*it).to_owned()).collect()
        };
        let in_folder = missing(&named, &there);
        if !in_folder.is_empty() {
            self.add(LintSeverity::Warning, "", format!("chart directory is missing these dependencies: {}", in_folder.join(",")));
        }
        let in_metadata = missing(&there, &named);
        if !in_metadata.is_empty() {
            self.add(LintSeverity::Error, "", format!("chart metadata is missing these dependencies: {}", in_metadata.join(",")));
        }
    }
}

fn metadata_errors(metadata: &Metadata, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if metadata.name.is_empty() {
        found.push("name is required".to_owned());
    }
    if metadata.api_version.is_empty() {
        found.push("apiVersion is required. The value must be either \"v1\" or \"v2\"".to_owned());
    }
    match value.get("version") {
        None | Some(Value::Null) => found.push("version is required".to_owned()),
        Some(Value::Number(_)) => {
            found.push("version should be of type string but it's of type float64".to_owned());
        }
        Some(_) if !crate::version::is_version(&metadata.version) => {
            found.push(format!("version '{}' is not a valid SemVer", metadata.version));
        }
        Some(_) => {}
    }
    if metadata.maintainers.iter().any(|it| it.name.is_empty()) {
        found.push("each maintainer requires a name".to_owned());
    }
    let bad = metadata.sources.iter().filter(|source| !is_url(source));
    found.extend(bad.map(|source| format!("invalid source URL '{source}'")));
    found
}

fn read(files: &dyn Files, path: &str, name: &str) -> Option<String> {
    let bytes = files.read(&join(path, name).ok()?).ok()??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_url(text: &str) -> bool {
    let rest = text.split_once("://").map(|(scheme, rest)| (!scheme.is_empty(), rest));
    matches!(rest, Some((true, rest)) if !rest.is_empty())
}

const NAME_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

fn is_object_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.split('.').all(|part| {
        !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    })
}

fn name_message(name: &str) -> String {
    format!("object name does not conform to Kubernetes naming requirements: {name:?}: metadata.name: Invalid value: {name:?}: {NAME_RULE}")
}
