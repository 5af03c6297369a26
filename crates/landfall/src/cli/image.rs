//! `landfall image`

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use names::{ImageRef, Timestamp, format_duration};
use serde_json::{Value, json};

use super::{
    Context,
    ago::ago,
    exit,
    output::{Output, OutputArgs, print_json, print_table},
};

/// Bring images in, and list those that are here
///
/// Images that jobs build and push are here already. A base image that no
/// registry can give is imported from a file or a folder.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall image import ./node-rootfs.tar node:14")]
pub struct ImageArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Import(ImportArgs),
    Ls(LsArgs),
}

/// Take a root file system or an image from a file or folder, and name it
///
/// SOURCE is a folder or a tar of a root file system, an OCI layout, or an
/// archive made by `docker save`; which of them is seen by itself.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall image import ./node-rootfs.tar node:14")]
pub struct ImportArgs {
    /// The file or folder
    source: PathBuf,

    /// The name that Dockerfiles and manifests use, e.g. `node:14`
    name: String,

    #[command(flatten)]
    output: OutputArgs,
}

/// List images, the newest first
///
/// Every tag that is here, with the digest it names and the run that pushed it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall image ls --output json")]
pub struct LsArgs {
    #[command(flatten)]
    output: OutputArgs,
}

pub async fn image(args: ImageArgs, context: &Context) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Import(args) => import(args, context).await,
        Command::Ls(args) => ls(args, context).await,
    }
}

async fn import(args: ImportArgs, context: &Context) -> anyhow::Result<ExitCode> {
    if let Err(error) = args.name.parse::<ImageRef>() {
        eprintln!("error: `{}` is no name of an image: {error}", args.name);
        eprintln!("help: names are like `node:14` or `registry.example.org/team/base:1`");
        return Ok(ExitCode::from(exit::USAGE));
    }
    // The server may run in another folder.
    let source = match args.source.canonicalize() {
        Ok(source) => source,
        Err(error) => {
            eprintln!("error: `{}` cannot be read: {error}", args.source.display());
            return Ok(ExitCode::from(exit::NOT_FOUND));
        }
    };
    let client = context.client()?;
    let asked = json!({"path": source, "name": args.name});
    let imported: Value = with_clock(&format!("importing {}", source.display()), client.post("images/import", &asked))
        .await
        .with_context(|| format!("`{}` cannot be imported", source.display()))?;
    match args.output.output {
        Output::Json => print_json(&versioned(imported))?,
        Output::Table => {
            let text = |key: &str| imported[key].as_str().unwrap_or("?").to_owned();
            let layers = imported["layers"].as_u64().or(imported["layers"].as_array().map(|it| it.len() as u64)).unwrap_or_default();
            let size = size(imported["size_bytes"].as_u64().unwrap_or_default());
            println!("imported {} from {}: {layers} layer{}, {size}", text("name"), text("shape"), if layers == 1 { "" } else { "s" });
            println!("digest   {}", text("digest"));
            println!("next     FROM {}", text("name"));
        }
    }
    Ok(ExitCode::from(exit::OK))
}

/// Shows on a terminal that it goes on, and for how long.
async fn with_clock<T>(what: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let shows = std::io::stderr().is_terminal();
    let began = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                if shows {
                    eprint!("\r\x1b[K");
                }
                return done;
            }
            _ = tick.tick(), if shows => {
                eprint!("\r{what}  {}\x1b[K", format_duration(began.elapsed()));
                std::io::stderr().flush()?;
            }
        }
    }
}

async fn ls(args: LsArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let told: Value = context.client()?.get("images").await?;
    let images = told["images"].as_array().cloned().unwrap_or_default();
    match args.output.output {
        Output::Json => print_json(&json!({"apiVersion": "landfall/v1", "items": images}))?,
        Output::Table => {
            let rows: Vec<_> = images.iter().map(row).collect();
            print_table(&["IMAGE", "DIGEST", "SIZE", "RUN", "PUSHED"], &rows);
            if rows.is_empty() {
                eprintln!("no image yet; jobs push them, or `landfall image import SOURCE NAME`");
            }
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn row(image: &Value) -> Vec<String> {
    let text = |key: &str| image[key].as_str().unwrap_or("-").to_owned();
    let digest: String = text("digest").chars().take("sha256:".len() + 12).collect();
    let pushed = text("pushed").parse::<Timestamp>().map_or_else(|_| "-".to_owned(), ago);
    vec![format!("{}:{}", text("repository"), text("tag")), digest, size(image["size_bytes"].as_u64().unwrap_or_default()), text("run"), pushed]
}

fn versioned(told: Value) -> Value {
    let mut answer = json!({"apiVersion": "landfall/v1"});
    if let (Some(answer), Value::Object(told)) = (answer.as_object_mut(), told) {
        answer.extend(told);
    }
    answer
}

/// A number of bytes for people.
fn size(bytes: u64) -> String {
    let mut rest = bytes;
    let mut tenths = 0;
    for unit in ["B", "kB", "MB", "GB"] {
        if rest < 1000 || unit == "GB" {
            return if tenths > 0 && rest < 100 { format!("{rest}.{tenths} {unit}") } else { format!("{rest} {unit}") };
        }
        tenths = rest % 1000 / 100;
        rest /= 1000;
    }
    format!("{rest} GB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, expected) in [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (41_000_000, "41 MB"), (2_340_000_000, "2.3 GB")] {
            assert_eq!(size(bytes), expected);
        }
    }
}
