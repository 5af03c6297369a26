//! The build context: its Dockerfile and what its ignore file leaves out.

use std::{io::Read as _, path::Path};

use buildgraph::ignore::Ignore;

use crate::{
    BuildError, DockerfileSource,
    view::{Last, View},
};

/// A Dockerfile is written by hand; more is a mistake.
const DOCKERFILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The folder to build from.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub view: View,
    pub ignore: Ignore,
    /// As messages name it.
    pub dockerfile: String,
    pub text: String,
}

/// Reads Dockerfile and ignore file.
pub(crate) fn open(folder: &Path, source: &DockerfileSource) -> Result<Context, BuildError> {
    let view = View::new(vec![folder.to_owned()]);
    let (dockerfile, text) = match source {
        DockerfileSource::Text { name, text } => (name.clone(), text.clone()),
        DockerfileSource::InContext(path) => match read(&view, path)? {
            Some(text) => (path.clone(), text),
            None => return Err(BuildError::NoDockerfile { file: path.clone() }),
        },
    };
    let own = format!("{dockerfile}.dockerignore");
    let (name, rules) = match read(&view, &own)? {
        Some(rules) => (own, rules),
        None => (".dockerignore".to_owned(), read(&view, ".dockerignore")?.unwrap_or_default()),
    };
    let ignore = Ignore::parse(&rules).map_err(|error| BuildError::Unreadable { file: name, reason: error.to_string() })?;
    Ok(Context { view, ignore, dockerfile, text })
}

fn read(view: &View, path: &str) -> Result<Option<String>, BuildError> {
    let failed = |reason: String| BuildError::Unreadable { file: path.to_owned(), reason };
    let node = view.lookup(Path::new(path), Last::Followed).map_err(|it| failed(it.to_string()))?;
    let Some(node) = node.filter(|it| it.is_file()) else { return Ok(None) };
    if node.meta.len() > DOCKERFILE_BYTES_MAX {
        return Err(failed(format!("expected at most {DOCKERFILE_BYTES_MAX} bytes, found {}", node.meta.len())));
    }
    let mut text = String::new();
    let mut file = view.open(&node).map_err(|it| failed(it.to_string()))?;
    file.read_to_string(&mut text).map_err(|_| failed("expected UTF-8 text".to_owned()))?;
    Ok(Some(text))
}
