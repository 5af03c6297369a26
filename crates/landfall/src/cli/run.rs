//! `landfall run`

mod addresses;
mod changes;
mod engine;
pub mod event;
mod follow;
mod interrupt;
mod list;
mod picture;
mod place;
mod plain_text;
mod screen;
mod snapshot;
mod tree;
pub mod values;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use api::{Conclusion, Run};
use ci::LocalEvent;
use names::{ImageRef, ProjectName, format_duration};
use serde_json::{Map, Value, json};
use workflow::{Selection, Workflow};

use super::{
    Context,
    checkout::Checkout,
    exit,
    output::{Output, OutputArgs, print_json},
    pipe,
    plan::{self, Asked, FOLDER},
    progress,
};
use engine::Engine;
use follow::Ended;
use interrupt::Interrupts;
use place::Place;
use screen::Screen;
use snapshot::Source;

/// Run the workflows of this folder here, without a server
///
/// Takes the files as they are now, uncommitted changes included, and starts the
/// workflows that listen to the event, with the same engine as the server: each
/// job in a sandbox of its own, with caches, artifacts and actions. Needs root.
/// Nothing is left behind. The exit code is 0 if all runs succeed, 1 if one
/// fails, 2 for a workflow that is not valid, 5 if no workflow starts, 130 after
/// Ctrl-C.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    landfall run --job test --matrix node:20\n  \
    landfall run --event workflow_dispatch --input version=1.2\n  \
    landfall run --secret-file .secrets --watch\n  \
    landfall run --list")]
pub struct RunArgs {
    /// The repository; its workflows lie in `.github/workflows`
    #[arg(default_value = ".")]
    path: PathBuf,

    /// Only this job and those it needs; may be given several times
    #[arg(long, short = 'j', value_name = "ID")]
    job: Vec<String>,

    /// The event, as `on` names it; `workflow_dispatch` where an input is given, else `push`
    #[arg(long, value_name = "NAME")]
    event: Option<String>,

    /// A JSON file with the event's payload; made up from the repository when it is missing
    #[arg(long, value_name = "FILE")]
    payload: Option<PathBuf>,

    /// An input of `workflow_dispatch`
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::assignment)]
    input: Vec<(String, String)>,

    /// A file with secrets, one `NAME=VALUE` a line
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// A variable of the `vars` context
    #[arg(long, value_name = "NAME=VALUE", value_parser = values::assignment)]
    var: Vec<(String, String)>,

    /// An image for `container:`, services and Docker actions: a root file system (folder or tar), an OCI layout or a docker archive
    #[arg(long, value_name = "NAME=SOURCE", value_parser = values::assignment)]
    image: Vec<(String, String)>,

    /// Only the legs of a matrix with this value; several values of one key are alternatives
    #[arg(long, value_name = "KEY:VALUE", value_parser = values::filter)]
    matrix: Vec<(String, String)>,

    /// Only this workflow file
    #[arg(long, short = 'W', value_name = "FILE")]
    workflow: Option<String>,

    /// List the jobs, and run none
    #[arg(long, short = 'l', conflicts_with_all = ["dry_run", "watch"])]
    list: bool,

    /// Print what would run, and run nothing
    #[arg(long, short = 'n', conflicts_with = "watch")]
    dry_run: bool,

    /// Run again whenever a file changes
    #[arg(long)]
    watch: bool,

    #[command(flatten)]
    output: OutputArgs,
}

/// What is run, read from the arguments and the folder.
struct Request {
    root: PathBuf,
    checkout: Checkout,
    event: String,
    payload: Option<Value>,
    inputs: Map<String, Value>,
    secrets: Vec<(String, String)>,
    vars: Vec<(String, String)>,
    images: Vec<(ImageRef, PathBuf)>,
    workflow: Option<String>,
    selection: Selection,
    output: Output,
}

