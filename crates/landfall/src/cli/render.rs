//! `landfall render`

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::{Args as _, FromArgMatches as _, ValueEnum};
use render::{Compat, Difference, Format, Rendered, Request, Wanted};
use serde_json::{Value, json};
use tools::Disk;

use super::exit;

/// Print what a chart, a kustomization or a folder of manifests comes to
///
/// What it is is seen by itself: `Chart.yaml` makes a chart, `kustomization.yaml`
/// a kustomization, everything else are plain manifests. Nothing is fetched, and
/// nothing outside the repository (or the folder) is read.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  landfall render deploy/chart --release shop -f prod.yaml --set image.tag=2\n  landfall render deploy/overlays/*\n  landfall render deploy/overlays/prod --diff main\n\nWith --diff it exits with 1 when something differs."
)]
pub struct RenderArgs {
    /// Folders, chart archives or files; several are printed one after the other
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,

    /// The name of the release, for charts
    #[arg(long, value_name = "NAME", default_value = "release-name")]
    release: String,

    #[arg(long, short, value_name = "NS", default_value = "default")]
    namespace: String,

    /// Values of a chart; later files win
    #[arg(long, short = 'f', value_name = "FILE")]
    values: Vec<PathBuf>,

    /// One value, as `a.b=c`; may be given many times
    #[arg(long, value_name = "K=V")]
    set: Vec<String>,

    /// One value that is text whatever it looks like
    #[arg(long, value_name = "K=V")]
    set_string: Vec<String>,

    /// One value as JSON
    #[arg(long, value_name = "K=JSON")]
    set_json: Vec<String>,

    /// One value from a file
    #[arg(long, value_name = "K=FILE")]
    set_file: Vec<String>,

    /// One value taken to the letter
    #[arg(long, value_name = "K=V")]
    set_literal: Vec<String>,

    /// The cluster's version, e.g. `1.34`
    #[arg(long, value_name = "V")]
    kube_version: Option<String>,

    /// What the cluster serves beyond the usual, e.g. `monitoring.coreos.com/v1`
    #[arg(long, short = 'a', value_name = "GROUP/VERSION", value_delimiter = ',')]
    api_versions: Vec<String>,

    /// A chart's crds/ as well
    #[arg(long)]
    include_crds: bool,

    /// Without hooks
    #[arg(long)]
    no_hooks: bool,

    /// Without tests
    #[arg(long)]
    skip_tests: bool,

    /// Whose rules count where Helm 3 and 4 differ
    #[arg(long, value_name = "3|4", default_value = "4", value_parser = ["3", "4"])]
    helm_compat: String,

    /// Show what differs from the same path at a commit
    #[arg(long, value_name = "REF")]
    diff: Option<String>,

    /// How it is printed; as JSON several paths take a line each
    #[arg(long, short, value_enum, default_value = "yaml")]
    output: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Yaml,
    Json,
}

/// What was rendered, and from where.
struct Done {
    request: Request,
    root: PathBuf,
    rendered: Rendered,
}

/// The arguments of a `landfall render` that reads files and nothing else: it needs no other command
/// and no threads. Where something is wrong or asked for, the whole command line says it.
pub fn alone(arguments: &[OsString]) -> Option<RenderArgs> {
    let [_, name, rest @ ..] = arguments else { return None };
    if name != "render" {
        return None;
    }
    let command = RenderArgs::augment_args(clap::Command::new("render").no_binary_name(true));
    let matches = command.try_get_matches_from(rest).ok()?;
    RenderArgs::from_arg_matches(&matches).ok().filter(|args| !compares(args))
}

/// Prints what every path comes to; one that fails does not keep the others from it.
pub fn render(args: &RenderArgs) -> anyhow::Result<ExitCode> {
    let mut printer = Printer { form: args.output, several: args.paths.len() > 1, printed: 0, out: std::io::stdout().lock() };
    let mut failed = 0;
    for path in &args.paths {
        match one(args, path)? {
            Some(done) => printer.print(path, &done.rendered)?,
            None => failed += 1,
        }
    }
    printer.finish()?;
    if printer.several && failed > 0 {
        eprintln!("{failed} of {} failed", args.paths.len());
    }
    Ok(ExitCode::from(if failed == 0 { exit::OK } else { exit::FAILED }))
}

/// Whether it takes more than reading files, namely Git.
pub fn compares(args: &RenderArgs) -> bool {
    args.diff.is_some()
}

/// Shows what differs from a commit.
pub async fn compare(args: RenderArgs) -> anyhow::Result<ExitCode> {
    let (Some(reference), [path]) = (&args.diff, &args.paths[..]) else {
        bail!("`--diff` compares one path, found {}", args.paths.len());
    };
    let Some(now) = one(&args, path)? else { return Ok(ExitCode::from(exit::FAILED)) };
    let before = before(&now.root, reference, &now.request).await?;
    let differences = ::render::diff(&before, &now.rendered.objects);
    show(&differences, args.output)?;
    Ok(ExitCode::from(if differences.is_empty() { exit::OK } else { exit::FAILED }))
}

/// What one path comes to; nothing when it failed, which is told then.
fn one(args: &RenderArgs, path: &Path) -> anyhow::Result<Option<Done>> {
    let real = path.canonicalize().with_context(|| format!("`{}` cannot be read", path.display()))?;
    let (files, inside) = Disk::around(&real);
    let root = files.root().to_owned();
    let request = request(args, inside)?;
    match ::render::render(&files, &request) {
        Ok(rendered) => {
            rendered.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
            Ok(Some(Done { request, root, rendered }))
        }
        Err(error) => {
            tell(&error);
            Ok(None)
        }
    }
}

