//! Whole files: acceptance, and where each error stands.

use serde_json::{Value, json};
use workflow::parse;
use yaml::Severity;

use super::{ask, dice::Dice, generate};

const SCRIPT: &str = r#"
import {register} from "node:module";
import {readFileSync} from "fs";
// The package imports JSON without saying so, which some versions of node refuse.
register("data:text/javascript," + encodeURIComponent(`
  import {readFile} from "node:fs/promises";
  export const load = async (url, context, next) => url.endsWith(".json")
    ? {format: "module", shortCircuit: true, source: "export default " + await readFile(new URL(url), "utf8")}
    : next(url, context);`));
const {parseWorkflow, convertWorkflowTemplate, NoOperationTraceWriter} = await import("@actions/workflow-parser");
const {TemplateContext, TemplateValidationErrors} = await import("@actions/workflow-parser/templates/template-context");
const {getWorkflowSchema} = await import("@actions/workflow-parser/workflows/workflow-schema");
const {FeatureFlags} = await import("@actions/expressions/features");
const featureFlags = new FeatureFlags({all: true});
const answers = [];
for (const content of JSON.parse(readFileSync(0, "utf8"))) {
  const context = new TemplateContext(new TemplateValidationErrors(), getWorkflowSchema(), new NoOperationTraceWriter());
  context.state.featureFlags = featureFlags;
  const {value} = parseWorkflow({name: "ci.yml", content}, context);
  const schema = context.errors.getErrors().length;
  if (value) await convertWorkflowTemplate(context, value, undefined, {errorPolicy: 1, featureFlags});
  answers.push({yaml: value === undefined, errors: context.errors.getErrors().map((e, at) => ({
    message: e.rawMessage ?? e.message, stage: at < schema ? "schema" : "model",
    line: e.range?.start.line, column: e.range?.start.column,
    endLine: e.range?.end.line, endColumn: e.range?.end.column}))});
}
console.log(JSON.stringify(answers));
"#;

#[test]
fn files_are_judged_as_github_judges_them() {
    let mut dice = Dice::new("workflow files");
    let count = super::cases(400);
    let files: Vec<_> = (0..count).map(|_| generate::file(&mut dice)).collect();
    let answers = ask("files", SCRIPT, &json!(files));
    let mut differences = Vec::new();
    let mut accepted = 0;
    for (file, theirs) in files.iter().zip(answers.as_array().expect("a list")) {
        let found = compare(file, theirs);
        accepted += usize::from(theirs["errors"].as_array().is_some_and(Vec::is_empty));
        differences.extend(found.map(|it| format!("{it}\n{}", numbered(file))));
    }
    println!("{accepted} of {count} files are accepted");
    println!("{}", differences.join("\n====\n"));
    assert!(
        differences.len() <= super::allowed(count),
        "{} of {count} differ\n{}",
        differences.len(),
        differences.join("\n====\n")
    );
}

fn numbered(file: &str) -> String {
    let lines = file
        .lines()
        .enumerate()
        .map(|(at, line)| format!("{:3} {line}", at + 1));
    lines.collect::<Vec<_>>().join("\n")
}

/// One of their errors: a place and what is said.
struct Theirs {
    message: String,
    is_schema: bool,
    start: (u64, u64),
    end: (u64, u64),
}

