//! Rules of pod specs, in pods and in templates.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{container, list, meta, report::Report, str_of, text, volume, workload};

/// User and group ids are 31 bits wide in the API.
const MAX_ID: i64 = i32::MAX as i64;
/// What the resolver of the C library takes.
const MAX_NAMESERVERS: usize = 3;

pub(super) fn spec(field: &str, spec: &Value, report: &mut Report) {
    let at = |name: &str| format!("{field}.{name}");
    let volumes = volume::volumes(&at("volumes"), &spec["volumes"], report);
    container::containers(field, spec, &volumes, report);
    let policies = ["Always", "OnFailure", "Never"];
    report.one_of(&at("restartPolicy"), &spec["restartPolicy"], &policies);
    let dns = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    report.one_of(&at("dnsPolicy"), &spec["dnsPolicy"], &dns);
    dns_config(&at("dnsConfig"), spec, report);
    meta::labels(&at("nodeSelector"), &spec["nodeSelector"], report);
    security(&at("securityContext"), &spec["securityContext"], report);
    affinity(&at("affinity"), &spec["affinity"], report);
    if let deadline @ Value::Number(_) = &spec["activeDeadlineSeconds"] {
        report.between(&at("activeDeadlineSeconds"), deadline, 1, MAX_ID);
    }
    type Rule = fn(&str) -> Vec<String>;
    let named: [(&str, Rule); 6] = [
        ("serviceAccountName", text::subdomain),
        ("nodeName", text::subdomain),
        ("hostname", text::label),
        ("subdomain", text::label),
        ("priorityClassName", text::subdomain),
        ("runtimeClassName", text::subdomain),
    ];
    for (name, rule) in named {
        let value = str_of(&spec[name]);
        if !value.is_empty() {
            report.invalid_text(&at(name), value, rule(value));
        }
    }
    for (index, gate) in list(&spec["readinessGates"]).iter().enumerate() {
        let value = str_of(&gate["conditionType"]);
        let field = format!("{}[{index}].conditionType", at("readinessGates"));
        report.invalid_text(&field, value, text::qualified_name(value));
    }
    for (index, gate) in list(&spec["schedulingGates"]).iter().enumerate() {
        let value = str_of(&gate["name"]);
        let field = format!("{}[{index}]", at("schedulingGates"));
        report.invalid_text(&field, value, text::qualified_name(value));
    }
    tolerations(&at("tolerations"), &spec["tolerations"], report);
    for (index, alias) in list(&spec["hostAliases"]).iter().enumerate() {
        let field = format!("{}[{index}]", at("hostAliases"));
        let address = str_of(&alias["ip"]);
        report.invalid_text(&format!("{field}.ip"), address, text::address(address));
        for (index, host) in list(&alias["hostnames"]).iter().enumerate() {
            let host = str_of(host);
            report.invalid_text(
                &format!("{field}.hostnames[{index}]"),
                host,
                text::subdomain(host),
            );
        }
    }
}

fn dns_config(field: &str, spec: &Value, report: &mut Report) {
    let config = &spec["dnsConfig"];
    if spec["dnsPolicy"] == "None" {
        if !config.is_object() {
            let why = "must provide `dnsConfig` when `dnsPolicy` is None";
            return report.required_because(field, why);
        }
        if list(&config["nameservers"]).is_empty() {
            let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            report.required_because(&format!("{field}.nameservers"), why);
        }
    }
    let servers = list(&config["nameservers"]);
    if servers.len() > MAX_NAMESERVERS {
        let why = format!("must not have more than {MAX_NAMESERVERS} nameservers");
        report.invalid(
            &format!("{field}.nameservers"),
            config["nameservers"].clone(),
            &why,
        );
    }
    for (index, server) in servers.iter().enumerate() {
        let server = str_of(server);
        let field = format!("{field}.nameservers[{index}]");
        report.invalid_text(&field, server, text::address(server));
    }
    for (index, domain) in list(&config["searches"]).iter().enumerate() {
        let domain = str_of(domain);
        if domain != "." {
            let faults = text::search_domain(domain.trim_end_matches('.'));
            report.invalid_text(&format!("{field}.searches[{index}]"), domain, faults);
        }
    }
}

fn security(field: &str, context: &Value, report: &mut Report) {
    for name in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(&format!("{field}.{name}"), &context[name], report);
    }
    for (index, group) in list(&context["supplementalGroups"]).iter().enumerate() {
        id(
            &format!("{field}.supplementalGroups[{index}]"),
            group,
            report,
        );
    }
}

/// Complains about a number that is no user or group id; an absent one is none.
pub(super) fn id(field: &str, value: &Value, report: &mut Report) {
    if value.is_number() {
        report.between(field, value, 0, MAX_ID);
    }
}

fn affinity(field: &str, affinity: &Value, report: &mut Report) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    let required = &affinity["nodeAffinity"][REQUIRED];
    if required.is_object() && list(&required["nodeSelectorTerms"]).is_empty() {
        let field = format!("{field}.nodeAffinity.{REQUIRED}.nodeSelectorTerms");
        report.required_because(&field, "must have at least one node selector term");
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (index, term) in list(&affinity[kind][REQUIRED]).iter().enumerate() {
            let field = format!("{field}.{kind}.{REQUIRED}[{index}]");
            workload::expressions(
                &format!("{field}.labelSelector"),
                &term["labelSelector"],
                report,
            );
            let key = str_of(&term["topologyKey"]);
            let field = format!("{field}.topologyKey");
            if key.is_empty() {
                report.required_because(&field, "can not be empty");
            }
            report.invalid_text(&field, key, text::qualified_name(key));
        }
    }
}

fn tolerations(field: &str, tolerations: &Value, report: &mut Report) {
    for (index, toleration) in list(tolerations).iter().enumerate() {
        let at = |name: &str| format!("{field}[{index}].{name}");
        let (key, operator) = (str_of(&toleration["key"]), str_of(&toleration["operator"]));
        if !key.is_empty() {
            report.invalid_text(&at("key"), key, text::qualified_name(key));
        }
        if key.is_empty() && operator != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            report.invalid(&at("operator"), operator, why);
        }
        let effect = str_of(&toleration["effect"]);
        if toleration["tolerationSeconds"].is_number() && effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            report.invalid(&at("effect"), effect, why);
        }
        let value = str_of(&toleration["value"]);
        match operator {
            "Equal" | "" => report.invalid_text(&at("operator"), value, text::label_value(value)),
            "Exists" if !value.is_empty() => {
                let why = "value must be empty when `operator` is 'Exists'";
                report.invalid(&at("operator"), value, why);
            }
            "Exists" => {}
            other => report.unsupported(&at("operator"), other, &["Equal", "Exists"]),
        }
        if !effect.is_empty() {
            taint_effect(&at("effect"), &toleration["effect"], report);
        }
    }
}

pub(super) fn taint_effect(field: &str, effect: &Value, report: &mut Report) {
    report.one_of(
        field,
        effect,
        &["NoSchedule", "PreferNoSchedule", "NoExecute"],
    );
}

/// Names that were seen once; the second is a duplicate.
#[derive(Default)]
pub(super) struct Seen<'v>(BTreeSet<&'v str>);

impl<'v> Seen<'v> {
    pub fn again(&mut self, name: &'v str) -> bool {
        !self.0.insert(name)
    }
}
