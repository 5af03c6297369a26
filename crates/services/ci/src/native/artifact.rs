//! `actions/upload-artifact` and `actions/download-artifact`, over the protocol of their fourth version.

use std::path::{Path, PathBuf};

use names::Digest;
use serde_json::{Value, json};

use super::{
    globs::{self, Descend},
    server::{Server, backend_ids},
    step::{Failed, Phase, Step, failed},
    zip,
};

const SERVICE: &str = "ArtifactService";

/// What must not stand in the name of an artifact: it becomes a file name on every system.
const FORBIDDEN: [char; 11] = ['"', ':', '<', '>', '|', '*', '?', '\r', '\n', '\\', '/'];

/// How many days a project keeps artifacts at most.
const RETENTION_DAYS_MAX: u64 = 90;

fn check_name(name: &str) -> Result<(), Failed> {
    match name.chars().find(|c| FORBIDDEN.contains(c)) {
        Some(c) => Err(Failed(format!("The artifact name is not valid: {name}. Contains the following character: {c:?}"))),
        None if name.is_empty() => Err(Failed("The artifact name is not valid: it is empty".to_owned())),
        None => Ok(()),
    }
}

pub fn upload(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    let name = match step.input("name") {
        "" => "artifact",
        name => name,
    };
    check_name(name)?;
    let files = files(step)?;
    if files.is_empty() {
        let told = format!("No files were found with the provided path: {}. No artifacts will be uploaded.", step.input("path"));
        return match step.input("if-no-files-found") {
            "error" => Err(Failed(told)),
            "ignore" => Ok(step.say(told)),
            _ => Ok(step.warn(&told)),
        };
    }
    let count = files.len();
    step.say(format_args!("With the provided path, there will be {count} file{} uploaded", if count == 1 { "" } else { "s" }));
    send(step, name, &files, step.flag("overwrite")?)
}

/// Packs files and sends them as an artifact.
fn send(step: &Step, name: &str, files: &[(String, PathBuf)], overwrite: bool) -> Result<(), Failed> {
    let days = step.number("retention-days", 0)?;
    let level = u32::try_from(step.number("compression-level", 6)?.min(9)).unwrap_or(6);
    if days > RETENTION_DAYS_MAX {
        step.warn(&format!("Retention days cannot be greater than the maximum allowed retention set within the repository. Using {RETENTION_DAYS_MAX} instead."));
    }
    let server = Server::of(step)?;
    let (run, job) = backend_ids(step)?;
    let ids = |more: Value| {
        let mut body = json!({"workflow_run_backend_id": run, "workflow_job_run_backend_id": job, "name": name});
        merge(&mut body, more);
        body
    };
    if overwrite {
        // An artifact that is not there need not be deleted.
        let _ = server.call(SERVICE, "DeleteArtifact", &json!({"workflow_run_backend_id": run, "workflow_job_run_backend_id": job, "name": name}))?;
    }
    let archive = step.temp().join(format!("landfall-artifact-{}.zip", std::process::id()));
    let size = zip::write(&archive, files, level).map_err(failed("packing"))?;
    let digest = digest_of(&archive)?;
    let mut asked = ids(json!({"version": 4}));
    if days > 0 {
        let lifetime = std::time::Duration::from_secs(days.min(RETENTION_DAYS_MAX) * 24 * 60 * 60);
        let now: names::Timestamp = std::time::SystemTime::now().into();
        merge(&mut asked, json!({"expires_at": (now + lifetime).to_string()}));
    }
    let made = server.call(SERVICE, "CreateArtifact", &asked)?.unwrap_or_default();
    let url = text(&made, "signed_upload_url", "signedUploadUrl");
    let url = url.ok_or_else(|| Failed(format!("the artifact `{name}` could not be made")))?;
    server.upload(url, &archive, "application/zip")?;
    let done = ids(json!({"size": size.to_string(), "hash": format!("sha256:{}", digest.hex())}));
    let done = server.call(SERVICE, "FinalizeArtifact", &done)?.unwrap_or_default();
    // What is left lies in the job's own temporary folder.
    let _ = std::fs::remove_file(&archive);
    let id = number(&done, "artifact_id", "artifactId").unwrap_or_default();
    step.say(format_args!("SHA256 digest of uploaded artifact zip is {}", digest.hex()));
    step.say(format_args!("Artifact {name}.zip successfully finalized. Artifact ID {id}"));
    step.set_output("artifact-id", &id.to_string())?;
    step.set_output("artifact-digest", &digest.hex())?;
    let address = format!("{}/{}/actions/runs/{}/artifacts/{id}", step.env("GITHUB_SERVER_URL"), step.env("GITHUB_REPOSITORY"), step.env("GITHUB_RUN_ID"));
    step.set_output("artifact-url", &address)
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

/// A text of an answer, in either spelling of its name.
fn text<'a>(value: &'a Value, name: &str, camel: &str) -> Option<&'a str> {
    value.get(name).or_else(|| value.get(camel)).and_then(Value::as_str).filter(|it| !it.is_empty())
}

