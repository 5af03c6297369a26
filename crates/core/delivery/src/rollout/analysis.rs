//! What measurements say of a new version, and what follows from a row of them.
//!
//! Missing data is never taken for success: it is inconclusive, and the
//! changeover waits.

use std::time::Duration;

use api::{AnalysisPlan, MeasuredVerdict as Verdict, Measurement, PrometheusCheck, WorkloadRollout};
use names::Timestamp;

/// Measurements that are kept to be shown.
const KEPT: usize = 10;

/// A source that gave no answer is asked again after this time, or after the interval if that is shorter.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// What was counted of one version between two moments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    pub requests: u64,
    /// Answers that say the server failed, broken answers, refused connections.
    pub errors: u64,
    /// Upper bounds of the buckets of `latency`, in milliseconds; a last bucket takes the rest.
    pub bounds_ms: Vec<u64>,
    pub latency: Vec<u64>,
}

/// One number that was compared with its limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub verdict: Verdict,
    pub text: String,
}

impl Reading {
    fn new(verdict: Verdict, text: String) -> Self {
        Self { verdict, text }
    }
}

/// Compares what the proxy counted with the plan's limits. `None`: this cluster's requests are not counted.
pub fn judge_counts(plan: &AnalysisPlan, counted: Option<&Counted>) -> Vec<Reading> {
    if !counts_matter(plan) {
        return Vec::new();
    }
    let Some(counted) = counted else {
        return vec![Reading::new(Verdict::Inconclusive, "requests of this cluster do not pass Landfall, so they are not counted".to_owned())];
    };
    if counted.requests < plan.requests_min.max(1) {
        let text = format!("{} requests, {} are needed to judge", counted.requests, plan.requests_min.max(1));
        return vec![Reading::new(Verdict::Inconclusive, text)];
    }
    let mut readings = Vec::new();
    if let Some(max) = plan.errors_percent_max {
        let percent = counted.errors.min(counted.requests) as f64 * 100.0 / counted.requests as f64;
        let text = format!("errors {}% of {} requests, at most {}%", short(percent), counted.requests, short(max));
        readings.push(Reading::new(if percent <= max { Verdict::Good } else { Verdict::Bad }, text));
    }
    for (name, share, max) in [("p50", 0.5, plan.latency_p50_ms_max), ("p95", 0.95, plan.latency_p95_ms_max)] {
        let Some(max) = max else { continue };
        let Some(found) = quantile(counted, share) else {
            readings.push(Reading::new(Verdict::Inconclusive, format!("no latency was measured for {name}")));
            continue;
        };
        let text = format!("{name} {} ms, at most {} ms", short(found), short(max));
        readings.push(Reading::new(if found <= max { Verdict::Good } else { Verdict::Bad }, text));
    }
    readings
}

/// Compares a number with the limits of a check; `Err` says why there is none.
pub fn judge_number(check: &PrometheusCheck, found: Result<Option<f64>, String>) -> Reading {
    let number = match found {
        Err(why) => return Reading::new(Verdict::Unknown, format!("{} gives no answer: {why}", check.address)),
        Ok(None) => return Reading::new(Verdict::Inconclusive, "the query has no result".to_owned()),
        Ok(Some(number)) if !number.is_finite() => return Reading::new(Verdict::Inconclusive, format!("the query says {number}")),
        Ok(Some(number)) => number,
    };
    let over = check.max.filter(|max| number > *max).map(|max| format!("at most {}", short(max)));
    let under = check.min.filter(|min| number < *min).map(|min| format!("at least {}", short(min)));
    match over.or(under) {
        Some(limit) => Reading::new(Verdict::Bad, format!("the query says {}, {limit}", short(number))),
        None => Reading::new(Verdict::Good, format!("the query says {}", short(number))),
    }
}

