//! `azure/k8s-deploy` and the actions that put `kubectl` and `helm` on the path.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    step::{Failed, Phase, Step, failed},
    versions::{Version, fits},
};

/// How long a rollout is waited for, as the original does.
const ROLLOUT_SECONDS: u64 = 600;

/// `azure/setup-kubectl` and `azure/setup-helm`: the tool that is here.
pub fn tool(step: &Step, name: &str) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    let missing = || Failed(format!("`{name}` is not on this machine; install it, or name a source of the action in the `actions` map of the configuration"));
    let program = step.find(name).ok_or_else(missing)?;
    let arguments: &[&str] = if name == "helm" { &["version", "--short"] } else { &["version", "--client"] };
    let told = Command::new(&program).args(arguments).output().map_err(failed(name))?;
    let version = Version::find(&String::from_utf8_lossy(&told.stdout)).unwrap_or_default();
    let wanted = step.input("version");
    if !fits(wanted, version) {
        return Err(Failed(format!("{name} {wanted} is not on this machine; there is {version}")));
    }
    step.say(format_args!("Found {name} {version} in {}", program.display()));
    step.set_output(&format!("{name}-path"), &program.display().to_string())
}

/// `azure/k8s-set-context`: the job's own context is set already.
pub fn set_context(step: &Step) -> Result<(), Failed> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if step.phase != Phase::Main {
        return Ok(());
    }
    let config = step.input("kubeconfig");
    if config.is_empty() {
        return Err(Failed("azure/k8s-set-context: only `method: kubeconfig` is supported".to_owned()));
    }
    let path = step.temp().join(format!("kubeconfig_{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&path).map_err(failed(path.display()))?;
    std::io::Write::write_all(&mut file, config.as_bytes()).map_err(failed(path.display()))?;
    step.export("KUBECONFIG", &path.display().to_string())
}

/// `azure/k8s-deploy`: applies manifests with the images that were built.
pub fn deploy(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    let strategy = step.input("strategy");
    if !matches!(strategy, "" | "basic" | "none") {
        return Err(Failed(format!("strategy: `{strategy}` is not supported by the built-in k8s-deploy; describe the roll-out in the environment")));
    }
    let action = step.input("action");
    if !matches!(action, "" | "deploy") {
        return Err(Failed(format!("action: `{action}` is not supported without a canary or blue-green strategy")));
    }
    let files = manifests(step)?;
    let images = step.lines("images");
    let folder = step.temp().join(format!("landfall-deploy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(failed(folder.display()))?;
    let mut arguments = vec!["apply".to_owned()];
    for (number, file) in files.iter().enumerate() {
        let text = std::fs::read_to_string(file).map_err(failed(file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let copy = folder.join(format!("{number}-{name}"));
        std::fs::write(&copy, with_images(&text, &images)).map_err(failed(copy.display()))?;
        arguments.extend(["-f".to_owned(), copy.display().to_string()]);
    }
    let namespace = step.input("namespace");
    if !namespace.is_empty() {
        arguments.extend(["--namespace".to_owned(), namespace.to_owned()]);
    }
    if step.flag("force")? {
        arguments.push("--force".to_owned());
    }
    step.run(Command::new("kubectl").args(&arguments))?;
    let kinds = workloads(&files)?;
    for (kind, name) in kinds {
        let mut wait = Command::new("kubectl");
        wait.args(["rollout", "status", &format!("{kind}/{name}"), &format!("--timeout={ROLLOUT_SECONDS}s")]);
        if !namespace.is_empty() {
            wait.args(["--namespace", namespace]);
        }
        step.run(&mut wait)?;
    }
    Ok(())
}

/// The files that the input `manifests` names, folders as all that lies in them.
fn manifests(step: &Step) -> Result<Vec<PathBuf>, Failed> {
    let mut files = Vec::new();
    for entry in step.items("manifests") {
        let path = step.path(entry);
        if path.is_dir() {
            let mut found: Vec<_> = std::fs::read_dir(&path).map_err(failed(entry))?.flatten().map(|it| it.path()).collect();
            found.retain(|it| is_manifest(it));
            found.sort();
            files.extend(found);
        } else {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Failed("manifests: no file was found".to_owned()));
    }
    Ok(files)
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "yml" || it == "yaml" || it == "json")
}

/// Replaces the version of each image that is used under any other.
fn with_images(text: &str, images: &[&str]) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let Some((head, tail)) = line.split_once("image:") else { return line.to_owned() };
        let used = tail.trim().trim_matches(['"', '\'']);
        let same = images.iter().find(|image| repository(image) == repository(used));
        match same {
            Some(image) if head.trim().is_empty() || head.trim() == "-" => {
                let end = if line.ends_with('\n') { "\n" } else { "" };
                format!("{head}image: {image}{end}")
            }
            _ => line.to_owned(),
        }
    });
    lines.collect()
}

/// An image without its tag or digest.
fn repository(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    match image.rfind(':') {
        Some(at) if !image[at..].contains('/') => &image[..at],
        _ => image,
    }
}

/// The objects whose roll-out is waited for.
fn workloads(files: &[PathBuf]) -> Result<Vec<(String, String)>, Failed> {
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(failed(file.display()))?;
        let path = file.display().to_string();
        let documents = yaml::parse(&text, &path, yaml::Flavor::Go11).unwrap_or_default();
        for document in documents {
            let object = document.root.to_json();
            let field = |pointer: &str| object.pointer(pointer).and_then(|it| it.as_str()).unwrap_or_default().to_owned();
            let (kind, name) = (field("/kind"), field("/metadata/name"));
            if matches!(kind.as_str(), "Deployment" | "DaemonSet" | "StatefulSet") && !name.is_empty() {
                found.push((kind.to_lowercase(), name));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_get_the_version_that_was_built() {
        let text = "containers:\n- name: web\n  image: host:5000/web:old\n- image: \"redis:7\"\n";
        let told = with_images(text, &["host:5000/web:new"]);
        assert_eq!(told, "containers:\n- name: web\n  image: host:5000/web:new\n- image: \"redis:7\"\n");
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(repository("host:5000/web"), "host:5000/web");
        assert_eq!(repository("web@sha256:1"), "web");
    }
}
