//! Checks values against values.schema.json, with the original's words.

use std::{error::Error, fmt, fmt::Write as _, rc::Rc};

use boon::{Compiler, ErrorKind, SchemaIndex, Schemas, UrlLoader, ValidationError};
use gotemplate::{Map, Value};
use serde_json::Value as Plain;

use crate::{values::tree::to_plain, working::WorkingChart};

const LOCATION: &str = "file:///values.schema.json";

/// Whether values.schema.json is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SchemaCheck {
    #[default]
    Checked,
    Skipped,
}

/// One value that a schema does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFinding {
    pub chart: String,
    /// JSON pointer into the chart's values.
    pub at: String,
    pub message: String,
}

impl fmt::Display for SchemaFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.at.trim_start_matches('/').replace('/', ".");
        let path = if path.is_empty() { "the values".to_owned() } else { format!("`{path}`") };
        write!(f, "chart `{}`: {path}: {}", self.chart, self.message)
    }
}

/// Checks a chart and all below it; gives what the original would say, empty when all is well.
pub(crate) fn check_tree(
    chart: &WorkingChart,
    values: &Rc<Map>,
    findings: &mut Vec<SchemaFinding>,
) -> String {
    let mut text = String::new();
    if let Some(schema) = &chart.source.schema
        && let Err(problem) = check(chart.name(), schema, values, findings)
    {
        let _ = write!(text, "{}:\n{problem}", chart.name());
    }
    for child in &chart.dependencies {
        let child = child.borrow();
        match values.get(child.name()) {
            None | Some(Value::Nil) => {}
            Some(Value::Map(section)) => text.push_str(&check_tree(&child, &section, findings)),
            Some(other) => {
                let name = child.name();
                let _ = write!(
                    text,
                    "{name}:\ninvalid type for values: expected object (map), got {}\n",
                    other.type_name()
                );
            }
        }
    }
    text
}

fn check(
    chart: &str,
    schema: &[u8],
    values: &Rc<Map>,
    findings: &mut Vec<SchemaFinding>,
) -> Result<(), String> {
    let schema: Plain = serde_json::from_slice(schema).map_err(|error| error.to_string())?;
    let (schemas, index) = compile(schema)?;
    let values = to_plain(&Value::Map(Rc::clone(values)));
    schemas.validate(&values, index).map_err(|error| {
        let mut text = String::new();
        for cause in &error.causes {
            show(cause, 0, &mut text);
            collect(chart, cause, findings);
        }
        if error.causes.is_empty() {
            show(&error, 0, &mut text);
            collect(chart, &error, findings);
        }
        text
    })
}

fn compile(schema: Plain) -> Result<(Schemas, SchemaIndex), String> {
    let mut schemas = Schemas::new();
    let mut compiler = Compiler::new();
    compiler.use_loader(Box::new(NoLoader));
    compiler.add_resource(LOCATION, schema).map_err(|error| error.to_string())?;
    let index = compiler
        .compile(LOCATION, &mut schemas)
        .map_err(|error| error.to_string())?;
    Ok((schemas, index))
}

/// Schemas elsewhere are not fetched: what is rendered must not depend on the network.
struct NoLoader;

impl UrlLoader for NoLoader {
    fn load(&self, url: &str) -> Result<Plain, Box<dyn Error>> {
        // Names that nobody can resolve are let pass, as in the original.
        if url.starts_with("urn:") {
            return Ok(Plain::Bool(true));
        }
        Err(format!("schemas are not fetched: `{url}`; put its content into values.schema.json").into())
    }
}

fn show(error: &ValidationError<'_, '_>, depth: usize, text: &mut String) {
    show_in(error, depth, text, false);
}

/// The original names an `allOf` even when one of its schemas alone fails; the library here leaves it out.
fn left_out_all_of(error: &ValidationError<'_, '_>) -> Option<String> {
    let (_, inside) = error.schema_url.rsplit_once("/allOf/")?;
    let mut steps = inside.split('/').skip(1);
    let mut down = 0;
    while let Some(step) = steps.next() {
        match step {
            "properties" | "patternProperties" => {
                steps.next();
                down += 1;
            }
            "items" | "additionalProperties" | "prefixItems" => down += 1,
            // What stands between is named by itself.
            _ => return None,
        }
    }
    let mut at = error.instance_location.to_string();
    for _ in 0..down {
        at.truncate(at.rfind('/')?);
    }
    Some(at)
}

fn show_in(error: &ValidationError<'_, '_>, mut depth: usize, text: &mut String, in_all_of: bool) {
    if !in_all_of && let Some(at) = left_out_all_of(error) {
        let _ = writeln!(text, "{}- at {}: 'allOf' failed", "  ".repeat(depth), quote(&at));
        depth += 1;
    }
    if let (ErrorKind::Reference { .. }, [only]) = (&error.kind, error.causes.as_slice()) {
        return show_in(only, depth, text, in_all_of);
    }
    text.push_str(&"  ".repeat(depth));
    let _ = writeln!(text, "- at {}: {}", quote(&error.instance_location.to_string()), message(&error.kind));
    for cause in &error.causes {
        let in_all_of = matches!(error.kind, ErrorKind::AllOf);
        show_in(cause, depth + 1, text, in_all_of);
    }
}

fn collect(chart: &str, error: &ValidationError<'_, '_>, findings: &mut Vec<SchemaFinding>) {
    let is_group = matches!(error.kind, ErrorKind::Group | ErrorKind::Reference { .. } | ErrorKind::AllOf);
    if is_group && !error.causes.is_empty() {
        error.causes.iter().for_each(|cause| collect(chart, cause, findings));
        return;
    }
    findings.push(SchemaFinding {
        chart: chart.to_owned(),
        at: error.instance_location.to_string(),
        message: message(&error.kind),
    });
}

