//! `landfall status`

use std::process::ExitCode;

use serde_json::json;

use super::{
    Context, exit,
    output::{Output, OutputArgs, print_json},
};
use crate::data::Running;

/// Show whether a server runs, and where
#[derive(clap::Args, Debug)]
pub struct StatusArgs {
    #[command(flatten)]
    output: OutputArgs,
}

/// The address to push to, with the token in it.
pub fn git_url(running: &Running, token: &str) -> String {
    running.url.replacen("http://", &format!("http://landfall:{token}@"), 1) + "/git"
}

/// Host and port of the registry.
pub fn registry(running: &Running) -> String {
    running.url.trim_start_matches("http://").to_owned()
}

/// What `status` tells, as JSON.
pub fn describe(running: &Running, token: &str) -> serde_json::Value {
    json!({
        "apiVersion": "landfall/v1",
        "state": "running",
        "pid": running.pid,
        "git_url": git_url(running, token),
        "registry": registry(running),
        "web_url": format!("{}/", running.url),
        "login_url": format!("{}/?token={token}", running.url),
        "kubeconfig": running.kubeconfig,
        "cluster": running.cluster,
    })
}

/// The same for people.
pub fn print(running: &Running, token: &str) {
    println!("git         {}/NAME.git", git_url(running, token));
    println!("registry    {}", registry(running));
    println!("page        {}/?token={token}", running.url);
    if let Some(kubeconfig) = &running.kubeconfig {
        println!("kubeconfig  {}", kubeconfig.display());
    }
    println!("cluster     {}", running.cluster);
}

pub fn status(args: StatusArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let Some(running) = context.data.running()? else {
        match args.output.output {
            Output::Json => {
                let told = json!({"apiVersion": "landfall/v1", "state": "stopped", "data": context.data.path()});
                print_json(&told)?;
            }
            Output::Table => {
                println!("stopped     no server runs on {}", context.data.path().display());
                println!("next        landfall up");
            }
        }
        return Ok(ExitCode::from(exit::OK));
    };
    let token = context.data.token()?;
    match args.output.output {
        Output::Json => print_json(&describe(&running, &token))?,
        Output::Table => {
            println!("running     process {}", running.pid);
            print(&running, &token);
        }
    }
    Ok(ExitCode::from(exit::OK))
}