/// The value below which this share lies, spread evenly within its bucket.
fn quantile(counted: &Counted, share: f64) -> Option<f64> {
    let total: u64 = counted.latency.iter().sum();
    if total == 0 {
        return None;
    }
    let rank = share * total as f64;
    let (mut below, mut lower) = (0.0, 0.0);
    for (index, count) in counted.latency.iter().enumerate() {
        let count = *count as f64;
        // Of the open bucket only its lower end is known.
        let Some(bound) = counted.bounds_ms.get(index) else { return Some(lower) };
        let upper = *bound as f64;
        if count > 0.0 && below + count >= rank {
            return Some(lower + (upper - lower) * ((rank - below) / count).clamp(0.0, 1.0));
        }
        below += count;
        lower = upper;
    }
    Some(lower)
}

/// A number for people.
fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn counts_matter(plan: &AnalysisPlan) -> bool {
    plan.errors_percent_max.is_some() || plan.latency_p50_ms_max.is_some() || plan.latency_p95_ms_max.is_some()
}

/// The analysis of a workload's plan.
pub fn plan(it: &WorkloadRollout) -> Option<&AnalysisPlan> {
    match &it.plan {
        api::RolloutPlan::Rolling => None,
        api::RolloutPlan::Canary(plan) => plan.analysis.as_ref(),
        api::RolloutPlan::BlueGreen(plan) => plan.analysis.as_ref(),
    }
}

/// The analysis to carry out now, if one is due.
pub fn measure_now(it: &WorkloadRollout, now: Timestamp) -> Option<&AnalysisPlan> {
    let runs = matches!(it.phase, api::RolloutPhase::Stepping | api::RolloutPhase::Passed);
    plan(it).filter(|_| runs && it.analysis.due.is_some_and(|due| due <= now))
}

/// Counting begins anew: at another weight, or because what was counted is lost.
pub fn postpone(it: &mut WorkloadRollout, now: Timestamp) {
    it.analysis.mark += 1;
    it.analysis.due = plan(it).map(|plan| now + interval(plan));
}

/// The weight changed: evidence for the one before says nothing of this one.
pub fn start_over(it: &mut WorkloadRollout, now: Timestamp) {
    postpone(it, now);
    let progress = &mut it.analysis;
    (progress.good, progress.inconclusive, progress.errors, progress.waived) = (0, 0, 0, false);
}

fn interval(plan: &AnalysisPlan) -> Duration {
    Duration::from_secs(plan.interval_seconds.max(1))
}

/// What a row of measurements comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Enough was good at this weight.
    Good,
    /// The first measurement is awaited.
    Awaited,
    /// The last measurement said nothing.
    Inconclusive(String),
    /// The source gives no answer.
    Silent(String),
}

/// Takes a measurement in; gives its readings if too many have failed.
pub fn measured(it: &mut WorkloadRollout, readings: Vec<Reading>, now: Timestamp) -> Option<Vec<String>> {
    let plan = plan(it)?.clone();
    let verdict = readings.iter().map(|it| it.verdict).max().unwrap_or(Verdict::Inconclusive);
    let texts: Vec<_> = readings.into_iter().map(|it| it.text).collect();
    // While no request is meant to come, none is missed.
    let expected = it.weight > 0 || verdict != Verdict::Inconclusive || plan.prometheus.is_some();
    let progress = &mut it.analysis;
    match verdict {
        Verdict::Good => (progress.good, progress.inconclusive, progress.errors) = (progress.good + 1, 0, 0),
        Verdict::Inconclusive if expected => (progress.inconclusive, progress.errors) = (progress.inconclusive + 1, 0),
        Verdict::Inconclusive => {}
        Verdict::Unknown => progress.errors += 1,
        Verdict::Bad => (progress.failures, progress.inconclusive, progress.errors) = (progress.failures + 1, 0, 0),
    }
    if expected {
        progress.latest.push(Measurement { at: now, weight: it.weight, verdict, readings: texts.clone() });
        let surplus = progress.latest.len().saturating_sub(KEPT);
        progress.latest.drain(..surplus);
    }
    progress.mark += 1;
    let wait = if verdict == Verdict::Unknown { interval(&plan).min(ASK_AGAIN) } else { interval(&plan) };
    progress.due = Some(now + wait);
    (progress.failures > plan.failures_max).then_some(texts)
}

