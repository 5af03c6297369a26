//! What a plan comes to: a list of steps, and how many pods each weight takes.

use api::{CanaryStep, RolloutPlan};

/// One step of a changeover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many of a hundred requests go to the new version.
    Weight(u8),
    /// Seconds; none waits for a person.
    Pause(Option<u64>),
    /// Everything is switched, and the old version stays for so many seconds.
    Keep(u64),
}

/// The steps of a plan; none changes over as the Deployment itself says.
pub fn steps(plan: &RolloutPlan) -> Vec<Step> {
    match plan {
        RolloutPlan::Rolling => Vec::new(),
        RolloutPlan::Canary(canary) => {
            let step = |it: &CanaryStep| match it {
                CanaryStep::Weight(weight) => Step::Weight((*weight).min(100)),
                CanaryStep::Pause(seconds) => Step::Pause(*seconds),
            };
            canary.steps.iter().map(step).collect()
        }
        RolloutPlan::BlueGreen(plan) => {
            vec![Step::Pause(plan.promote_after_seconds), Step::Weight(100), Step::Keep(plan.keep_seconds)]
        }
    }
}

/// The weight that the steps up to this one come to.
pub fn weight_at(steps: &[Step], step: usize) -> u8 {
    let until = steps.get(..=step).unwrap_or(steps);
    let weights = until.iter().rev().filter_map(|it| match it {
        Step::Weight(weight) => Some(*weight),
        Step::Pause(_) | Step::Keep(_) => None,
    });
    weights.into_iter().next().unwrap_or(0)
}

/// Pods of the new version where requests are divided one by one: the old version keeps all of its own.
pub fn routed(replicas: u32, weight: u8) -> u32 {
    let wanted = u64::from(replicas) * u64::from(weight.min(100));
    u32::try_from(wanted.div_ceil(100)).unwrap_or(replicas)
}

/// Pods of the new and of the old version where each pod gets the same share.
///
/// The pair whose share is nearest to the weight; of two equally near ones the one with more new
/// pods. With `surge` one pod more than `replicas` may run. While the weight is neither 0 nor 100
/// and there are two pods to divide, both versions have one.
pub fn basic(replicas: u32, weight: u8, surge: Surge) -> (u32, u32) {
    let weight = u32::from(weight.min(100));
    if weight == 0 || replicas == 0 {
        return (0, replicas);
    }
    if weight == 100 {
        return (replicas, 0);
    }
    let totals = match surge {
        Surge::None => vec![replicas],
        Surge::One => vec![replicas, replicas + 1],
    };
    let mut pairs = Vec::new();
    for total in &totals {
        let exact = u64::from(*total) * u64::from(weight);
        for canary in [exact / 100, exact.div_ceil(100)] {
            let canary = u32::try_from(canary).unwrap_or(*total).min(*total);
            pairs.push((canary, total - canary));
        }
    }
    let divisible = totals.iter().any(|total| *total > 1);
    if divisible {
        let mut both: Vec<_> = pairs.iter().copied().filter(|(canary, stable)| *canary > 0 && *stable > 0).collect();
        if both.is_empty() {
            let total = totals.last().copied().unwrap_or(replicas);
            both.extend([(1, total - 1), (total - 1, 1)]);
        }
        pairs = both;
    }
    // Distances as fractions of the same denominator, so that nothing is rounded.
    let distance = |(canary, stable): (u32, u32)| {
        let total = u64::from(canary + stable).max(1);
        let off = (u64::from(canary) * 100).abs_diff(total * u64::from(weight));
        (off, total)
    };
    let nearer = |left: &(u32, u32), right: &(u32, u32)| {
        let ((left_off, left_total), (right_off, right_total)) = (distance(*left), distance(*right));
        (left_off * right_total).cmp(&(right_off * left_total)).then(right.0.cmp(&left.0))
    };
    pairs.into_iter().min_by(nearer).unwrap_or((0, replicas))
}

/// Whether one pod more than wanted may run for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surge {
    None,
    One,
}

#[cfg(test)]
mod tests {
    use api::{BlueGreenPlan, CanaryPlan};

    use super::*;

    #[test]
    fn plans_become_steps() {
        let canary = CanaryPlan { steps: vec![CanaryStep::Weight(10), CanaryStep::Pause(Some(30)), CanaryStep::Weight(150)], analysis: None };
        assert_eq!(steps(&RolloutPlan::Canary(canary)), [Step::Weight(10), Step::Pause(Some(30)), Step::Weight(100)]);
        let blue = BlueGreenPlan { promote_after_seconds: None, keep_seconds: 30, ..BlueGreenPlan::default() };
        assert_eq!(steps(&RolloutPlan::BlueGreen(blue)), [Step::Pause(None), Step::Weight(100), Step::Keep(30)]);
        assert_eq!(steps(&RolloutPlan::Rolling), []);
    }

    #[test]
    fn the_weight_is_that_of_the_last_weight_step() {
        let all = [Step::Pause(None), Step::Weight(10), Step::Pause(None), Step::Weight(50)];
        assert_eq!([0, 1, 2, 3, 9].map(|step| weight_at(&all, step)), [0, 10, 10, 50, 50]);
    }

    #[test]
    fn a_divided_stream_needs_few_new_pods() {
        assert_eq!([(4, 0), (4, 1), (4, 25), (4, 26), (4, 100), (0, 50)].map(|(replicas, weight)| routed(replicas, weight)), [0, 1, 1, 2, 4, 0]);
    }

    #[track_caller]
    fn check(replicas: u32, weight: u8, without: (u32, u32), with: (u32, u32)) {
        assert_eq!((basic(replicas, weight, Surge::None), basic(replicas, weight, Surge::One)), (without, with));
    }

    #[test]
    fn pods_approximate_a_weight() {
        check(10, 10, (1, 9), (1, 9));
        check(10, 0, (0, 10), (0, 10));
        check(10, 100, (10, 0), (10, 0));
        check(5, 10, (1, 4), (1, 5));
        check(4, 50, (2, 2), (2, 2));
        check(3, 50, (2, 1), (2, 2));
        check(1, 50, (1, 0), (1, 1));
        check(1, 10, (0, 1), (1, 1));
        check(2, 1, (1, 1), (1, 2));
        check(2, 99, (1, 1), (2, 1));
        check(0, 50, (0, 0), (0, 0));
    }

    #[test]
    fn both_versions_have_a_pod_while_requests_are_divided() {
        for replicas in 2..=12 {
            for weight in 1..100 {
                for surge in [Surge::None, Surge::One] {
                    let (canary, stable) = basic(replicas, weight, surge);
                    let total = canary + stable;
                    assert!(canary > 0 && stable > 0, "{replicas} at {weight}");
                    assert!(total == replicas || (surge == Surge::One && total == replicas + 1), "{replicas} at {weight}");
                }
            }
        }
    }
}