fn request(args: &RenderArgs, path: String) -> anyhow::Result<Request> {
    let mut request = Request::of(path, chance()?);
    if args.output == Form::Yaml && args.diff.is_none() {
        request.wanted = Wanted::Text;
    }
    let chart = &mut request.chart;
    chart.release.clone_from(&args.release);
    chart.namespace.clone_from(&args.namespace);
    chart.kube_version.clone_from(&args.kube_version);
    chart.include_crds = args.include_crds;
    chart.include_hooks = !args.no_hooks;
    chart.include_tests = !args.skip_tests;
    chart.compat = if args.helm_compat == "3" { Compat::Helm3 } else { Compat::default() };
    if !args.api_versions.is_empty() {
        let mut versions = helm::default_api_versions(chart.compat);
        versions.extend(args.api_versions.iter().cloned());
        chart.api_versions = Some(versions);
    }
    let read = |file: &Path| std::fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()));
    for file in &args.values {
        chart.values.files.push((file.display().to_string(), read(file)?));
    }
    chart.values.set.clone_from(&args.set);
    chart.values.set_string.clone_from(&args.set_string);
    chart.values.set_json.clone_from(&args.set_json);
    chart.values.set_file.clone_from(&args.set_file);
    chart.values.set_literal.clone_from(&args.set_literal);
    let mut contents = BTreeMap::new();
    for argument in &args.set_file {
        for name in helm::set_file_names(argument)? {
            contents.insert(name.clone(), read(Path::new(&name))?);
        }
    }
    chart.values.file_contents = contents;
    Ok(request)
}

/// The time, and bytes that nobody can guess.
fn chance() -> anyhow::Result<::render::Chance> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    let now = i128::from(store::now().as_micros()) * 1000;
    Ok(::render::Chance { now, key })
}

fn tell(error: &::render::RenderError) {
    let lines = error.lines();
    for (number, line) in lines.iter().enumerate() {
        eprintln!("{}{line}", if number == 0 { "error: " } else { "" });
    }
}

/// Writes one render after the other, so that no two have to be in memory.
struct Printer<'a> {
    form: Form,
    several: bool,
    printed: usize,
    out: std::io::StdoutLock<'a>,
}

impl Printer<'_> {
    fn print(&mut self, path: &Path, rendered: &Rendered) -> anyhow::Result<()> {
        let text = match (self.form, self.several) {
            (Form::Yaml, _) => {
                let parted = self.printed == 0 || rendered.text.is_empty() || rendered.text.starts_with("---");
                let separator: &[u8] = if parted { b"" } else { b"---\n" };
                self.out.write_all(separator)?;
                self.printed += usize::from(!rendered.text.is_empty());
                return Ok(self.out.write_all(rendered.text.as_bytes())?);
            }
            (Form::Json, false) => serde_json::to_string_pretty(&told(rendered))?,
            (Form::Json, true) => {
                let mut item = told(rendered);
                item["path"] = json!(path.display().to_string());
                serde_json::to_string(&item)?
            }
        };
        self.printed += 1;
        Ok(writeln!(self.out, "{text}")?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }
}

fn told(rendered: &Rendered) -> Value {
    let format = match rendered.format {
        Format::Chart => "chart",
        Format::Kustomization => "kustomization",
        Format::Plain => "plain",
    };
    let items: Vec<_> = rendered.objects.iter().map(|it| json!({"source": it.source, "object": it.value})).collect();
    json!({
        "apiVersion": "landfall/v1", "format": format, "digest": rendered.digest(), "items": items,
        "notes": rendered.notes, "warnings": rendered.warnings,
    })
}

/// The objects of the same path at a commit; none when it was not there.
async fn before(root: &Path, reference: &str, request: &Request) -> anyhow::Result<Vec<::render::Object>> {
    if !root.join(".git").exists() {
        bail!("`{}` is in no Git repository, so there is nothing to compare with", root.display());
    }
    let repository = repo::Repository::at(root);
    let Some(commit) = repository.resolve(reference).await? else {
        bail!("`{reference}` is no branch, tag or commit of this repository");
    };
    let files = repository.snapshot(commit, "").await?;
    if ::render::detect(&files, &request.path)?.is_none() {
        return Ok(Vec::new());
    }
    match ::render::render(&files, request) {
        Ok(rendered) => Ok(rendered.objects),
        Err(error) => bail!("at `{reference}`: {}", error.lines().join("\n")),
    }
}

fn show(differences: &[Difference], form: Form) -> anyhow::Result<()> {
    if form == Form::Json {
        let item = |it: &Difference| match it {
            Difference::Added { key, text } => json!({"object": key, "change": "added", "text": text}),
            Difference::Removed { key, text } => json!({"object": key, "change": "removed", "text": text}),
            Difference::Changed { key, lines } => json!({"object": key, "change": "changed", "lines": lines}),
        };
        let items: Vec<_> = differences.iter().map(item).collect();
        println!("{}", serde_json::to_string_pretty(&json!({"apiVersion": "landfall/v1", "items": items}))?);
        return Ok(());
    }
    for difference in differences {
        let (key, what, lines): (_, _, Vec<String>) = match difference {
            Difference::Added { key, text } => (key, "is new", text.lines().map(|line| format!("+{line}")).collect()),
            Difference::Removed { key, text } => (key, "is gone", text.lines().map(|line| format!("-{line}")).collect()),
            Difference::Changed { key, lines } => (key, "changed", lines.clone()),
        };
        println!("{key} {what}");
        lines.iter().for_each(|line| println!("  {line}"));
    }
    if differences.is_empty() {
        println!("nothing differs");
    }
    Ok(())
}
