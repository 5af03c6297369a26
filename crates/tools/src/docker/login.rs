//! `docker login` and `docker logout`.

use std::io::Read as _;

use super::{credentials, server::Server, usage, wrong_count};
use crate::{
    Console,
    failure::Failure,
    flags::{self, Until, switch, value},
};

/// A password is a line; more is a file by mistake.
const PASSWORD_BYTES_MAX: u64 = 64 * 1024;

/// Runs `docker login`.
///
/// Only Landfall's own registry is asked at once; another one says at the push what it thinks.
pub async fn login(args: &[String], config: Option<String>, console: &mut Console) -> Result<(), Failure> {
    let flags = [value("username").short('u'), value("password").short('p'), switch("password-stdin")];
    let line = flags::parse("docker", args, &[&flags], Until::End).map_err(|it| usage(&it, "login"))?;
    let registry = match line.words.as_slice() {
        [] => credentials::DOCKER_HUB,
        [registry] => host(registry),
        _ => return Err(wrong_count("login", "at most 1 argument", "[SERVER]")),
    };
    let password = match (line.last("password"), line.is_on("password-stdin")) {
        (Some(_), true) => return Err(Failure::new("--password and --password-stdin are mutually exclusive")),
        (Some(password), false) => {
            console.err("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
            password.to_owned()
        }
        (None, true) => {
            let mut text = String::new();
            let input = console.input();
            input.take(PASSWORD_BYTES_MAX).read_to_string(&mut text).map_err(|_| Failure::new("the password on standard input is not readable"))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        (None, false) => return Err(Failure::new("Error: Cannot perform an interactive login from a non TTY device")),
    };
    let user = line.last("username").filter(|it| !it.is_empty());
    let Some(user) = user else {
        return Err(Failure::new(if line.is_on("password-stdin") {
            "Must provide --username with --password-stdin"
        } else {
            "Error: Cannot perform an interactive login from a non TTY device"
        }));
    };
    if password.is_empty() {
        return Err(Failure::new("Error: Password Required"));
    }
    let shown = if registry == credentials::DOCKER_HUB { "docker.io" } else { registry };
    let server = Server::of(console)?;
    let is_own = registry == server.host();
    if is_own && !server.takes(user, &password).await? {
        return Err(Failure::new(format!("Error response from daemon: Get \"http://{registry}/v2/\": unauthorized: incorrect username or password")));
    }
    let file = credentials::store(registry, user, &password, config.as_deref(), console)?;
    console.err(format!("WARNING! Your credentials are stored unencrypted in '{}'.", file.display()));
    if !is_own {
        console.err(format!("landfall: the credentials for {shown} are kept; {shown} is asked when something is pushed or pulled"));
    }
    console.out("Login Succeeded");
    Ok(())
}

/// Runs `docker logout`.
pub fn logout(args: &[String], config: Option<String>, console: &mut Console) -> Result<(), Failure> {
    let line = flags::parse("docker", args, &[], Until::End).map_err(|it| usage(&it, "logout"))?;
    let registry = line.words.first().map_or(credentials::DOCKER_HUB, |it| host(it));
    if credentials::forget(registry, config.as_deref(), console)? {
        console.out(format!("Removing login credentials for {registry}"));
    } else {
        console.out(format!("Not logged in to {registry}"));
    }
    Ok(())
}

/// Docker keeps a registry by its host.
fn host(registry: &str) -> &str {
    let rest = registry.strip_prefix("https://").or_else(|| registry.strip_prefix("http://")).unwrap_or(registry);
    match rest.split('/').next().unwrap_or(rest) {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => credentials::DOCKER_HUB,
        host => host,
    }
}
