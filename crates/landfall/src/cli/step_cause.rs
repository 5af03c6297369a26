//! Says why a step of a job failed, from its exit code and its last lines.
//!
//! Only what the output proves is said; everything else is unknown.

use serde::Serialize;

/// The codes of causes and what each means, for `landfall explain CODE`.
pub const CODES: &[(&str, &str)] = &[
    ("LF-R0101", "A step called a program that is not there (exit code 127). Jobs see the programs of this machine's system folders; the home folder is empty."),
    ("LF-R0102", "A step called a file that may not be executed, or that is no program (exit code 126)."),
    ("LF-R0103", "A process of a step was killed (exit code 137 is SIGKILL). That is so when memory runs out, when a limit is met, or when somebody kills it; the exit code alone does not tell which."),
    ("LF-R0104", "A step pushed an image under a name that no image has; it was built under another one or not at all."),
    ("LF-R0105", "`make` was asked for a target that the Makefile does not have, or there is no Makefile."),
    ("LF-R0106", "`npm` was asked for a script or a package.json that is not there."),
    ("LF-R0107", "The disk is full."),
    ("LF-R0108", "The name of a host could not be resolved: there is no such host, or no network."),
    ("LF-R0109", "`kubectl` was asked to apply a path that is not there."),
    ("LF-R0110", "A manifest has a kind that the cluster does not serve."),
    ("LF-R0111", "The API server refused a manifest; its message names the field."),
    ("LF-R0112", "A step took longer than it may (timeout-minutes) and was stopped."),
    ("LF-R0113", "A Dockerfile could not be read; the line and the reason are told."),
    ("LF-R0114", "The base image of a build is neither in the local store nor to be had from its registry."),
    ("LF-R0199", "Why the step failed is not known; its last lines and its exit code are all there is."),
];

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepCause {
    pub code: &'static str,
    pub summary: String,
    pub help: Vec<String>,
}

/// The cause of a failed step; `reason` is what the pipeline says of it, `lines` the end of its output.
pub fn step_cause(exit_code: Option<i32>, reason: Option<&str>, lines: &[String]) -> StepCause {
    // What stands last is nearest to the failure.
    let from_lines = lines.iter().rev().find_map(|line| by_line(line, exit_code));
    from_lines.or_else(|| by_reason(reason?)).or_else(|| by_code(exit_code?)).unwrap_or_else(|| unknown(exit_code, reason))
}

fn cause(code: &'static str, summary: String, help: &[&str]) -> StepCause {
    StepCause { code, summary, help: help.iter().map(|it| (*it).to_owned()).collect() }
}

fn between<'a>(line: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = line.split_once(before)?.1;
    if after.is_empty() { Some(rest) } else { Some(rest.split_once(after)?.0) }
}

/// Text in its quotes, of whatever kind.
fn bare(text: &str) -> &str {
    text.trim().trim_matches(['\'', '"', '`', '’', '‘', '.'])
}

fn by_line(line: &str, exit_code: Option<i32>) -> Option<StepCause> {
    let line = line.trim();
    if exit_code == Some(127)
        && let Some(program) = missing_program(line)
    {
        let summary = format!("`{program}` is not installed where the job runs");
        return Some(cause("LF-R0101", summary, &["install it on this machine, or in a step before", "a program of the repository is called with its path: `./name`"]));
    }
    if exit_code == Some(126) && line.ends_with("Permission denied") {
        let program = line.trim_end_matches("Permission denied").trim_end_matches([' ', ':']).rsplit(": ").next().unwrap_or_default();
        let help = format!("git update-index --chmod=+x {program}");
        return Some(cause("LF-R0102", format!("`{program}` may not be executed"), &[&help]));
    }
    made(line).or_else(|| npm(line)).or_else(|| docker(line)).or_else(|| kubectl(line)).or_else(|| machine(line))
}

/// `bash: line 1: foo: command not found`, `/bin/sh: 1: foo: not found`.
fn missing_program(line: &str) -> Option<&str> {
    let rest = line.strip_suffix(": command not found").or_else(|| line.strip_suffix(": not found"))?;
    rest.rsplit(": ").next().filter(|it| !it.is_empty() && !it.contains(' '))
}

