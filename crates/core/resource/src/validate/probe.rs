//! Rules of probes and lifecycle hooks.

use serde_json::Value;

use super::{list, report::Report, str_of, text};

pub(super) fn probes(field: &str, container: &Value, report: &mut Report) {
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let value = &container[name];
        if !value.is_object() {
            continue;
        }
        let field = format!("{field}.{name}");
        probe(&field, value, report);
        if name == "readinessProbe" {
            if value["terminationGracePeriodSeconds"].is_number() {
                let at = format!("{field}.terminationGracePeriodSeconds");
                let seconds = value["terminationGracePeriodSeconds"].clone();
                report.invalid(&at, seconds, "must not be set for readinessProbes");
            }
        } else if value["successThreshold"] != 1 {
            let at = format!("{field}.successThreshold");
            report.invalid(&at, value["successThreshold"].clone(), "must be 1");
        }
    }
}

fn probe(field: &str, probe: &Value, report: &mut Report) {
    handler(field, probe, report);
    for name in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        report.not_negative(&format!("{field}.{name}"), &probe[name]);
    }
    if probe["terminationGracePeriodSeconds"]
        .as_i64()
        .is_some_and(|it| it <= 0)
    {
        let at = format!("{field}.terminationGracePeriodSeconds");
        report.invalid(
            &at,
            probe["terminationGracePeriodSeconds"].clone(),
            "must be greater than 0",
        );
    }
}

pub(super) fn lifecycle(field: &str, lifecycle: &Value, report: &mut Report) {
    for name in ["postStart", "preStop"] {
        if lifecycle[name].is_object() {
            handler(&format!("{field}.{name}"), &lifecycle[name], report);
        }
    }
}

/// Exactly one way to ask or act.
fn handler(field: &str, handler: &Value, report: &mut Report) {
    let mut count = 0;
    for kind in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] {
        let action = &handler[kind];
        if !action.is_object() {
            continue;
        }
        count += 1;
        let field = format!("{field}.{kind}");
        if count > 1 {
            report.forbidden(&field, "may not specify more than 1 handler type");
            continue;
        }
        match kind {
            "exec" if list(&action["command"]).is_empty() => {
                report.required(&format!("{field}.command"));
            }
            "httpGet" => http_get(&field, action, report),
            "tcpSocket" => port(&format!("{field}.port"), &action["port"], report),
            "grpc" => report.port(&format!("{field}.port"), &action["port"]),
            _ => {}
        }
    }
    if count == 0 {
        report.required_because(field, "must specify a handler type");
    }
}

fn http_get(field: &str, action: &Value, report: &mut Report) {
    if str_of(&action["path"]).is_empty() {
        report.required(&format!("{field}.path"));
    }
    port(&format!("{field}.port"), &action["port"], report);
    report.one_of(
        &format!("{field}.scheme"),
        &action["scheme"],
        &["HTTP", "HTTPS"],
    );
    for header in list(&action["httpHeaders"]) {
        let name = str_of(&header["name"]);
        report.invalid_text(
            &format!("{field}.httpHeaders"),
            name,
            text::http_header(name),
        );
    }
}

/// A port by number or by name.
pub(super) fn port(field: &str, port: &Value, report: &mut Report) {
    match port.as_str() {
        Some(name) => report.invalid_text(field, name, text::port_name(name)),
        None => report.port(field, port),
    }
}