/// Numbers of 64 bits are texts in these protocols.
fn number(value: &Value, name: &str, camel: &str) -> Option<u64> {
    let found = value.get(name).or_else(|| value.get(camel))?;
    found.as_u64().or_else(|| found.as_str()?.parse().ok())
}

fn digest_of(file: &Path) -> Result<Digest, Failed> {
    let bytes = std::fs::read(file).map_err(failed(file.display()))?;
    Ok(Digest::of(&bytes))
}

/// The files that `path` names, with their names in the artifact.
fn files(step: &Step) -> Result<Vec<(String, PathBuf)>, Failed> {
    let lines = step.lines("path");
    if lines.is_empty() {
        return Err(Failed("Input required and not supplied: path".to_owned()));
    }
    let found = globs::find(step, &lines, Descend::Files).map_err(failed("path"))?;
    let hidden = step.flag("include-hidden-files")?;
    let visible = |path: &&PathBuf| {
        let below = found.roots.iter().find_map(|root| path.strip_prefix(root).ok()).unwrap_or(path);
        hidden || !below.components().any(|it| it.as_os_str().to_string_lossy().starts_with('.'))
    };
    let paths: Vec<_> = found.paths.iter().filter(visible).collect();
    let root = root(&found.roots, &paths);
    let name = |path: &PathBuf| path.strip_prefix(&root).unwrap_or(path).display().to_string();
    Ok(paths.into_iter().map(|path| (name(path), path.clone())).collect())
}

/// What the files of an artifact have in common: their folder, or that of all patterns.
fn root(roots: &[PathBuf], paths: &[&PathBuf]) -> PathBuf {
    match roots {
        // A single file lies at the top.
        [one] if paths.len() == 1 && paths.first().is_some_and(|path| *path == one) => {
            one.parent().map(Path::to_owned).unwrap_or_default()
        }
        [one] => one.clone(),
        many => {
            let mut common = many.first().cloned().unwrap_or_default();
            for path in many {
                while !path.starts_with(&common) {
                    common.pop();
                }
            }
            if many.contains(&common) && !common.is_dir() { common.parent().map(Path::to_owned).unwrap_or_default() } else { common }
        }
    }
}

/// One artifact of the run.
struct Listed {
    id: u64,
    name: String,
    digest: Option<String>,
    run: String,
    job: String,
}

fn list(server: &Server, step: &Step) -> Result<Vec<Listed>, Failed> {
    let (run, job) = backend_ids(step)?;
    let asked = json!({"workflow_run_backend_id": run, "workflow_job_run_backend_id": job});
    let told = server.call(SERVICE, "ListArtifacts", &asked)?.unwrap_or_default();
    let artifacts = told.get("artifacts").and_then(Value::as_array).cloned().unwrap_or_default();
    let listed = artifacts.iter().filter_map(|it| {
        Some(Listed {
            id: number(it, "database_id", "databaseId").unwrap_or_default(),
            name: it.get("name")?.as_str()?.to_owned(),
            digest: it.get("digest").and_then(Value::as_str).map(str::to_owned),
            run: text(it, "workflow_run_backend_id", "workflowRunBackendId").unwrap_or(&run).to_owned(),
            job: text(it, "workflow_job_run_backend_id", "workflowJobRunBackendId").unwrap_or(&job).to_owned(),
        })
    });
    let mut newest: Vec<Listed> = Vec::new();
    let mut all: Vec<_> = listed.collect();
    all.sort_by_key(|it| std::cmp::Reverse(it.id));
    for artifact in all {
        if !newest.iter().any(|it| it.name == artifact.name) {
            newest.push(artifact);
        }
    }
    newest.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(newest)
}

