//! Whether two renders are the same, after YAML is read; and whether they are so to the byte.

use serde_json::Value;
use yaml::Flavor;

use crate::tool::Outcome;

/// How much two outcomes agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    ToTheByte,
    /// The same documents in the same order; white space differs.
    InMeaning,
    /// The difference is described.
    No,
}

/// Compares what the tool did with what we did.
pub fn outcomes(theirs: &Outcome, ours: &Outcome) -> (Agreement, String) {
    match (theirs, ours) {
        (Ok(theirs), Ok(ours)) if theirs == ours => (Agreement::ToTheByte, String::new()),
        (Ok(theirs), Ok(ours)) => match (documents(theirs), documents(ours)) {
            (Ok(a), Ok(b)) if a == b => (Agreement::InMeaning, String::new()),
            _ => (Agreement::No, difference(theirs, ours)),
        },
        (Err(theirs), Err(ours)) if same_error(theirs, ours) => {
            (Agreement::ToTheByte, String::new())
        }
        (Err(theirs), Err(ours)) => {
            (Agreement::No, format!("error\n  theirs: {theirs}\n  ours:   {ours}"))
        }
        (Ok(theirs), Err(ours)) => {
            (Agreement::No, format!("only ours fails: {ours}\n  theirs: {}", start(theirs)))
        }
        (Err(theirs), Ok(ours)) => {
            (Agreement::No, format!("only theirs fails: {theirs}\n  ours: {}", start(ours)))
        }
    }
}

/// Go walks maps in any order, so a schema's complaints may change places.
fn same_error(theirs: &str, ours: &str) -> bool {
    let sorted = |text: &str| {
        let mut words: Vec<String> = text.split([' ', ',', '\n']).map(str::to_owned).collect();
        words.sort_unstable();
        words
    };
    theirs == ours || theirs.contains("schema(s)") && sorted(theirs) == sorted(ours)
}

fn start(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Source and value of each document that is more than comments.
pub fn documents(text: &str) -> Result<Vec<(String, Value)>, String> {
    let mut found = Vec::new();
    for document in text.split("---\n# Source: ").skip(1) {
        let (source, body) = document.split_once('\n').unwrap_or((document, ""));
        let parsed = yaml::parse(body, source, Flavor::Go11)
            .map_err(|problems| format!("{source}: {problems:?}"))?;
        for document in parsed {
            found.push((source.to_owned(), document.root.to_json()));
        }
    }
    Ok(found)
}

/// The first line that differs, with its neighbours.
pub fn difference(theirs: &str, ours: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (theirs.lines().collect(), ours.lines().collect());
    let at = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let show = |lines: &[&str]| {
        let from = at.saturating_sub(3);
        let until = (at + 4).min(lines.len());
        lines.get(from..until).unwrap_or_default().join("\n    ")
    };
    format!("line {}\n  theirs:\n    {}\n  ours:\n    {}", at + 1, show(&a), show(&b))
}