fn made(line: &str) -> Option<StepCause> {
    if !line.starts_with("make") || !line.contains("*** ") {
        return None;
    }
    if line.contains("no makefile found") {
        return Some(cause("LF-R0105", "there is no Makefile where `make` runs".to_owned(), &["commit the Makefile, or set `working-directory:` on the step"]));
    }
    let target = bare(between(line, "No rule to make target ", "")?.split([',', ';']).next()?.split("  ").next()?);
    if let Some(needed) = between(line, "needed by ", "") {
        let needed = bare(needed.split('.').next().unwrap_or(needed));
        return Some(cause("LF-R0105", format!("`{target}`, which `{needed}` needs, is not there and no rule makes it"), &["commit the file, or add a rule that makes it"]));
    }
    Some(cause("LF-R0105", format!("the Makefile has no target `{target}`"), &["add the target, or call one that is there"]))
}

fn npm(line: &str) -> Option<StepCause> {
    let rest = line.strip_prefix("npm ERR! ").or_else(|| line.strip_prefix("npm error "))?;
    let lower = rest.to_lowercase();
    if lower.starts_with("missing script") {
        let script = bare(rest.split_once(':')?.1);
        return Some(cause("LF-R0106", format!("package.json has no script `{script}`"), &["add it under `scripts`; `npm run` lists those that are there"]));
    }
    if lower.starts_with("enoent") && lower.contains("package.json") {
        return Some(cause("LF-R0106", "there is no package.json where `npm` runs".to_owned(), &["commit package.json, or set `working-directory:` on the step"]));
    }
    None
}

fn docker(line: &str) -> Option<StepCause> {
    if let Some(name) = between(line, "but nothing was tagged `", "`") {
        let built = between(line, "`", "`").unwrap_or("IMAGE");
        let help = [&*format!("name it again before the push: `docker tag {built} {name}`"), "`landfall lint` finds this before a push"];
        return Some(cause("LF-R0104", format!("`{built}` was built, but `{name}` is pushed, and no image has that name"), &help));
    }
    if let Some(failed) = line.strip_prefix("ERROR: failed to build: failed to solve: ") {
        return build(failed);
    }
    let name = between(line, "An image does not exist locally with the tag: ", "").or_else(|| between(line, "tag does not exist: ", ""))?;
    let name = bare(name.split_whitespace().next()?);
    let help = format!("build it under this name: `docker build -t {name} .`");
    Some(cause("LF-R0104", format!("no image is called `{name}`, so there is nothing to push"), &[&help, "`landfall lint` finds this before a push"]))
}

fn build(failed: &str) -> Option<StepCause> {
    if let Some(place) = failed.strip_prefix("dockerfile parse error on ") {
        return Some(cause("LF-R0113", format!("the Dockerfile cannot be read: {place}"), &["`landfall lint` shows the place in the file"]));
    }
    let name = between(failed, "no image `", "`")?;
    let help = format!("bring it in: `landfall image import SOURCE {name}`, where SOURCE is a root file system, an OCI layout or a docker archive");
    Some(cause("LF-R0114", format!("the base image `{name}` is neither here nor at its registry"), &[&help]))
}

fn kubectl(line: &str) -> Option<StepCause> {
    if let Some(path) = between(line, "error: the path \"", "\" does not exist") {
        return Some(cause("LF-R0109", format!("`{path}` is not there"), &["commit it, or correct the path; paths begin at the root of the repository"]));
    }
    if let Some(kind) = between(line, "no matches for kind \"", "\"") {
        return Some(cause("LF-R0110", format!("the cluster does not serve the kind `{kind}`"), &["`kubectl api-resources` lists what it serves"]));
    }
    if line.starts_with("The ") && line.contains(" is invalid: ") {
        return Some(cause("LF-R0111", line.to_owned(), &["`landfall lint` shows the place in the file"]));
    }
    if line.contains("strict decoding error: ") || line.contains("error validating data") {
        return Some(cause("LF-R0111", line.to_owned(), &["`landfall lint` shows the place in the file"]));
    }
    None
}

fn machine(line: &str) -> Option<StepCause> {
    if line.ends_with("No space left on device") || line.contains("ENOSPC: no space left on device") {
        return Some(cause("LF-R0107", "the disk is full".to_owned(), &["`landfall doctor` shows how much is free"]));
    }
    let host = between(line, "Could not resolve host: ", "").or_else(|| between(line, "getaddrinfo ENOTFOUND ", ""))?;
    let host = bare(host.split_whitespace().next()?);
    Some(cause("LF-R0108", format!("the name `{host}` could not be resolved"), &["check the name, and whether this machine reaches the network"]))
}