fn compare(file: &str, theirs: &Value) -> Option<String> {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let list = theirs["errors"].as_array().expect("errors");
    let theirs_all: Vec<_> = list
        .iter()
        .map(|it| Theirs {
            message: it["message"].as_str().unwrap_or_default().to_owned(),
            is_schema: it["stage"] == "schema",
            start: (number(&it["line"]), number(&it["column"])),
            end: (number(&it["endLine"]), number(&it["endColumn"])),
        })
        .collect();
    let parsed = parse(file, "ci.yml");
    let ours: Vec<_> = parsed
        .diagnostics
        .iter()
        .filter(|it| it.severity == Severity::Error)
        .collect();
    let place = |it: &yaml::Diagnostic| {
        let number = |value: usize| u64::try_from(value).expect("small");
        (number(it.span.line), number(it.span.column))
    };
    let show = || {
        let ours: Vec<_> = ours.iter().map(|it| format!("  ours   {it}")).collect();
        let theirs: Vec<_> = theirs_all
            .iter()
            .map(|it| format!("  theirs {}:{}: {}", it.start.0, it.start.1, it.message))
            .collect();
        format!("{}\n{}", ours.join("\n"), theirs.join("\n"))
    };
    if ours.is_empty() != theirs_all.is_empty() && !is_known(&ours, &theirs_all) {
        return Some(format!("acceptance\n{}", show()));
    }
    if theirs["yaml"] == true {
        return None;
    }
    let meets = |ours: &yaml::Diagnostic, theirs: &Theirs| {
        let at = place(ours);
        // Of text that goes on over lines without `|` or `>` they miscount, and point at something else.
        let near = at.0.abs_diff(theirs.start.0) <= 8;
        let folded =
            EXPRESSION.contains(&ours.code) && near && !points_at_expression(file, theirs.start);
        at == theirs.start || folded || (theirs.start <= at && at < theirs.end && is_inside(theirs))
    };
    // Ten errors are shown at most, so the later ones may be missing.
    let full = ours.len() >= 10;
    // What follows the schema is only sure where the schema holds: they stumble over what it refused.
    let sound = theirs_all.iter().all(|it| !it.is_schema);
    // Where no job can start they say so once, we name each need that is wrong.
    let circular = theirs_all
        .iter()
        .any(|it| it.message.contains("at least one job with no dependencies"));
    let counts = |it: &&Theirs| it.is_schema || sound;
    let missed = theirs_all
        .iter()
        .filter(counts)
        .find(|it| !full && !ours.iter().any(|our| meets(our, it)) && !is_known_theirs(it));
    let extra = ours.iter().find(|our| {
        let later = !sound && LATER.contains(&our.code)
            || circular && ["LF-W0014", "LF-W0015"].contains(&our.code);
        !later && !theirs_all.iter().any(|it| meets(our, it)) && !is_known_ours(our)
    });
    match (missed, extra) {
        (Some(missed), _) => Some(format!(
            "no error of ours at {:?}\n{}",
            missed.start,
            show()
        )),
        (None, Some(extra)) => Some(format!(
            "no error of theirs at {:?}\n{}",
            place(extra),
            show()
        )),
        (None, None) => None,
    }
}

fn points_at_expression(file: &str, (line, column): (u64, u64)) -> bool {
    let number = |value: u64| usize::try_from(value).expect("small").saturating_sub(1);
    let line = file.lines().nth(number(line)).unwrap_or_default();
    let rest: String = line.chars().skip(number(column)).collect();
    rest.contains("${{") || line.trim_start().starts_with("if:") || line.contains(" if:")
}

/// Of an expression they mark the whole, we the word that is wrong.
fn is_inside(theirs: &Theirs) -> bool {
    theirs.start.0 == theirs.end.0
}

/// The differences that `docs/guide/compatibility.md` explains.
fn is_known(ours: &[&yaml::Diagnostic], theirs: &[Theirs]) -> bool {
    ours.iter().all(|it| is_known_ours(it)) && theirs.iter().all(is_known_theirs)
}

fn is_known_ours(ours: &yaml::Diagnostic) -> bool {
    // The package leaves `uses`, filters and matrices to the server.
    ["LF-W0023", "LF-W0007", "LF-W0008", "LF-W0017", "LF-W0022", "LF-W0024"].contains(&ours.code)
        // Keys that are expressions are carried out where names and values are free.
        || ours.code == "LF-W0020"
        // Text around `${{ }}` in a condition is marked by the editor only.
        || ours.code == "LF-W0013"
}

fn is_known_theirs(theirs: &Theirs) -> bool {
    // A number or a boolean as the default of a text is a text.
    theirs
        .message
        .contains("at least one job with no dependencies")
        || ["Number", "Boolean"].iter().any(|it| {
            theirs.message.contains(&format!(
                "'{it}Token' encountered while reading 'input default'"
            ))
        })
}

/// Errors inside an expression.
const EXPRESSION: &[&str] = &["LF-W0010", "LF-W0011", "LF-W0012"];

/// What is checked once the schema holds.
const LATER: &[&str] = &[
    // Keys below a key that is refused are not looked at.
    "LF-Y0004", "LF-W0007", "LF-W0008", "LF-W0009", "LF-W0013", "LF-W0014", "LF-W0015", "LF-W0017",
    "LF-W0022", "LF-W0023", "LF-W0024", "LF-W0025", "LF-W0026", "LF-W0027", "LF-W0028",
];
