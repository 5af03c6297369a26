//! Reads the files behind `GITHUB_ENV`, `GITHUB_OUTPUT`, `GITHUB_STATE` and `GITHUB_PATH`.

use crate::Masker;

/// The longest step summary; a longer one is dropped with an error.
pub const MAX_SUMMARY_BYTES: usize = 1 << 20;

/// Why a file of commands cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileCommandError {
    #[error("invalid format `{0}`: expected `name=value` or `name<<delimiter`")]
    Format(String),
    #[error("a name is missing in `{0}`")]
    NoName(String),
    #[error("a delimiter is missing in `{0}`")]
    NoDelimiter(String),
    #[error("the summary has {bytes} bytes, expected at most {MAX_SUMMARY_BYTES}")]
    SummaryTooLong { bytes: usize },
    #[error("no matching delimiter `{delimiter}` was found for `{name}`")]
    Unclosed { name: String, delimiter: String },
}

/// The entries in order; a name may come twice, and then the last one counts.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, FileCommandError> {
    let mut entries = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        if line.is_empty() {
            continue;
        }
        let equals = line.find('=');
        let heredoc = line.find("<<");
        match (equals, heredoc) {
            (Some(equals), heredoc) if heredoc.is_none_or(|it| equals < it) => {
                let (name, value) = line.split_at(equals);
                let name = named(name, line)?;
                entries.push((name, value.get(1..).unwrap_or_default().to_owned()));
            }
            (_, Some(heredoc)) => {
                let (name, delimiter) = line.split_at(heredoc);
                let name = named(name, line)?;
                let delimiter = delimiter.get(2..).unwrap_or_default();
                if delimiter.is_empty() {
                    return Err(FileCommandError::NoDelimiter(line.to_owned()));
                }
                let (value, after) =
                    heredoc_value(rest, delimiter).ok_or_else(|| FileCommandError::Unclosed {
                        name: name.clone(),
                        delimiter: delimiter.to_owned(),
                    })?;
                entries.push((name, value.to_owned()));
                rest = after;
            }
            (_, None) => return Err(FileCommandError::Format(line.to_owned())),
        }
    }
    Ok(entries)
}

fn named(name: &str, line: &str) -> Result<String, FileCommandError> {
    if name.is_empty() {
        Err(FileCommandError::NoName(line.to_owned()))
    } else {
        Ok(name.to_owned())
    }
}

/// The text before the line that is the delimiter, without its last line break, and what follows.
fn heredoc_value<'a>(text: &'a str, delimiter: &str) -> Option<(&'a str, &'a str)> {
    let mut at = 0;
    loop {
        let rest = text.get(at..).filter(|it| !it.is_empty())?;
        let (line, ended) = match rest.find('\n') {
            Some(end) => (rest.get(..end)?, true),
            None => (rest, false),
        };
        let next = at + line.len() + usize::from(ended);
        if line == delimiter {
            let value = text.get(..at)?;
            return Some((value.strip_suffix('\n').unwrap_or(value), text.get(next..)?));
        }
        at = next;
    }
}

/// The text of a `GITHUB_STEP_SUMMARY` file as it may be shown; nothing for an empty one.
///
/// # Errors
///
/// When it is too long: then none of it is shown, and the step goes on.
pub fn summary(bytes: &[u8], masker: &Masker) -> Result<Option<String>, FileCommandError> {
    if bytes.len() > MAX_SUMMARY_BYTES {
        return Err(FileCommandError::SummaryTooLong { bytes: bytes.len() });
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok((!text.trim().is_empty()).then(|| masker.mask(text)))
}

/// The folders of a `GITHUB_PATH` file in order; each goes before those that came earlier.
pub fn parse_path(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}
