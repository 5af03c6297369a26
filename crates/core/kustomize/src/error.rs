//! Why a build failed, with the way that led there.

use std::fmt;

/// Why a build failed; boxed, because results are passed up often and errors are rare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(Box<Told>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    /// The folders from the one that was asked for to the one that failed.
    chain: Vec<String>,
    /// The file that is wrong, when one is.
    file: Option<String>,
    /// The line in that file, counted from one.
    line: Option<usize>,
    message: String,
    hint: Option<String>,
}

impl BuildError {
    pub fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Told {
            message: message.into(),
            ..Told::default()
        }))
    }

    /// What can be done about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert(hint.into());
        self
    }

    /// The file that is wrong, unless one is named already.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        self.0.file.get_or_insert_with(|| file.to_owned());
        self
    }

    #[must_use]
    pub fn at_line(mut self, line: usize) -> Self {
        self.0.line.get_or_insert(line);
        self
    }

    /// What was being done when it happened.
    #[must_use]
    pub fn during(mut self, operation: impl fmt::Display) -> Self {
        self.0.message = format!("{operation}: {}", self.0.message);
        self
    }

    /// The folder that was being built.
    #[must_use]
    pub fn below(mut self, folder: &str) -> Self {
        self.0.chain.insert(0, folder.to_owned());
        self
    }

    /// What went wrong, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The file that is wrong, when one is.
    pub fn file(&self) -> Option<&str> {
        self.0.file.as_deref()
    }

    /// The line of [`BuildError::file`], when it is known.
    pub fn line(&self) -> Option<usize> {
        self.0.line
    }

    /// The folders from the one that was asked for to the one that failed.
    pub fn chain(&self) -> &[String] {
        &self.0.chain
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.file, self.0.line) {
            (Some(file), Some(line)) => write!(f, "{file}:{line}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, _) => {}
        }
        f.write_str(&self.0.message)?;
        if let Some(hint) = &self.0.hint {
            write!(f, " ({hint})")?;
        }
        if self.0.chain.len() > 1 {
            write!(f, " [{}]", self.0.chain.join(" → "))?;
        }
        Ok(())
    }
}

impl std::error::Error for BuildError {}

impl From<files::FilesError> for BuildError {
    fn from(error: files::FilesError) -> Self {
        Self::new(error.to_string())
    }
}

/// The word of `known` that is nearest to `word`, when one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|it| (names::edits(&lower, &it.to_lowercase()), it))
        .filter(|(distance, it)| *distance <= 1 + it.len().min(word.len()) / 4)
        .min()
        .map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_word_is_offered_only_when_it_is_near() {
        let known = ["resources", "replicas", "namePrefix", "images"];
        assert_eq!(nearest("resource", known), Some("resources"));
        assert_eq!(nearest("nameprefx", known), Some("namePrefix"));
        assert_eq!(nearest("frobnicate", known), None);
    }
}
