//! `landfall plan`

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use workflow::{
    Decision, Happening, Parsed,
    plan::{self, Fate, Known, Plan, Surroundings},
};

use super::{
    checkout::Checkout,
    exit,
    output::{Output, OutputArgs, print_json},
    run::event,
};

/// Where workflows lie.
pub const FOLDER: &str = ".github/workflows";

/// Show what an event would start, without running anything
///
/// Reads the workflows of the folder and prints for each whether the event starts
/// it, its jobs, the legs of their matrices and what they need; as JSON also the
/// workflow with every short form written out. What depends on the outcome of a
/// job is shown as its expression. Needs no server. The exit code is 1 if a
/// workflow is not valid.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall plan --event pull_request --payload event.json -o json")]
pub struct PlanArgs {
    /// The repository
    #[arg(default_value = ".")]
    path: PathBuf,

    /// The event, as `on` names it
    #[arg(long, value_name = "NAME", default_value = "push")]
    event: String,

    /// A JSON file with the payload; made up from the repository when it is missing
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,

    #[command(flatten)]
    output: OutputArgs,
}

pub fn plan(args: PlanArgs) -> anyhow::Result<ExitCode> {
    let files = workflows(&args.path)
        .with_context(|| format!("no workflows in `{}`", args.path.join(FOLDER).display()))?;
    let checkout = Checkout::of(&args.path.canonicalize()?);
    let payload = match &args.payload {
        Some(file) => read_json(file)?,
        None => event::payload(&args.event, &checkout, &Map::new()),
    };
    show(&files, &Asked { event: &args.event, payload: &payload, vars: Map::new() }, &checkout, args.output.output)
}

/// What would happen.
pub struct Asked<'a> {
    pub event: &'a str,
    pub payload: &'a Value,
    pub vars: Map<String, Value>,
}

/// Prints what an event would start.
pub fn show(
    files: &[(String, String)],
    asked: &Asked<'_>,
    checkout: &Checkout,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let happening = Happening { event: asked.event, payload: asked.payload, changed: None };
    let around = Surroundings { github: checkout.github(), vars: asked.vars.clone() };
    let mut valid = true;
    let mut items = Vec::new();
    for (path, source) in files {
        let parsed = workflow::parse(source, path);
        valid &= parsed.workflow.is_some();
        match output {
            Output::Json => items.push(item(path, parsed, &happening, &around)),
            Output::Table => print(path, source, parsed, &happening, &around),
        }
    }
    if output == Output::Json {
        print_json(&json!({"apiVersion": "landfall/v1", "event": asked.event, "items": items}))?;
    }
    Ok(ExitCode::from(if valid { exit::OK } else { exit::FAILED }))
}

/// The workflow files by path, sorted.
pub fn workflows(root: &Path) -> io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root.join(FOLDER))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".yml") || name.ends_with(".yaml") {
            files.push((format!("{FOLDER}/{name}"), fs::read_to_string(entry.path())?));
        }
    }
    files.sort();
    Ok(files)
}

pub fn read_json(file: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", file.display()))
}

fn item(path: &str, parsed: Parsed, happening: &Happening<'_>, around: &Surroundings) -> Value {
    let findings: Vec<_> = parsed
        .diagnostics
        .iter()
        .map(|it| {
            json!({
                "line": it.span.line,
                "column": it.span.column,
                "severity": it.severity.name(),
                "code": it.code,
                "message": it.message,
            })
        })
        .collect();
    let Some(workflow) = parsed.workflow else {
        return json!({"path": path, "valid": false, "findings": findings});
    };
    let mut item = json!({"path": path, "name": workflow.display_name(), "valid": true, "findings": findings});
    let planned = plan::shown(plan::plan(&workflow, happening, around));
    if let (Some(item), Value::Object(planned)) = (item.as_object_mut(), planned) {
        item.extend(planned);
        item.insert("workflow".to_owned(), plan::normal(&workflow));
    }
    item
}

fn print(path: &str, source: &str, parsed: Parsed, happening: &Happening<'_>, around: &Surroundings) {
    let Some(workflow) = parsed.workflow else {
        println!("{path}: not valid\n{}\n", yaml::render_all(&parsed.diagnostics, source));
        return;
    };
    let plan = plan::plan(&workflow, happening, around);
    let name = workflow.display_name();
    match &plan.decision {
        Decision::Skip(why) => println!("{name} ({path}) does not start: {why}"),
        Decision::Start => {
            println!("{name} ({path}) starts on {}: {}", plan.event, known(&plan.run_name));
            print_jobs(&plan);
        }
    }
}

fn print_jobs(plan: &Plan) {
    for job in &plan.jobs {
        let needs = if job.needs.is_empty() { String::new() } else { format!(", after {}", job.needs.join(", ")) };
        let call = job.call.as_ref().map(|it| format!(" calls {}", it.workflow)).unwrap_or_default();
        let fate = match &job.fate {
            Fate::Runs => String::new(),
            Fate::Skipped(why) => format!(": skipped, {why}"),
            Fate::Later(condition) => format!(": if {condition}"),
        };
        println!("  {}{call}{needs}{fate}", job.id);
        if matches!(job.fate, Fate::Skipped(_)) {
            continue;
        }
        match &job.legs {
            Known::Later(source) => println!("    matrix: {source}"),
            Known::Broken(why) => println!("    no matrix: {why}"),
            Known::Now(legs) => {
                for leg in legs.iter().filter(|leg| !leg.matrix.is_null()) {
                    println!("    {}", known(&leg.name));
                }
            }
        }
    }
}

pub fn known(value: &Known<String>) -> &str {
    match value {
        Known::Now(text) | Known::Later(text) | Known::Broken(text) => text,
    }
}
