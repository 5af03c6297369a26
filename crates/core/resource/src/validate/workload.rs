//! Rules of Deployments and ReplicaSets.

use serde_json::Value;

use super::{list, meta, pod, report::Report, str_of, text};
use crate::selector::LabelSelector;

pub(super) fn deployment(spec: &Value, report: &mut Report) {
    report.not_negative("spec.replicas", &spec["replicas"]);
    selector(&spec["selector"], "deployment", report);
    template(spec, report);
    strategy(&spec["strategy"], report);
    for field in ["minReadySeconds", "revisionHistoryLimit"] {
        report.not_negative(&format!("spec.{field}"), &spec[field]);
    }
    if let Some(deadline) = spec["progressDeadlineSeconds"].as_i64() {
        let field = "spec.progressDeadlineSeconds";
        report.not_negative(field, &spec["progressDeadlineSeconds"]);
        if deadline <= spec["minReadySeconds"].as_i64().unwrap_or_default() {
            report.invalid(field, deadline, "must be greater than minReadySeconds");
        }
    }
}

pub(super) fn replica_set(spec: &Value, report: &mut Report) {
    report.not_negative("spec.replicas", &spec["replicas"]);
    report.not_negative("spec.minReadySeconds", &spec["minReadySeconds"]);
    selector(&spec["selector"], "deployment", report);
    template(spec, report);
}

fn selector(selector: &Value, owner: &str, report: &mut Report) {
    let field = "spec.selector";
    if selector.is_null() {
        return report.required(field);
    }
    let before = report.causes.len();
    expressions(field, selector, report);
    meta::labels(
        &format!("{field}.matchLabels"),
        &selector["matchLabels"],
        report,
    );
    let size = |part: &str| {
        selector[part]
            .as_object()
            .map_or(list(&selector[part]).len(), serde_json::Map::len)
    };
    if size("matchLabels") + size("matchExpressions") == 0 {
        let why = format!("empty selector is invalid for {owner}");
        report.invalid(field, selector.clone(), &why);
    }
    if report.causes[before..]
        .iter()
        .any(|it| it.field.contains("matchExpressions"))
    {
        report.invalid(field, selector.clone(), "invalid label selector");
    }
}

/// Rules of `matchExpressions`; also those of affinities obey them.
pub(super) fn expressions(field: &str, selector: &Value, report: &mut Report) {
    for (index, expression) in list(&selector["matchExpressions"]).iter().enumerate() {
        let field = format!("{field}.matchExpressions[{index}]");
        let values = format!("{field}.values");
        let empty = list(&expression["values"]).is_empty();
        match str_of(&expression["operator"]) {
            "In" | "NotIn" if empty => {
                let why = "must be specified when `operator` is 'In' or 'NotIn'";
                report.required_because(&values, why);
            }
            "Exists" | "DoesNotExist" if !empty => {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                report.forbidden(&values, why);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => report.invalid(
                &format!("{field}.operator"),
                other,
                "not a valid selector operator",
            ),
        }
        let key = str_of(&expression["key"]);
        report.invalid_text(&format!("{field}.key"), key, text::qualified_name(key));
        for (index, value) in list(&expression["values"]).iter().enumerate() {
            let value = str_of(value);
            report.invalid_text(
                &format!("{values}[{index}]"),
                value,
                text::label_value(value),
            );
        }
    }
}

fn template(spec: &Value, report: &mut Report) {
    let (field, template) = ("spec.template", &spec["template"]);
    let labels = &template["metadata"]["labels"];
    if let Ok(selector) = LabelSelector::from_value(&spec["selector"])
        && (selector.is_empty() && spec["selector"].is_null() || !selector.matches_labels(labels))
        && selects_well(&spec["selector"])
    {
        let why = "`selector` does not match template `labels`";
        report.invalid(&format!("{field}.metadata.labels"), labels.clone(), why);
    }
    // The real server names these two without `metadata`.
    meta::labels(&format!("{field}.labels"), labels, report);
    meta::annotations(
        &format!("{field}.annotations"),
        &template["metadata"]["annotations"],
        report,
    );
    pod::spec(&format!("{field}.spec"), &template["spec"], report);
    let policy = &template["spec"]["restartPolicy"];
    if policy != "Always" {
        report.unsupported(
            &format!("{field}.spec.restartPolicy"),
            policy.clone(),
            &["Always"],
        );
    }
    if template["spec"]["activeDeadlineSeconds"].is_number() {
        let why = "activeDeadlineSeconds in ReplicaSet is not Supported";
        report.forbidden(&format!("{field}.spec.activeDeadlineSeconds"), why);
    }
}

/// A selector that is itself wrong says nothing about labels.
fn selects_well(selector: &Value) -> bool {
    let mut scratch = Report::default();
    expressions("", selector, &mut scratch);
    scratch.causes.is_empty()
}

fn strategy(strategy: &Value, report: &mut Report) {
    let rolling = &strategy["rollingUpdate"];
    let field = "spec.strategy.rollingUpdate";
    match str_of(&strategy["type"]) {
        "Recreate" if rolling.is_object() => {
            report.forbidden(
                field,
                "may not be specified when strategy `type` is 'Recreate'",
            );
        }
        "Recreate" => {}
        "RollingUpdate" => {
            for part in ["maxUnavailable", "maxSurge"] {
                count_or_percent(&format!("{field}.{part}"), &rolling[part], report);
            }
            if is_zero(&rolling["maxUnavailable"]) && is_zero(&rolling["maxSurge"]) {
                let field = format!("{field}.maxUnavailable");
                let value = rolling["maxUnavailable"].clone();
                report.invalid(&field, value, "may not be 0 when `maxSurge` is 0");
            }
            let unavailable = &rolling["maxUnavailable"];
            let share = str_of(unavailable)
                .strip_suffix('%')
                .and_then(|it| it.parse::<u64>().ok());
            if share.is_some_and(|it| it > 100) {
                let field = format!("{field}.maxUnavailable");
                report.invalid(&field, unavailable.clone(), "must not be greater than 100%");
            }
        }
        other => {
            let value = serde_json::json!({ "Type": other, "RollingUpdate": rolling });
            report.unsupported("spec.strategy", value, &["Recreate", "RollingUpdate"]);
        }
    }
}

fn is_zero(value: &Value) -> bool {
    value.as_i64() == Some(0) || value == "0%"
}

fn count_or_percent(field: &str, value: &Value, report: &mut Report) {
    match value.as_str() {
        Some(text) => report.invalid_text(field, text, text::percent(text)),
        None => report.not_negative(field, value),
    }
}
