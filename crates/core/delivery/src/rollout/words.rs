//! A plan in one line: `canary 10, 5m, 50, pause errors<1% p95<300ms`.

use api::{AnalysisPlan, BlueGreenPlan, CanaryPlan, CanaryStep, RolloutPlan};
use names::{format_duration, parse_duration};

use super::strategy;

/// The annotation of a Deployment that holds its plan.
pub const ANNOTATION: &str = "landfall.dev/rollout";

/// Time between measurements when nothing is said.
pub const INTERVAL_SECONDS: u64 = 30;

/// Requests that a measurement needs when nothing is said; a share of fewer jumps too far by one.
pub const REQUESTS_MIN: u64 = 20;

/// How long the old version of a blue-green change stays when nothing is said, as in Argo Rollouts.
pub const KEEP_SECONDS: u64 = 30;

/// More steps than this are a mistake.
const STEPS_MAX: usize = 100;

/// Why a text is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("`{0}` is no way to change over; one of `rolling`, `canary`, `blue-green`")]
    UnknownStrategy(String),
    #[error("`{0}` is no step: a weight such as `10%`, a pause such as `5m`, or `pause` until a person goes on")]
    NoStep(String),
    #[error("`{0}` is over 100")]
    WeightTooHigh(String),
    #[error("a canary needs steps, such as `canary 10, 5m, 50, 5m`")]
    NoSteps,
    #[error("{0} steps are more than 100")]
    TooManySteps(usize),
    #[error("`{0}` is not known here; known: {1}")]
    UnknownOption(String, &'static str),
    #[error("`{0}`: expected {1}")]
    BadValue(String, &'static str),
    /// The long form has mistakes; each is named.
    #[error("{0}")]
    Strategy(String),
}

/// Reads a plan: one line, or the long form as YAML or JSON.
///
/// # Errors
///
/// The first word that does not fit; of the long form, all of them.
pub fn parse(text: &str) -> Result<RolloutPlan, PlanError> {
    let text = text.trim();
    let first = text.split([' ', ',', '\t']).next().unwrap_or_default();
    match first {
        "rolling" if text == "rolling" => Ok(RolloutPlan::Rolling),
        "canary" => canary(&text["canary".len()..]),
        "blue-green" | "bluegreen" => blue_green(&text[first.len()..]),
        _ if text.contains(':') => long_form(text),
        _ => Err(PlanError::UnknownStrategy(text.to_owned())),
    }
}

fn long_form(text: &str) -> Result<RolloutPlan, PlanError> {
    let wrong = |found: Vec<yaml::Diagnostic>| PlanError::Strategy(found.into_iter().map(|it| it.message).collect::<Vec<_>>().join("; "));
    let documents = yaml::parse(text, ANNOTATION, yaml::Flavor::Go11).map_err(wrong)?;
    let Some(document) = documents.first() else { return Err(PlanError::UnknownStrategy(text.to_owned())) };
    strategy::strategy(&document.root, ANNOTATION).map_err(wrong)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|it: char| it.is_whitespace() || it == ',').filter(|it| !it.is_empty())
}

fn canary(text: &str) -> Result<RolloutPlan, PlanError> {
    let (mut steps, mut analysis) = (Vec::new(), Analysis::default());
    for word in words(text) {
        if let Some((key, value)) = option(word) {
            if !analysis.take(word, key, value)? {
                return Err(PlanError::UnknownOption(word.to_owned(), "errors, p50, p95, every, requests, failures"));
            }
            continue;
        }
        steps.push(step(word)?);
    }
    if steps.is_empty() {
        return Err(PlanError::NoSteps);
    }
    if steps.len() > STEPS_MAX {
        return Err(PlanError::TooManySteps(steps.len()));
    }
    Ok(RolloutPlan::Canary(CanaryPlan { steps, analysis: analysis.plan() }))
}

