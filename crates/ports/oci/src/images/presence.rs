//! Whether an image is here with everything that it needs, and what it is called by its digest.

use api::ReleasedImage;
use names::{Digest, ImageRef};
use store::TypedError;

use super::Images;

/// What is here of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// All of it.
    Whole(Digest),
    /// Its name is known, and something that belongs to it is gone.
    Broken { digest: Digest, why: String },
    /// Nothing; another registry may have it.
    Unknown,
}

/// An image as manifests should name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByDigest {
    /// The name that a node pulls.
    pub name: String,
    pub released: ReleasedImage,
}

impl Images {
    /// Looks for all parts of an image in the local store.
    pub async fn presence(&self, name: &ImageRef) -> Result<Presence, TypedError> {
        let Some(digest) = self.find(name).await? else { return Ok(Presence::Unknown) };
        let image = match self.image(digest).await {
            Ok(image) => image,
            Err(error) => return Ok(Presence::Broken { digest, why: error.to_string() }),
        };
        for layer in &image.layers {
            match self.blobs.stat(layer.digest).await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(Presence::Broken { digest, why: format!("its layer {} is not here", layer.digest) }),
                Err(error) => return Ok(Presence::Broken { digest, why: error.to_string() }),
            }
        }
        Ok(Presence::Whole(digest))
    }

    /// Names an image that is here by its digest; `registry` stands in front for clusters that cannot reach this one.
    ///
    /// `None` for names that mean nothing here.
    pub async fn by_digest(&self, reference: &str, registry: Option<&str>) -> Result<Option<ByDigest>, TypedError> {
        // A name that is none is for the API server and the node to complain about.
        let Ok(name) = reference.parse::<ImageRef>() else { return Ok(None) };
        let Some(digest) = self.find(&name).await? else { return Ok(None) };
        let written = reference.split('@').next().unwrap_or(reference).to_owned();
        let by_digest = match registry {
            Some(prefix) => format!("{prefix}/{}@{digest}", self.repository(&name)),
            None => format!("{written}@{digest}"),
        };
        Ok(Some(ByDigest { name: by_digest, released: ReleasedImage { reference: written, digest } }))
    }
}
