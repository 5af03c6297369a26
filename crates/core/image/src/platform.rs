//! Which image of an index runs on a machine.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Descriptor, Index};

/// An operating system and a processor, written `linux/arm64/v8`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Why a text is no [`Platform`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a platform such as `linux/amd64`, found `{0}`")]
pub struct ParsePlatformError(String);

impl Platform {
    pub fn linux(architecture: &str) -> Self {
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None, rest: Map::new() }
    }

    /// The name OCI uses for what Rust calls `rust_arch` (`std::env::consts::ARCH`).
    pub fn of_machine(rust_arch: &str) -> Self {
        Self::linux(match rust_arch {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            "powerpc64" => "ppc64le",
            other => other,
        })
    }

    /// Smaller is better; `None` does not run on `self`.
    fn distance(&self, offered: &Platform) -> Option<u8> {
        if self.os != offered.os {
            return None;
        }
        let variant = offered.variant.as_deref();
        match (self.architecture.as_str(), offered.architecture.as_str()) {
            ("amd64", "amd64") => match (variant, self.variant.as_deref()) {
                (offered, wanted) if offered == wanted => Some(0),
                (None | Some("v1"), _) => Some(1),
                // A higher level may use instructions that the machine lacks.
                _ => None,
            },
            ("amd64", "386") => Some(10),
            ("arm64", "arm64") => match variant {
                None | Some("v8") => Some(0),
                _ => (variant == self.variant.as_deref()).then_some(0),
            },
            ("arm64", "arm") => match variant {
                Some("v7") | None => Some(10),
                Some("v6") => Some(11),
                _ => Some(12),
            },
            (wanted, offered) if wanted == offered => {
                Some(if variant == self.variant.as_deref() { 0 } else { 1 })
            }
            _ => None,
        }
    }
}

/// The manifest of `index` that fits `machine` best, if one runs there at all.
///
/// An entry without a platform is taken when it is the only one. Attestations,
/// which name the platform `unknown`, are never chosen.
pub fn select<'a>(index: &'a Index, machine: &Platform) -> Option<&'a Descriptor> {
    let fitting = index.manifests.iter().filter_map(|descriptor| {
        let platform = descriptor.platform.as_ref()?;
        Some((machine.distance(platform)?, descriptor))
    });
    if let Some((_, best)) = fitting.min_by_key(|(distance, _)| *distance) {
        return Some(best);
    }
    match index.manifests.as_slice() {
        [only] if only.platform.is_none() => Some(only),
        _ => None,
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some((*variant).to_owned())),
            _ => return Err(ParsePlatformError(text.to_owned())),
        };
        if os.is_empty() || architecture.is_empty() {
            return Err(ParsePlatformError(text.to_owned()));
        }
        let mut platform = Self::linux(architecture);
        platform.os = (*os).to_owned();
        platform.variant = variant;
        Ok(platform)
    }
}

#[cfg(test)]
mod tests {
    use names::Digest;

    use super::*;

    #[test]
    fn the_nearest_platform_wins() {
        check("linux/amd64", &["linux/arm64/v8", "linux/amd64"], Some(1));
        check("linux/amd64", &["linux/amd64/v3", "linux/amd64/v1"], Some(1));
        check("linux/amd64", &["linux/amd64/v3"], None);
        check("linux/amd64", &["linux/386", "unknown/unknown"], Some(0));
        check("linux/amd64", &["windows/amd64"], None);
        check("linux/arm64", &["linux/arm/v6", "linux/arm/v7"], Some(1));
        check("linux/amd64", &["-"], Some(0));
        check("linux/amd64", &["-", "-"], None);
    }

    #[track_caller]
    fn check(machine: &str, offered: &[&str], expected: Option<usize>) {
        let manifests = offered.iter().enumerate().map(|(place, text)| {
            let mut descriptor = Descriptor::new("m", Digest::of(&[place as u8]), 1);
            descriptor.platform = text.parse().ok();
            descriptor
        });
        let index = Index { manifests: manifests.collect(), ..Index::default() };
        let chosen = select(&index, &machine.parse().expect("a platform"));
        assert_eq!(chosen, expected.map(|place| &index.manifests[place]));
    }
}
