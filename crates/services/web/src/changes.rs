//! Tells that records changed, so that whoever shows them reads them anew.

use std::time::Duration;

use api::{ImageTag, Push, Record as _, Release, Run};
use names::ProjectName;
use store::{Change, Records, RecordsError, Revision, Watch};

/// Changes come in bursts (a step ends, the next begins); one look at the end of
/// a burst is enough, and a person notices a tenth of a second.
const SETTLE: Duration = Duration::from_millis(60);

/// Whose changes are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Everything,
    Project(ProjectName),
}

/// The changes of everything that a thread is made of.
pub struct Changes {
    scope: Scope,
    pushes: Watch,
    runs: Watch,
    images: Watch,
    releases: Watch,
}

impl Changes {
    /// From now on; read the records after this, and nothing is missed.
    pub async fn open(records: &dyn Records, scope: Scope) -> Result<Self, RecordsError> {
        Ok(Self {
            scope,
            pushes: records.watch(Push::KIND, Revision::LATEST).await?,
            runs: records.watch(Run::KIND, Revision::LATEST).await?,
            images: records.watch(ImageTag::KIND, Revision::LATEST).await?,
            releases: records.watch(Release::KIND, Revision::LATEST).await?,
        })
    }

    /// Waits until something changed and no more follows at once.
    pub async fn settled(&mut self) -> Result<(), RecordsError> {
        self.next().await?;
        let end = tokio::time::Instant::now() + SETTLE;
        while let Ok(change) = tokio::time::timeout_at(end, self.next()).await {
            change?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<(), RecordsError> {
        loop {
            let (change, is_tag) = tokio::select! {
                change = self.pushes.next() => (change?, false),
                change = self.runs.next() => (change?, false),
                change = self.releases.next() => (change?, false),
                change = self.images.next() => (change?, true),
            };
            if is_tag || self.concerns(&change) {
                return Ok(());
            }
        }
    }

    fn concerns(&self, change: &Change) -> bool {
        match &self.scope {
            Scope::Everything => true,
            Scope::Project(project) => {
                change.key().strip_prefix(project.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
        }
    }
}
