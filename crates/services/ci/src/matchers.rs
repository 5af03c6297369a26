//! Problem matchers of a job: patterns by which the output of compilers becomes annotations.

use std::{
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use workflow::{
    command::{Annotation, MatcherName},
    matcher::{Matchers, Problem},
};

use crate::{beneath, place::JobPlace};

/// No file of matchers is larger.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Matchers that steps of a job added, shared by all its steps.
pub type Shared = Arc<Mutex<Matchers>>;

/// What is kept beside the job for a restart, one line each.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Add(String),
    Remove(String),
}

fn journal(folder: &Path) -> PathBuf {
    folder.join("matchers")
}

fn lock(shared: &Shared) -> MutexGuard<'_, Matchers> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Those that the steps of a job left, before a restart or in its life.
pub fn read(folder: &Path) -> Shared {
    let mut matchers = Matchers::default();
    let kept = std::fs::read_to_string(journal(folder)).unwrap_or_default();
    for line in kept.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match line {
            // What was wrong was told when it was added.
            Kept::Add(json) => drop(matchers.add(&json)),
            Kept::Remove(owner) => matchers.remove(&owner),
        }
    }
    Arc::new(Mutex::new(matchers))
}

fn keep(place: &JobPlace, what: &Kept) {
    let written = || -> io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).append(true).mode(0o600).open(journal(&place.folder))?;
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        io::Write::write_all(&mut file, &line)
    };
    if let Err(error) = written() {
        tracing::error!(%error, "a problem matcher could not be kept for a restart");
    }
}

/// The text of a file that a step names.
fn text(place: &JobPlace, path: &str) -> Result<String, String> {
    let absolute = if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", place.place.workspace) };
    let found = place.on_host(&absolute).ok_or_else(|| format!("`{path}` lies outside the job's folders"))?;
    let text = beneath::read(&found.0, &found.1, FILE_BYTES_MAX).map_err(|error| format!("`{path}`: {error}"))?;
    if text.is_empty() { Err(format!("`{path}` is not there")) } else { Ok(text) }
}

/// Takes in a file of matchers; tells what the log shows.
pub fn add(place: &JobPlace, path: &str) -> String {
    let added = text(place, path).and_then(|json| {
        let owners = lock(&place.matchers).add(&json).map_err(|error| error.to_string())?;
        keep(place, &Kept::Add(json));
        Ok(owners)
    });
    match added {
        Ok(owners) => format!("##[debug]Added matchers: '{}'. Problem matchers scan action output for known warning or error strings and report these inline.", owners.join("', '")),
        Err(why) => format!("##[warning]Unable to process command 'add-matcher': {why}"),
    }
}

/// Forgets matchers; tells what the log shows.
pub fn remove(place: &JobPlace, which: &MatcherName) -> Option<String> {
    let owners = match which {
        MatcherName::Owner(owner) => vec![owner.clone()],
        MatcherName::File(path) => match text(place, path).map(|json| Matchers::default().add(&json)) {
            Ok(Ok(owners)) => owners,
            Ok(Err(error)) => return Some(format!("##[warning]Unable to process command 'remove-matcher': {error}")),
            Err(why) => return Some(format!("##[warning]Unable to process command 'remove-matcher': {why}")),
        },
    };
    for owner in owners {
        lock(&place.matchers).remove(&owner);
        keep(place, &Kept::Remove(owner));
    }
    None
}

/// Whether lines must be shown to matchers.
pub fn any(place: &JobPlace) -> bool {
    !lock(&place.matchers).is_empty()
}

/// What a line of output means, if a matcher knows.
pub fn scan(place: &JobPlace, line: &str) -> Option<Problem> {
    let mut problem = lock(&place.matchers).read(line)?;
    let exists = |path: &str| {
        let found = place.on_host(path);
        found.is_some_and(|(root, rest)| root.join(rest).is_file())
    };
    problem.locate(&place.place.workspace, &exists);
    Some(problem)
}

/// An annotation whose file is told from the top of the workspace.
pub fn relative(place: &JobPlace, mut annotation: Annotation) -> Annotation {
    let workspace = format!("{}/", place.place.workspace);
    if let Some(file) = &annotation.file
        && let Some(below) = file.strip_prefix(&workspace)
    {
        annotation.file = Some(below.to_owned());
    }
    annotation
}
