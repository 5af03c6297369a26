//! Says where a render failed and what led there, for people: template lines, values, rendered lines.

use std::sync::Arc;

use gotemplate::{Functions, Value};

use crate::{Chart, chart::ChartFile, engine::EngineError, manifest::ManifestError};

/// How many rendered lines are shown before and after the one that is wrong.
const CONTEXT_LINES: usize = 3;
/// More values than this explain nothing.
const MAX_VALUES: usize = 8;
/// Longer values are cut.
const MAX_SHOWN: usize = 120;
/// Longer rendered lines are cut.
const MAX_LINE: usize = 200;
/// What Helm says when templates include each other without end.
const NESTED: &str = "rendering template has a nested reference name";

/// What is known about a failure beside its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Why, in one line.
    pub reason: String,
    /// The way to the failure through the templates, outermost first.
    pub steps: Vec<Step>,
    /// Values that the failing action reads, as the chart saw them.
    pub values: Vec<UsedValue>,
    /// What was rendered around the wrong line, with line numbers.
    pub rendered: Vec<(usize, String)>,
    /// The wrong line of `rendered`.
    pub rendered_line: Option<usize>,
    pub hints: Vec<String>,
}

/// One place in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Full template path, e.g. `web/templates/service.yaml`.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in bytes; 0 when only the line is known.
    pub column: usize,
    /// The action.
    pub action: String,
    /// The line of the template.
    pub source: String,
}

/// A value that an action reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedValue {
    /// As the template writes it, e.g. `.Values.image.tag`.
    pub path: String,
    /// What it is; says so when there is none.
    pub shown: String,
}

/// Explains a template that failed.
pub(crate) fn template(chart: &Arc<Chart>, error: &EngineError) -> Explanation {
    let steps: Vec<Step> = error
        .places
        .iter()
        .map(|place| Step {
            file: place.file.clone(),
            line: place.line,
            column: place.column + usize::from(!place.node.is_empty()),
            action: place.node.clone(),
            source: source_line(chart, &place.file, place.line),
        })
        .collect();
    let mut values: Vec<UsedValue> = Vec::new();
    // A template that could not be parsed saw none.
    let looked_up = steps.iter().rev().filter(|_| !error.values.is_nil());
    for step in looked_up.take(MAX_VALUES) {
        for path in value_paths(&step.action).chain(value_paths(&step.source)) {
            if values.len() < MAX_VALUES && values.iter().all(|it| it.path != path) {
                let shown = show_value(&error.values, &path);
                values.push(UsedValue { path, shown });
            }
        }
    }
    Explanation {
        hints: error.hint.clone().into_iter().chain(circle(error, &steps)).collect(),
        reason: error.reason.clone(),
        steps,
        values,
        ..Explanation::default()
    }
}

/// The templates that include each other, when that is what failed.
fn circle(error: &EngineError, steps: &[Step]) -> Option<String> {
    if !error.reason.starts_with(NESTED) {
        return None;
    }
    let name = |step: &Step| step.action.strip_prefix("include ")?.split('"').nth(1).map(str::to_owned);
    let mut names: Vec<String> = steps.iter().rev().map_while(name).collect();
    let last = names.first()?.clone();
    let again = names.iter().skip(1).position(|it| *it == last)? + 1;
    names.truncate(again + 1);
    names.reverse();
    Some(format!("these templates include each other: {}", names.join(" → ")))
}

/// The name that is nearest to the function that is not defined.
pub(crate) fn nearest_function(message: &str, functions: &Functions) -> Option<String> {
    let name = message.strip_prefix("function \"")?.strip_suffix("\" not defined")?;
    let lower = name.to_lowercase();
    let near = functions.names().map(|it| (names::edits(&lower, &it.to_lowercase()), it));
    let (distance, near) = near.min()?;
    (distance <= 1 + name.len() / 4).then(|| format!("did you mean `{near}`?"))
}

/// A line that fits a screen.
fn cut(line: &str) -> String {
    match line.char_indices().nth(MAX_LINE) {
        None => line.to_owned(),
        Some((at, _)) => format!("{}…", &line[..at]),
    }
}

