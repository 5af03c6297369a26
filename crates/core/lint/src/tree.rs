//! The files of a repository, as far as they are looked at.

use std::collections::BTreeMap;

use crate::mend::Source;

/// What a file is, by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Directly in `.github/workflows`.
    Workflow,
    /// The manifest of an action.
    Action,
    Dockerfile,
    /// `landfall.yaml` at the top.
    Project,
    /// Perhaps a Kubernetes manifest.
    Yaml,
    Other,
}

impl FileKind {
    pub fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let yaml = [".yml", ".yaml"].iter().any(|end| name.ends_with(end));
        if let Some(rest) = path.strip_prefix(".github/workflows/") {
            return if yaml && !rest.contains('/') { Self::Workflow } else { Self::Other };
        }
        if path == "landfall.yaml" {
            return Self::Project;
        }
        if name == "action.yml" || name == "action.yaml" {
            return Self::Action;
        }
        let docker = |it: &str| it == "Dockerfile" || it == "Containerfile" || it.starts_with("Dockerfile.");
        if docker(name) && !name.ends_with(".dockerignore") || name.ends_with(".Dockerfile") || name.ends_with(".dockerfile") {
            return Self::Dockerfile;
        }
        if yaml && !path.starts_with(".github/") { Self::Yaml } else { Self::Other }
    }

    /// Whether the text of such a file is needed; of others the path is enough.
    pub fn is_read(self) -> bool {
        self != Self::Other
    }
}

/// The files of a repository by path, `/` between folders, no leading `./`.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, Option<Source>>,
}

impl Tree {
    /// Adds a file; its text is needed if its [`FileKind`] is read.
    pub fn add(&mut self, path: impl Into<String>, text: Option<String>) {
        self.files.insert(path.into(), text.map(Source::new));
    }

    /// The text of a file that was read.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.source(path).map(|it| it.original.as_str())
    }

    pub(crate) fn source(&self, path: &str) -> Option<&Source> {
        self.files.get(path)?.as_ref()
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.files.iter().filter_map(|(path, source)| Some((path.as_str(), source.as_ref()?)))
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub(crate) fn is_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether some file lies below a folder; the root is there even when it is empty.
    pub(crate) fn is_folder(&self, path: &str) -> bool {
        path.is_empty() || self.below(path).next().is_some()
    }

    /// The paths below a folder.
    pub(crate) fn below(&self, folder: &str) -> impl Iterator<Item = &str> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.paths().filter(move |path| path.starts_with(&prefix))
    }
}

/// A path of a script as a path of the repository; `None` if it leads out of it.
pub(crate) fn resolve(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|it| !it.is_empty() && *it != ".").collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_paths() {
        for (path, expected) in [
            (".github/workflows/ci.yml", FileKind::Workflow),
            (".github/workflows/deep/ci.yml", FileKind::Other),
            (".github/dependabot.yml", FileKind::Other),
            (".github/actions/build/action.yml", FileKind::Action),
            ("k8s/app.yaml", FileKind::Yaml),
            ("api/Dockerfile", FileKind::Dockerfile),
            ("Dockerfile.dev", FileKind::Dockerfile),
            ("Dockerfile.dockerignore", FileKind::Other),
            ("web.Dockerfile", FileKind::Dockerfile),
            ("src/main.rs", FileKind::Other),
        ] {
            assert_eq!(FileKind::of(path), expected, "{path}");
        }
    }

    #[test]
    fn paths_stay_in_the_repository() {
        for (folder, path, expected) in [
            ("", "./k8s/", Some("k8s")),
            ("api", "../k8s/app.yaml", Some("k8s/app.yaml")),
            ("", "../other", None),
            ("", "/tmp/x", None),
            ("", ".", Some("")),
        ] {
            assert_eq!(resolve(folder, path).as_deref(), expected, "{folder} {path}");
        }
    }
}