fn step(word: &str) -> Result<CanaryStep, PlanError> {
    if word == "pause" {
        return Ok(CanaryStep::Pause(None));
    }
    let number = word.strip_suffix('%').unwrap_or(word);
    if !number.is_empty() && number.chars().all(|it| it.is_ascii_digit()) {
        return match number.parse::<u8>() {
            Ok(weight @ 0..=100) => Ok(CanaryStep::Weight(weight)),
            Ok(_) | Err(_) => Err(PlanError::WeightTooHigh(word.to_owned())),
        };
    }
    match parse_duration(word) {
        Ok(pause) => Ok(CanaryStep::Pause(Some(pause.as_secs()))),
        Err(_) => Err(PlanError::NoStep(word.to_owned())),
    }
}

fn blue_green(text: &str) -> Result<RolloutPlan, PlanError> {
    let mut plan = BlueGreenPlan { promote_after_seconds: Some(0), keep_seconds: KEEP_SECONDS, ..BlueGreenPlan::default() };
    let mut analysis = Analysis::default();
    for word in words(text) {
        match option(word) {
            None if word == "pause" => plan.promote_after_seconds = None,
            Some(("preview", value)) if !value.is_empty() => plan.preview = Some(value.to_owned()),
            Some(("after", value)) => plan.promote_after_seconds = Some(seconds(word, value)?),
            Some(("keep", value)) => plan.keep_seconds = seconds(word, value)?,
            Some((key, value)) if analysis.take(word, key, value)? => {}
            Some(_) | None => {
                return Err(PlanError::UnknownOption(word.to_owned(), "preview, pause, after, keep, errors, p50, p95, every, requests, failures"));
            }
        }
    }
    plan.analysis = analysis.plan();
    Ok(RolloutPlan::BlueGreen(plan))
}

/// `errors<1%` as its two sides.
fn option(word: &str) -> Option<(&str, &str)> {
    ["<=", ">=", "<", ">", "="].iter().filter_map(|sign| word.split_once(sign)).min_by_key(|(key, _)| key.len())
}

fn seconds(word: &str, value: &str) -> Result<u64, PlanError> {
    parse_duration(value).map(|it| it.as_secs()).map_err(|_| PlanError::BadValue(word.to_owned(), "a span such as `30s` or `5m`"))
}

/// The limits that were named so far.
#[derive(Default)]
struct Analysis(Option<AnalysisPlan>);

impl Analysis {
    /// Whether the key is one of an analysis.
    fn take(&mut self, word: &str, key: &str, value: &str) -> Result<bool, PlanError> {
        let bad = |expected: &'static str| PlanError::BadValue(word.to_owned(), expected);
        let mut plan = self.0.clone().unwrap_or_else(unlimited);
        match key {
            "errors" => {
                let percent = value.trim_end_matches('%').parse::<f64>().ok().filter(|it| (0.0..=100.0).contains(it));
                plan.errors_percent_max = Some(percent.ok_or_else(|| bad("a share such as `1%`"))?);
            }
            "p50" => plan.latency_p50_ms_max = Some(millis(value).ok_or_else(|| bad("a span such as `200ms`"))?),
            "p95" => plan.latency_p95_ms_max = Some(millis(value).ok_or_else(|| bad("a span such as `200ms`"))?),
            "every" => plan.interval_seconds = seconds(word, value)?.max(1),
            "requests" => plan.requests_min = value.parse().map_err(|_| bad("a number of requests"))?,
            "failures" => plan.failures_max = value.parse().map_err(|_| bad("a number of measurements"))?,
            _ => return Ok(false),
        }
        self.0 = Some(plan);
        Ok(true)
    }

    /// Nothing is judged where no limit is named.
    fn plan(self) -> Option<AnalysisPlan> {
        self.0.filter(|it| it.errors_percent_max.is_some() || it.latency_p50_ms_max.is_some() || it.latency_p95_ms_max.is_some())
    }
}

