//! What the demo needs of the machine, said before anything is started.

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

/// Something that the machine lacks, and the way out.
#[derive(Debug, thiserror::Error)]
#[error("{lack}\nhelp: {}", .help.join("\nhelp: "))]
pub struct Lack {
    lack: String,
    help: Vec<String>,
}

fn lack(lack: impl Into<String>, help: &[&str]) -> Lack {
    Lack { lack: lack.into(), help: help.iter().map(|it| (*it).to_owned()).collect() }
}

/// Looks for everything that the demo cannot do without; `scratch` is a folder to try in.
pub fn check(scratch: &Path) -> Result<(), Lack> {
    if !rustix::process::geteuid().is_root() {
        return Err(lack(
            "the embedded cluster needs root, and this user is not root",
            &["sudo -E env \"PATH=$PATH\" cargo run --release --locked -- demo"],
        ));
    }
    if !answers("git", "--version") {
        return Err(lack("there is no `git` on this machine", &["apt-get install git   (or dnf, apk, pacman)"]));
    }
    if !answers("cc", "--version") {
        let help = ["apt-get install gcc libc6-dev   (or: dnf install gcc glibc-static; apk add gcc musl-dev)"];
        return Err(lack("there is no C compiler `cc` on this machine, which the demo's app is built with", &help));
    }
    links_statically(scratch)
}

/// Whether the machine has a `kubectl`; the demo itself needs none.
pub fn has_kubectl() -> bool {
    answers("kubectl", "version --client")
}

fn answers(program: &str, arguments: &str) -> bool {
    let mut command = quiet(program);
    command.args(arguments.split(' ')).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A program that Ctrl-C does not reach: it is for the demo, which then ends in order.
fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.process_group(0);
    command
}

/// The image of the app is empty but for its program, so that must not need a library.
fn links_statically(scratch: &Path) -> Result<(), Lack> {
    let (source, program) = (scratch.join("static.c"), scratch.join("static"));
    let told = fs::write(&source, "int main(void) { return 0; }\n").and_then(|()| {
        quiet("cc").arg("-static").arg("-o").arg(&program).arg(&source).stdin(Stdio::null()).output()
    });
    // Nobody else looks into the folder, and it is deleted as a whole in the end.
    let _ = (fs::remove_file(&source), fs::remove_file(&program));
    match told {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let first = text.lines().next().unwrap_or("it says nothing");
            let help = ["install the static C library: apt-get install libc6-dev   (or: dnf install glibc-static)"];
            Err(lack(format!("the C compiler cannot link statically (`cc -static`): {first}"), &help))
        }
        Err(error) => {
            let help = ["set TMPDIR to a folder that can be written to"];
            Err(lack(format!("nothing can be compiled in `{}`: {error}", scratch.display()), &help))
        }
    }
}
