//! What a measurement gives: a number with its unit, a floor to compare it with, a goal.

use std::time::Duration;

use serde::Serialize;

/// One measured number.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    pub floor: Option<Floor>,
    /// The value that is hoped for, at most.
    pub goal: Option<f64>,
}

/// What the same machine needs for the least that must be done.
#[derive(Clone, Debug, Serialize)]
pub struct Floor {
    pub what: &'static str,
    pub value: f64,
}

impl Figure {
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, floor: None, goal: None }
    }

    /// A time, in milliseconds.
    pub fn time(name: impl Into<String>, time: Duration) -> Self {
        Self::new(name, milliseconds(time), "ms")
    }

    pub fn floor(self, what: &'static str, time: Duration) -> Self {
        Self { floor: Some(Floor { what, value: milliseconds(time) }), ..self }
    }

    pub fn goal(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Times of the same thing, measured again and again.
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Calls `measure` so many times.
    pub fn take(count: usize, mut measure: impl FnMut(usize) -> anyhow::Result<Duration>) -> anyhow::Result<Self> {
        (0..count).map(&mut measure).collect::<anyhow::Result<Vec<_>>>().map(Self::new)
    }

    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    pub fn p50(&self) -> Duration {
        self.quantile(50)
    }

    pub fn p95(&self) -> Duration {
        self.quantile(95)
    }

    pub fn p99(&self) -> Duration {
        self.quantile(99)
    }

    /// The least sample that is not below `percent` of them.
    fn quantile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }
}

/// Prints the figures as a table.
pub fn print(figures: &[Figure]) {
    println!("\n{:<52} {:>12}  {:>9}  {:>7}  floor", "figure", "value", "goal", "× floor");
    for figure in figures {
        let value = format!("{} {}", short(figure.value), figure.unit);
        let goal = figure.goal.map_or_else(|| "-".to_owned(), |goal| format!("{} {}", short(goal), mark(figure.value, goal)));
        let (ratio, floor) = match &figure.floor {
            Some(floor) => (format!("{:.1}", figure.value / floor.value.max(f64::MIN_POSITIVE)), format!("{} {}: {}", short(floor.value), figure.unit, floor.what)),
            None => ("-".to_owned(), String::new()),
        };
        println!("{:<52} {value:>12}  {goal:>9}  {ratio:>7}  {floor}", figure.name);
    }
}

fn short(value: f64) -> String {
    if value >= 100.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn mark(value: f64, goal: f64) -> &'static str {
    if value <= goal { "met" } else { "   " }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let samples = Samples::new((1..=20).rev().map(Duration::from_millis).collect());
        assert_eq!((samples.p50(), samples.p95()), (Duration::from_millis(10), Duration::from_millis(19)));
        let one = Samples::new(vec![Duration::from_millis(7)]);
        assert_eq!((one.p50(), one.p95()), (Duration::from_millis(7), Duration::from_millis(7)));
    }
}