/// An analysis without limits.
pub fn unlimited() -> AnalysisPlan {
    AnalysisPlan { interval_seconds: INTERVAL_SECONDS, requests_min: REQUESTS_MIN, ..AnalysisPlan::default() }
}

fn millis(value: &str) -> Option<f64> {
    let span = parse_duration(value).ok().filter(|_| value.ends_with('s') || value.ends_with('m'))?;
    Some(span.as_secs_f64() * 1000.0)
}

/// A plan in one line, for people.
pub fn show(plan: &RolloutPlan) -> String {
    let span = |seconds: u64| format_duration(std::time::Duration::from_secs(seconds));
    match plan {
        RolloutPlan::Rolling => "rolling".to_owned(),
        RolloutPlan::Canary(plan) => {
            let step = |it: &CanaryStep| match it {
                CanaryStep::Weight(weight) => format!("{weight}%"),
                CanaryStep::Pause(Some(seconds)) => span(*seconds),
                CanaryStep::Pause(None) => "pause".to_owned(),
            };
            format!("canary {}", plan.steps.iter().map(step).collect::<Vec<_>>().join(", "))
        }
        RolloutPlan::BlueGreen(plan) => {
            let preview = plan.preview.as_ref().map(|it| format!(" preview={it}")).unwrap_or_default();
            let after = plan.promote_after_seconds.map_or_else(|| " pause".to_owned(), |it| format!(" after={}", span(it)));
            format!("blue-green{preview}{after} keep={}", span(plan.keep_seconds))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let found = parse(text);
        let shown = found.as_ref().map(show).map_err(ToString::to_string);
        assert_eq!(shown.as_ref().map(String::as_str).map_err(String::as_str), expected);
    }

    #[test]
    fn one_line_says_it_all() {
        check("rolling", Ok("rolling"));
        check("canary 10,50,100", Ok("canary 10%, 50%, 100%"));
        check("canary 10%, 5m, 50, pause", Ok("canary 10%, 5m 0s, 50%, pause"));
        check("blue-green", Ok("blue-green after=0.0s keep=30s"));
        check("blue-green preview=web-preview pause keep=5m", Ok("blue-green preview=web-preview pause keep=5m 0s"));
        check("{canary: {steps: [{setWeight: 20}, {pause: {}}]}}", Ok("canary 20%, pause"));
    }

    #[test]
    fn limits_are_read() {
        let Ok(RolloutPlan::Canary(plan)) = parse("canary 10 errors<1% p50<=20ms p95<0.3s every=10s requests>=5 failures=2") else { panic!("a canary") };
        let expected = AnalysisPlan {
            errors_percent_max: Some(1.0),
            latency_p50_ms_max: Some(20.0),
            latency_p95_ms_max: Some(300.0),
            prometheus: None,
            interval_seconds: 10,
            failures_max: 2,
            requests_min: 5,
        };
        assert_eq!(plan.analysis, Some(expected));
        let Ok(RolloutPlan::Canary(plan)) = parse("canary 10 every=10s") else { panic!("a canary") };
        assert_eq!(plan.analysis, None);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check("turbo", Err("`turbo` is no way to change over; one of `rolling`, `canary`, `blue-green`"));
        check("canary", Err("a canary needs steps, such as `canary 10, 5m, 50, 5m`"));
        check("canary 10 soon", Err("`soon` is no step: a weight such as `10%`, a pause such as `5m`, or `pause` until a person goes on"));
        check("canary 101", Err("`101` is over 100"));
        check("canary 10 erors<1%", Err("`erors<1%` is not known here; known: errors, p50, p95, every, requests, failures"));
        check("canary 10 errors<much", Err("`errors<much`: expected a share such as `1%`"));
        check("canary 10 p95<20", Err("`p95<20`: expected a span such as `200ms`"));
        check("blue-green 10", Err("`10` is not known here; known: preview, pause, after, keep, errors, p50, p95, every, requests, failures"));
    }
}
