//! `landfall demo`

use std::{path::PathBuf, process::ExitCode};

use super::{Context, exit};
use crate::{
    data::DataFolder,
    demo::{self, After, App, Ending, Options},
};

/// Show the main job on a small real app, and check each step
///
/// Starts a server of its own on a temporary folder and pushes three commits to
/// it: a first release, a new version under load, and a bad one that is noticed,
/// explained and rolled back. Then everything is removed again.
#[derive(clap::Args, Debug)]
pub struct DemoArgs {
    /// What the app is called
    #[arg(long, value_name = "NAME", default_value = "shop", value_parser = app_name)]
    app_name: String,

    /// The port on which the app serves
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,

    /// How many pods of the app run
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    replicas: u32,

    /// Leave the server running, and say how to stop it
    #[arg(long, conflicts_with = "no_wait")]
    keep: bool,

    /// End when all is shown, on a terminal too
    #[arg(long)]
    no_wait: bool,
}

/// The name of a project, a namespace and a Service.
fn app_name(text: &str) -> Result<String, String> {
    let is_label = text.len() <= 30
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_label {
        return Ok(text.to_owned());
    }
    Err("expected at most 30 of a-z, 0-9 and -, beginning with a letter".to_owned())
}

pub async fn demo(args: DemoArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let after = match (args.keep, args.no_wait) {
        (true, _) => After::Keep,
        (false, true) => After::End,
        (false, false) => After::Wait,
    };
    let app = App { name: args.app_name, port: args.port, replicas: args.replicas };
    let ending = demo::run(Options { app, data: chosen_data(context)?, after }).await?;
    Ok(ExitCode::from(match ending {
        Ending::Held => exit::OK,
        Ending::Unmet => exit::FAILED,
        Ending::NotBegun => exit::INFRASTRUCTURE,
        Ending::Stopped(number) => 128 + number,
    }))
}

/// The folder that `--data` names; never the one that other commands use without it.
fn chosen_data(context: &Context) -> anyhow::Result<Option<PathBuf>> {
    let usual = DataFolder::choose(std::env::var_os("LANDFALL_DATA").map(PathBuf::from))?;
    let chosen = context.data.path();
    Ok((chosen != usual.path()).then(|| chosen.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::app_name;

    #[test]
    fn names_that_fit_a_service_are_taken() {
        for (name, fits) in [("shop", true), ("my-app-2", true), ("2shop", false), ("Shop", false), ("shop-", false), ("", false)] {
            assert_eq!(app_name(name).is_ok(), fits, "{name}");
        }
    }
}
