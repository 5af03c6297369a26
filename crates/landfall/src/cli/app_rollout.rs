//! How far the roll-outs of an app are, for `landfall app get`.

use api::{App, MeasuredVerdict, WorkloadRollout};
use delivery::rollout;

/// Nothing when no Deployment changes over.
pub fn lines(app: &App) -> Vec<String> {
    let Some(progress) = app.status.rollout.as_ref().filter(|it| it.passed.is_none()) else { return Vec::new() };
    let mut lines: Vec<_> = progress.workloads.iter().flat_map(workload).collect();
    if let Some(cause) = &progress.failed {
        lines.push(format!("           goes back: [{}] {}", cause.code, cause.summary));
    }
    lines
}

fn workload(it: &WorkloadRollout) -> Vec<String> {
    let steps = rollout::steps(&it.plan).len();
    let step = (it.step + 1).min(steps);
    let mut lines = vec![
        format!("rollout    {} {}: {}, step {step} of {steps}, {}% of requests", it.object, it.phase, rollout::show(&it.plan), it.weight),
    ];
    if !it.message.is_empty() {
        lines.push(format!("           {}", it.message));
    }
    if let Some(last) = it.analysis.latest.last() {
        let verdict = match last.verdict {
            MeasuredVerdict::Good => "good",
            MeasuredVerdict::Inconclusive => "inconclusive",
            MeasuredVerdict::Unknown => "no answer",
            MeasuredVerdict::Bad => "bad",
        };
        lines.push(format!("           measured at {}%: {verdict}: {}", last.weight, last.readings.join("; ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use api::{AppSpec, AppStatus, CanaryPlan, CanaryStep, ObjectRef, RolloutPhase, RolloutPlan, RolloutProgress, TrafficSplit};
    use names::{Digest, Timestamp};

    use super::*;

    fn app() -> App {
        let plan = CanaryPlan { steps: vec![CanaryStep::Weight(10), CanaryStep::Pause(None)], analysis: None };
        let it = WorkloadRollout {
            object: ObjectRef { api_version: "apps/v1".into(), kind: "Deployment".into(), plural: "deployments".into(), namespace: None, name: "web".into() },
            plan: RolloutPlan::Canary(plan),
            services: Vec::new(),
            stable: String::new(),
            canary: String::new(),
            replicas_stable: 2,
            replicas_canary: 2,
            phase: RolloutPhase::Stepping,
            step: 1,
            weight: 10,
            since: Timestamp::default(),
            stable_changed: false,
            unready_since: None,
            analysis: api::AnalysisProgress::default(),
            message: "pauses at 10% until a person goes on".into(),
            paused: true,
        };
        let progress = RolloutProgress {
            deployment: 2,
            stable: Digest::of(b""),
            split: TrafficSplit::Proxy,
            workloads: vec![it],
            failed: None,
            passed: None,
            followed: false,
        };
        let status = AppStatus { rollout: Some(progress), ..AppStatus::default() };
        App { name: "shop".into(), spec: AppSpec::default(), generation: 1, request: None, status }
    }

    #[test]
    fn step_and_weight_are_told() {
        let mut app = app();
        let expected = ["rollout    Deployment/web stepping: canary 10%, pause, step 2 of 2, 10% of requests", "           pauses at 10% until a person goes on"];
        assert_eq!(lines(&app), expected);
        if let Some(progress) = &mut app.status.rollout {
            progress.passed = Some(Timestamp::default());
        }
        assert_eq!(lines(&app), Vec::<String>::new());
    }
}
