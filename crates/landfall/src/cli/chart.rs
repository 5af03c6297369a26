//! `landfall chart`

mod dependency;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    rc::Rc,
};

use anyhow::{Context as _, anyhow, bail};
use helm::{Chart, Compat, FixedSource, LintSeverity, Release, RenderOptions, ValueSources};
use tools::Disk;

use super::exit;

/// Check, pack, send and fetch Helm charts
///
/// Charts go to OCI registries, Landfall's own among them, in the form that
/// helm reads. Credentials are those that `docker login` keeps. Chart
/// repositories (an index.yaml behind HTTP) are read as well.
#[derive(clap::Args, Debug)]
pub struct ChartArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Lint(LintArgs),
    Package(PackageArgs),
    Push(PushArgs),
    Pull(PullArgs),
    #[command(subcommand)]
    Dependency(Dependency),
}

/// Bring the charts that a chart needs into its charts/
#[derive(clap::Subcommand, Debug)]
enum Dependency {
    /// The versions in Chart.lock; without a lock as `update` does
    Build(DependencyArgs),
    /// The newest versions that Chart.yaml allows, which are locked then
    Update(DependencyArgs),
}

#[derive(clap::Args, Debug)]
struct DependencyArgs {
    /// The folder of the chart
    #[arg(value_name = "CHART", default_value = ".")]
    chart: PathBuf,
}

/// Look charts over: what is missing, misspelt or does not render
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall chart lint deploy/chart -f prod.yaml\n\nIt exits with 1 when there is an error, with --strict also for a warning.")]
struct LintArgs {
    /// Folders or archives of charts
    #[arg(value_name = "CHART", default_value = ".")]
    charts: Vec<PathBuf>,

    /// Values to render with; later files win
    #[arg(long, short = 'f', value_name = "FILE")]
    values: Vec<PathBuf>,

    /// One value, as `a.b=c`; may be given many times
    #[arg(long, value_name = "K=V")]
    set: Vec<String>,

    /// Warnings fail as well
    #[arg(long)]
    strict: bool,
}

/// Pack a chart: the same bytes for the same files, whenever and wherever
#[derive(clap::Args, Debug)]
#[command(disable_version_flag = true, after_help = "Example:\n  landfall chart package deploy/chart --version 1.4.0")]
struct PackageArgs {
    /// The folder of the chart
    #[arg(value_name = "CHART", default_value = ".")]
    chart: PathBuf,

    /// Where the archive goes
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    destination: PathBuf,

    #[command(flatten)]
    versions: Versions,
}

#[derive(clap::Args, Debug)]
struct Versions {
    /// The version of the chart in place of that in Chart.yaml
    #[arg(long, value_name = "V")]
    version: Option<String>,

    /// The version of the application in place of that in Chart.yaml
    #[arg(long, value_name = "V")]
    app_version: Option<String>,
}

/// Send a chart, packed or a folder, to a registry
#[derive(clap::Args, Debug)]
#[command(disable_version_flag = true, after_help = "Example:\n  landfall chart push deploy/chart oci://registry.example/charts --version 1.4.0")]
struct PushArgs {
    /// The folder or the archive
    chart: PathBuf,

    /// `oci://host/path`; the chart's name and version come after it
    #[arg(value_name = "REGISTRY")]
    target: String,

    #[command(flatten)]
    versions: Versions,
}

/// Fetch a chart from a registry or a repository
#[derive(clap::Args, Debug)]
#[command(
    disable_version_flag = true,
    after_help = "Examples:\n  landfall chart pull oci://registry.example/charts/web --version 1.4.0 --untar\n  landfall chart pull web --repo https://charts.example --version '^1.4'"
)]
struct PullArgs {
    /// `oci://host/path/name`, or with --repo the name
    #[arg(value_name = "CHART")]
    source: String,

    /// The version, of a repository also a range; the newest without
    #[arg(long, value_name = "V")]
    version: Option<String>,

    /// The address of a chart repository
    #[arg(long, value_name = "URL")]
    repo: Option<String>,

    /// Where it goes
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    destination: PathBuf,

    /// As a folder in place of an archive
    #[arg(long)]
    untar: bool,
}

pub async fn chart(args: ChartArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Lint(args) => lint(&args),
        Command::Package(args) => package(&args),
        Command::Push(args) => push(&args).await,
        Command::Pull(args) => pull(&args).await,
        Command::Dependency(Dependency::Build(args)) => fill(&args, dependency::Versions::Locked).await,
        Command::Dependency(Dependency::Update(args)) => fill(&args, dependency::Versions::Resolved).await,
    }
}

async fn fill(args: &DependencyArgs, versions: dependency::Versions) -> anyhow::Result<ExitCode> {
    dependency::fill(&args.chart, versions).await?;
    Ok(ExitCode::from(exit::OK))
}

fn lint(args: &LintArgs) -> anyhow::Result<ExitCode> {
    let mut sources = ValueSources { set: args.set.clone(), ..ValueSources::default() };
    for file in &args.values {
        let text = std::fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
        sources.files.push((file.display().to_string(), text));
    }
    let mut options = RenderOptions::new(Release::new("test-release", "default"), Compat::default());
    options.values = sources.merge(options.compat)?;
    options.source = Rc::new(FixedSource::new(0, 0));
    let limit = if args.strict { LintSeverity::Warning } else { LintSeverity::Error };
    let mut failed = 0;
    for chart in &args.charts {
        let path = chart.canonicalize().with_context(|| format!("`{}` cannot be read", chart.display()))?;
        let (files, inside) = Disk::around(&path);
        let found = helm::lint(&files, &inside, &options);
        for finding in &found {
            let severity = match finding.severity {
                LintSeverity::Info => "info",
                LintSeverity::Warning => "warning",
                LintSeverity::Error => "error",
            };
            let place = chart.join(&finding.path);
            println!("{severity}: {}: {}", place.display().to_string().trim_end_matches('/'), finding.message);
        }
        failed += usize::from(found.iter().any(|it| it.severity >= limit));
    }
    eprintln!("{} of {} charts failed", failed, args.charts.len());
    Ok(ExitCode::from(if failed == 0 { exit::OK } else { exit::FAILED }))
}

