//! Problem matchers: find errors and warnings of tools in what steps print.
//!
//! [`Matchers`] belongs to one job: `::add-matcher::FILE` adds what a file of JSON
//! declares, every later line is shown to [`Matchers::read`].

mod config;
mod regexp;

use std::borrow::Cow;

pub use config::MatcherError;

use crate::command::{Annotation, Level};
use config::{Declared, Pattern};

/// Matchers read lines no longer than this; what compilers say of one problem is shorter.
const LINE_BYTES_MAX: usize = 8 << 10;
/// Each matcher costs every line of the log.
const MATCHERS_MAX: usize = 64;

/// The problem matchers of one job, the newest first.
#[derive(Clone, Debug, Default)]
pub struct Matchers {
    all: Vec<Matcher>,
}

#[derive(Clone, Debug)]
struct Matcher {
    declared: Declared,
    /// What each pattern but the last has found so far.
    found: Vec<Option<Captured>>,
}

/// What patterns took out of lines.
#[derive(Clone, Debug, Default)]
struct Captured {
    file: Option<String>,
    from_path: Option<String>,
    line: Option<String>,
    column: Option<String>,
    severity: Option<String>,
    code: Option<String>,
    message: Option<String>,
}

/// A problem that a matcher found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its file is as the tool printed it; see [`Problem::locate`].
    pub annotation: Annotation,
    /// The project file to whose folder the file is relative.
    pub from_path: Option<String>,
    pub code: Option<String>,
    /// The line without colours, as the log shows it behind its level.
    pub shown: String,
}

impl Matchers {
    /// Takes in a file that declares matchers, and gives their owners.
    ///
    /// # Errors
    ///
    /// What is wrong with the file; nothing of it is used then.
    pub fn add(&mut self, json: &str) -> Result<Vec<String>, MatcherError> {
        let declared = config::read(json)?;
        let owners: Vec<_> = declared.iter().map(|it| it.owner.clone()).collect();
        for declared in declared {
            self.remove(&declared.owner);
            let found = vec![None; declared.patterns.len().saturating_sub(1)];
            self.all.insert(0, Matcher { declared, found });
        }
        if self.all.len() > MATCHERS_MAX {
            self.all.truncate(MATCHERS_MAX);
            return Err(MatcherError::TooMany(MATCHERS_MAX));
        }
        Ok(owners)
    }

    /// Forgets the matchers of an owner.
    pub fn remove(&mut self, owner: &str) {
        self.all
            .retain(|it| !it.declared.owner.eq_ignore_ascii_case(owner));
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The problem that a line completes. Lines with commands are not shown to matchers.
    pub fn read(&mut self, line: &str) -> Option<Problem> {
        if self.all.is_empty() || line.len() > LINE_BYTES_MAX {
            return None;
        }
        let plain = without_colours(line);
        let at = self.all.iter_mut().position(|it| it.advance(&plain))?;
        let matcher = self.all.get_mut(at)?;
        let captured = matcher.complete(&plain)?;
        let severity = matcher.declared.severity.clone();
        let from_path = matcher.declared.from_path.clone();
        for (other, matcher) in self.all.iter_mut().enumerate() {
            if other != at {
                matcher.found.fill(None);
            }
        }
        captured.problem(&plain, severity, from_path)
    }
}

impl Matcher {
    /// Whether the last pattern matches; else takes the line in, the last pattern first.
    fn advance(&mut self, line: &str) -> bool {
        let patterns = &self.declared.patterns;
        let last = patterns.len().saturating_sub(1);
        for (at, pattern) in patterns.iter().enumerate().rev() {
            let before = at.checked_sub(1).and_then(|it| self.found.get(it));
            let running = before.and_then(Option::as_ref);
            if at > 0 && running.is_none() {
                continue;
            }
            let captured = pattern.capture(line, running);
            if at == last {
                if captured.is_some() {
                    return true;
                }
                if let Some(before) = at.checked_sub(1).and_then(|it| self.found.get_mut(it)) {
                    *before = None;
                }
            } else if let Some(found) = self.found.get_mut(at) {
                *found = captured;
            }
        }
        false
    }

