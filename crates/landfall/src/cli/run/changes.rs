//! Notices that files changed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::super::lint;

/// A person who saves a file waits this long at most; longer intervals are felt.
const LOOK: Duration = Duration::from_millis(400);

/// The sizes and times of all files that a commit would hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Marks(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl Marks {
    pub fn of(root: &Path) -> anyhow::Result<Self> {
        let mark = |path: String| {
            let path = root.join(path);
            let data = path.symlink_metadata().ok()?;
            Some((path, (data.len(), data.modified().ok())))
        };
        Ok(Self(lint::paths(root)?.into_iter().filter_map(mark).collect()))
    }

    /// A file that differs.
    fn differs(&self, other: &Self) -> Option<PathBuf> {
        let changed = other.0.iter().find(|(path, mark)| self.0.get(*path) != Some(mark));
        let gone = || self.0.iter().find(|(path, _)| !other.0.contains_key(*path));
        changed.or_else(gone).map(|(path, _)| path.clone())
    }
}

/// Waits until a file is not as it was; gives its path below `root`.
pub async fn wait(root: &Path, before: &Marks) -> anyhow::Result<PathBuf> {
    loop {
        // A file that is just being replaced may be missed for a moment.
        if let Ok(now) = Marks::of(root)
            && let Some(path) = before.differs(&now)
        {
            return Ok(path.strip_prefix(root).unwrap_or(&path).to_owned());
        }
        tokio::time::sleep(LOOK).await;
    }
}
