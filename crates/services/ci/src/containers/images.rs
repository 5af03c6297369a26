//! Finds the images of containers and unpacks them.

use std::path::PathBuf;

use names::{Digest, ImageRef};
use oci::Keychain;
use workflow::Credentials;

use crate::{Ci, jobs::OpenError};

/// An image that can be run.
#[derive(Clone, Debug)]
pub struct Image {
    pub config: image::RunConfig,
    /// The topmost first.
    pub lower: Vec<PathBuf>,
}

/// Finds or pulls an image.
pub async fn find(ci: &Ci, name: &str, credentials: Option<&Credentials>) -> Result<Image, OpenError> {
    let refused = |why: String| OpenError::Refused(format!("the image `{name}` cannot be used: {why}"));
    let images = ci.config.images.as_ref().ok_or_else(|| refused("there is no image store here".to_owned()))?;
    let reference: ImageRef = name.parse().map_err(|error| refused(format!("{error}")))?;
    let mut keychain = Keychain::anonymous();
    if let Some(Credentials { username, password }) = credentials {
        keychain.add(&reference.registry, username.as_str(), password.as_str());
    }
    let digest = images.resolve(&reference, &keychain).await.map_err(|error| refused(told(&error)))?;
    of(ci, digest).await.map_err(refused)
}

/// The image behind a manifest that is here.
pub async fn of(ci: &Ci, manifest: Digest) -> Result<Image, String> {
    let images = ci.config.images.as_ref().ok_or("there is no image store here")?;
    let stored = images.image(manifest).await.map_err(|error| told(&error))?;
    let lower = images.lower_dirs(&stored).await.map_err(|error| told(&error))?;
    Ok(Image { config: stored.config.config, lower })
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

impl Image {
    pub fn env(&self) -> Vec<(String, String)> {
        let pairs = self.config.env.iter().map(|line| line.split_once('=').unwrap_or((line, "")));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}
