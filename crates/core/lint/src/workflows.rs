//! Workflow files, each for itself.

use yaml::Diagnostic;

use crate::mend::{Source, is_character};

pub(crate) fn check(path: &str, source: &Source, actions: &[&str], found: &mut Vec<Diagnostic>) {
    let parsed = workflow::parse(&source.original, path, actions);
    if !source.is_mended() {
        found.extend(parsed.diagnostics);
        return;
    }
    found.extend(parsed.diagnostics.into_iter().filter(is_character));
    let mended = workflow::parse(source.text(), path, actions);
    found.extend(mended.diagnostics.into_iter().map(|it| source.place(it)));
}
