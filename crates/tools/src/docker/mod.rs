//! `docker` in a job: builds, names and pushes images through Landfall's builder and registry.

mod build;
mod context;
mod credentials;
mod images;
mod instruction;
mod listing;
mod login;
mod plain;
mod push;
mod request;
mod secrets;
mod server;

use crate::{
    Console,
    failure::Failure,
    flags::{self, Flag, FlagError, Until, switch, value},
};

/// The version whose behaviour this follows.
const VERSION: &str = "28.5.1";
const API_VERSION: &str = "1.51";

/// Flags that may stand before the command.
const GLOBAL: &[Flag] = &[
    value("config"),
    value("context").short('c').idle(),
    switch("debug").short('D').idle(),
    value("host").short('H').idle(),
    value("log-level").short('l').idle(),
    switch("version").short('v'),
    switch("help").short('h'),
    switch("tls").idle(),
    switch("tlsverify").idle(),
    value("tlscacert").idle(),
    value("tlscert").idle(),
    value("tlskey").idle(),
];

const HELP: &str = "\
Usage:  docker [OPTIONS] COMMAND

Landfall's docker for workflow jobs: builds run in Landfall's builder, images live in its registry.

Commands:
  build, buildx build  Build an image from a Dockerfile
  tag                  Give an image another name
  push                 Make an image available under its name
  pull                 Fetch an image
  images               List images
  inspect              Show an image as JSON
  rmi                  Remove the name of an image
  login, logout        Keep or forget the credentials of a registry
  version, info        Show what answers here

All other commands are refused.";

/// Runs one `docker` command.
pub async fn main(args: &[String], console: &mut Console) -> Result<(), Failure> {
    let line = flags::parse("docker", args, &[GLOBAL], Until::FirstWord).map_err(|it| usage(&it, ""))?;
    if line.is_on("version") {
        console.out(format!("Docker version {VERSION}, build landfall"));
        return Ok(());
    }
    let config = line.last("config").map(str::to_owned);
    let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
    let rest = |used: usize| line.words[used..].to_vec();
    match words.as_slice() {
        [] | ["help", ..] => {
            console.out(HELP);
            Ok(())
        }
        ["build", ..] => build::build("build", &rest(1), config, console).await,
        ["buildx" | "builder" | "image", "build" | "b", ..] => build::build("buildx build", &rest(2), config, console).await,
        ["buildx", command, ..] => buildx(command, console),
        ["tag", ..] => images::tag(&rest(1), console).await,
        ["image", "tag", ..] => images::tag(&rest(2), console).await,
        ["push", ..] => push::push(&rest(1), config, console).await,
        ["image", "push", ..] => push::push(&rest(2), config, console).await,
        ["pull", ..] => push::pull(&rest(1), config, console).await,
        ["image", "pull", ..] => push::pull(&rest(2), config, console).await,
        ["images", ..] => listing::list(&rest(1), console).await,
        ["image", "ls" | "list", ..] => listing::list(&rest(2), console).await,
        ["inspect", ..] => images::inspect(&rest(1), console).await,
        ["image", "inspect", ..] => images::inspect(&rest(2), console).await,
        ["rmi", ..] => images::remove(&rest(1), console).await,
        ["image", "rm" | "remove", ..] => images::remove(&rest(2), console).await,
        ["image", "prune", ..] | ["system" | "builder" | "container" | "volume" | "network", "prune", ..] => {
            console.err("docker: nothing is pruned in a job: Landfall keeps its store tidy itself");
            console.out("Total reclaimed space: 0B");
            Ok(())
        }
        ["login", ..] => login::login(&rest(1), config, console).await,
        ["logout", ..] => login::logout(&rest(1), config, console),
        ["version", ..] => version(&rest(1), console),
        ["info", ..] | ["system", "info", ..] => info(console).await,
        [command, ..] => Err(refused(command, words.get(1).copied())),
    }
}