/// Explains a rendered document that is no manifest.
pub(crate) fn manifest(chart: &Arc<Chart>, error: &ManifestError) -> Explanation {
    let diagnostic = error.yaml.as_ref().and_then(|yaml| yaml.diagnostics.first());
    let line = diagnostic.map(|it| it.span.line);
    let lines: Vec<&str> = error.content.lines().collect();
    let wrong = line.unwrap_or(1).clamp(1, lines.len().max(1));
    let first = wrong.saturating_sub(CONTEXT_LINES).max(1);
    let last = (wrong + CONTEXT_LINES).min(lines.len());
    let rendered: Vec<(usize, String)> = (first..=last)
        .filter_map(|number| Some((number, cut(lines.get(number - 1)?))))
        .collect();
    let made_by = lines
        .get(wrong - 1)
        .and_then(|written| template_line(chart, &error.source, written));
    Explanation {
        reason: diagnostic.map_or_else(|| error.text.clone(), |it| it.message.clone()),
        steps: made_by.into_iter().collect(),
        rendered,
        rendered_line: line.map(|_| wrong),
        ..Explanation::default()
    }
}

/// The line of the template that most likely wrote `written`: the one that shares the longest start.
fn template_line(chart: &Arc<Chart>, path: &str, written: &str) -> Option<Step> {
    let file = find(chart, path)?;
    let text = String::from_utf8_lossy(&file.data);
    let wanted = written.trim();
    let shared = |line: &str| {
        let line = line.trim();
        let alike = line.bytes().zip(wanted.bytes()).take_while(|(a, b)| a == b);
        alike.count()
    };
    let (index, line) = text
        .lines()
        .enumerate()
        .max_by_key(|(index, line)| (shared(line), usize::MAX - index))?;
    (shared(line) > 0).then(|| Step {
        file: path.to_owned(),
        line: index + 1,
        column: 0,
        action: String::new(),
        source: line.trim_end().to_owned(),
    })
}

fn source_line(chart: &Arc<Chart>, path: &str, line: usize) -> String {
    let Some(file) = find(chart, path) else {
        return String::new();
    };
    let text = String::from_utf8_lossy(&file.data);
    let line = text.lines().nth(line.saturating_sub(1));
    line.unwrap_or_default().trim_end().to_owned()
}

/// The file of a full template path. An aliased chart is found by the file it shares with others.
fn find<'a>(chart: &'a Arc<Chart>, path: &str) -> Option<&'a ChartFile> {
    let (_, inner) = path.split_once('/')?;
    let Some(below) = inner.strip_prefix("charts/") else {
        return chart.templates.iter().find(|file| file.name == inner);
    };
    let (name, _) = below.split_once('/')?;
    let aliased = chart
        .metadata
        .dependencies
        .iter()
        .find(|it| it.effective_name() == name)
        .map_or(name, |it| it.name.as_str());
    let child = chart.dependencies.iter().find(|it| it.name() == aliased)?;
    find(child, below)
}

/// All `.Values.a.b` of a text.
fn value_paths(text: &str) -> impl Iterator<Item = String> {
    text.match_indices(".Values.").map(|(at, _)| {
        let rest = &text[at + 1..];
        let end = rest
            .find(|it: char| !(it.is_alphanumeric() || it == '_' || it == '.'))
            .unwrap_or(rest.len());
        format!(".{}", rest[..end].trim_end_matches('.'))
    })
}

fn show_value(values: &Value, path: &str) -> String {
    let mut current = values.clone();
    let mut way = ".Values".to_owned();
    for key in path.trim_start_matches(".Values.").split('.') {
        let next = match &current {
            Value::Map(map) => map.get(key),
            _ => None,
        };
        way = format!("{way}.{key}");
        match next {
            Some(Value::Nil) => return format!("`{way}` is null"),
            Some(next) => current = next,
            None => return format!("`{way}` is not set"),
        }
    }
    let mut shown = crate::values::tree::to_plain(&current).to_string();
    if shown.len() > MAX_SHOWN {
        let cut = (0..=MAX_SHOWN).rev().find(|at| shown.is_char_boundary(*at));
        shown.truncate(cut.unwrap_or(0));
        shown.push('…');
    }
    shown
}
