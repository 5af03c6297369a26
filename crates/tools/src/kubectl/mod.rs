//! `kubectl` for machines without one: the commands that pipelines and first steps use.

mod about;
mod apply;
mod change;
mod config;
mod create;
mod delete;
mod describe;
pub(crate) mod discovery;
pub(crate) mod fault;
mod get;
mod json_path;
mod kustomize;
mod logs;
mod manifests;
mod output;
mod rollout;
pub(crate) mod session;
mod set;
mod table;
mod target;
mod undo;
mod wait;
pub(crate) mod watch;

use std::time::Duration;

use crate::{
    Console,
    failure::Failure,
    flags::{self, Flag, FlagError, Parsed, Until, switch, value},
};
use session::Session;

/// The version whose behaviour this follows.
const VERSION: &str = "v1.34.2";

/// Flags of every command.
const GLOBAL: &[Flag] = &[
    value("namespace").short('n'),
    value("context"),
    value("cluster"),
    value("user"),
    value("kubeconfig"),
    value("server").short('s'),
    value("token"),
    switch("insecure-skip-tls-verify"),
    value("request-timeout"),
    switch("help").short('h'),
    value("v").short('v').idle(),
    value("cache-dir").idle(),
    switch("disable-compression").idle(),
    switch("match-server-version").idle(),
    switch("warnings-as-errors").idle(),
    value("log-flush-frequency").idle(),
    value("as").refused("a job has its own rights only"),
    value("as-group").refused("a job has its own rights only"),
    value("certificate-authority").refused("it stands in the kubeconfig"),
    value("client-certificate").refused("it stands in the kubeconfig"),
    value("client-key").refused("it stands in the kubeconfig"),
];

const HELP: &str = "\
Landfall's kubectl for machines without one.

Commands:
  get, describe, logs               Show objects, one object, the output of containers
  apply, create, delete             Make objects what files say, make them, delete them
  rollout, set image, scale         Change Deployments and follow their rollouts
  patch, label, annotate            Change any object
  kustomize DIR                     Print what a kustomization comes to
  wait                              Wait for a condition or for the end of an object
  config, cluster-info, version     Show the kubeconfig and the server
  api-resources, auth can-i         Show what the server serves and allows

All other commands are refused.

Usage:
  kubectl [flags] [options]";

/// A command line and what it is for.
struct Command<'a> {
    line: Parsed,
    console: &'a mut Console,
}

impl Command<'_> {
    async fn session(&self) -> Result<Session, Failure> {
        Session::open(&self.line, self.console).await
    }
}

/// Runs one `kubectl` command.
pub async fn main(args: &[String], console: &mut Console) -> Result<(), Failure> {
    let (mut globals, words) = split(args)?;
    let Some((command, rest)) = words.split_first() else {
        console.out(HELP);
        return Ok(());
    };
    let grouped = matches!(command.as_str(), "rollout" | "set" | "config" | "auth" | "create" | "cluster-info");
    let (sub, rest) = if grouped {
        let (more, words) = split_lenient(rest);
        match words.split_first() {
            Some((sub, rest)) if !sub.starts_with('-') => {
                globals.extend(more);
                (sub.clone(), rest.to_vec())
            }
            _ => (String::new(), rest.to_vec()),
        }
    } else {
        (String::new(), rest.to_vec())
    };
    let name = if sub.is_empty() { command.clone() } else { format!("{command} {sub}") };
    globals.extend(rest);
    let own = match flags_of(command, &sub) {
        Some(own) => own,
        None => return Err(refused(command, &sub)),
    };
    let line = flags::parse("kubectl", &globals, &[own, GLOBAL], Until::End).map_err(|it| usage(&it, &name))?;
    let it = Command { line, console };
    match (command.as_str(), sub.as_str()) {
        ("apply", _) => apply::apply(it).await,
        ("get", _) => get::get(it).await,
        ("describe", _) => describe::describe(it).await,
        ("logs" | "log", _) => logs::logs(it).await,
        ("delete", _) => delete::delete(it).await,
        ("wait", _) => wait::wait(it).await,
        ("rollout", "status") => rollout::status(it).await,
        ("rollout", "history") => undo::history(it).await,
        ("rollout", "undo") => undo::undo(it).await,
        ("rollout", sub) => rollout::change(it, sub).await,
        ("kustomize", _) => kustomize::kustomize(it),
        ("set", sub) => set::set(it, sub).await,
        ("scale", _) => change::scale(it).await,
        ("patch", _) => change::patch(it).await,
        ("label", _) => change::mark(it, change::Mark::Label).await,
        ("annotate", _) => change::mark(it, change::Mark::Annotation).await,
        ("create", sub) => create::create(it, sub).await,
        ("config", sub) => config::config(it, sub),
        ("version", _) => about::version(it).await,
        ("cluster-info", _) => about::cluster_info(it).await,
        ("auth", sub) => about::auth(it, sub).await,
        ("api-resources", _) => about::api_resources(it).await,
        ("api-versions", _) => about::api_versions(it).await,
        _ => {
            it.console.out(HELP);
            Ok(())
        }
    }
}

