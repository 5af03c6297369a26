//! `kubectl kustomize` and `-k`: what a kustomization comes to.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use render::{Chance, Format, Request, Wanted};

use super::Command;
use crate::{
    Console, Disk,
    failure::Failure,
    flags::{Flag, switch, value},
};

pub const FLAGS: &[Flag] = &[
    value("output").short('o'),
    switch("enable-helm").idle(),
    value("helm-command").idle(),
    switch("helm-debug").idle(),
    value("helm-kube-version"),
    value("helm-api-versions"),
    value("load-restrictor"),
    switch("enable-alpha-plugins").refused("programs of kustomizations are not run"),
    switch("as-current-user").idle(),
    value("env").short('e').refused("programs of kustomizations are not run"),
    value("mount").refused("programs of kustomizations are not run"),
    switch("network").refused("nothing is fetched while rendering"),
    value("network-name").idle(),
];

/// Runs `kubectl kustomize`.
pub fn kustomize(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    let folder = match line.words.as_slice() {
        [] => ".",
        [folder] => folder,
        _ => return Err(Failure::new("error: specify one path to kustomization.yaml")),
    };
    if line.last("load-restrictor").is_some_and(|it| it != "LoadRestrictionsRootOnly") {
        return Err(Failure::new("error: --load-restrictor is not supported by this kubectl: put what is needed in or below the kustomization"));
    }
    let mut request = Request::of("", chance());
    request.chart.kube_version = line.last("helm-kube-version").map(str::to_owned);
    let more: Vec<String> = line.all("helm-api-versions").flat_map(|it| it.split(',')).map(str::to_owned).collect();
    if !more.is_empty() {
        let mut versions = helm::default_api_versions(request.chart.compat);
        versions.extend(more);
        request.chart.api_versions = Some(versions);
    }
    let text = build(folder, request, console)?;
    match line.last("output") {
        None => console.write_out(text.as_bytes()),
        Some(name) => {
            let path = console.path(name);
            fs::write(&path, text).map_err(|error| Failure::new(format!("error: {name}: {error}")))?;
        }
    }
    Ok(())
}

/// The manifests of the kustomization in a folder, one text with `---` between them.
pub fn text(folder: &str, console: &Console) -> Result<String, Failure> {
    build(folder, Request::of("", chance()), console)
}

/// Charts of a kustomization may draw secrets; each build draws others, as with the original.
fn chance() -> Chance {
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("the kernel gives random bytes");
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Chance { now: i128::try_from(since.as_nanos()).unwrap_or(i128::MAX), key }
}

fn build(folder: &str, mut request: Request, console: &Console) -> Result<String, Failure> {
    request.wanted = Wanted::Text;
    if folder.contains("://") || folder.starts_with("git@") {
        return Err(Failure::new(format!("error: `{folder}` is not fetched: check it out first")));
    }
    let path = console.path(folder).canonicalize().map_err(|_| {
        let shown = console.path(folder);
        Failure::new(format!(
            "error: must build at directory: not a valid directory: evalsymlink failure on '{folder}' : lstat {}: no such file or directory",
            shown.display()
        ))
    })?;
    if !path.is_dir() {
        return Err(Failure::new(format!("error: must build at directory: '{}': file is not directory", path.display())));
    }
    let (files, inside) = Disk::around(&path);
    let wrong = |error: &dyn std::fmt::Display| Failure::new(format!("error: {error}"));
    match render::detect(&files, &inside).map_err(|error| wrong(&error))? {
        Some(Format::Kustomization) => {}
        // A chart may stand beside a kustomization; the folder is asked for as a kustomization.
        Some(Format::Chart) if ["kustomization.yaml", "kustomization.yml", "Kustomization"].iter().any(|it| path.join(it).is_file()) => {}
        _ => {
            return Err(Failure::new(format!(
                "error: unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{}'",
                path.display()
            )));
        }
    }
    request.path = inside;
    request.format = Some(Format::Kustomization);
    let rendered = render::render(&files, &request).map_err(|error| Failure::new(format!("error: {}", error.lines().join("\n"))))?;
    Ok(rendered.text)
}
