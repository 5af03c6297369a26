//! How long to wait before a failed thing is tried again.

use std::time::Duration;

use names::Timestamp;

/// Doubles its delay with every failure and forgets after a long quiet time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackOff {
    last: Option<(Duration, Timestamp)>,
}

/// The first delay and the longest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub first: Duration,
    pub longest: Duration,
}

/// Restarts of containers, as the kubelet paces them.
pub const RESTARTS: Pace = Pace {
    first: Duration::from_secs(10),
    longest: Duration::from_secs(300),
};
/// Pulls of images, as the kubelet paces them.
pub const PULLS: Pace = Pace {
    first: Duration::from_secs(10),
    longest: Duration::from_secs(300),
};
/// Volumes, networks and configuration: their causes are mostly objects that arrive soon.
pub const PREPARATIONS: Pace = Pace {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(122),
};

impl BackOff {
    /// Until when something that ended at `event` must wait; none if it may start at once.
    pub fn wait_until(&self, event: Timestamp, now: Timestamp, pace: Pace) -> Option<Timestamp> {
        let (delay, last) = self.last?;
        let due = event + delay;
        (event.since(last) <= pace.longest * 2 && now < due).then_some(due)
    }

    /// The delay in force; zero before the first attempt.
    pub fn delay(&self) -> Duration {
        self.last.map_or(Duration::ZERO, |(delay, _)| delay)
    }

    /// Counts another attempt after something ended at `event`.
    pub fn next(&mut self, event: Timestamp, now: Timestamp, pace: Pace) {
        let delay = match self.last {
            Some((delay, last)) if event.since(last) <= pace.longest * 2 => {
                (delay * 2).min(pace.longest)
            }
            _ => pace.first,
        };
        self.last = Some((delay, now));
    }

    /// Back-off that looks as if `attempts` attempts had been counted, for adopting a pod.
    pub fn after(attempts: u32, last: Timestamp, pace: Pace) -> Self {
        let delay = pace
            .first
            .saturating_mul(1 << attempts.saturating_sub(1).min(16))
            .min(pace.longest);
        Self {
            last: (attempts > 0).then_some((delay, last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_are_forgotten() {
        // Each entry: the thing ended at this second; it must wait until that second.
        check(&[
            (0, 0),
            (1, 11),
            (12, 32),
            (33, 73),
            (74, 154),
            (155, 315),
            (316, 616),
            (617, 917),
        ]);
        check(&[(0, 0), (1, 11), (700, 700), (701, 711)]);
    }

    #[track_caller]
    fn check(ends: &[(i64, i64)]) {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let mut back_off = BackOff::default();
        for &(end, expected) in ends {
            let start = back_off
                .wait_until(at(end), at(end), RESTARTS)
                .unwrap_or(at(end));
            assert_eq!(start, at(expected), "ended at {end}");
            back_off.next(at(end), start, RESTARTS);
        }
    }
}
