//! Reads the long form of a plan: the `strategy` of an Argo `Rollout`, as far as it is carried out.

use api::{AnalysisPlan, BlueGreenPlan, CanaryPlan, CanaryStep, PrometheusCheck, RolloutPlan};
use names::parse_duration;
use yaml::{Diagnostic, Node, NodeValue};

use crate::findings::Findings;

use super::words::{KEEP_SECONDS, unlimited};

/// Fields of Argo's strategies that nothing acts on, and what does the same.
const REFUSED: &[(&str, &str)] = &[
    ("canaryService", "the Services are found by their selectors"),
    ("stableService", "the Services are found by their selectors"),
    ("trafficRouting", "Landfall's proxy divides requests by itself"),
    ("maxSurge", "the Deployment's own strategy says it"),
    ("maxUnavailable", "the Deployment's own strategy says it"),
    ("dynamicStableScale", "the old version keeps all its pods until the new one serves alone"),
    ("setCanaryScale", "the number of pods follows the weight"),
    ("setHeaderRoute", "requests are divided by weight only"),
    ("setMirrorRoute", "requests are divided by weight only"),
    ("experiment", "try it as a canary of a low weight"),
    ("plugin", "there are no plugins"),
    ("replicaProgressThreshold", "a step waits for all of its pods"),
    ("templates", "say `errorsPercentMax`, `latencyP95MsMax` or `prometheus` here"),
    ("args", "write the query out"),
    ("startingStep", "the analysis runs from the first request on"),
    ("prePromotionAnalysis", "say `analysis`; it runs before and after the switch"),
    ("postPromotionAnalysis", "say `analysis`; it runs before and after the switch"),
    ("previewReplicaCount", "the new version stands whole before it takes over"),
    ("abortScaleDownDelaySeconds", "after going back, the new version goes at once"),
    ("scaleDownDelayRevisionLimit", "one old version is kept"),
];

/// Reads a strategy.
///
/// # Errors
///
/// Everything that is not carried out, by name and place.
pub fn strategy(node: &Node, file: &str) -> Result<RolloutPlan, Vec<Diagnostic>> {
    let mut reader = Reader { findings: Findings::new(file) };
    let plan = reader.plan(node);
    reader.findings.none_or(plan)
}

struct Reader<'a> {
    findings: Findings<'a>,
}

