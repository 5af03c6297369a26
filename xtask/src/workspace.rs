//! The workspace as cargo describes it: its folders, packages, layers and dependencies.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

use crate::program;

/// What `cargo metadata` says, as far as tasks need it.
#[derive(Deserialize)]
pub struct Workspace {
    #[serde(rename = "workspace_root")]
    pub root: PathBuf,
    #[serde(rename = "target_directory")]
    pub target: PathBuf,
    pub packages: Vec<Package>,
    workspace_members: Vec<String>,
}

#[derive(Deserialize)]
pub struct Package {
    id: String,
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    pub manifest_path: PathBuf,
    pub dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub struct Dependency {
    pub name: String,
    /// `None` for an ordinary dependency, else `dev` or `build`.
    pub kind: Option<String>,
    /// Where it lies, for one of ours.
    pub path: Option<PathBuf>,
}

/// Which rooms a crate may look into: the table in `docs/design`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Core,
    Port,
    Service,
    /// The programs: the binary, the tools that jobs call by name, the project's tasks.
    Program,
}

impl Workspace {
    /// Asks cargo.
    pub fn load() -> anyhow::Result<Self> {
        let mut command = program::cargo();
        command.args(["metadata", "--format-version=1"]);
        let text = program::output(&mut command)?;
        serde_json::from_str(&text).context("cannot read what `cargo metadata` says")
    }

    /// Our own packages.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.is_member(package))
    }

    pub fn is_member(&self, package: &Package) -> bool {
        self.workspace_members.contains(&package.id)
    }

    /// The path below the workspace's root, as it is shown.
    pub fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    pub fn layer(&self, package: &Package) -> Layer {
        self.layer_of(package.folder())
    }

    /// The layer of the package in `folder`.
    pub fn layer_of(&self, folder: &Path) -> Layer {
        let folder = self.relative(folder);
        match folder.parent().and_then(Path::file_name).and_then(|it| it.to_str()) {
            Some("core") => Layer::Core,
            Some("ports") => Layer::Port,
            Some("services") => Layer::Service,
            _ => Layer::Program,
        }
    }
}

impl Package {
    pub fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}
