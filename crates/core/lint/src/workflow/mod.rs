//! Workflow files, each for itself: what the language refuses, and what it accepts and is hardly meant.

mod action;
mod expressions;
mod habits;
mod injection;
mod inputs;
mod properties;
mod walk;

use yaml::{Diagnostic, Flavor, Node, NodeValue, Span};

use crate::{
    Tree,
    mend::{Source, is_character},
};

pub(crate) use action::check_manifest;

pub(crate) fn check(path: &str, source: &Source, tree: &Tree, native: &[&str], found: &mut Vec<Diagnostic>) {
    let parsed = workflow::parse(&source.original, path);
    let mut all = if source.is_mended() {
        found.extend(parsed.diagnostics.into_iter().filter(is_character));
        workflow::parse(source.text(), path).diagnostics
    } else {
        parsed.diagnostics
    };
    if let Ok(documents) = yaml::parse_despite_duplicates(source.text(), path, Flavor::Core12)
        && let Some(document) = documents.first()
    {
        let mut file = File { path, root: &document.root, tree, native, found: Vec::new() };
        let uses = walk::expressions(source.text(), &document.root);
        expressions::check(&mut file, &uses);
        injection::check(&mut file, &uses);
        action::check(&mut file);
        habits::check(&mut file);
        all.extend(file.found);
    }
    found.extend(all.into_iter().map(|it| source.place(it)));
}

/// A workflow file and what was found in it.
struct File<'a> {
    path: &'a str,
    root: &'a Node,
    tree: &'a Tree,
    /// The actions that are carried out without being fetched.
    native: &'a [&'a str],
    found: Vec<Diagnostic>,
}

impl File<'_> {
    fn warn(&mut self, span: Span, code: &'static str, message: impl Into<String>) -> &mut Diagnostic {
        self.found.push(Diagnostic::error(self.path, span, code, message).warning());
        self.found.last_mut().expect("just pushed")
    }
}

/// The items of a sequence; nothing for anything else.
fn items(node: Option<&Node>) -> &[Node] {
    match node.map(|it| &it.value) {
        Some(NodeValue::Sequence(items)) => items,
        _ => &[],
    }
}

/// A text, or the texts of a sequence.
fn texts(node: Option<&Node>) -> Vec<&str> {
    match node {
        Some(node) if node.text().is_some() => node.text().into_iter().collect(),
        node => items(node).iter().filter_map(Node::text).collect(),
    }
}

/// The steps of a job, those inside `parallel` as well, with the position of the outer step.
fn steps(job: &Node) -> Vec<(usize, &Node)> {
    let mut all = Vec::new();
    for (position, step) in items(job.get("steps")).iter().enumerate() {
        all.push((position, step));
        all.extend(items(step.get("parallel")).iter().map(|it| (position, it)));
    }
    all
}