pub async fn run(args: RunArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let (list, dry_run, watch) = (args.list, args.dry_run, args.watch);
    let read = Request::read(args).and_then(|request| request.files().map(|_| request));
    let request = match read {
        Ok(request) => request,
        Err(error) => {
            exit::report(&error);
            return Ok(ExitCode::from(exit::USAGE));
        }
    };
    if list || dry_run {
        pipe::end_with_reader();
        return request.show(dry_run);
    }
    if let Err(error) = engine::check_machine() {
        eprintln!("error: {error}");
        return Ok(ExitCode::from(exit::INFRASTRUCTURE));
    }
    let mut interrupts = Interrupts::listen()?;
    loop {
        let before = changes::Marks::of(&request.root)?;
        let code = once(&request, context, &mut interrupts).await?;
        if !watch || code > exit::HUNG_UP - 1 {
            return Ok(ExitCode::from(code));
        }
        eprintln!("waiting for a change; Ctrl-C ends");
        tokio::select! {
            changed = changes::wait(&request.root, &before) => eprintln!("`{}` changed", changed?.display()),
            _ = interrupts.next() => return Ok(ExitCode::from(code)),
        }
    }
}

impl Request {
    fn read(args: RunArgs) -> anyhow::Result<Self> {
        let root = root_of(&args.path)?;
        let checkout = Checkout::of(&root);
        let usual = if args.input.is_empty() { "push" } else { "workflow_dispatch" };
        let event = args.event.unwrap_or_else(|| usual.to_owned());
        if !args.input.is_empty() && event != "workflow_dispatch" {
            bail!("`--input` is for `workflow_dispatch`; `{event}` has no inputs");
        }
        let payload = args.payload.as_deref().map(plan::read_json).transpose()?;
        let vars = args.var.into_iter().map(|(name, value)| Ok((values::check_name(&name)?, value)));
        Ok(Self {
            root,
            checkout,
            event,
            payload,
            inputs: args.input.into_iter().map(|(name, value)| (name, Value::from(value))).collect(),
            secrets: args.secret_file.as_deref().map(values::read_secrets).transpose()?.unwrap_or_default(),
            vars: vars.collect::<anyhow::Result<_>>()?,
            images: args.image.into_iter().map(values::image).collect::<anyhow::Result<_>>()?,
            workflow: args.workflow,
            selection: Selection { jobs: args.job, matrix: args.matrix },
            output: args.output.output,
        })
    }

    /// The payload that was given, or a likely one.
    fn payload(&self, checkout: &Checkout) -> Value {
        let mut payload = match &self.payload {
            Some(given) => given.clone(),
            None => event::payload(&self.event, checkout, &Map::new()),
        };
        if let (false, Value::Object(fields)) = (self.inputs.is_empty(), &mut payload) {
            let inputs = fields.entry("inputs").or_insert_with(|| json!({}));
            if let Value::Object(inputs) = inputs {
                inputs.extend(self.inputs.clone());
            }
        }
        payload
    }

    fn files(&self) -> anyhow::Result<Vec<(String, String)>> {
        let files = plan::workflows(&self.root)
            .with_context(|| format!("no workflows in `{}`", self.root.join(FOLDER).display()))?;
        let Some(wanted) = &self.workflow else { return Ok(files) };
        let wanted = wanted.trim_start_matches("./");
        let is_wanted = |path: &str| path == wanted || path.rsplit('/').next() == Some(wanted);
        let names: Vec<_> = files.iter().filter_map(|(path, _)| path.rsplit('/').next()).map(str::to_owned).collect();
        let found: Vec<_> = files.into_iter().filter(|(path, _)| is_wanted(path)).collect();
        if found.is_empty() {
            bail!("there is no workflow `{wanted}`; there are {}", names.join(", "));
        }
        Ok(found)
    }

    /// The valid workflows; `None`, having said what is wrong, if one is not.
    fn valid(&self, files: &[(String, String)]) -> Option<Vec<(String, Workflow)>> {
        let mut valid = Vec::new();
        let mut wrong = 0;
        for (path, source) in files {
            let parsed = workflow::parse(source, path);
            if parsed.diagnostics.iter().any(|it| it.severity == yaml::Severity::Error) {
                eprintln!("{}\n", yaml::render_all(&parsed.diagnostics, source));
            }
            match parsed.workflow {
                Some(workflow) => valid.push((path.clone(), workflow)),
                None => wrong += 1,
            }
        }
        if wrong == 0 {
            return Some(valid);
        }
        let several = if wrong == 1 { "one workflow is".to_owned() } else { format!("{wrong} workflows are") };
        eprintln!("error: {several} not valid; nothing runs");
        if files.len() > wrong {
            eprintln!("help: run another one alone with `landfall run --workflow FILE`");
        }
        None
    }

