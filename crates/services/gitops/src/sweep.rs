//! Forgets rendered manifests that no deployment remembers any more.

use std::{collections::HashSet, time::Duration};

use api::{App, KeptManifests};
use names::Digest;
use store::TypedError;

use crate::GitOps;

/// Deployments are forgotten seldom, and a kept text takes little room.
const PAUSE: Duration = Duration::from_secs(3600);

impl GitOps {
    /// Looks from time to time, until the process ends.
    pub async fn sweep_manifests(&self) {
        let mut unused = HashSet::new();
        loop {
            match self.sweep_once(&unused).await {
                Ok(now) => unused = now,
                Err(error) => tracing::warn!(%error, "manifests that nobody needs could not be removed"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Removes what was unused at the last look and still is; gives what is unused now.
    ///
    /// Manifests are kept a moment before their deployment is written down, so one look is not enough.
    pub async fn sweep_once(&self, before: &HashSet<Digest>) -> Result<HashSet<Digest>, TypedError> {
        let kept = store::list::<KeptManifests>(&*self.records, "").await?;
        let apps = store::list::<App>(&*self.records, "").await?;
        let used: HashSet<Digest> = apps.iter().flat_map(|app| &app.status.history).map(|it| it.revision.rendered).collect();
        let mut unused = HashSet::new();
        for it in kept.iter().filter(|it| !used.contains(&it.rendered)) {
            if before.contains(&it.rendered) {
                self.kept.forget(it).await?;
            } else {
                unused.insert(it.rendered);
            }
        }
        Ok(unused)
    }
}
