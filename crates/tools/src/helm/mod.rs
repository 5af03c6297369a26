//! `helm` for machines without one: charts rendered, checked and packed, releases in the cluster.

mod chance;
mod chart;
mod cluster;
mod deploy;
mod describe;
mod history;
mod input;
mod install;
mod registry;
mod template;

pub use registry::{Fetched, keychain, receive, send, unpack};

use crate::{
    Console,
    failure::Failure,
    flags::{self, Flag, FlagError, Parsed, Until, switch, value},
};

/// The version whose behaviour this follows.
const VERSION: &str = "v4.3.1";

/// Flags of every command.
const GLOBAL: &[Flag] = &[
    value("namespace").short('n'),
    value("kubeconfig"),
    value("kube-context"),
    value("kube-apiserver"),
    value("kube-token"),
    switch("kube-insecure-skip-tls-verify"),
    switch("help").short('h'),
    switch("debug").idle(),
    value("color").idle(),
    value("colour").idle(),
    value("burst-limit").idle(),
    value("qps").idle(),
    value("registry-config"),
    value("repository-cache").idle(),
    value("repository-config").idle(),
    value("content-cache").idle(),
    value("kube-as-user").refused("a job has its own rights only"),
    value("kube-as-group").refused("a job has its own rights only"),
    value("kube-ca-file").refused("it stands in the kubeconfig"),
    value("kube-tls-server-name").refused("it stands in the kubeconfig"),
];

const HELP: &str = "\
Landfall's helm for machines without one.

Commands:
  template                          Render a chart
  lint, package                     Look a chart over, pack it
  show chart|values|readme|crds     Show what is in a chart
  dependency list                   Show what a chart needs
  install, upgrade, rollback        Bring a release into the cluster, change it, go back
  uninstall                         Take a release away
  list, history, status, get        Show releases
  push, pull                        Send a chart to an OCI registry, fetch it
  version                           Show the version that this follows

All other commands are refused.

Usage:
  helm [command]";

/// A command line and what it is for.
struct Command<'a> {
    line: Parsed,
    console: &'a mut Console,
}

/// Runs one `helm` command.
pub async fn main(args: &[String], console: &mut Console) -> Result<(), Failure> {
    let line = flags::parse("helm", args, &[GLOBAL], Until::FirstWord).map_err(|it| usage(&it))?;
    let before = args.len() - line.words.len();
    let Some((command, rest)) = line.words.split_first() else {
        console.out(HELP);
        return Ok(());
    };
    let command = match command.as_str() {
        "inspect" => "show",
        "dep" | "dependencies" => "dependency",
        "fetch" => "pull",
        "ls" => "list",
        "hist" => "history",
        "delete" | "del" | "un" => "uninstall",
        other => other,
    };
    let (sub, rest) = match (command, rest.split_first()) {
        ("show" | "dependency" | "registry" | "repo" | "get", Some((sub, rest))) if !sub.starts_with('-') => (sub.as_str(), rest),
        _ => ("", rest),
    };
    let Some(own) = flags_of(command, sub) else { return Err(refused(command, sub)) };
    let all: Vec<String> = args[..before].iter().chain(rest).cloned().collect();
    let sets: Vec<&[Flag]> = own.into_iter().chain([GLOBAL]).collect();
    let line = flags::parse("helm", &all, &sets, Until::End).map_err(|it| usage(&it))?;
    if line.is_on("help") {
        console.out(HELP);
        return Ok(());
    }
    let it = Command { line, console };
    match (command, sub) {
        ("template", _) => template::template(it).await,
        ("lint", _) => chart::lint(it),
        ("package", _) => chart::package(it),
        ("show", sub) => describe::show(it, sub).await,
        ("dependency", _) => describe::dependencies(it),
        ("push", _) => registry::push(it).await,
        ("pull", _) => registry::pull(it).await,
        ("version", _) => describe::version(it),
        ("install", _) => install::install(it).await,
        ("upgrade", _) => install::upgrade(it).await,
        ("rollback", _) => install::rollback(it).await,
        ("uninstall", _) => install::uninstall(it).await,
        ("list", _) => history::list(it).await,
        ("history", _) => history::history(it).await,
        ("status", _) => history::status(it).await,
        ("get", sub) => history::get(it, sub).await,
        _ => {
            it.console.out(HELP);
            Ok(())
        }
    }
}

/// The flags of a command; `None` for one that is not here.
fn flags_of(command: &str, sub: &str) -> Option<Vec<&'static [Flag]>> {
    use input::{CHART_FLAGS, VALUE_FLAGS};
    Some(match (command, sub) {
        ("template", _) => vec![template::FLAGS, CHART_FLAGS, VALUE_FLAGS],
        ("lint", _) => vec![chart::LINT_FLAGS, VALUE_FLAGS],
        ("package", _) => vec![chart::PACKAGE_FLAGS],
        ("show", "chart" | "values" | "readme" | "crds" | "all") => vec![describe::SHOW_FLAGS, CHART_FLAGS],
        ("dependency", "list" | "ls") => vec![describe::LIST_FLAGS],
        ("push", _) => vec![registry::PUSH_FLAGS],
        ("pull", _) => vec![registry::PULL_FLAGS, CHART_FLAGS],
        ("version", _) => vec![describe::VERSION_FLAGS],
        ("install", _) => vec![install::INSTALL_FLAGS, install::DEPLOY_FLAGS, CHART_FLAGS, VALUE_FLAGS],
        ("upgrade", _) => vec![install::UPGRADE_FLAGS, install::DEPLOY_FLAGS, CHART_FLAGS, VALUE_FLAGS],
        ("rollback", _) => vec![install::DEPLOY_FLAGS],
        ("uninstall", _) => vec![install::UNINSTALL_FLAGS],
        ("list", _) => vec![history::LIST_FLAGS],
        ("history" | "status", _) | ("get", "values" | "manifest" | "notes" | "hooks") => vec![history::STATUS_FLAGS],
        ("help", _) => Vec::new(),
        _ => return None,
    })
}

fn usage(error: &FlagError) -> Failure {
    Failure::new(format!("Error: {error}"))
}

fn refused(command: &str, sub: &str) -> Failure {
    let instead = match command {
        "test" => "run the tests of the chart in a job",
        "get" => "name one of values, manifest, notes and hooks",
        "dependency" => "check the charts in below charts/; `helm pull oci://… --untar --untardir charts` fetches one",
        "repo" | "search" => "chart repositories are not used; name a folder, an archive or `oci://…`",
        "registry" => "`docker login` keeps the credentials that are used",
        "create" => "write Chart.yaml and templates/ by hand",
        "plugin" | "completion" | "env" | "verify" => "use the helm of the Helm project",
        "show" => "name one of chart, values, readme, crds and all",
        _ => return Failure::new(format!("Error: unknown command \"{command}\" for \"helm\"\nRun 'helm --help' for usage.")),
    };
    let name = if sub.is_empty() { command.to_owned() } else { format!("{command} {sub}") };
    Failure::new(format!("Error: `helm {name}` is not supported by Landfall's helm: {instead}"))
}

/// An error in the original's form.
fn failed(message: impl std::fmt::Display) -> Failure {
    Failure::new(format!("Error: {message}"))
}
