//! The ids by which a thread can be asked for.

use names::{ReleaseId, RunId};

/// Fewer digits would name too many commits.
const PREFIX_DIGITS_MIN: usize = 4;

/// What somebody calls a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Id {
    /// The first digits of a commit.
    Commit(String),
    Run(RunId),
    Release(ReleaseId),
    /// The first digits of an image digest, without the algorithm.
    Image(String),
}

/// Reads an id; `None` if it has no known form.
pub fn parse(text: &str) -> Option<Id> {
    let text = text.trim();
    if let Some(digits) = text.strip_prefix("sha256:") {
        return hex(digits, 64).map(Id::Image);
    }
    if let Ok(release) = text.parse() {
        return Some(Id::Release(release));
    }
    if let Ok(run) = text.parse() {
        return Some(Id::Run(run));
    }
    if let Some((project, number)) = text.split_once('/') {
        let (project, number) = (project.parse().ok()?, number.parse().ok()?);
        return Some(Id::Run(RunId { project, number }));
    }
    hex(text, 40).map(Id::Commit)
}

fn hex(text: &str, digits_max: usize) -> Option<String> {
    let fits = (PREFIX_DIGITS_MIN..=digits_max).contains(&text.len());
    (fits && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_told_from_the_others() {
        let run = || Id::Run("shop#3".parse().expect("a run"));
        let release = || Id::Release("shop/production@7".parse().expect("a release"));
        let cases = [
            ("0ab4", Some(Id::Commit("0ab4".to_owned()))),
            ("0AB43F", Some(Id::Commit("0ab43f".to_owned()))),
            ("shop#3", Some(run())),
            ("shop/3", Some(run())),
            ("shop/production@7", Some(release())),
            ("sha256:0ab4", Some(Id::Image("0ab4".to_owned()))),
            ("0ab", None),
            ("main", None),
            ("shop/x/3", None),
            ("sha256:xyzw", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
