//! Whether every dependency may be shipped under our licence.

use super::{Finding, sources::Sources};
use crate::workspace::Workspace;

/// Permissive licences, and data under terms that ask for nothing.
const ALLOWED: [&str; 13] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unlicense",
    "BSL-1.0",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
    "CC0-1.0",
];

pub fn allowed(workspace: &Workspace, _: &Sources) -> anyhow::Result<Vec<Finding>> {
    let refused = workspace.packages.iter().filter(|package| !package.license.as_deref().is_some_and(is_allowed));
    let finding = |package: &crate::workspace::Package| {
        let licence = package.license.as_deref().unwrap_or("no licence");
        let message = format!("`{}` {}: {licence}", package.name, package.version);
        Finding::new("Cargo.lock", None, message, "choose another crate, or add the licence to the list and say why")
    };
    Ok(refused.map(finding).collect())
}

/// Whether one of the choices that an SPDX expression offers is allowed.
fn is_allowed(expression: &str) -> bool {
    // Before SPDX, crates wrote `MIT/Apache-2.0` for a choice.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    either(&mut words) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(words: &mut Words<'_>) -> bool {
    let mut allowed = both(words);
    while words.next_if_eq(&"OR").is_some() {
        allowed |= both(words);
    }
    allowed
}

fn both(words: &mut Words<'_>) -> bool {
    let mut allowed = one(words);
    while words.next_if_eq(&"AND").is_some() {
        allowed &= one(words);
    }
    allowed
}

fn one(words: &mut Words<'_>) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let allowed = either(words);
        return words.next_if_eq(&")").is_some() && allowed;
    }
    let Some(name) = words.next() else { return false };
    match words.next_if_eq(&"WITH").and_then(|_| words.next()) {
        Some(exception) => ALLOWED.contains(&format!("{name} WITH {exception}").as_str()),
        None => ALLOWED.contains(&name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_and_conjunctions_are_understood() {
        check("MIT/Apache-2.0", true);
        check("MIT OR LGPL-2.1-or-later", true);
        check("MIT AND LGPL-2.1-or-later", false);
        check("(Apache-2.0 OR GPL-3.0) AND BSD-3-Clause", true);
        check("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true);
        check("GPL-3.0 WITH LLVM-exception", false);
        check("MIT)", false);
        check("", false);
    }

    #[track_caller]
    fn check(expression: &str, expected: bool) {
        assert_eq!(is_allowed(expression), expected, "{expression}");
    }
}