impl Reader<'_> {
    fn only(&mut self, node: &Node, known: &[&str]) {
        if !matches!(node.value, NodeValue::Mapping(_)) {
            self.findings.wrong(node, format!("expected a mapping of {}", known.join(", ")), "");
        }
        for entry in node.entries() {
            let key = entry.key.as_str();
            if known.contains(&key) {
                continue;
            }
            let help = REFUSED.iter().find(|(it, _)| *it == key).map_or_else(|| format!("known here: {}", known.join(", ")), |(_, help)| (*help).to_owned());
            self.findings.unsupported(entry, help);
        }
    }

    fn plan(&mut self, node: &Node) -> RolloutPlan {
        if let Some(text) = node.text() {
            return super::words::parse(text).unwrap_or_else(|error| {
                self.findings.wrong(node, error.to_string(), "");
                RolloutPlan::Rolling
            });
        }
        self.only(node, &["canary", "blueGreen", "rolling"]);
        match (node.get("canary"), node.get("blueGreen")) {
            (Some(_), Some(second)) => {
                self.findings.wrong(second, "`canary` and `blueGreen` exclude each other", "keep one of them");
                RolloutPlan::Rolling
            }
            (Some(canary), None) => RolloutPlan::Canary(self.canary(canary)),
            (None, Some(blue_green)) => RolloutPlan::BlueGreen(self.blue_green(blue_green)),
            (None, None) => RolloutPlan::Rolling,
        }
    }

    fn canary(&mut self, node: &Node) -> CanaryPlan {
        self.only(node, &["steps", "analysis"]);
        let steps: Vec<_> = node.get("steps").map(items).unwrap_or_default().into_iter().filter_map(|it| self.step(it)).collect();
        if steps.is_empty() {
            self.findings.wrong(node, "a canary needs `steps`", "such as `steps: [{setWeight: 10}, {pause: {duration: 5m}}]`");
        }
        CanaryPlan { steps, analysis: node.get("analysis").map(|it| self.analysis(it)) }
    }

    fn step(&mut self, node: &Node) -> Option<CanaryStep> {
        self.only(node, &["setWeight", "pause"]);
        if let Some(weight) = node.get("setWeight") {
            return match self.whole(weight).and_then(|it| u8::try_from(it).ok()).filter(|it| *it <= 100) {
                Some(weight) => Some(CanaryStep::Weight(weight)),
                None => {
                    self.findings.wrong(weight, "`setWeight` is a number from 0 to 100", "");
                    None
                }
            };
        }
        let pause = node.get("pause")?;
        if pause.is_null() {
            return Some(CanaryStep::Pause(None));
        }
        self.only(pause, &["duration"]);
        Some(CanaryStep::Pause(pause.get("duration").filter(|it| !it.is_null()).map(|it| self.seconds(it))))
    }

    fn blue_green(&mut self, node: &Node) -> BlueGreenPlan {
        self.only(node, &["activeService", "previewService", "autoPromotionEnabled", "autoPromotionSeconds", "scaleDownDelaySeconds", "analysis"]);
        let by_itself = node.get("autoPromotionEnabled").is_none_or(|it| it.to_json() != serde_json::Value::Bool(false));
        let after = node.get("autoPromotionSeconds").map(|it| self.seconds(it)).filter(|it| *it > 0);
        BlueGreenPlan {
            preview: node.get("previewService").and_then(Node::text).map(str::to_owned),
            promote_after_seconds: after.or(by_itself.then_some(0)),
            keep_seconds: node.get("scaleDownDelaySeconds").map_or(KEEP_SECONDS, |it| self.seconds(it)),
            analysis: node.get("analysis").map(|it| self.analysis(it)),
        }
    }

    fn analysis(&mut self, node: &Node) -> AnalysisPlan {
        self.only(node, &["errorsPercentMax", "latencyP50MsMax", "latencyP95MsMax", "prometheus", "interval", "failureLimit", "requestsMin"]);
        let standard = unlimited();
        let plan = AnalysisPlan {
            errors_percent_max: node.get("errorsPercentMax").and_then(|it| self.number(it)),
            latency_p50_ms_max: node.get("latencyP50MsMax").and_then(|it| self.number(it)),
            latency_p95_ms_max: node.get("latencyP95MsMax").and_then(|it| self.number(it)),
            prometheus: node.get("prometheus").map(|it| self.prometheus(it)),
            interval_seconds: node.get("interval").map_or(standard.interval_seconds, |it| self.seconds(it).max(1)),
            failures_max: node.get("failureLimit").and_then(|it| self.whole(it)).and_then(|it| u32::try_from(it).ok()).unwrap_or(0),
            requests_min: node.get("requestsMin").and_then(|it| self.whole(it)).unwrap_or(standard.requests_min),
        };
        let counts = plan.errors_percent_max.or(plan.latency_p50_ms_max).or(plan.latency_p95_ms_max);
        if counts.is_none() && plan.prometheus.is_none() {
            self.findings.wrong(node, "the analysis has no limit", "name one of errorsPercentMax, latencyP50MsMax, latencyP95MsMax, prometheus");
        }
        plan
    }

    fn prometheus(&mut self, node: &Node) -> PrometheusCheck {
        self.only(node, &["address", "query", "max", "min"]);
        let text = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default().trim().to_owned();
        let check = PrometheusCheck {
            address: text("address"),
            query: text("query"),
            max: node.get("max").and_then(|it| self.number(it)),
            min: node.get("min").and_then(|it| self.number(it)),
        };
        if !check.address.starts_with("http://") && !check.address.starts_with("https://") {
            self.findings.wrong(node, "`address` of `prometheus` is a URL", "such as `http://prometheus.monitoring:9090`");
        }
        if check.query.is_empty() {
            self.findings.wrong(node, "`query` of `prometheus` is missing", "");
        }
        if check.max.is_none() && check.min.is_none() {
            self.findings.wrong(node, "`prometheus` has no limit", "name `max`, `min` or both");
        }
        check
    }

    fn number(&mut self, node: &Node) -> Option<f64> {
        let found = node.to_json().as_f64().or_else(|| node.text()?.parse().ok()).filter(|it: &f64| it.is_finite());
        if found.is_none() {
            self.findings.wrong(node, "expected a number", "");
        }
        found
    }

    fn whole(&mut self, node: &Node) -> Option<u64> {
        let found = node.to_json().as_u64().or_else(|| node.text()?.parse().ok());
        if found.is_none() {
            self.findings.wrong(node, "expected a whole number", "");
        }
        found
    }

    fn seconds(&mut self, node: &Node) -> u64 {
        match parse_duration(node.text().unwrap_or_default()) {
            Ok(span) => span.as_secs(),
            Err(error) => {
                self.findings.wrong(node, error.to_string(), "such as `30s` or `5m`");
                0
            }
        }
    }
}

