//! Tells that records changed, so that whoever shows them reads them anew.

use std::time::Duration;

use api::{App, Drill, ImageTag, Push, Record as _, Release, Run};
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
    Apps,
    App(String),
}

/// The changes of everything that a thread is made of.
pub struct Changes {
    scope: Scope,
    pushes: Watch,
    runs: Watch,
    images: Watch,
    releases: Watch,
    apps: Watch,
    drills: Watch,
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
            apps: records.watch(App::KIND, Revision::LATEST).await?,
            drills: records.watch(Drill::KIND, Revision::LATEST).await?,
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
            let (change, kind) = tokio::select! {
                change = self.pushes.next() => (change?, Kind::OfProject),
                change = self.runs.next() => (change?, Kind::OfProject),
                change = self.releases.next() => (change?, Kind::OfProject),
                change = self.images.next() => (change?, Kind::Image),
                change = self.apps.next() => (change?, Kind::App),
                change = self.drills.next() => (change?, Kind::Drill),
            };
            if self.concerns(&change, kind) {
                return Ok(());
            }
        }
    }

    fn concerns(&self, change: &Change, kind: Kind) -> bool {
        match (&self.scope, kind) {
            // A drill stands on the page of its app alone.
            (Scope::Everything, Kind::Drill) | (Scope::Project(_), Kind::App | Kind::Drill) => false,
            (Scope::Everything, Kind::OfProject | Kind::Image | Kind::App) | (Scope::Project(_), Kind::Image) => true,
            (Scope::Project(project), Kind::OfProject) => {
                change.key().strip_prefix(project.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
            (Scope::Apps | Scope::App(_), Kind::OfProject | Kind::Image) | (Scope::Apps, Kind::Drill) => false,
            (Scope::Apps, Kind::App) | (Scope::App(_), Kind::Drill) => true,
            (Scope::App(name), Kind::App) => change.key() == name,
        }
    }
}

/// What a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OfProject,
    /// Its key does not tell the project.
    Image,
    App,
    Drill,
}