/// The chart at a path, and its archive.
fn packed(path: &Path, versions: &Versions) -> anyhow::Result<(Chart, Vec<u8>)> {
    let real = path.canonicalize().with_context(|| format!("`{}` cannot be read", path.display()))?;
    let is_archive = real.is_file();
    let (files, inside) = Disk::around(&real);
    let mut chart = Chart::load(&files, &inside).with_context(|| format!("`{}` is no chart", path.display()))?;
    if is_archive && versions.version.is_none() && versions.app_version.is_none() {
        let bytes = std::fs::read(&real).with_context(|| format!("`{}` cannot be read", path.display()))?;
        return Ok((chart, bytes));
    }
    let missing: Vec<&str> = {
        let there = |name: &str| chart.dependencies.iter().any(|it| it.name() == name);
        chart.metadata.dependencies.iter().map(|it| it.name.as_str()).filter(|it| !there(it)).collect()
    };
    if !missing.is_empty() {
        bail!("`{}` lacks the charts {} in charts/; `landfall chart dependency build` fetches them", path.display(), missing.join(", "));
    }
    if let Some(version) = &versions.version {
        chart.metadata.version.clone_from(version);
    }
    if let Some(version) = &versions.app_version {
        chart.metadata.app_version.clone_from(version);
    }
    let bytes = chart.package()?;
    // What was packed must be a chart again; a wrong version is told here.
    let chart = Chart::load_archive(&bytes, Compat::default()).with_context(|| format!("`{}` cannot be packed", path.display()))?;
    Ok((chart, bytes))
}

fn package(args: &PackageArgs) -> anyhow::Result<ExitCode> {
    let (chart, bytes) = packed(&args.chart, &args.versions)?;
    let path = args.destination.join(chart.archive_name());
    let written = std::fs::create_dir_all(&args.destination).and_then(|()| std::fs::write(&path, &bytes));
    written.with_context(|| format!("`{}` cannot be written", path.display()))?;
    println!("{}", path.display());
    eprintln!("packed {} {} ({})", chart.name(), chart.metadata.version, names::Digest::of(&bytes));
    Ok(ExitCode::from(exit::OK))
}

async fn push(args: &PushArgs) -> anyhow::Result<ExitCode> {
    let (chart, bytes) = packed(&args.chart, &args.versions)?;
    let (name, digest) = tools::push_chart(&bytes, &chart, &args.target, &keychain()?).await.map_err(|error| anyhow!(error))?;
    println!("{name}@{digest}");
    Ok(ExitCode::from(exit::OK))
}

/// Fetches a chart; only registries are asked with what a person is logged in with.
async fn receive(repository: &str, name: &str, range: &str) -> anyhow::Result<charts::Received> {
    let is_web = repository.starts_with("http://") || repository.starts_with("https://");
    let keychain = if is_web { oci::Keychain::anonymous() } else { keychain()? };
    Ok(charts::receive(repository, name, range, &keychain).await?)
}

async fn pull(args: &PullArgs) -> anyhow::Result<ExitCode> {
    let (name, archive, digest) = match &args.repo {
        Some(repository) => {
            let found = receive(repository, &args.source, args.version.as_deref().unwrap_or_default()).await?;
            let digest = names::Digest::of(&found.archive);
            (format!("{}:{}", args.source, found.version), found.archive, digest)
        }
        None => {
            let fetched = tools::pull_chart(&args.source, args.version.as_deref(), &keychain()?).await;
            let fetched = fetched.map_err(|error| anyhow!(error))?;
            (fetched.name, fetched.archive, fetched.digest)
        }
    };
    let chart = Chart::load_archive(&archive, Compat::default()).with_context(|| format!("`{name}` is no chart"))?;
    let path = if args.untar {
        tools::unpack_chart(&chart, &args.destination).map_err(|error| anyhow!(error))?;
        args.destination.join(chart.name())
    } else {
        let path = args.destination.join(chart.archive_name());
        let written = std::fs::create_dir_all(&args.destination).and_then(|()| std::fs::write(&path, &archive));
        written.with_context(|| format!("`{}` cannot be written", path.display()))?;
        path
    };
    println!("{}", path.display());
    eprintln!("pulled {name}@{digest}");
    Ok(ExitCode::from(exit::OK))
}

/// What `docker login` and `helm registry login` keep.
fn keychain() -> anyhow::Result<oci::Keychain> {
    let folder = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty()).map(PathBuf::from);
    let home = folder("HOME");
    let docker = folder("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker"))).map(|it| it.join("config.json"));
    let helm = folder("HELM_REGISTRY_CONFIG").or_else(|| Some(home.as_ref()?.join(".config/helm/registry/config.json")));
    let files: Vec<PathBuf> = [helm, docker].into_iter().flatten().collect();
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    tools::chart_keychain(&files).map_err(|error| anyhow!(error))
}
