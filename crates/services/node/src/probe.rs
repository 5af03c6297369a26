//! Counts the answers of a probe and says when they change something.

use std::time::Duration;

use crate::pod::Probe;

/// What one try of a probe gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Success,
    Failure(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbeKind {
    Startup,
    Readiness,
    Liveness,
}

impl ProbeKind {
    /// As the kubelet's events write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Readiness => "Readiness",
            Self::Liveness => "Liveness",
        }
    }
}

/// The run of equal answers so far, and the verdict they led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    success_threshold: u32,
    failure_threshold: u32,
    successes: u32,
    failures: u32,
    /// The verdict in force.
    passing: bool,
}

/// A verdict that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Passing,
    Failing,
}

impl Tally {
    pub fn new(probe: &Probe, passing: bool) -> Self {
        Self {
            success_threshold: probe.success_threshold.max(1),
            failure_threshold: probe.failure_threshold.max(1),
            successes: 0,
            failures: 0,
            passing,
        }
    }

    /// Counts an answer; the verdict comes back when it changes, and a failing one each time it is confirmed.
    pub fn count(&mut self, answer: &Answer) -> Option<Verdict> {
        match answer {
            Answer::Success => {
                self.failures = 0;
                self.successes = self.successes.saturating_add(1);
                let changed = self.successes >= self.success_threshold && !self.passing;
                self.passing |= changed;
                changed.then_some(Verdict::Passing)
            }
            Answer::Failure(_) => {
                self.successes = 0;
                self.failures = self.failures.saturating_add(1);
                let failing = self.failures >= self.failure_threshold;
                self.passing &= !failing;
                failing.then_some(Verdict::Failing)
            }
        }
    }
}

/// When to try again: quickly until the first success, then once a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rhythm {
    period: Duration,
    /// The delay of the next quick try; none once the probe has succeeded.
    quick: Option<Duration>,
    longest_quick: Duration,
    /// How far into its period the next quick try lies.
    elapsed: Duration,
    /// What a failure of the next quick try weighs: one at the end of each period counts.
    weight: Weight,
}

/// Whether a failure counts against the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Counts,
    /// A quick try between two regular ones.
    Ignored,
}

impl Rhythm {
    /// Trying a network address costs next to nothing, starting a program does not.
    pub fn new(probe: &Probe, kind: ProbeKind) -> Self {
        let period = Duration::from_secs(probe.period_seconds.max(1));
        let is_exec = probe.handler.exec.is_some();
        let first = Duration::from_millis(if is_exec { 100 } else { 20 });
        let longest = Duration::from_millis(if is_exec { 1000 } else { 400 });
        let quick = (kind != ProbeKind::Liveness).then_some(first);
        Self {
            period,
            quick,
            longest_quick: longest.min(period),
            elapsed: Duration::ZERO,
            weight: Weight::Ignored,
        }
    }

    /// Takes in the answer of a try; says whether a failure counts and how long to wait.
    pub fn next(&mut self, answer: &Answer) -> (Weight, Duration) {
        let Some(delay) = self.quick.filter(|_| *answer != Answer::Success) else {
            self.quick = None;
            return (Weight::Counts, self.period);
        };
        self.quick = Some((delay * 5 / 4).min(self.longest_quick));
        let weight = self.weight;
        let delay = delay.min(self.period - self.elapsed);
        self.elapsed += delay;
        self.weight = Weight::Ignored;
        if self.elapsed >= self.period {
            (self.elapsed, self.weight) = (Duration::ZERO, Weight::Counts);
        }
        (weight, delay)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn thresholds_decide() {
        let tally = |passing, answers: &str| {
            let probe: Probe =
                serde_json::from_value(json!({ "successThreshold": 2, "failureThreshold": 3 }))
                    .expect("a probe");
            let mut tally = Tally::new(&probe, passing);
            let one = |letter| match tally.count(&if letter == '+' {
                Answer::Success
            } else {
                Answer::Failure(String::new())
            }) {
                Some(Verdict::Passing) => 'P',
                Some(Verdict::Failing) => 'F',
                None => '.',
            };
            answers.chars().map(one).collect::<String>()
        };
        assert_eq!(tally(false, "+-++++"), "...P..");
        assert_eq!(tally(true, "--+---+-"), ".....F..");
        assert_eq!(tally(true, "----"), "..FF");
    }

    #[test]
    fn quick_tries_do_not_count_and_end_with_the_first_success() {
        let probe: Probe =
            serde_json::from_value(json!({ "periodSeconds": 2, "httpGet": {} })).expect("a probe");
        let mut rhythm = Rhythm::new(&probe, ProbeKind::Readiness);
        let failure = Answer::Failure(String::new());
        let (mut elapsed, mut counted) = (Duration::ZERO, Vec::new());
        while elapsed < Duration::from_secs(7) {
            let (weight, delay) = rhythm.next(&failure);
            if weight == Weight::Counts {
                counted.push(elapsed.as_millis());
            }
            assert!(delay <= Duration::from_millis(400));
            elapsed += delay;
        }
        assert_eq!(counted, [2000, 4000, 6000]);
        assert_eq!(
            rhythm.next(&Answer::Success),
            (Weight::Counts, Duration::from_secs(2))
        );
        assert_eq!(
            rhythm.next(&failure),
            (Weight::Counts, Duration::from_secs(2))
        );
    }
}
