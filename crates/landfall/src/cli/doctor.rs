//! `landfall doctor`

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use serde::Serialize;
use serde_json::json;

use super::{
    Context, exit,
    output::{Output, OutputArgs, print_json},
};
use crate::data::DataFolder;

/// An empty installation with one small base image needs about this much.
const DISK_BYTES_LEAST: u64 = 256 << 20;

/// Builds of usual images need this much.
const DISK_BYTES_GOOD: u64 = 4 << 30;

/// The first git whose protocol version 2 and atomic pushes are relied on.
const GIT_LEAST: (u32, u32) = (2, 26);

/// Say what this machine lacks
///
/// One line for each thing that Landfall needs, with the way out where it is
/// missing. The exit code is 0 if nothing essential is missing, 9 otherwise.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  landfall doctor --output json")]
pub struct DoctorArgs {
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// Something works less well or not at all; the main job does.
    Warning,
    /// Landfall cannot do its work.
    Missing,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    found: String,
    /// The way out.
    help: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), help: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, state: State::Warning, found: found.into(), help: Some(help.into()) }
    }

    fn missing(name: &'static str, found: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name, state: State::Missing, found: found.into(), help: Some(help.into()) }
    }
}

pub fn doctor(args: DoctorArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let mut checks = vec![git()];
    checks.extend(sandbox_checks());
    checks.extend([folder(&context.data), disk(context.data.path()), port(&context.data), kubectl()]);
    let is_fit = checks.iter().all(|it| it.state != State::Missing);
    match args.output.output {
        Output::Json => print_json(&json!({"apiVersion": "landfall/v1", "fit": is_fit, "items": checks}))?,
        Output::Table => checks.iter().for_each(print),
    }
    Ok(ExitCode::from(if is_fit { exit::OK } else { exit::INFRASTRUCTURE }))
}

fn print(check: &Check) {
    let state = match check.state {
        State::Ok => "ok      ",
        State::Warning => "warning ",
        State::Missing => "missing ",
    };
    let help = check.help.as_ref().map(|it| format!("; {it}")).unwrap_or_default();
    println!("{state} {:<10} {}{help}", check.name, check.found);
}

fn git() -> Check {
    let install = "install it, e.g. `apt-get install git`";
    match Command::new("git").arg("version").output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if version(&text).is_some_and(|it| it < GIT_LEAST) {
                let least = format!("{text}, and {}.{} is needed", GIT_LEAST.0, GIT_LEAST.1);
                return Check::missing("git", least, "install a newer one");
            }
            Check::ok("git", text)
        }
        Ok(output) => Check::missing("git", format!("`git version` ends with {}", output.status), install),
        Err(_) => Check::missing("git", "there is no `git`", install),
    }
}

/// The first two numbers of `git version 2.39.5`.
fn version(text: &str) -> Option<(u32, u32)> {
    let number = text.split_whitespace().find(|it| it.starts_with(|it: char| it.is_ascii_digit()))?;
    let mut parts = number.split('.').map(|it| it.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// What the sandbox says of the machine, each with the way out.
fn sandbox_checks() -> Vec<Check> {
    let it = sandbox::Local::capabilities();
    let cgroups = format!("{:?}, limits: {}", it.cgroups, if it.limits.is_empty() { "none".to_owned() } else { it.limits.join(", ") }).to_lowercase();
    let mut checks = vec![
        if it.root {
            Check::ok("rights", "runs as root")
        } else {
            Check::missing("rights", "not root: sandboxes, networks and Service addresses need it", "start Landfall as root, e.g. with `sudo`")
        },
        if it.overlay {
            Check::ok("kernel", format!("Linux {}, overlay file system", it.kernel))
        } else {
            Check::missing("kernel", format!("Linux {} has no overlay file system", it.kernel), "load it: `modprobe overlay`")
        },
        if it.seccomp {
            Check::ok("seccomp", "system calls can be filtered")
        } else {
            Check::missing("seccomp", "the kernel filters no system calls", "use a kernel with CONFIG_SECCOMP_FILTER")
        },
    ];
    checks.push(if it.limits.len() < 3 {
        Check::warning("cgroups", cgroups, "pods and jobs run without the other limits; mount the missing controllers to have them")
    } else {
        Check::ok("cgroups", cgroups)
    });
    checks.push(match &it.nat {
        Some(nat) => Check::ok("network", format!("pods reach the outside through {}", format!("{nat:?}").to_lowercase())),
        None => Check::warning("network", "pods reach nothing outside of this machine", "install nft or iptables, e.g. `apt-get install nftables`"),
    });
    // What the sandbox misses and no line above tells.
    let told = ["root", "overlay", "system calls", "cannot be limited", "nft"];
    let rest = it.missing().into_iter().filter(|text| !told.iter().any(|it| text.contains(it)));
    checks.extend(rest.map(|text| Check::missing("sandbox", text, "use a newer system")));
    checks
}

/// The nearest folder that is there.
fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|it| it.is_dir()).unwrap_or(Path::new("/")).to_path_buf()
}

fn folder(data: &DataFolder) -> Check {
    let path = data.path();
    let shown = path.display().to_string();
    if path.exists() && !path.is_dir() {
        return Check::missing("data", format!("`{shown}` is no folder"), "choose another with --data DIR or LANDFALL_DATA");
    }
    let near = existing(path);
    let writable = rustix::fs::access(&near, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok();
    if !writable {
        let help = "choose another with --data DIR or LANDFALL_DATA";
        return Check::missing("data", format!("nothing can be written to `{}`", near.display()), help);
    }
    let new = if path.exists() { "" } else { " (made at the first start)" };
    Check::ok("data", format!("{shown}{new}"))
}

fn disk(path: &Path) -> Check {
    let near = existing(path);
    let Ok(disk) = rustix::fs::statvfs(&near) else {
        return Check::warning("disk", format!("`{}` could not be asked", near.display()), "look with `df`");
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let found = format!("{:.1} GB free on `{}`", free as f64 / 1e9, near.display());
    let help = "free some, or choose another disk with --data DIR";
    if free < DISK_BYTES_LEAST {
        Check::missing("disk", found, help)
    } else if free < DISK_BYTES_GOOD {
        Check::warning("disk", found, help)
    } else {
        Check::ok("disk", found)
    }
}

fn port(data: &DataFolder) -> Check {
    if let Ok(Some(running)) = data.running() {
        return Check::ok("port", format!("{} is served by process {}", running.url, running.pid));
    }
    match data.settings() {
        Ok(Some(settings)) => {
            if TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).is_ok() {
                Check::ok("port", format!("{} is free", settings.port))
            } else {
                let help = "stop what listens there, or choose another with `landfall up --port PORT`";
                Check::missing("port", format!("{}, this installation's port, is taken", settings.port), help)
            }
        }
        Ok(None) => Check::ok("port", "a free one is chosen at the first start"),
        Err(error) => Check::missing("port", format!("{error:#}"), "repair or delete that file"),
    }
}

fn kubectl() -> Check {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|it| it.join("kubectl")).find(|it| it.is_file());
    match found {
        Some(path) => Check::ok("kubectl", path.display().to_string()),
        None => Check::ok("kubectl", "none on this machine; jobs use the one that is built in"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_git_are_read() {
        for (text, expected) in [("git version 2.39.5", Some((2, 39))), ("git version 2.50.1 (Apple Git-155)", Some((2, 50))), ("git", None)] {
            assert_eq!(version(text), expected, "{text}");
        }
    }
}
