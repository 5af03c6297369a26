//! Charts that an app follows by name and version, fetched and kept on disk.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use api::AppSource;
use charts::Received;
use files::MemoryFiles;
use helm::{Chart, Compat};
use names::{CommitId, Digest};

use crate::{
    GitOps,
    source::{Found, Fresh, SourceError},
};

/// What is kept of a chart, in a folder named by what was asked for.
const ARCHIVE: &str = "chart.tgz";
const VERSION: &str = "version";

/// Charts that are kept in memory between looks.
const CHARTS_MAX: usize = 64;

/// Charts that were found, by what was asked for.
pub type Known = Arc<Mutex<HashMap<Digest, Found>>>;

/// A chart on disk.
struct Kept {
    received: Received,
    /// When it came first, in seconds since 1970.
    since: i64,
}

impl GitOps {
    /// The chart that a source means now.
    pub async fn find_chart(&self, source: &AppSource, name: &str, fresh: Fresh) -> Result<Found, SourceError> {
        let unusable = |reason: String| SourceError::Archive { name: name.to_owned(), reason };
        let range = if source.revision == "HEAD" { "" } else { source.revision.as_str() };
        let asked = Digest::of(format!("{} {name} {range}", source.repository).as_bytes());
        let found = || self.charts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = found().get(&asked).filter(|_| fresh == Fresh::Known) {
            return Ok(found.clone());
        }
        let folder = self.config.mirrors.join("charts").join(asked.hex());
        let known = read(&folder).await;
        let (kept, stale) = match (fresh, known) {
            (Fresh::Known, Some(kept)) => (kept, None),
            (_, known) => match (charts::receive(&source.repository, name, range, &oci::Keychain::anonymous()).await, known) {
                (Ok(received), known) => (keep(&folder, received, known).await.map_err(|error| unusable(format!("it cannot be kept: {error}")))?, None),
                // What was fetched last is better than nothing, and the app says so.
                (Err(error), Some(kept)) if !error.is_missing() => (kept, Some(error.to_string())),
                (Err(error), _) => return Err(SourceError::Chart(error)),
            },
        };
        let Kept { received, since } = kept;
        let commit = identity(&received.archive);
        let chart = tokio::task::spawn_blocking(move || Chart::load_archive(&received.archive, Compat::default()).map(|chart| (received.version, chart)));
        let read = chart.await.map_err(|error| unusable(error.to_string()))?;
        let (version, chart) = read.map_err(|error| unusable(error.to_string()))?;
        let mut files = MemoryFiles::new();
        for file in &chart.raw {
            // A chart that was read has paths of its own only.
            files.insert(&file.name, file.data.clone()).map_err(|error| unusable(error.to_string()))?;
        }
        let new = Found {
            repository: None,
            files: Some(Arc::new(files)),
            commit,
            subject: format!("chart {name} {version}"),
            time: since,
            branch: None,
            project: None,
            stale,
        };
        let mut found = found();
        if found.len() >= CHARTS_MAX {
            found.clear();
        }
        found.insert(asked, new.clone());
        Ok(new)
    }
}

/// What a chart is known by, in the place of a commit: the first bytes of its digest.
fn identity(archive: &[u8]) -> CommitId {
    let hex = Digest::of(archive).hex();
    hex[..40].parse().expect("forty hex digits are the form of a commit")
}

/// What is kept there, if it is whole.
async fn read(folder: &Path) -> Option<Kept> {
    let noted = tokio::fs::read_to_string(folder.join(VERSION)).await.ok()?;
    let (version, since) = noted.trim().rsplit_once(' ')?;
    let archive = tokio::fs::read(folder.join(ARCHIVE)).await.ok()?;
    Some(Kept { received: Received { version: version.to_owned(), archive }, since: since.parse().ok()? })
}

/// Keeps a chart; one that is there already keeps its time, so that it renders the same.
async fn keep(folder: &Path, received: Received, known: Option<Kept>) -> Result<Kept, std::io::Error> {
    if let Some(kept) = known.filter(|it| it.received == received) {
        return Ok(kept);
    }
    let since = store::now().as_micros() / 1_000_000;
    tokio::fs::create_dir_all(folder).await?;
    // Without the note, what is cut off now is fetched again.
    match tokio::fs::remove_file(folder.join(VERSION)).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    tokio::fs::write(folder.join(ARCHIVE), &received.archive).await?;
    tokio::fs::write(folder.join(VERSION), format!("{} {since}", received.version)).await?;
    Ok(Kept { received, since })
}
