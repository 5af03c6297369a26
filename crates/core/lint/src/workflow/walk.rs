//! Finds every expression of a file and where it stands.

use workflow::{
    Places,
    expr::{Expression, Template},
};
use yaml::{Node, NodeValue, Span};

use super::items;

/// The part of a workflow that an expression belongs to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Site<'a> {
    /// The id of the job and the job.
    pub job: Option<(&'a str, &'a Node)>,
    /// The position of the step, counted with the outer one of `parallel`, and the step.
    pub step: Option<(usize, &'a Node)>,
    /// The key of the job, the step or the workflow.
    pub key: &'a str,
    /// The key that holds the text itself.
    pub inner: &'a str,
}

/// All expressions of a file.
pub(super) struct Uses<'a> {
    pub all: Vec<Found<'a>>,
    places: Places<'a>,
}

/// An expression, its site, its scalar and its offset in the scalar's text.
pub(super) struct Found<'a> {
    pub expression: Expression,
    pub site: Site<'a>,
    node: &'a Node,
    at: usize,
}

impl Uses<'_> {
    /// The place of a range of bytes of an expression.
    pub fn span(&self, found: &Found<'_>, at: usize, length: usize) -> Span {
        let text = found.node.text().unwrap_or_default();
        let start = found.at + at;
        self.places.inside(found.node, text, start..start + length)
    }
}

pub(super) fn expressions<'a>(source: &'a str, root: &'a Node) -> Uses<'a> {
    let mut all = Vec::new();
    for entry in root.entries() {
        let site = Site { key: &entry.key, inner: &entry.key, ..Site::default() };
        if entry.key == "jobs" {
            for job in entry.value.entries() {
                self::job(&mut all, &job.key, &job.value);
            }
        } else {
            value(&mut all, site, &entry.value);
        }
    }
    Uses { all, places: Places::new(source) }
}

fn job<'a>(all: &mut Vec<Found<'a>>, id: &'a str, node: &'a Node) {
    for entry in node.entries() {
        let site = Site { job: Some((id, node)), step: None, key: &entry.key, inner: &entry.key };
        if entry.key == "steps" {
            for (position, step) in items(Some(&entry.value)).iter().enumerate() {
                self::step(all, site, position, step);
            }
        } else {
            value(all, site, &entry.value);
        }
    }
}

fn step<'a>(all: &mut Vec<Found<'a>>, site: Site<'a>, position: usize, node: &'a Node) {
    for entry in node.entries() {
        if entry.key == "parallel" {
            items(Some(&entry.value)).iter().for_each(|it| step(all, site, position, it));
            continue;
        }
        let site = Site { step: Some((position, node)), key: &entry.key, inner: &entry.key, ..site };
        value(all, site, &entry.value);
    }
}

fn value<'a>(all: &mut Vec<Found<'a>>, site: Site<'a>, node: &'a Node) {
    match &node.value {
        NodeValue::Sequence(items) => items.iter().for_each(|it| value(all, site, it)),
        NodeValue::Mapping(entries) => {
            for entry in entries {
                value(all, Site { inner: &entry.key, ..site }, &entry.value);
            }
        }
        NodeValue::Scalar { text, .. } if text.contains("${{") => {
            let parts = Template::scan(text).filter_map(Result::ok);
            all.extend(parts.map(|(expression, at)| Found { expression, site, node, at }));
        }
        NodeValue::Scalar { text, .. } if site.inner == "if" && !node.is_null() => {
            let expression = Expression::parse(text).ok();
            all.extend(expression.map(|expression| Found { expression, site, node, at: 0 }));
        }
        NodeValue::Scalar { .. } => {}
    }
}
