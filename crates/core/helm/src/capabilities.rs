//! What the cluster can do, as `.Capabilities` shows it.

use crate::Compat;

/// A Kubernetes version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// As it was given, with a leading `v`.
    pub version: String,
    /// Without what a vendor adds, e.g. `v1.33.4`.
    pub normalized: String,
    pub major: String,
    pub minor: String,
}

/// The text is no Kubernetes version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid kube version '{given}': {reason}")]
pub struct KubeVersionError {
    pub given: String,
    pub reason: String,
}

impl KubeVersion {
    /// Reads `--kube-version`.
    ///
    /// # Errors
    ///
    /// When the text does not start with a major and a minor number.
    pub fn parse(given: &str, compat: Compat) -> Result<Self, KubeVersionError> {
        let mut found = generic(given)?;
        if compat == Compat::Helm3 {
            found.version.clone_from(&found.normalized);
        }
        Ok(found)
    }

    /// The version that the original has built in.
    pub fn default_for(compat: Compat) -> Self {
        let minor = match compat {
            Compat::Helm4 => 37,
            Compat::Helm3 => 34,
        };
        let version = format!("v1.{minor}.0");
        Self {
            normalized: version.clone(),
            version,
            major: "1".to_owned(),
            minor: minor.to_string(),
        }
    }
}

/// Two or more numbers, then anything, as Kubernetes itself reads versions.
fn generic(given: &str) -> Result<KubeVersion, KubeVersionError> {
    let unparsable = |starts_well: bool| KubeVersionError {
        given: given.to_owned(),
        reason: if starts_well {
            format!("illegal version string {given:?}")
        } else {
            format!("could not parse {given:?} as version")
        },
    };
    let trimmed = given.trim();
    let text = trimmed.strip_prefix('v').unwrap_or(trimmed);
    let mut numbers: Vec<u64> = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
        let Ok(number) = rest[..end].parse() else {
            break;
        };
        numbers.push(number);
        rest = match rest[end..].strip_prefix('.') {
            Some(rest) => rest,
            None => break,
        };
    }
    let [major, minor, ..] = numbers[..] else {
        return Err(unparsable(!numbers.is_empty()));
    };
    let version = if given.starts_with('v') {
        given.to_owned()
    } else {
        format!("v{given}")
    };
    let shown: Vec<String> = numbers.iter().map(u64::to_string).collect();
    Ok(KubeVersion {
        version,
        normalized: format!("v{}", shown.join(".")),
        major: major.to_string(),
        minor: minor.to_string(),
    })
}

/// The API versions that the original knows without a cluster, in its order.
pub fn default_api_versions(compat: Compat) -> Vec<String> {
    let differs = |line: &str| match (line.strip_prefix("3 "), line.strip_prefix("4 ")) {
        (Some(version), _) => (compat == Compat::Helm3).then(|| version.to_owned()),
        (_, Some(version)) => (compat == Compat::Helm4).then(|| version.to_owned()),
        _ => Some(line.to_owned()),
    };
    API_VERSIONS.lines().filter_map(differs).collect()
}

/// A leading number: only in that mode.
const API_VERSIONS: &str = include_str!("api-versions.txt");

/// What the original says about itself in `.Capabilities.HelmVersion`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HelmVersion {
    pub version: &'static str,
    pub git_commit: &'static str,
    pub git_tree_state: &'static str,
    pub go_version: &'static str,
    pub kube_client_version: &'static str,
}

impl HelmVersion {
    pub fn of(compat: Compat) -> Self {
        match compat {
            Compat::Helm4 => Self {
                version: "v4.3.1",
                git_commit: "c0d08d0d6d9424d4a14febb5e8a3e51b0dd00dff",
                git_tree_state: "clean",
                go_version: "go1.27.2",
                kube_client_version: "v1.37",
            },
            Compat::Helm3 => Self {
                version: "v3.19.0",
                git_commit: "3d8990f0836691f0229297773f3524598f46bda6",
                git_tree_state: "clean",
                go_version: "go1.24.7",
                kube_client_version: "",
            },
        }
    }
}
