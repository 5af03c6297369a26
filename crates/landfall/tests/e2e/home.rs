//! Where the pods of an installation run: in the cluster that it brings along.

use std::path::Path;

/// Nothing has to be there before the installation.
pub struct Home;

impl Home {
    pub fn prepare(_place: &Path) -> Self {
        Self
    }

    /// Further arguments of `landfall up`.
    pub fn arguments(&self) -> Vec<String> {
        Vec::new()
    }

    /// How its owner reaches the cluster, where the installation does not tell.
    pub fn kubeconfig(&self) -> Option<&Path> {
        None
    }

    /// What it can tell when a test failed.
    pub fn evidence(&self) -> String {
        String::new()
    }
}
