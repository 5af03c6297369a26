//! `helm push` and `helm pull`: charts in OCI registries.

use std::{collections::BTreeMap, fs, io, path::Path};

use helm::{CONFIG_MEDIA_TYPE, Chart, LAYER_MEDIA_TYPE};
use names::{Digest, ImageRef};
use oci::{Artifact, Client, Keychain, Part};

use super::{Command, failed, input};
use crate::{
    Console,
    failure::Failure,
    flags::{Flag, Parsed, switch, value},
};

pub const PUSH_FLAGS: &[Flag] = &[
    switch("plain-http").idle(),
    switch("insecure-skip-tls-verify").idle(),
    value("username").refused("`docker login` keeps the credentials that are used"),
    value("password").refused("`docker login` keeps the credentials that are used"),
    value("ca-file").refused("registries are reached with the certificates of the machine"),
    value("cert-file").refused("registries are reached with the certificates of the machine"),
    value("key-file").refused("registries are reached with the certificates of the machine"),
];

pub const PULL_FLAGS: &[Flag] = &[
    value("destination").short('d'),
    switch("untar"),
    value("untardir"),
    switch("prov").refused("charts with provenance files are not checked here"),
];

/// A chart that was fetched.
pub struct Fetched {
    /// `host/repository:version`
    pub name: String,
    pub digest: Digest,
    pub archive: Vec<u8>,
}

/// Sends a chart to `oci://host/path`, below its own name; gives its full name and its digest.
pub async fn send(archive: &[u8], chart: &Chart, target: &str, keychain: &Keychain) -> Result<(String, Digest), String> {
    let Some(base) = target.strip_prefix("oci://") else {
        return Err(format!("`{target}` is no OCI registry: it begins with `oci://`"));
    };
    let text = format!("{}/{}:{}", base.trim_end_matches('/'), chart.name(), chart.oci_tag());
    let name: ImageRef = text.parse().map_err(|error| format!("`{text}`: {error}"))?;
    let config = serde_json::to_vec(&chart.oci_config()).map_err(|error| error.to_string())?;
    let metadata = &chart.metadata;
    let told = [
        ("org.opencontainers.image.title", &metadata.name),
        ("org.opencontainers.image.version", &metadata.version),
        ("org.opencontainers.image.description", &metadata.description),
        ("org.opencontainers.image.url", &metadata.home),
    ];
    let annotations: BTreeMap<_, _> =
        told.into_iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| (key.to_owned(), text.clone())).collect();
    let artifact = Artifact {
        config: Part { media_type: CONFIG_MEDIA_TYPE.to_owned(), bytes: config },
        layers: vec![Part { media_type: LAYER_MEDIA_TYPE.to_owned(), bytes: archive.to_vec() }],
        annotations,
    };
    let digest = artifact.push(&Client::default(), &name, keychain).await.map_err(|error| error.to_string())?;
    Ok((text, digest))
}

/// Fetches `oci://host/path/chart`, in a version or in the newest.
pub async fn receive(source: &str, version: Option<&str>, keychain: &Keychain) -> Result<Fetched, String> {
    let Some(base) = source.strip_prefix("oci://") else {
        return Err(format!("`{source}` is no chart in an OCI registry: it begins with `oci://`"));
    };
    let client = Client::default();
    let mut name: ImageRef = base.parse().map_err(|error| format!("`{source}`: {error}"))?;
    let version = match version {
        Some(range) if range.contains(['^', '~', '>', '<', '=', '*', '|', ',', ' ']) => {
            return Err(format!("the version `{range}` is a range; name one version"));
        }
        Some(version) => Some(version.to_owned()),
        None if !has_reference(base) => {
            let tags = oci::artifact_tags(&client, &name, keychain).await.map_err(|error| error.to_string())?;
            let newest = newest(&tags).ok_or_else(|| format!("`{source}` has no released version"))?;
            Some(newest.to_owned())
        }
        None => None,
    };
    if let Some(version) = version {
        let tag = version.replace('+', "_");
        name.tag = Some(tag.parse().map_err(|error| format!("`{version}`: {error}"))?);
    }
    let (artifact, digest) = Artifact::pull(&client, &name, keychain).await.map_err(|error| error.to_string())?;
    let layer = artifact.layers.into_iter().find(|it| it.media_type == LAYER_MEDIA_TYPE);
    let Some(layer) = layer.filter(|_| artifact.config.media_type == CONFIG_MEDIA_TYPE) else {
        return Err(format!("`{name}` is no chart: it is `{}`", artifact.config.media_type));
    };
    Ok(Fetched { name: name.to_string(), digest, archive: layer.bytes })
}

/// Whether the last part of a name says a tag or a digest.
fn has_reference(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|last| last.contains([':', '@']))
}