fn items(node: &Node) -> Vec<&Node> {
    match &node.value {
        NodeValue::Sequence(items) => items.iter().collect(),
        NodeValue::Scalar { .. } | NodeValue::Mapping(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RolloutPlan, Vec<String>> {
        let documents = yaml::parse(text, "plan.yaml", yaml::Flavor::Go11).expect("YAML");
        let show = |it: Diagnostic| format!("{}:{} {}{}", it.span.line, it.span.column, it.message, it.help.iter().map(|it| format!(" ({it})")).collect::<String>());
        strategy(&documents[0].root, "plan.yaml").map_err(|found| found.into_iter().map(show).collect())
    }

    #[track_caller]
    fn refused(text: &str, expected: &[&str]) {
        assert_eq!(read(text).expect_err("findings"), expected);
    }

    #[test]
    fn a_canary_of_argo_is_read() {
        let plan = read("canary: {steps: [{setWeight: 20}, {pause: {duration: 1h}}, {setWeight: 40}, {pause: {duration: 10}}, {pause: {}}]}");
        let steps = vec![
            CanaryStep::Weight(20),
            CanaryStep::Pause(Some(3600)),
            CanaryStep::Weight(40),
            CanaryStep::Pause(Some(10)),
            CanaryStep::Pause(None),
        ];
        assert_eq!(plan, Ok(RolloutPlan::Canary(CanaryPlan { steps, analysis: None })));
    }

    #[test]
    fn blue_green_promotes_as_in_argo() {
        let after = |text: &str| match read(&format!("blueGreen: {{activeService: a, previewService: b{text}}}")) {
            Ok(RolloutPlan::BlueGreen(plan)) => (plan.promote_after_seconds, plan.keep_seconds),
            other => panic!("{other:?}"),
        };
        assert_eq!(after(""), (Some(0), 30));
        assert_eq!(after(", autoPromotionEnabled: false"), (None, 30));
        assert_eq!(after(", autoPromotionEnabled: false, autoPromotionSeconds: 60, scaleDownDelaySeconds: 5"), (Some(60), 5));
    }

    #[test]
    fn an_analysis_has_limits() {
        let text = "canary: {steps: [{setWeight: 5}], analysis: {errorsPercentMax: 1, interval: 10s, prometheus: {address: 'http://p:9090', query: up, min: 1}}}";
        let Ok(RolloutPlan::Canary(plan)) = read(text) else { panic!("a canary") };
        let check = PrometheusCheck { address: "http://p:9090".into(), query: "up".into(), max: None, min: Some(1.0) };
        let expected = AnalysisPlan { errors_percent_max: Some(1.0), prometheus: Some(check), interval_seconds: 10, ..unlimited() };
        assert_eq!(plan.analysis, Some(expected));
        refused("canary: {steps: [{setWeight: 5}], analysis: {interval: 10s}}", &["1:45 the analysis has no limit (name one of errorsPercentMax, latencyP50MsMax, latencyP95MsMax, prometheus)"]);
    }

    #[test]
    fn what_is_not_carried_out_is_refused_by_name() {
        refused("canary: {steps: [{setHeaderRoute: {}}, {setWeight: 5}]}", &["1:19 `setHeaderRoute` is not supported here (requests are divided by weight only)"]);
        refused("canary: {trafficRouting: {}, steps: [{setWeight: 101}, {setWeight: 1}]}", &[
            "1:10 `trafficRouting` is not supported here (Landfall's proxy divides requests by itself)",
            "1:50 `setWeight` is a number from 0 to 100",
        ]);
        refused("canary: {steps: []}", &["1:9 a canary needs `steps` (such as `steps: [{setWeight: 10}, {pause: {duration: 5m}}]`)"]);
        refused("recreate: {}", &["1:1 `recreate` is not supported here (known here: canary, blueGreen, rolling)"]);
    }
}
