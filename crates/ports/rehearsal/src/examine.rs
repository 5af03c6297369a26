//! What can be found out without a copy: images, and the server's word on the real objects.

use std::collections::BTreeSet;

use api::{DrillFinding, DrillWeight};
use delivery::drill::Objects;
use names::ImageRef;
use objects::{ClusterError, DryRun};
use oci::{Keychain, Presence};
use store::TypedError;

use crate::{Nodes, Rehearsal};

impl Rehearsal {
    /// Whether every image that the older state needs can still be had.
    pub(crate) async fn examine_images(&self, old: &Objects) -> Result<Vec<DrillFinding>, TypedError> {
        let references: BTreeSet<String> = old.iter().flat_map(|(_, value)| delivery::images_in(value)).collect();
        let mut found = Vec::new();
        for reference in references {
            let Ok(name) = reference.parse::<ImageRef>() else { continue };
            let missing = |why: String| DrillFinding {
                weight: DrillWeight::Blocks,
                code: "LF-D0304".to_owned(),
                object: None,
                message: format!("the image `{reference}` is missing: {why}"),
                help: "build it again from its commit, or push it again".to_owned(),
            };
            match self.images.presence(&name).await? {
                Presence::Whole(_) => {}
                Presence::Broken { why, .. } => found.push(missing(why)),
                Presence::Unknown if self.images.is_own(&name) => found.push(missing("the registry here does not have it".to_owned())),
                Presence::Unknown if self.nodes == Nodes::ShareImages => {
                    if let Err(error) = self.images.resolve(&name, &Keychain::anonymous()).await {
                        found.push(missing(error.to_string()));
                    }
                }
                Presence::Unknown => {}
            }
            if name.digest.is_none() {
                found.push(DrillFinding {
                    weight: DrillWeight::Note,
                    code: "LF-D0304".to_owned(),
                    object: None,
                    message: format!("`{reference}` is a tag: it may mean another image by then"),
                    help: "name images by digest".to_owned(),
                });
            }
        }
        Ok(found)
    }

    /// What the API server says to the older state on the real objects, without writing.
    pub(crate) async fn examine_live(&self, old: &Objects, manager: &str, known: &[DrillFinding]) -> Result<Vec<DrillFinding>, ClusterError> {
        let mut found = Vec::new();
        for (object, manifest) in old {
            let is_known = known.iter().any(|it| it.object.as_ref() == Some(object));
            // Hooks are made for a sync alone.
            let is_hook = delivery::gitops::is_hook(manifest);
            if is_known || is_hook || object.name.is_empty() {
                continue;
            }
            match self.cluster.apply(object, manifest, manager, DryRun::Yes).await {
                Ok(_) => {}
                Err(ClusterError::Refused { message, .. }) => found.push(refused(object, &message)),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

fn refused(object: &api::ObjectRef, message: &str) -> DrillFinding {
    DrillFinding {
        weight: DrillWeight::Blocks,
        code: "LF-D0307".to_owned(),
        object: Some(object.clone()),
        message: format!("the API server would refuse {object}: {message}"),
        help: "remove what stands in the way, or give the object another name".to_owned(),
    }
}