    /// What the last pattern and those before it have found.
    fn complete(&mut self, line: &str) -> Option<Captured> {
        let last = self.declared.patterns.last()?;
        let running = self.found.last().and_then(Option::as_ref);
        let captured = last.capture(line, running);
        if !last.repeats {
            self.found.fill(None);
        }
        captured
    }
}

impl Pattern {
    fn capture(&self, line: &str, running: Option<&Captured>) -> Option<Captured> {
        let groups = self.regexp.captures(line)?;
        let mut captured = running.cloned().unwrap_or_default();
        let group = |at: Option<usize>| {
            let text = groups.get(at?)?.as_str();
            (!text.is_empty()).then(|| text.to_owned())
        };
        for (at, into) in [
            (self.file, &mut captured.file),
            (self.from_path, &mut captured.from_path),
            (self.line, &mut captured.line),
            (self.column, &mut captured.column),
            (self.severity, &mut captured.severity),
            (self.code, &mut captured.code),
            (self.message, &mut captured.message),
        ] {
            if at.is_some() {
                *into = group(at);
            }
        }
        Some(captured)
    }
}

impl Captured {
    /// Nothing for a severity that is none, and for a problem without message.
    fn problem(
        self,
        line: &str,
        severity: Option<String>,
        from_path: Option<String>,
    ) -> Option<Problem> {
        let severity = self.severity.or(severity).unwrap_or_default();
        let level = match severity.to_ascii_lowercase().as_str() {
            "" | "error" => Level::Error,
            "warning" => Level::Warning,
            "notice" => Level::Notice,
            _ => return None,
        };
        let number = |text: Option<String>| text.and_then(|it| it.trim().parse().ok());
        let line_number = number(self.line);
        let annotation = Annotation {
            level,
            message: crate::command::cut_message(&self.message?),
            title: None,
            file: self.file,
            line: line_number,
            end_line: None,
            column: number(self.column).filter(|_| line_number.is_some()),
            end_column: None,
        };
        Some(Problem {
            annotation,
            from_path: self.from_path.or(from_path),
            code: self.code,
            shown: line.to_owned(),
        })
    }
}

impl Problem {
    /// Makes the file relative to `workspace`, or drops it with its line: a file must
    /// lie in the workspace, and `exists` is asked with its absolute path.
    pub fn locate(&mut self, workspace: &str, exists: &dyn Fn(&str) -> bool) {
        let root = workspace.trim_end_matches('/');
        let found = self.annotation.file.take().and_then(|file| {
            let file = file.replace('\\', "/");
            let base = self.from_path.as_ref().map(|project| {
                let project = project.replace('\\', "/");
                let folder = project.rsplit_once('/').map_or("", |(folder, _)| folder);
                absolute(root, folder)
            });
            let path = absolute(base.as_deref().unwrap_or(root), &file);
            let relative = path.strip_prefix(root)?.strip_prefix('/')?.to_owned();
            exists(&path).then_some(relative)
        });
        if found.is_none() {
            (self.annotation.line, self.annotation.column) = (None, None);
        }
        self.annotation.file = found;
    }
}

/// `path` in `base`, without `.` and `..`.
fn absolute(base: &str, path: &str) -> String {
    let whole = match path.strip_prefix("file://").unwrap_or(path) {
        path if path.starts_with('/') => path.to_owned(),
        path => format!("{base}/{path}"),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Takes out what only colours and moves the cursor.
fn without_colours(line: &str) -> Cow<'_, str> {
    const ESCAPE: char = '\u{1b}';
    if !line.contains(ESCAPE) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut symbols = line.chars().peekable();
    while let Some(symbol) = symbols.next() {
        if symbol != ESCAPE || symbols.peek() != Some(&'[') {
            out.push(symbol);
            continue;
        }
        symbols.next();
        for symbol in symbols.by_ref() {
            if ('\u{40}'..='\u{7e}').contains(&symbol) {
                break;
            }
        }
    }
    Cow::Owned(out)
}