/// The highest version without a pre-release.
fn newest(tags: &[String]) -> Option<&str> {
    let numbers = |tag: &str| -> Option<[u64; 3]> {
        let plain = tag.split('_').next()?;
        let parts: Vec<u64> = plain.strip_prefix('v').unwrap_or(plain).split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        parts.try_into().ok()
    };
    tags.iter().filter_map(|tag| Some((numbers(tag)?, tag.as_str()))).max().map(|(_, tag)| tag)
}

/// The credentials that `docker login` and `helm registry login` keep.
///
/// # Errors
///
/// A file that cannot be read.
pub fn keychain(files: &[&Path]) -> Result<Keychain, String> {
    let mut keychain = Keychain::anonymous();
    for file in files {
        match fs::read(file) {
            Ok(bytes) => {
                let more = Keychain::from_docker_config(&bytes).map_err(|error| format!("{}: {error}", file.display()))?;
                keychain.merge(more);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{}: {error}", file.display())),
        }
    }
    Ok(keychain)
}

fn own_keychain(line: &Parsed, console: &Console) -> Result<Keychain, Failure> {
    let home = console.env("HOME").map(|it| console.path(it));
    let mut files = Vec::new();
    match (line.last("registry-config").or(console.env("HELM_REGISTRY_CONFIG")), &home) {
        (Some(file), _) => files.push(console.path(file)),
        (None, Some(home)) => files.push(home.join(".config/helm/registry/config.json")),
        (None, None) => {}
    }
    match (console.env("DOCKER_CONFIG"), &home) {
        (Some(folder), _) => files.push(console.path(folder).join("config.json")),
        (None, Some(home)) => files.push(home.join(".docker/config.json")),
        (None, None) => {}
    }
    let files: Vec<&Path> = files.iter().map(std::path::PathBuf::as_path).collect();
    keychain(&files).map_err(failed)
}

/// Fetches the chart that a command line names.
pub async fn fetch(source: &str, line: &Parsed, console: &Console) -> Result<Fetched, Failure> {
    let keychain = own_keychain(line, console)?;
    receive(source, line.last("version"), &keychain).await.map_err(failed)
}

/// Runs `helm push`.
pub async fn push(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    let [file, target] = line.words.as_slice() else {
        return Err(failed("\"helm push\" requires 2 arguments\n\nUsage:  helm push [chart] [remote] [flags]"));
    };
    let path = console.path(file);
    if path.is_dir() {
        return Err(failed("cannot push directory, must provide chart archive (.tgz)"));
    }
    if !path.exists() {
        return Err(failed(format!("stat {file}: no such file or directory")));
    }
    let archive = fs::read(path).map_err(|error| failed(format!("{file}: {error}")))?;
    let chart = Chart::load_archive(&archive, input::compat(console)).map_err(failed)?;
    let keychain = own_keychain(&line, console)?;
    let (name, digest) = send(&archive, &chart, target, &keychain).await.map_err(failed)?;
    console.out(format!("Pushed: {name}"));
    console.out(format!("Digest: {digest}"));
    Ok(())
}

/// Runs `helm pull`.
pub async fn pull(command: Command<'_>) -> Result<(), Failure> {
    let Command { line, console } = command;
    if line.words.is_empty() {
        return Err(failed("\"helm pull\" requires at least 1 argument\n\nUsage:  helm pull [chart URL | repo/chartname] [...] [flags]"));
    }
    for source in &line.words {
        let fetched = fetch(source, &line, console).await?;
        let chart = Chart::load_archive(&fetched.archive, input::compat(console)).map_err(failed)?;
        console.out(format!("Pulled: {}", fetched.name));
        console.out(format!("Digest: {}", fetched.digest));
        let folder = console.path(line.last("destination").unwrap_or("."));
        if line.is_on("untar") {
            let folder = folder.join(line.last("untardir").unwrap_or("."));
            unpack(&chart, &folder).map_err(failed)?;
        } else {
            let written = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(chart.archive_name()), &fetched.archive));
            written.map_err(|error| failed(format!("{}: {error}", folder.display())))?;
        }
    }
    Ok(())
}

/// Writes the files of a chart into a folder of its name, which must be new.
///
/// # Errors
///
/// A folder that is there, or cannot be written.
pub fn unpack(chart: &Chart, folder: &Path) -> Result<(), String> {
    let folder = folder.join(chart.name());
    if folder.exists() {
        return Err(format!("failed to untar: a file or directory with the name {} already exists", folder.display()));
    }
    for file in &chart.raw {
        let path = folder.join(&file.name);
        let written = fs::create_dir_all(path.parent().unwrap_or(&folder)).and_then(|()| fs::write(&path, &file.data));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
