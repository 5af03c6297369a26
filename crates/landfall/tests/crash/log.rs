//! What the log of a step must hold.

use serde::Deserialize;

/// How many lines the step `count` prints behind its first.
const COUNTED: usize = 10;

/// A line as `landfall logs --output json` tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct Line {
    pub job: String,
    #[serde(default = "first")]
    pub attempt: u32,
    pub step: usize,
    stream: String,
    text: String,
}

fn first() -> u32 {
    1
}

impl Line {
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// Panics unless the lines are those of one execution: all of it if it was not cut off, else its beginning.
pub fn check(place: &str, step: &str, lines: &[&Line], whole: bool) {
    let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    let headlines = lines.iter().filter(|line| line.stream == "landfall" && line.text.starts_with("##[group]Run ")).count();
    let tokens = texts.iter().filter(|text| text.starts_with("token ")).count();
    let prints_token = matches!(step, "count" | "word" | "image" | "apply");
    let wanted = (1, usize::from(prints_token));
    if whole {
        assert_eq!((headlines, tokens), wanted, "{place}: headlines and executions: {texts:#?}");
    } else {
        assert!(headlines <= wanted.0 && tokens <= wanted.1, "{place}: headlines and executions: {texts:#?}");
    }
    if step != "count" {
        return;
    }
    let printed: Vec<_> = texts.iter().filter(|text| text.starts_with("line ")).map(|it| (*it).to_owned()).collect();
    let expected: Vec<_> = (1..=COUNTED).map(|number| format!("line {number}")).collect();
    if whole {
        assert_eq!(printed, expected, "{place}");
    } else {
        assert!(expected.starts_with(&printed), "{place}: {printed:#?}");
    }
}