fn by_reason(reason: &str) -> Option<StepCause> {
    let lower = reason.to_lowercase();
    if lower.contains("out of memory") || lower.contains("memory limit") {
        return Some(cause("LF-R0103", reason.to_owned(), &["use less memory, or raise the limit"]));
    }
    if lower.contains("timeout") || lower.contains("timed out") || lower.contains("longer than") {
        return Some(cause("LF-R0112", reason.to_owned(), &["raise `timeout-minutes:` of the step or the job, if it only needs longer"]));
    }
    None
}

fn by_code(code: i32) -> Option<StepCause> {
    Some(match code {
        126 => cause("LF-R0102", "a command was found but could not be executed".to_owned(), &["check that it is executable (`chmod +x`) and that its first line names an interpreter that is there"]),
        127 => cause("LF-R0101", "a command was not found".to_owned(), &["the last lines name it, if the shell said which"]),
        137 => cause("LF-R0103", "a process was killed (SIGKILL); by whom is not known".to_owned(), &["too little memory is the usual reason: look at what the step needs"]),
        _ => return None,
    })
}

fn unknown(exit_code: Option<i32>, reason: Option<&str>) -> StepCause {
    let what = match (exit_code, reason) {
        (_, Some(reason)) => reason.to_owned(),
        (Some(code), None) => format!("it ended with exit code {code}; why is not known"),
        (None, None) => "why it failed is not known".to_owned(),
    };
    cause("LF-R0199", what, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_output_proves_is_said() {
        check(Some(127), "/work/_temp/1.sh: line 1: trivy: command not found", "LF-R0101: `trivy` is not installed where the job runs");
        check(Some(127), "/bin/sh: 1: npm: not found", "LF-R0101: `npm` is not installed where the job runs");
        check(Some(126), "bash: ./build.sh: Permission denied", "LF-R0102: `./build.sh` may not be executed");
        check(Some(2), "make: *** No rule to make target 'test'.  Stop.", "LF-R0105: the Makefile has no target `test`");
        check(Some(2), "make: *** No rule to make target 'a.c', needed by 'a'.  Stop.", "LF-R0105: `a.c`, which `a` needs, is not there and no rule makes it");
        check(Some(2), "make: *** No targets specified and no makefile found.  Stop.", "LF-R0105: there is no Makefile where `make` runs");
        check(Some(1), "npm error Missing script: \"lint\"", "LF-R0106: package.json has no script `lint`");
        check(Some(1), "npm ERR! enoent ENOENT: no such file or directory, open '/x/package.json'", "LF-R0106: there is no package.json where `npm` runs");
        check(Some(1), "An image does not exist locally with the tag: a/b", "LF-R0104: no image is called `a/b`, so there is nothing to push");
        check(
            Some(1),
            "  `shop:1` was built in this run, but nothing was tagged `team/shop:1`",
            "LF-R0104: `shop:1` was built, but `team/shop:1` is pushed, and no image has that name",
        );
        check(
            Some(1),
            "ERROR: failed to build: failed to solve: dockerfile parse error on line 3: `COPPY` is no instruction",
            "LF-R0113: the Dockerfile cannot be read: line 3: `COPPY` is no instruction",
        );
        check(
            Some(1),
            "ERROR: failed to build: failed to solve: no image `base:14`: looked for it in vain",
            "LF-R0114: the base image `base:14` is neither here nor at its registry",
        );
        check(Some(1), "error: the path \"x.yaml\" does not exist", "LF-R0109: `x.yaml` is not there");
        check(Some(137), "", "LF-R0103: a process was killed (SIGKILL); by whom is not known");
    }

    #[test]
    fn the_rest_is_unknown() {
        check(Some(1), "assertion failed: left == right", "LF-R0199: it ended with exit code 1; why is not known");
        check(Some(1), "bash: x: command not found", "LF-R0199: it ended with exit code 1; why is not known");
        check(None, "", "LF-R0199: why it failed is not known");
    }

    #[track_caller]
    fn check(code: Option<i32>, line: &str, expected: &str) {
        let found = step_cause(code, None, &[line.to_owned()]);
        assert_eq!(format!("{}: {}", found.code, found.summary), expected);
    }
}