/// Refuses a command by name and says what to do in its place.
fn refused(command: &str, sub: Option<&str>) -> Failure {
    let instead = match command {
        "run" | "exec" | "start" | "stop" | "kill" | "rm" | "create" | "wait" | "attach" | "cp" | "restart" => {
            "a job has no containers; run the command as a step of the job, as a `RUN` in a Dockerfile stage, or deploy the image with `kubectl apply`"
        }
        "ps" | "logs" | "top" | "stats" | "port" | "container" => {
            "a job has no containers; what runs in the cluster is shown by `kubectl get pods` and `kubectl logs`"
        }
        "compose" | "stack" | "swarm" | "service" | "node" | "docker-compose" => {
            "describe the services in Kubernetes manifests and apply them with `kubectl apply`"
        }
        "save" | "export" | "load" | "import" | "commit" => {
            "images live in Landfall's registry: copy them with a registry client, or import a file with `landfall image import` outside of the job"
        }
        "manifest" | "buildx" => "an image is built for this machine's platform only",
        "search" => "name the image in full",
        "network" | "volume" => "pods have networks and volumes of their own, described in Kubernetes manifests",
        "scout" | "trust" | "plugin" | "context" | "checkpoint" | "events" | "system" | "secret" | "config" | "image"
        | "history" | "diff" | "rename" | "update" | "pause" | "unpause" => "there is nothing like it here",
        _ => {
            return Failure::new(format!("docker: unknown command: docker {command}\n\nRun 'docker --help' for more information"));
        }
    };
    let name = match sub {
        Some(sub) if matches!(command, "container" | "image" | "buildx" | "network" | "volume" | "system") => format!("{command} {sub}"),
        _ => command.to_owned(),
    };
    Failure::new(format!("docker: `docker {name}` is not supported in Landfall jobs: {instead}"))
}

/// A command line that cannot be read.
fn usage(error: &FlagError, command: &str) -> Failure {
    match error {
        FlagError::Refused { .. } => Failure::new(format!("docker: {error}")).with_code(125),
        FlagError::Unknown(_) | FlagError::UnknownShort(..) | FlagError::NoValue(_) | FlagError::NoShortValue(..) | FlagError::NoBool { .. } => {
            let space = if command.is_empty() { "" } else { " " };
            let usage = format!("{error}\n\nUsage:  docker {command}{space}[OPTIONS]\n\nRun 'docker {command}{space}--help' for more information");
            Failure::new(usage).with_code(125)
        }
    }
}

/// A command that was given too few or too many words.
fn wrong_count(command: &str, wanted: &str, form: &str) -> Failure {
    Failure::new(format!(
        "docker: 'docker {command}' requires {wanted}\n\nUsage:  docker {command} [OPTIONS] {form}\n\nRun 'docker {command} --help' for more information"
    ))
}

/// Actions of CI systems set buildx up before they build.
fn buildx(command: &str, console: &mut Console) -> Result<(), Failure> {
    match command {
        "version" => console.out("github.com/docker/buildx 0.29.1 landfall"),
        "create" | "use" => console.out("landfall"),
        "ls" => console.out("NAME/NODE     DRIVER/ENDPOINT   STATUS    BUILDKIT   PLATFORMS\nlandfall*     landfall          running              linux/amd64"),
        "inspect" => console.out("Name:          landfall\nDriver:        landfall\n\nNodes:\nName:      landfall\nStatus:    running"),
        "rm" | "stop" | "prune" => {}
        _ => return Err(refused("buildx", Some(command))),
    }
    Ok(())
}

fn version(args: &[String], console: &mut Console) -> Result<(), Failure> {
    let flags = [value("format").short('f')];
    let line = flags::parse("docker", args, &[&flags], Until::End).map_err(|it| usage(&it, "version"))?;
    let arch = context::machine_arch();
    let side = |name: &str| {
        serde_json::json!({ "Name": name, "Version": VERSION, "ApiVersion": API_VERSION, "APIVersion": API_VERSION, "Os": "linux", "Arch": arch })
    };
    let all = serde_json::json!({ "Client": side("client"), "Server": side("server") });
    match line.last("format") {
        Some(format) => console.out(images::formatted(&all, format)?),
        None => {
            for (title, name) in [("Client:", "Landfall's docker for jobs"), ("\nServer:", "Landfall's builder and registry")] {
                console.out(format!("{title} {name}\n Version:           {VERSION}\n API version:       {API_VERSION}\n OS/Arch:           linux/{arch}"));
            }
        }
    }
    Ok(())
}

async fn info(console: &mut Console) -> Result<(), Failure> {
    let server = server::Server::of(console)?;
    let images = server.images().await?;
    console.out(format!(
        "Client:\n Version:    {VERSION}\n Context:    landfall\n\nServer:\n Containers: 0\n Images: {}\n Server Version: {VERSION}\n Storage Driver: overlay2\n Operating System: Landfall\n OSType: linux\n Architecture: {}\n Registry: {}",
        images.len(),
        std::env::consts::ARCH,
        server.host()
    ));
    Ok(())
}