/// Whether the evidence allows to leave this weight.
pub fn standing(it: &WorkloadRollout) -> Standing {
    let progress = &it.analysis;
    let Some(plan) = plan(it) else { return Standing::Good };
    if progress.waived {
        return Standing::Good;
    }
    let last = || progress.latest.last().map(|it| it.readings.join("; ")).unwrap_or_default();
    if progress.errors > 0 {
        return Standing::Silent(last());
    }
    if progress.inconclusive > 0 {
        return Standing::Inconclusive(last());
    }
    // Before the first request is sent there, only the other source can tell.
    let can_tell = it.weight > 0 || plan.prometheus.is_some();
    let last_bad = progress.latest.last().is_some_and(|it| it.verdict == Verdict::Bad);
    if can_tell && (progress.good == 0 || last_bad) { Standing::Awaited } else { Standing::Good }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> AnalysisPlan {
        AnalysisPlan {
            errors_percent_max: Some(1.0),
            latency_p50_ms_max: Some(20.0),
            latency_p95_ms_max: Some(100.0),
            requests_min: 10,
            interval_seconds: 30,
            ..AnalysisPlan::default()
        }
    }

    fn counted(requests: u64, errors: u64, latency: &[u64]) -> Counted {
        Counted { requests, errors, bounds_ms: vec![10, 50, 100], latency: latency.to_vec() }
    }

    #[track_caller]
    fn check(found: &[Reading], expected: &[&str]) {
        let shown: Vec<_> = found.iter().map(|it| format!("{:?}: {}", it.verdict, it.text)).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn counts_are_compared_with_their_limits() {
        check(
            &judge_counts(&plan(), Some(&counted(100, 1, &[60, 40, 0, 0]))),
            &["Good: errors 1% of 100 requests, at most 1%", "Good: p50 8.33 ms, at most 20 ms", "Good: p95 45 ms, at most 100 ms"],
        );
        check(
            &judge_counts(&plan(), Some(&counted(100, 2, &[0, 40, 0, 60]))),
            &["Bad: errors 2% of 100 requests, at most 1%", "Bad: p50 100 ms, at most 20 ms", "Good: p95 100 ms, at most 100 ms"],
        );
    }

    #[test]
    fn too_little_says_nothing() {
        check(&judge_counts(&plan(), Some(&counted(9, 9, &[0, 0, 0, 9]))), &["Inconclusive: 9 requests, 10 are needed to judge"]);
        check(&judge_counts(&plan(), None), &["Inconclusive: requests of this cluster do not pass Landfall, so they are not counted"]);
        let latency_only = AnalysisPlan { errors_percent_max: None, ..plan() };
        let nothing = judge_counts(&latency_only, Some(&counted(10, 0, &[0, 0, 0, 0])));
        check(&nothing, &["Inconclusive: no latency was measured for p50", "Inconclusive: no latency was measured for p95"]);
        check(&judge_counts(&AnalysisPlan::default(), None), &[]);
    }

    #[test]
    fn a_number_is_good_bad_or_nothing() {
        let check_number = PrometheusCheck { address: "http://prometheus".into(), query: "up".into(), max: Some(5.0), min: Some(1.0) };
        let judge = |found| judge_number(&check_number, found);
        check(
            &[judge(Ok(Some(3.0))), judge(Ok(Some(5.5))), judge(Ok(Some(0.0))), judge(Ok(None)), judge(Ok(Some(f64::NAN))), judge(Err("timed out".into()))],
            &[
                "Good: the query says 3",
                "Bad: the query says 5.5, at most 5",
                "Bad: the query says 0, at least 1",
                "Inconclusive: the query has no result",
                "Inconclusive: the query says NaN",
                "Unknown: http://prometheus gives no answer: timed out",
            ],
        );
    }
}
