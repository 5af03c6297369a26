//! `docker/build-push-action`: a build by the job's own `docker`.

use std::process::Command;

use serde_json::Value;

use super::{
    docker::docker,
    step::{Failed, Phase, Step, failed},
};

/// Inputs that ask for what is not done; each with what to do instead.
const REFUSED: [(&str, &str); 5] = [
    ("outputs", "the image goes to Landfall's store; use `push` or `load`"),
    ("ssh", "give keys as `secrets`"),
    ("build-contexts", "put the files into the context"),
    ("add-hosts", "a `RUN` resolves names as the machine does"),
    ("allow", "a `RUN` has no more rights than the sandbox gives"),
];

/// The folder or address that is built.
fn context(step: &Step) -> String {
    match step.input("context") {
        // The original builds the repository of the run when it is told nothing.
        "" => step.workspace().display().to_string(),
        context => context.to_owned(),
    }
}

fn arguments(step: &Step, metadata: &str) -> Result<Vec<String>, Failed> {
    for (name, instead) in REFUSED {
        if !step.input(name).is_empty() {
            return Err(Failed(format!("the input `{name}` of docker/build-push-action is not supported: {instead}")));
        }
    }
    let mut args = vec!["build".to_owned()];
    let mut add = |flag: &str, value: &str| args.extend([flag.to_owned(), value.to_owned()]);
    for tag in step.items("tags") {
        add("--tag", tag);
    }
    for (input, flag) in [("build-args", "--build-arg"), ("labels", "--label"), ("secrets", "--secret")] {
        for value in step.lines(input) {
            match flag {
                "--secret" => add(flag, &secret(step, value)?),
                _ => add(flag, value),
            }
        }
    }
    for file in step.lines("secret-files") {
        let (id, path) = file.split_once('=').ok_or_else(|| Failed(format!("secret-files: expected `id=file`, found `{file}`")))?;
        add("--secret", &format!("id={id},src={path}"));
    }
    if !step.input("file").is_empty() {
        add("--file", step.input("file"));
    }
    if !step.input("target").is_empty() {
        add("--target", step.input("target"));
    }
    let platforms = step.items("platforms");
    if platforms.len() > 1 {
        return Err(Failed(format!("platforms: images are built for this machine only, found {}", platforms.join(", "))));
    }
    if let Some(platform) = platforms.first() {
        add("--platform", platform);
    }
    for (input, flag) in [("no-cache", "--no-cache"), ("pull", "--pull"), ("push", "--push"), ("load", "--load")] {
        if step.flag(input)? {
            args.push(flag.to_owned());
        }
    }
    args.extend(["--metadata-file".to_owned(), metadata.to_owned(), context(step)]);
    Ok(args)
}

/// `NAME=value` becomes a file, because values do not belong into arguments.
fn secret(step: &Step, line: &str) -> Result<String, Failed> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let (name, value) = line.split_once('=').ok_or_else(|| Failed("secrets: expected `NAME=value`".to_owned()))?;
    let name = name.trim();
    if name.is_empty() || name.contains(['/', ',']) {
        return Err(Failed(format!("secrets: `{name}` is no name")));
    }
    let path = step.temp().join(format!("landfall-secret-{name}"));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&path).map_err(failed(path.display()))?;
    std::io::Write::write_all(&mut file, value.trim_matches('"').as_bytes()).map_err(failed(path.display()))?;
    Ok(format!("id={name},src={}", path.display()))
}

pub fn run(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    let metadata = step.temp().join("landfall-build-metadata.json");
    let args = arguments(step, &metadata.display().to_string())?;
    let mut command: Command = docker();
    step.run(command.args(&args).current_dir(step.workspace()))?;
    let text = std::fs::read_to_string(&metadata).unwrap_or_default();
    let told: Value = serde_json::from_str(&text).unwrap_or_default();
    let field = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    step.set_output("imageid", field("containerimage.config.digest"))?;
    step.set_output("digest", field("containerimage.digest"))?;
    step.set_output("metadata", text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_become_flags() {
        let step = Step::of(
            Phase::Main,
            &[
                ("GITHUB_WORKSPACE", "/w"),
                ("INPUT_TAGS", "a:1\na:2"),
                ("INPUT_PUSH", "true"),
                ("INPUT_BUILD-ARGS", "A=1"),
                ("INPUT_FILE", "d/Dockerfile"),
            ],
        );
        let told = arguments(&step, "/m").expect("arguments").join(" ");
        assert_eq!(told, "build --tag a:1 --tag a:2 --build-arg A=1 --file d/Dockerfile --push --metadata-file /m /w");
        let step = Step::of(Phase::Main, &[("INPUT_PLATFORMS", "linux/amd64,linux/arm64")]);
        assert!(arguments(&step, "/m").is_err());
    }
}
