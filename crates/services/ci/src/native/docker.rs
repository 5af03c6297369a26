//! `docker/login-action` and the actions that prepare builders, which need no preparing here.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use super::step::{Failed, Phase, Step, failed};

/// The `docker` of the job, which Landfall answers.
pub fn docker() -> Command {
    Command::new("docker")
}

/// `docker/login-action` and `azure/docker-login`.
pub fn login(step: &Step) -> Result<(), Failed> {
    match step.phase {
        Phase::Pre => Ok(()),
        Phase::Main => log_in(step),
        Phase::Post => log_out(step),
    }
}

fn log_in(step: &Step) -> Result<(), Failed> {
    let registry = match step.input("registry") {
        "" => step.input("login-server"),
        registry => registry,
    };
    let (user, password) = (step.input("username"), step.input("password"));
    if user.is_empty() || password.is_empty() {
        return Err(Failed("Username and password required".to_owned()));
    }
    step.mask(password);
    let mut command = docker();
    command.args(["login", "--username", user, "--password-stdin"]);
    if !registry.is_empty() {
        command.arg(registry);
    }
    // The password goes by the standard input, which no other process reads.
    let mut child = command.stdin(Stdio::piped()).spawn().map_err(failed("docker login"))?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(password.as_bytes()).map_err(failed("docker login"))?;
    }
    let status = child.wait().map_err(failed("docker login"))?;
    if !status.success() {
        return Err(Failed(format!("the login to `{}` was refused", if registry.is_empty() { "docker.io" } else { registry })));
    }
    step.set_state("registry", registry)?;
    step.set_state("logout", step.input("logout"))
}

fn log_out(step: &Step) -> Result<(), Failed> {
    if step.state("logout") == "false" {
        return Ok(());
    }
    let mut command = docker();
    command.arg("logout");
    if !step.state("registry").is_empty() {
        command.arg(step.state("registry"));
    }
    // Credentials go with the job anyway.
    let _ = step.output(&mut command);
    Ok(())
}

/// `docker/setup-buildx-action`: builds are Landfall's own.
pub fn buildx(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    step.say("Images are built by Landfall; no builder is made.");
    let name = match step.input("name") {
        "" => "landfall",
        name => name,
    };
    for (output, value) in [
        ("name", name),
        ("driver", "landfall"),
        ("platforms", "linux/amd64"),
        ("endpoint", ""),
        ("status", "running"),
        ("flags", ""),
    ] {
        step.set_output(output, value)?;
    }
    Ok(())
}

/// `docker/setup-qemu-action`: images are built for this machine only.
pub fn qemu(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    let own = if cfg!(target_arch = "aarch64") { "linux/arm64" } else { "linux/amd64" };
    step.say(format_args!("Images are built for this machine ({own}); a build for another platform says so."));
    step.set_output("platforms", own)
}