    /// `--list` and `--dry-run`.
    fn show(&self, dry_run: bool) -> anyhow::Result<ExitCode> {
        let files = self.files()?;
        let payload = self.payload(&self.checkout);
        let vars = self.vars.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        let asked = Asked { event: &self.event, payload: &payload, vars };
        if dry_run {
            let code = plan::show(&files, &asked, &self.checkout, self.output)?;
            return Ok(if code == ExitCode::SUCCESS { code } else { ExitCode::from(exit::USAGE) });
        }
        let Some(workflows) = self.valid(&files) else { return Ok(ExitCode::from(exit::USAGE)) };
        list::list(&workflows, &asked, &self.checkout, self.output)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Says which job does not exist, if one does not.
    fn unknown_job(&self, workflows: &[(String, Workflow)]) -> Option<String> {
        let wanted = self.selection.jobs.iter().find(|id| workflows.iter().all(|(_, it)| it.job(id).is_none()))?;
        let all: Vec<_> = workflows.iter().flat_map(|(_, it)| it.jobs.iter().map(|job| job.id.as_str())).collect();
        let meant = workflow::nearest(wanted, all.iter().copied());
        let help = meant.map_or_else(|| format!("; there are {}", all.join(", ")), |it| format!("; did you mean `{it}`?"));
        Some(format!("there is no job `{wanted}`{help}"))
    }

    /// The one file that is asked, if there is one: by name, or because the jobs lie there alone.
    fn only(&self, workflows: &[(String, Workflow)]) -> Option<String> {
        if self.workflow.is_some() || self.selection.jobs.is_empty() {
            return self.workflow.as_ref().map(|it| it.trim_start_matches("./").to_owned());
        }
        let has = |workflow: &Workflow| self.selection.jobs.iter().any(|id| workflow.job(id).is_some());
        let mut having = workflows.iter().filter(|(_, it)| has(it));
        let first = having.next()?;
        having.next().is_none().then(|| first.0.clone())
    }

    fn project(&self) -> ProjectName {
        let name = self.checkout.repository.rsplit('/').next().unwrap_or_default().to_lowercase();
        let plain = |symbol: char| if symbol.is_ascii_alphanumeric() { symbol } else { '-' };
        let label: String = name.chars().map(plain).take(63).collect();
        let named = label.trim_matches('-').parse();
        named.or_else(|_| "repository".parse()).expect("a plain word is a name")
    }
}

/// The folder at or above `path` that has workflows.
fn root_of(path: &Path) -> anyhow::Result<PathBuf> {
    let path = path.canonicalize().with_context(|| format!("there is no folder `{}`", path.display()))?;
    let found = path.ancestors().find(|it| it.join(FOLDER).is_dir());
    found.map(Path::to_owned).with_context(|| format!("there is no `{FOLDER}` in `{}` nor above it", path.display()))
}

/// One round: from the files as they are to the end of all runs; gives the exit code.
async fn once(request: &Request, context: &Context, interrupts: &mut Interrupts) -> anyhow::Result<u8> {
    let files = request.files()?;
    let Some(workflows) = request.valid(&files) else { return Ok(exit::USAGE) };
    if let Some(unknown) = request.unknown_job(&workflows) {
        eprintln!("error: {unknown}");
        return Ok(exit::NOT_FOUND);
    }
    let place = Place::make()?;
    let mut engine = Engine::start(&place, &context.data, request.project()).await?;
    let ran = work(request, request.only(&workflows), &place, &mut engine, interrupts).await;
    let ended = engine.end().await;
    let code = ran?;
    ended.context("what ran could not be removed")?;
    place.remove()?;
    Ok(code)
}

async fn work(
    request: &Request,
    only: Option<String>,
    place: &Place,
    engine: &mut Engine,
    interrupts: &mut Interrupts,
) -> anyhow::Result<u8> {
    let event = LocalEvent { workflow: only, ..prepare(request, place, engine)? };
    for (name, value) in &request.secrets {
        engine.put_secret(name, value).await?;
    }
    for (name, value) in &request.vars {
        engine.put_variable(name, value).await?;
    }
    for (name, source) in &request.images {
        engine.put_image(name, source).await?;
    }
    let started = engine.ci.start_local(event).await.context("the workflows could not be started")?;
    for told in started.errors.iter().chain(&started.notes) {
        eprintln!("{told}");
    }
    if started.runs.is_empty() {
        eprintln!("error: no workflow starts on `{}`", request.event);
        eprintln!("help: `landfall run --list` shows what each listens to; name another event with `--event`");
        return Ok(exit::NOT_FOUND);
    }
    let kind = match request.output {
        Output::Json => progress::Screen::Silent,
        Output::Table => progress::Screen::detect(),
    };
    let mut screen = Screen::new(kind);
    if let Ended::AtOnce(code) = follow::follow(engine, &started.runs, &mut screen, interrupts).await? {
        return Ok(code);
    }
    let ended = screen.end();
    let runs: Vec<_> = screen.picture.runs.values().collect();
    if request.output == Output::Json {
        print_json(&told(&runs))?;
    }
    Ok(match ended {
        Err(_) => exit::FAILED,
        Ok(()) => code_of(&runs),
    })
}

/// Makes the commit and the event that happens to it.
fn prepare(request: &Request, place: &Place, engine: &Engine) -> anyhow::Result<LocalEvent> {
    let likely = request.payload(&request.checkout);
    let git_ref = event::git_ref(&request.event, &likely, &request.checkout);
    let branch = request.checkout.git_ref.clone();
    let source = Source::of(&request.root)?;
    let snapshot = source.commit(engine.repository.path(), &place.join("index"), &[&branch, &git_ref])?;
    let checkout =
        Checkout { sha: snapshot.commit.to_string(), message: snapshot.message.clone(), ..request.checkout.clone() };
    let mut payload = request.payload(&checkout);
    if let (None, "push", Value::Object(fields)) = (&request.payload, request.event.as_str(), &mut payload) {
        fields.insert("before".to_owned(), json!(snapshot.before));
    }
    let actor = payload.pointer("/sender/login").and_then(Value::as_str).unwrap_or(event::actor(&checkout)).to_owned();
    Ok(LocalEvent {
        project: engine.project.clone(),
        event: request.event.clone(),
        payload,
        git_ref,
        commit: snapshot.commit,
        actor,
        workflow: None,
        selection: request.selection.clone(),
        context: vec![("repository", json!(request.checkout.repository))],
    })
}

fn code_of(runs: &[&Run]) -> u8 {
    let any = |wanted| runs.iter().any(|run| run.conclusion == Some(wanted));
    if any(Conclusion::Failure) {
        return exit::FAILED;
    }
    if any(Conclusion::Cancelled) {
        let by_hand = runs.iter().any(|run| run.cancel && run.reason.as_deref() == Some(engine::BY_HAND));
        return if by_hand { exit::INTERRUPTED } else { exit::FAILED };
    }
    exit::OK
}

/// The runs for scripts.
fn told(runs: &[&Run]) -> Value {
    let items: Vec<_> = runs
        .iter()
        .map(|run| {
            let took = run.started.zip(run.finished).map(|(from, to)| format_duration(to.since(from)));
            json!({
                "id": run.id, "workflow": run.workflow, "name": run.name, "event": run.event, "ref": run.git_ref,
                "commit": run.commit, "conclusion": run.conclusion, "reason": run.reason, "took": took,
                "jobs": run.jobs,
            })
        })
        .collect();
    let succeeded = runs.iter().all(|run| screen::is_well(run.conclusion));
    json!({"apiVersion": "landfall/v1", "succeeded": succeeded, "runs": items})
}