pub fn download(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    if !step.input("github-token").is_empty() && step.input("run-id") != step.env("GITHUB_RUN_ID") && !step.input("run-id").is_empty() {
        return Err(Failed("artifacts of other runs (`run-id`) are not supported by the built-in download-artifact".to_owned()));
    }
    let server = Server::of(step)?;
    let all = list(&server, step)?;
    let (name, pattern) = (step.input("name"), step.input("pattern"));
    let ids = step.items("artifact-ids");
    let chosen: Vec<&Listed> = if !name.is_empty() {
        all.iter().filter(|it| it.name == name).collect()
    } else if !ids.is_empty() {
        all.iter().filter(|it| ids.contains(&it.id.to_string().as_str())).collect()
    } else if !pattern.is_empty() {
        all.iter().filter(|it| globs::matches(pattern, &it.name)).collect()
    } else {
        all.iter().collect()
    };
    if chosen.is_empty() && (!name.is_empty() || !ids.is_empty()) {
        let there: Vec<_> = all.iter().map(|it| it.name.as_str()).collect();
        return Err(Failed(format!(
            "Unable to download artifact(s): Artifact not found for name: {name}; there are {}",
            if there.is_empty() { "none".to_owned() } else { there.join(", ") }
        )));
    }
    let target = match step.input("path") {
        "" => step.workspace(),
        path => step.path(path),
    };
    // One that is named lies at the top, others each in a folder of its own.
    let flat = !name.is_empty() || step.flag("merge-multiple")? || (ids.len() == 1 && chosen.len() == 1);
    for artifact in &chosen {
        let folder = if flat { target.clone() } else { target.join(&artifact.name) };
        fetch(step, &server, artifact, &folder)?;
    }
    step.say(format_args!("Total of {} artifact(s) downloaded", chosen.len()));
    step.set_output("download-path", &target.display().to_string())
}

fn fetch(step: &Step, server: &Server, artifact: &Listed, folder: &Path) -> Result<(), Failed> {
    let asked = json!({
        "workflow_run_backend_id": artifact.run, "workflow_job_run_backend_id": artifact.job, "name": artifact.name,
    });
    let told = server.call(SERVICE, "GetSignedArtifactURL", &asked)?.unwrap_or_default();
    let url = text(&told, "signed_url", "signedUrl");
    let url = url.ok_or_else(|| Failed(format!("the artifact `{}` cannot be downloaded", artifact.name)))?;
    let archive = step.temp().join(format!("landfall-download-{}.zip", std::process::id()));
    server.download(url, &archive)?;
    if let Some(expected) = artifact.digest.as_deref().map(|it| it.trim_start_matches("sha256:")) {
        let found = digest_of(&archive)?.hex();
        if found != expected {
            let told = format!("Computed hash of artifact {} did not match: expected {expected}, found {found}", artifact.name);
            match step.input("digest-mismatch") {
                "ignore" => {}
                "error" => return Err(Failed(told)),
                _ => step.warn(&told),
            }
        }
    }
    std::fs::create_dir_all(folder).map_err(failed(folder.display()))?;
    zip::read(&archive, folder).map_err(failed(format_args!("the artifact `{}`", artifact.name)))?;
    // What is left lies in the job's own temporary folder.
    let _ = std::fs::remove_file(&archive);
    step.say(format_args!("Artifact {} downloaded to {}", artifact.name, folder.display()));
    Ok(())
}

/// `actions/upload-artifact/merge`: several artifacts become one.
pub fn merge_all(step: &Step) -> Result<(), Failed> {
    if step.phase != Phase::Main {
        return Ok(());
    }
    let server = Server::of(step)?;
    let pattern = match step.input("pattern") {
        "" => "*",
        pattern => pattern,
    };
    let name = match step.input("name") {
        "" => "merged-artifacts",
        name => name,
    };
    check_name(name)?;
    let all = list(&server, step)?;
    let chosen: Vec<_> = all.iter().filter(|it| globs::matches(pattern, &it.name)).collect();
    if chosen.is_empty() {
        return Err(Failed(format!("No artifacts found matching pattern '{pattern}'")));
    }
    let folder = step.temp().join(format!("landfall-merge-{}", std::process::id()));
    for artifact in &chosen {
        let into = if step.flag("separate-directories")? { folder.join(&artifact.name) } else { folder.clone() };
        fetch(step, &server, artifact, &into)?;
    }
    let mut files = Vec::new();
    walk(&folder, &folder, &mut files).map_err(failed("merging"))?;
    send(step, name, &files, false)?;
    if step.flag("delete-merged")? {
        for artifact in chosen {
            let asked = json!({"workflow_run_backend_id": artifact.run, "workflow_job_run_backend_id": artifact.job, "name": artifact.name});
            server.call(SERVICE, "DeleteArtifact", &asked)?;
        }
    }
    // What is left lies in the job's own temporary folder.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(())
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) -> std::io::Result<()> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(root, &path, files)?;
        } else {
            files.push((path.strip_prefix(root).unwrap_or(&path).display().to_string(), path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_every_system() {
        assert_eq!(check_name("test results (1)"), Ok(()));
        for wrong in ["", "a/b", "a:b", "a\n"] {
            assert!(check_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_root_of_an_artifact_is_what_its_files_share() {
        let paths = ["/w/a", "/w/b/c"].map(PathBuf::from);
        let all: Vec<_> = paths.iter().collect();
        assert_eq!(root(&paths, &all), Path::new("/w"));
        assert_eq!(root(&paths[..1], &all[..1]), Path::new("/w"));
        assert_eq!(root(&[PathBuf::from("/w")], &all), Path::new("/w"));
    }
}
