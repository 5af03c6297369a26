//! How a failed template reads: as Helm 3 and Helm 4 say it, and with its place for people.

use gotemplate::{Error, Place};

use super::functions::{MARK_END, MARK_START};
use crate::Compat;

/// The text of a parse error.
pub(super) fn parse_text(error: &gotemplate::ParseError) -> String {
    let whole = error.to_string();
    // Helm cuts the text at every colon with a blank and keeps the last part.
    let tokens: Vec<&str> = whole.split(": ").collect();
    match tokens.as_slice() {
        [_, location, .., message] => format!("parse error at ({location}): {message}"),
        [_, location] => format!("parse error at ({location}): {location}"),
        _ => format!("parse error in ({}): {whole}", error.file),
    }
}

/// The text of an error while a template ran.
pub(super) fn exec_text(error: &Error, file: &str, compat: Compat) -> String {
    let whole = error.to_string();
    if !is_exec(error) {
        return whole;
    }
    let mut tokens = whole.splitn(3, ": ");
    let (Some(_), Some(location), Some(rest)) = (tokens.next(), tokens.next(), tokens.next())
    else {
        return format!("execution error in ({file}): {whole}");
    };
    if let Some(message) = marked(rest) {
        return format!("execution error at ({location}): {message}");
    }
    match compat {
        Compat::Helm3 => whole,
        Compat::Helm4 => trace(error).unwrap_or(whole),
    }
}

/// Whether Go's `template.ExecError` is somewhere in the chain. A missing template is a plain error.
fn is_exec(error: &Error) -> bool {
    let mut current = Some(error);
    while let Some(error) = current {
        if matches!(error, Error::Exec(exec) if exec.place.is_some()) {
            return true;
        }
        current = error.cause();
    }
    false
}

/// The message that `required` or `fail` marked: from the first start to the last end.
pub(super) fn marked(text: &str) -> Option<&str> {
    let start = text.find(MARK_START)? + MARK_START.len();
    let end = text.rfind(MARK_END)?;
    text.get(start..end)
}

/// Helm 4's form over several lines, if every error of the chain has a form it knows.
fn trace(error: &Error) -> Option<String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut current = Some(error);
    while let Some(error) = current {
        let step = Step::read(&error.to_string())?;
        if steps.last() != Some(&step) {
            steps.push(step);
        }
        current = error.cause();
    }
    let text: String = steps.iter().map(Step::show).collect();
    Some(text.trim().to_owned())
}

/// One error of the chain, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    location: String,
    function: String,
    message: String,
}

impl Step {
    /// Takes apart what Go's text/template writes.
    fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("template: ")?;
        if rest.starts_with("no template ") {
            return Some(Self {
                location: String::new(),
                function: String::new(),
                message: text.to_owned(),
            });
        }
        let cut = |message: &str| {
            let end = message.find(" template:").unwrap_or(message.len());
            message[..end].to_owned()
        };
        if let Some((location, after)) = rest.split_once(": executing ") {
            let (name, after) = after.strip_prefix('"')?.split_once('"')?;
            let (node, message) = after.strip_prefix(" at <")?.split_once(">: ")?;
            return Some(Self {
                location: location.to_owned(),
                function: format!("executing \"{name}\" at <{node}>:"),
                message: cut(message),
            });
        }
        let (location, message) = rest.rsplit_once(": ")?;
        Some(Self {
            location: location.to_owned(),
            function: String::new(),
            message: cut(message),
        })
    }

    fn show(&self) -> String {
        let mut text = String::new();
        for (part, after) in [(&self.location, "\n  "), (&self.function, "\n    "), (&self.message, "\n")] {
            if !part.is_empty() {
                text.push_str(part);
                text.push_str(after);
            }
        }
        text
    }
}

/// The places of the chain, outermost first.
pub(super) fn places(error: &Error) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    let mut current = Some(error);
    while let Some(error) = current {
        if let Error::Exec(exec) = error
            && let Some(place) = &exec.place
            && found.last() != Some(place)
        {
            found.push(place.clone());
        }
        current = error.cause();
    }
    found
}

/// What went wrong at the innermost place.
pub(super) fn reason(error: &Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.cause() {
        innermost = cause;
    }
    let text = match innermost {
        Error::Exec(exec) => exec.message.clone(),
        Error::Parse(parse) => parse.message.clone(),
        Error::Function(function) => function.message.clone(),
    };
    marked(&text).map(str::to_owned).unwrap_or(text)
}
