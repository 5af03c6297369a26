//! Reads the JSON that declares problem matchers.

use regex::Regex;
use serde::Deserialize;

use super::regexp::{self, RegexpError};

/// Why a file declares no matchers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    #[error("the problem matchers are not readable: {0}")]
    Json(String),
    #[error("a problem matcher needs an `owner`")]
    NoOwner,
    #[error("two problem matchers have the owner `{0}`")]
    SameOwner(String),
    #[error("`{owner}`: unknown severity `{severity}`: expected error, warning or notice")]
    Severity { owner: String, severity: String },
    #[error("`{0}` needs a `pattern`")]
    NoPattern(String),
    #[error("`{owner}`: only the last pattern may have `loop`")]
    LoopBeforeLast { owner: String },
    #[error("`{owner}`: a single pattern cannot have `loop`")]
    LoopAlone { owner: String },
    #[error("`{owner}`: the last pattern must set `message`")]
    NoMessage { owner: String },
    #[error("`{owner}`: `{property}` is set by two patterns")]
    Twice {
        owner: String,
        property: &'static str,
    },
    #[error("`{owner}`: `{property}` is group {group}, but `{regexp}` has {groups}")]
    NoGroup {
        owner: String,
        property: &'static str,
        group: usize,
        regexp: String,
        groups: usize,
    },
    #[error("`{owner}`: `{regexp}`: {error}")]
    Regexp {
        owner: String,
        regexp: String,
        error: RegexpError,
    },
    #[error("a job has at most {0} problem matchers")]
    TooMany(usize),
}

#[derive(Debug, Deserialize)]
struct FileText {
    #[serde(rename = "problemMatcher", default)]
    matchers: Vec<MatcherText>,
}

#[derive(Debug, Deserialize)]
struct MatcherText {
    #[serde(default)]
    owner: String,
    #[serde(default)]
    severity: Option<String>,
    #[serde(rename = "fromPath", default)]
    from_path: Option<String>,
    #[serde(default)]
    pattern: Patterns,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Patterns {
    Many(Vec<PatternText>),
    One(Box<PatternText>),
}

impl Default for Patterns {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
struct PatternText {
    regexp: String,
    file: Option<usize>,
    #[serde(rename = "fromPath")]
    from_path: Option<usize>,
    line: Option<usize>,
    column: Option<usize>,
    severity: Option<usize>,
    code: Option<usize>,
    message: Option<usize>,
    #[serde(rename = "loop", default)]
    repeats: bool,
}

/// A matcher that is well formed.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub owner: String,
    pub severity: Option<String>,
    pub from_path: Option<String>,
    /// At least one.
    pub patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub regexp: Regex,
    pub file: Option<usize>,
    pub from_path: Option<usize>,
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub severity: Option<usize>,
    pub code: Option<usize>,
    pub message: Option<usize>,
    pub repeats: bool,
}

pub(super) fn read(json: &str) -> Result<Vec<Declared>, MatcherError> {
    let json = json.strip_prefix('\u{feff}').unwrap_or(json);
    let file: FileText =
        serde_json::from_str(json).map_err(|error| MatcherError::Json(error.to_string()))?;
    let mut all: Vec<Declared> = Vec::new();
    for text in file.matchers {
        let declared = matcher(text)?;
        let same = |it: &Declared| it.owner.eq_ignore_ascii_case(&declared.owner);
        if all.iter().any(same) {
            return Err(MatcherError::SameOwner(declared.owner));
        }
        all.push(declared);
    }
    Ok(all)
}

fn matcher(text: MatcherText) -> Result<Declared, MatcherError> {
    if text.owner.trim().is_empty() {
        return Err(MatcherError::NoOwner);
    }
    let owner = text.owner;
    let severity = text.severity.filter(|it| !it.is_empty());
    if let Some(severity) = &severity
        && !["error", "warning", "notice"].contains(&severity.to_ascii_lowercase().as_str())
    {
        return Err(MatcherError::Severity {
            owner,
            severity: severity.clone(),
        });
    }
    let texts = match text.pattern {
        Patterns::Many(texts) => texts,
        Patterns::One(text) => vec![*text],
    };
    let Some(last) = texts.len().checked_sub(1) else {
        return Err(MatcherError::NoPattern(owner));
    };
    let mut set: Vec<&'static str> = Vec::new();
    let mut patterns = Vec::new();
    for (at, text) in texts.into_iter().enumerate() {
        if text.repeats && at < last {
            return Err(MatcherError::LoopBeforeLast { owner });
        }
        if text.repeats && last == 0 {
            return Err(MatcherError::LoopAlone { owner });
        }
        if at == last && text.message.is_none() {
            return Err(MatcherError::NoMessage { owner });
        }
        patterns.push(pattern(&owner, text, &mut set)?);
    }
    Ok(Declared {
        owner,
        severity,
        from_path: text.from_path.filter(|it| !it.is_empty()),
        patterns,
    })
}

fn pattern(
    owner: &str,
    text: PatternText,
    set: &mut Vec<&'static str>,
) -> Result<Pattern, MatcherError> {
    let regexp = regexp::translate(&text.regexp).map_err(|error| MatcherError::Regexp {
        owner: owner.to_owned(),
        regexp: text.regexp.clone(),
        error,
    })?;
    for (property, group) in [
        ("file", text.file),
        ("fromPath", text.from_path),
        ("line", text.line),
        ("column", text.column),
        ("severity", text.severity),
        ("code", text.code),
        ("message", text.message),
    ] {
        let Some(group) = group else {
            continue;
        };
        if group >= regexp.captures_len() {
            return Err(MatcherError::NoGroup {
                owner: owner.to_owned(),
                property,
                group,
                groups: regexp.captures_len() - 1,
                regexp: text.regexp,
            });
        }
        if set.contains(&property) {
            return Err(MatcherError::Twice {
                owner: owner.to_owned(),
                property,
            });
        }
        set.push(property);
    }
    Ok(Pattern {
        regexp,
        file: text.file,
        from_path: text.from_path,
        line: text.line,
        column: text.column,
        severity: text.severity,
        code: text.code,
        message: text.message,
        repeats: text.repeats,
    })
}
