//! Where the pods of an installation run: in a real cluster that it joins as a node.

use std::path::Path;

use crate::control_plane::ControlPlane;

/// The cluster of an installation.
pub enum Home {
    /// A control plane that is there before the installation.
    Real(ControlPlane),
    /// The installation's own, to compare with.
    Embedded,
}

impl Home {
    pub fn prepare(place: &Path) -> Self {
        Self::Real(ControlPlane::start(&place.join("cluster")))
    }

    /// Further arguments of `landfall up`.
    pub fn arguments(&self) -> Vec<String> {
        let Some(kubeconfig) = self.kubeconfig() else { return Vec::new() };
        ["--kubeconfig", kubeconfig.to_str().expect("the path is text"), "--node", "landfall"].map(str::to_owned).to_vec()
    }

    /// How its owner reaches the cluster, where the installation does not tell.
    pub fn kubeconfig(&self) -> Option<&Path> {
        match self {
            Self::Real(cluster) => Some(cluster.kubeconfig()),
            Self::Embedded => None,
        }
    }

    /// What it can tell when a test failed.
    pub fn evidence(&self) -> String {
        match self {
            Self::Real(cluster) => cluster.evidence(),
            Self::Embedded => String::new(),
        }
    }
}