/// The flags of a command; `None` for one that is not here.
fn flags_of(command: &str, sub: &str) -> Option<&'static [Flag]> {
    Some(match (command, sub) {
        ("apply", _) => apply::FLAGS,
        ("get", _) => get::FLAGS,
        ("kustomize", _) => kustomize::FLAGS,
        ("describe", _) => describe::FLAGS,
        ("logs" | "log", _) => logs::FLAGS,
        ("delete", _) => delete::FLAGS,
        ("wait", _) => wait::FLAGS,
        ("rollout", "status" | "history" | "undo" | "restart" | "pause" | "resume") => rollout::FLAGS,
        ("set", "image" | "env") => set::FLAGS,
        ("scale" | "patch" | "label" | "annotate", _) => change::FLAGS,
        ("create", "" | "namespace" | "ns" | "configmap" | "cm" | "secret" | "serviceaccount" | "sa" | "deployment" | "deploy") => create::FLAGS,
        ("config", "current-context" | "view" | "set-context" | "get-contexts" | "use-context") => config::FLAGS,
        ("auth", "can-i" | "whoami") | ("version" | "api-resources" | "api-versions", _) | ("cluster-info", "") => about::FLAGS,
        ("help" | "options", _) => &[],
        _ => return None,
    })
}

/// Flags before the first word, and the rest.
fn split(args: &[String]) -> Result<(Vec<String>, Vec<String>), Failure> {
    let line = flags::parse("kubectl", args, &[GLOBAL], Until::FirstWord).map_err(|it| usage(&it, ""))?;
    let before = args.len() - line.words.len();
    Ok((args[..before].to_vec(), line.words))
}

/// As [`split`], where flags of the command itself may come first.
fn split_lenient(args: &[String]) -> (Vec<String>, Vec<String>) {
    split(args).unwrap_or_else(|_| (Vec::new(), args.to_vec()))
}

fn usage(error: &FlagError, command: &str) -> Failure {
    match error {
        FlagError::Refused { .. } => Failure::new(format!("error: {error}")),
        _ => {
            let command = if command.is_empty() { "kubectl".to_owned() } else { format!("kubectl {command}") };
            Failure::new(format!("error: {error}\nSee '{command} --help' for usage."))
        }
    }
}

fn refused(command: &str, sub: &str) -> Failure {
    let instead = match command {
        "exec" | "attach" | "cp" | "port-forward" | "debug" | "proxy" => "use the kubectl of Kubernetes with the same kubeconfig",
        "run" | "expose" | "autoscale" => "write a manifest and apply it",
        "edit" | "replace" => "change the manifest and apply it",
        "diff" => "`kubectl apply --dry-run=server` shows what would change (`-k` works there too), `landfall render --diff REF` what differs from a commit",
        "top" => "there is no metrics API",
        "taint" | "cordon" | "uncordon" | "drain" | "certificate" => "nodes are Landfall's own here",
        "rollout" | "set" | "create" | "config" | "auth" | "cluster-info" | "explain" | "events" | "plugin" | "completion" => {
            "use the kubectl of Kubernetes with the same kubeconfig"
        }
        _ => return Failure::new(format!("error: unknown command \"{command}\" for \"kubectl\"")),
    };
    let name = if sub.is_empty() { command.to_owned() } else { format!("{command} {sub}") };
    Failure::new(format!("error: `kubectl {name}` is not supported by Landfall's kubectl: {instead}"))
}

/// A span as Go writes it: `90s`, `1m30s`; a bare number is refused as there.
fn duration(text: &str) -> Result<Duration, Failure> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    names::parse_duration(text).map_err(|_| Failure::new(format!("error: invalid argument \"{text}\": expected a duration such as 90s or 5m")))
}

/// The items of a list.
fn list(value: &serde_json::Value) -> &[serde_json::Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text, empty if there is none.
fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_default()
}
