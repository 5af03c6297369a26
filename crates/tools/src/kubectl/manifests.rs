//! The objects that `-f` names: files, folders, standard input.

use std::{
    fs, io::Read as _,
    path::{Path, PathBuf},
};

use serde_json::Value;
use yaml::Flavor;

use super::{discovery::Resource, fault::Fault, kustomize, list, session::Session, text};
use crate::{Console, failure::Failure, flags::Parsed};

/// What a folder is searched for.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];
/// Deeper folders are loops of links.
const DEPTH_MAX: usize = 64;

/// An object as it was written.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub object: Value,
    /// How messages call its file.
    pub source: String,
}

/// A manifest and where the server keeps it.
pub struct Placed {
    pub object: Value,
    pub source: String,
    pub resource: Resource,
    /// Empty for an object outside of namespaces.
    pub namespace: String,
    pub name: String,
}

/// Reads all files of the command line, in order.
pub fn read(line: &Parsed, console: &mut Console) -> Result<Vec<Manifest>, Failure> {
    let mut manifests = Vec::new();
    let recursive = line.is_on("recursive");
    if let Some(folder) = line.last("kustomize") {
        let text = kustomize::text(folder, console)?;
        objects(&text, folder, &mut manifests)?;
    }
    for name in line.all("filename").flat_map(|it| it.split(',')) {
        if name.starts_with("http://") || name.starts_with("https://") {
            return Err(Failure::new(format!(
                "error: `-f {name}` is not supported by Landfall's kubectl: URLs are not fetched; check the file in or fetch it in a step of its own"
            )));
        }
        if name == "-" {
            let mut source = String::new();
            let read = console.input().read_to_string(&mut source);
            read.map_err(|error| Failure::new(format!("error: error reading STDIN: {error}")))?;
            objects(&source, "STDIN", &mut manifests)?;
            continue;
        }
        let path = console.path(name);
        let mut files = Vec::new();
        let meta = fs::metadata(&path).map_err(|_| Failure::new(format!("error: the path \"{name}\" does not exist")))?;
        if meta.is_dir() {
            walk(&path, Path::new(name), recursive, 0, &mut files)?;
            if files.is_empty() {
                let shown = name.trim_end_matches('/');
                return Err(Failure::new(format!("error: error reading [{shown}]: recognized file extensions are [.json .yaml .yml]")));
            }
        } else {
            files.push((path, PathBuf::from(name)));
        }
        for (path, shown) in files {
            let shown = shown.display().to_string();
            let source = fs::read_to_string(&path).map_err(|error| Failure::new(format!("error: error reading {shown}: {error}")))?;
            objects(&source, &shown, &mut manifests)?;
        }
    }
    Ok(manifests)
}

fn walk(folder: &Path, shown: &Path, recursive: bool, depth: usize, files: &mut Vec<(PathBuf, PathBuf)>) -> Result<(), Failure> {
    let wrong = |error: std::io::Error| Failure::new(format!("error: error reading {}: {error}", shown.display()));
    if depth > DEPTH_MAX {
        return Err(Failure::new(format!("error: {} is nested too deeply", shown.display())));
    }
    let mut entries = fs::read_dir(folder).map_err(wrong)?.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, shown) = (entry.path(), shown.join(entry.file_name()));
        if path.is_dir() {
            if recursive {
                walk(&path, &shown, recursive, depth + 1, files)?;
            }
        } else if path.extension().and_then(|it| it.to_str()).is_some_and(|it| EXTENSIONS.contains(&it)) {
            files.push((path, shown));
        }
    }
    Ok(())
}

fn objects(source: &str, file: &str, manifests: &mut Vec<Manifest>) -> Result<(), Failure> {
    let documents = yaml::parse(source, file, Flavor::Go11).map_err(|problems| {
        let first = problems.first();
        let line = first.map_or(0, |it| it.span.line);
        let message = first.map_or("", |it| it.message.as_str());
        let shown = yaml::render_all(&problems, source);
        Failure::new(format!("error: error parsing {file}: error converting YAML to JSON: yaml: line {line}: {message}\n{shown}").trim_end())
    })?;
    for document in documents {
        let object = document.root.to_json();
        if object.is_null() {
            continue;
        }
        take(object, file, manifests)?;
    }
    Ok(())
}

fn take(object: Value, file: &str, manifests: &mut Vec<Manifest>) -> Result<(), Failure> {
    let unset: Vec<&str> = ["apiVersion", "kind"].into_iter().filter(|it| text(&object[*it]).is_empty()).collect();
    if !object.is_object() || !unset.is_empty() {
        let unset = if object.is_object() { unset.join(", ") } else { "apiVersion, kind".to_owned() };
        return Err(Failure::new(format!("error: error validating \"{file}\": error validating data: [{unset} not set]")));
    }
    if text(&object["kind"]).ends_with("List") && object["items"].is_array() {
        for item in list(&object["items"]) {
            take(item.clone(), file, manifests)?;
        }
        return Ok(());
    }
    manifests.push(Manifest { object, source: file.to_owned() });
    Ok(())
}

/// Finds the resource, the namespace and the name of a manifest, and writes the namespace into it.
pub async fn place(session: &Session, manifest: Manifest) -> Result<Placed, Fault> {
    let Manifest { mut object, source } = manifest;
    let (api_version, kind) = (text(&object["apiVersion"]).to_owned(), text(&object["kind"]).to_owned());
    let name = text(&object["metadata"]["name"]).to_owned();
    let written = text(&object["metadata"]["namespace"]).to_owned();
    let Some(resource) = session.discovery().await?.of_kind(&api_version, &kind) else {
        return Err(Fault::here(format!(
            "resource mapping not found for name: \"{name}\" namespace: \"{written}\" from \"{source}\": no matches for kind \"{kind}\" in version \"{api_version}\"\nensure CRDs are installed first"
        )));
    };
    if !object["metadata"].is_object() {
        object["metadata"] = serde_json::json!({});
    }
    if !resource.namespaced {
        return Ok(Placed { object, source, resource: resource.clone(), namespace: String::new(), name });
    }
    let namespace = if written.is_empty() { session.namespace.clone() } else { written };
    if session.namespace_is_given && namespace != session.namespace {
        return Err(Fault::here(format!(
            "the namespace from the provided object \"{namespace}\" does not match the namespace \"{}\". You must pass '--namespace={namespace}' to perform this operation.",
            session.namespace
        )));
    }
    object["metadata"]["namespace"] = namespace.clone().into();
    Ok(Placed { object, source, resource: resource.clone(), namespace, name })
}
