//! `hashFiles`: one digest for all files of the workspace that match.

use std::{fs, io, path::Path};

use names::Digest;
use workflow::{Pattern, PatternList};

/// A workspace with more files than this is not searched.
const FILES_MAX: usize = 500_000;

/// The digest over the digests of all matching files, as 64 hex digits; empty if none matches.
///
/// Links are not followed, and `!` excludes, as on GitHub.
pub fn hash_files(workspace: &Path, patterns: &[String]) -> Result<String, String> {
    let mut wanted = Vec::new();
    for text in patterns.iter().flat_map(|it| it.lines()).map(str::trim).filter(|it| !it.is_empty()) {
        if text == "--follow-symbolic-links" {
            return Err("`--follow-symbolic-links` is not supported by hashFiles here".to_owned());
        }
        let text = text.trim_start_matches("./");
        wanted.push(Pattern::parse(text).map_err(|error| error.to_string())?);
    }
    let wanted = PatternList(wanted);
    let mut files = Vec::new();
    walk(workspace, "", &mut files).map_err(|error| format!("the workspace cannot be read: {error}"))?;
    let mut digests = Vec::new();
    for file in files {
        if wanted.matches(&file) {
            let bytes = fs::read(workspace.join(&file)).map_err(|error| format!("`{file}`: {error}"))?;
            digests.extend_from_slice(&hex_bytes(&Digest::of(&bytes)));
        }
    }
    Ok(if digests.is_empty() { String::new() } else { Digest::of(&digests).hex() })
}

fn hex_bytes(digest: &Digest) -> Vec<u8> {
    let hex = digest.hex();
    let byte = |at: usize| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..64).step_by(2).filter_map(byte).collect()
}

/// Files in the order of a depth-first search with sorted names.
fn walk(workspace: &Path, below: &str, files: &mut Vec<String>) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(workspace.join(below))?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(workspace, &path, files)?;
        } else if kind.is_file() {
            files.push(path);
            if files.len() > FILES_MAX {
                return Err(io::Error::other(format!("more than {FILES_MAX} files")));
            }
        }
    }
    Ok(())
}
