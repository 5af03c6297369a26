//! Names images by digest, once for each rendered state, so that what comes back is what was.

use std::collections::BTreeMap;

use names::Digest;
use store::TypedError;

use crate::{GitOps, kept::Objects};

impl GitOps {
    /// Pins every image that is here. A state that was deployed before keeps the digests it had then.
    ///
    /// Gives what was pinned, by the names in the manifests.
    pub async fn pin(&self, rendered: Digest, objects: &mut Objects) -> Result<BTreeMap<String, String>, TypedError> {
        let kept = self.kept.pins(rendered).await?;
        let pinned = match kept {
            Some(pinned) => pinned,
            None => self.find_pins(objects).await?,
        };
        objects.iter_mut().for_each(|(_, value)| delivery::pin(value, &pinned));
        Ok(pinned)
    }

    /// What each image of the objects means now, by the name in the manifests.
    async fn find_pins(&self, objects: &Objects) -> Result<BTreeMap<String, String>, TypedError> {
        let mut pinned = BTreeMap::new();
        for reference in objects.iter().flat_map(|(_, value)| delivery::images_in(value)) {
            if pinned.contains_key(&reference) {
                continue;
            }
            if let Some(found) = self.images.by_digest(&reference, self.config.node_registry.as_deref()).await? {
                pinned.insert(reference, found.name);
            }
        }
        Ok(pinned)
    }
}