fn message(kind: &ErrorKind<'_, '_>) -> String {
    match kind {
        ErrorKind::Group | ErrorKind::Reference { .. } => "validation failed".to_owned(),
        ErrorKind::Schema { url } => format!("jsonschema validation failed with {}", quote(url)),
        ErrorKind::PropertyName { prop } => format!("invalid propertyName {}", quote(prop)),
        ErrorKind::FalseSchema => "false schema".to_owned(),
        ErrorKind::Type { got, want } => {
            let want: Vec<String> = want.iter().map(|it| it.to_string()).collect();
            format!("got {got}, want {}", want.join(" or "))
        }
        ErrorKind::Enum { want } => {
            let shown: Option<Vec<String>> = want.iter().map(primitive).collect();
            match shown.as_deref() {
                None => "'enum' failed".to_owned(),
                Some([only]) => format!("value must be {only}"),
                Some(all) => format!("value must be one of {}", all.join(", ")),
            }
        }
        ErrorKind::Const { want } => match primitive(want) {
            Some(shown) => format!("value must be {shown}"),
            None => "'const' failed".to_owned(),
        },
        ErrorKind::Format { got, want, err } => {
            let got = primitive(got).unwrap_or_else(|| "value".to_owned());
            format!("{got} is not valid {want}: {err}")
        }
        ErrorKind::MinProperties { got, want } => format!("minProperties: got {got}, want {want}"),
        ErrorKind::MaxProperties { got, want } => format!("maxProperties: got {got}, want {want}"),
        ErrorKind::AdditionalProperties { got } => {
            format!("additional properties {} not allowed", quoted(got))
        }
        ErrorKind::Required { want } if want.len() == 1 => {
            format!("missing property {}", quoted(want))
        }
        ErrorKind::Required { want } => format!("missing properties {}", quoted(want)),
        ErrorKind::Dependency { prop, missing } | ErrorKind::DependentRequired { prop, missing } => {
            format!("properties {} required, if {} exists", quoted(missing), quote(prop))
        }
        ErrorKind::MinItems { got, want } => format!("minItems: got {got}, want {want}"),
        ErrorKind::MaxItems { got, want } => format!("maxItems: got {got}, want {want}"),
        ErrorKind::Contains => "no items match contains schema".to_owned(),
        ErrorKind::MinContains { got, want } if got.is_empty() => {
            format!("min {want} items required to match contains schema, but none matched")
        }
        ErrorKind::MinContains { got, want } => format!(
            "min {want} items required to match contains schema, but matched {} items at {}",
            got.len(),
            positions(got)
        ),
        ErrorKind::MaxContains { got, want } => format!(
            "max {want} items required to match contains schema, but matched {} items at {}",
            got.len(),
            positions(got)
        ),
        ErrorKind::UniqueItems { got: [first, second] } => {
            format!("items at {first} and {second} are equal")
        }
        ErrorKind::AdditionalItems { got } => format!("last {got} additionalItem(s) not allowed"),
        ErrorKind::MinLength { got, want } => format!("minLength: got {got}, want {want}"),
        ErrorKind::MaxLength { got, want } => format!("maxLength: got {got}, want {want}"),
        ErrorKind::Pattern { got, want } => {
            format!("{} does not match pattern {}", quote(got), quote(want))
        }
        ErrorKind::Minimum { got, want } => format!("minimum: got {got}, want {want}"),
        ErrorKind::Maximum { got, want } => format!("maximum: got {got}, want {want}"),
        ErrorKind::ExclusiveMinimum { got, want } => {
            format!("exclusiveMinimum: got {got}, want {want}")
        }
        ErrorKind::ExclusiveMaximum { got, want } => {
            format!("exclusiveMaximum: got {got}, want {want}")
        }
        ErrorKind::MultipleOf { got, want } => format!("multipleOf: got {got}, want {want}"),
        ErrorKind::Not => "'not' failed".to_owned(),
        ErrorKind::AllOf => "'allOf' failed".to_owned(),
        ErrorKind::AnyOf => "'anyOf' failed".to_owned(),
        ErrorKind::OneOf(None) => "'oneOf' failed, none matched".to_owned(),
        ErrorKind::OneOf(Some((first, second))) => {
            format!("'oneOf' failed, subschemas {first}, {second} matched")
        }
        ErrorKind::ContentSchema
        | ErrorKind::RefCycle { .. }
        | ErrorKind::ContentEncoding { .. }
        | ErrorKind::ContentMediaType { .. } => kind.to_string(),
    }
}

fn positions(all: &[usize]) -> String {
    let shown: Vec<String> = all.iter().map(usize::to_string).collect();
    format!("[{}]", shown.join(" "))
}

fn primitive(value: &Plain) -> Option<String> {
    match value {
        Plain::String(text) => Some(quote(text)),
        Plain::Array(_) | Plain::Object(_) => None,
        other => Some(other.to_string()),
    }
}

fn quoted<T: AsRef<str>>(all: &[T]) -> String {
    let shown: Vec<String> = all.iter().map(|it| quote(it.as_ref())).collect();
    shown.join(", ")
}

fn quote(text: &str) -> String {
    let inner = format!("{text:?}");
    let inner = inner[1..inner.len() - 1].replace("\\\"", "\"");
    // Rust's form escapes the double quote where the original escapes the single one.
    format!("'{}'", inner.replace("\\'", "'").replace('\'', "\\'"))
}
