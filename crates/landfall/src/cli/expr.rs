//! `landfall expr`

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use workflow::expr::{Expression, Scope, StatusFunctions, Template};

use super::{checkout::Checkout, exit, output::print_json};

/// Evaluate one expression of a workflow
///
/// Evaluates the expression as a step would and prints its value as JSON. With
/// `--context` it sees the contexts of the file and no others; else those of a
/// step that runs here: `github` from the repository, `env`, `runner` and `job`.
/// The exit code is 1 if it has no value and 2 if it is no expression.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall expr \"startsWith(github.ref, 'refs/heads/')\"")]
pub struct ExprArgs {
    /// The expression, with or without `${{ }}` around it
    #[arg(allow_hyphen_values = true)]
    expression: String,

    /// A JSON file with the contexts, by their names
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
}

pub fn expr(args: ExprArgs) -> anyhow::Result<ExitCode> {
    let contexts = match &args.context {
        Some(file) => read(file)?,
        None => usual(&env::current_dir()?),
    };
    let names: Vec<_> = contexts.keys().map(String::as_str).collect();
    let text = bare(&args.expression);
    let expression = match Expression::parse_with(text, &names) {
        Ok(expression) => expression,
        Err(error) => {
            eprintln!("error: {error}");
            point(text, error.at, error.length);
            let meant = error.unknown().and_then(|(word, known)| workflow::nearest(word, known));
            if let Some(meant) = meant {
                eprintln!("help: did you mean `{meant}`?");
            }
            return Ok(ExitCode::from(exit::USAGE));
        }
    };
    let status = Status::of(&contexts);
    let folder = env::current_dir()?;
    let hash = |patterns: &[String]| ci::hash_files(&folder, patterns);
    let mut scope = Scope::new();
    for (name, value) in &contexts {
        scope.set(name.clone(), value.clone());
    }
    if let Some((name, Value::Object(env))) = contexts.iter().find(|(name, _)| name.eq_ignore_ascii_case("env")) {
        // The names of variables are told apart by case, those of all other contexts are not.
        let texts = env.iter().map(|(name, value)| (name.as_str(), workflow::expr::Value::from(value)));
        scope.set_exact(name.clone(), texts);
    }
    scope.set_status(&status).set_hash_files(&hash);
    match expression.evaluate(&scope) {
        Ok(value) => {
            print_json(&value.to_json())?;
            Ok(ExitCode::from(exit::OK))
        }
        Err(error) => {
            let at = scope.failed_at().unwrap_or_default();
            eprintln!("error: {error} at position {} of `{}`", at + 1, text.trim());
            point(text, at, 1);
            Ok(ExitCode::from(exit::FAILED))
        }
    }
}

/// What stands between `${{` and `}}` where they enclose the whole.
fn bare(text: &str) -> &str {
    let trimmed = text.trim();
    let whole = Template::scan(trimmed).count() == 1 && trimmed.starts_with("${{") && trimmed.ends_with("}}");
    let inner = trimmed.strip_prefix("${{").and_then(|it| it.strip_suffix("}}"));
    inner.filter(|_| whole).unwrap_or(text)
}

/// The line of the expression with a mark under the culprit.
fn point(text: &str, at: usize, length: usize) {
    let before = text.get(..at).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |it| it + 1);
    let line = text.get(start..).and_then(|it| it.lines().next()).unwrap_or_default();
    let column = before.chars().count() - text.get(..start).unwrap_or_default().chars().count();
    let marked = text.get(at..at + length).unwrap_or_default().lines().next().unwrap_or_default();
    eprintln!("  {line}\n  {}{}", " ".repeat(column), "^".repeat(marked.chars().count().max(1)));
}

fn read(file: &Path) -> anyhow::Result<Map<String, Value>> {
    let text = fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
    let value: Value = serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", file.display()))?;
    match value {
        Value::Object(contexts) => Ok(contexts),
        _ => anyhow::bail!("`{}` holds no object of contexts", file.display()),
    }
}

/// The contexts of a step, as far as they are known here.
fn usual(folder: &Path) -> Map<String, Value> {
    let checkout = Checkout::of(folder);
    let mut github = checkout.github();
    github.insert("event_name".to_owned(), Value::from("push"));
    github.insert("workspace".to_owned(), Value::from(folder.display().to_string()));
    github.insert("event".to_owned(), json!({"ref": checkout.git_ref, "after": checkout.sha}));
    let variables: Map<_, _> = env::vars().map(|(name, value)| (name, Value::from(value))).collect();
    let arch = match env::consts::ARCH {
        "x86_64" => "X64",
        "aarch64" => "ARM64",
        other => other,
    };
    let temp = env::temp_dir().display().to_string();
    let contexts = json!({
        "github": github, "env": variables, "job": {"status": "success"},
        "runner": {"os": "Linux", "arch": arch, "name": "local", "temp": temp, "environment": "self-hosted"},
        "inputs": {}, "vars": {}, "needs": {}, "steps": {}, "secrets": {}, "matrix": {},
        "strategy": {"fail-fast": true, "job-index": 0, "job-total": 1, "max-parallel": 1},
    });
    contexts.as_object().cloned().unwrap_or_default()
}

/// What `job.status` says.
struct Status(String);

impl Status {
    fn of(contexts: &Map<String, Value>) -> Self {
        let job = contexts.get("job").and_then(|it| it.get("status")).and_then(Value::as_str);
        Self(job.unwrap_or("success").to_owned())
    }
}

impl StatusFunctions for Status {
    fn success(&self, _jobs: &[String]) -> bool {
        self.0.eq_ignore_ascii_case("success")
    }

    fn failure(&self, _jobs: &[String]) -> bool {
        self.0.eq_ignore_ascii_case("failure")
    }

    fn cancelled(&self) -> bool {
        self.0.eq_ignore_ascii_case("cancelled")
    }
}
