//! Rules of volumes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    container::{CONTAINER_RESOURCES, field_reference, local_path},
    list,
    report::Report,
    str_of, text,
};
use crate::quantity::Quantity;

const FIELDS: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
/// The least life of a projected token.
const MIN_TOKEN_SECONDS: i64 = 600;
const HOST_PATH_TYPES: [&str; 8] = [
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];

/// Checks the volumes and returns the names that mounts may use.
pub(super) fn volumes<'v>(
    field: &str,
    volumes: &'v Value,
    report: &mut Report,
) -> BTreeSet<&'v str> {
    let mut names = BTreeSet::new();
    for (index, volume) in list(volumes).iter().enumerate() {
        let field = format!("{field}[{index}]");
        source(&field, volume, report);
        let at = format!("{field}.name");
        match str_of(&volume["name"]) {
            "" => report.required(&at),
            name => {
                let faults = text::label(name);
                let sound = faults.is_empty();
                report.invalid_text(&at, name, faults);
                if sound && !names.insert(name) {
                    report.duplicate(&at, name);
                }
            }
        }
    }
    names
}

fn source(field: &str, volume: &Value, report: &mut Report) {
    let mut count = 0;
    let kinds = volume
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "name");
    for (kind, source) in kinds {
        count += 1;
        let field = format!("{field}.{kind}");
        if count > 1 {
            report.forbidden(&field, "may not specify more than 1 volume type");
            continue;
        }
        match kind.as_str() {
            "emptyDir" => empty_dir(&field, source, report),
            "hostPath" => host_path(&field, source, report),
            "configMap" => {
                require(&format!("{field}.name"), &source["name"], report);
                files(&field, source, report);
            }
            "secret" => {
                require(
                    &format!("{field}.secretName"),
                    &source["secretName"],
                    report,
                );
                files(&field, source, report);
            }
            "downwardAPI" => downward(&field, source, report),
            "projected" => projected(&field, source, report),
            "persistentVolumeClaim" => {
                require(&format!("{field}.claimName"), &source["claimName"], report);
            }
            _ => {}
        }
    }
    if count == 0 {
        report.required_because(field, "must specify a volume type");
    }
}

fn require(field: &str, value: &Value, report: &mut Report) {
    if str_of(value).is_empty() {
        report.required(field);
    }
}

fn empty_dir(field: &str, source: &Value, report: &mut Report) {
    let limit = str_of(&source["sizeLimit"]).parse::<Quantity>();
    if limit.is_ok_and(Quantity::is_negative) {
        let why = "SizeLimit field must be a valid resource quantity";
        report.forbidden(&format!("{field}.sizeLimit"), why);
    }
}

fn host_path(field: &str, source: &Value, report: &mut Report) {
    let path = str_of(&source["path"]);
    let at = format!("{field}.path");
    if path.is_empty() {
        return report.required(&at);
    }
    if path.split('/').any(|it| it == "..") {
        report.invalid(&at, path, "must not contain '..'");
    }
    report.one_of(&format!("{field}.type"), &source["type"], &HOST_PATH_TYPES);
}

fn mode(field: &str, value: &Value, report: &mut Report) {
    if value.as_i64().is_some_and(|it| !(0..=0o777).contains(&it)) {
        let why = "must be a number between 0 and 0777 (octal), both inclusive";
        report.invalid(field, value.clone(), why);
    }
}

fn files(field: &str, source: &Value, report: &mut Report) {
    mode(
        &format!("{field}.defaultMode"),
        &source["defaultMode"],
        report,
    );
    for (index, item) in list(&source["items"]).iter().enumerate() {
        let field = format!("{field}.items[{index}]");
        require(&format!("{field}.key"), &item["key"], report);
        file_path(&format!("{field}.path"), &item["path"], report);
        mode(&format!("{field}.mode"), &item["mode"], report);
    }
}

fn file_path(field: &str, path: &Value, report: &mut Report) {
    match str_of(path) {
        "" => report.required(field),
        path => {
            let mut faults = local_path(path);
            let dotted = path.starts_with("..") && !path.starts_with("../") && path != "..";
            if faults.is_empty() && dotted {
                faults.push("must not start with '..'".to_owned());
            }
            report.invalid_text(field, path, faults);
        }
    }
}

fn downward(field: &str, source: &Value, report: &mut Report) {
    mode(
        &format!("{field}.defaultMode"),
        &source["defaultMode"],
        report,
    );
    // The real server names no index here.
    for item in list(&source["items"]) {
        file_path(&format!("{field}.path"), &item["path"], report);
        let (own, resource) = (&item["fieldRef"], &item["resourceFieldRef"]);
        if own.is_object() {
            field_reference(&format!("{field}.fieldRef"), own, &FIELDS, report);
            if resource.is_object() {
                report.invalid(
                    field,
                    "resource",
                    "fieldRef and resourceFieldRef can not be specified simultaneously",
                );
            }
        } else if resource.is_object() {
            require(
                &format!("{field}.resourceFieldRef.containerName"),
                &resource["containerName"],
                report,
            );
            let at = format!("{field}.resourceFieldRef.resource");
            report.one_of(&at, &resource["resource"], &CONTAINER_RESOURCES);
        } else {
            report.required_because(field, "one of fieldRef and resourceFieldRef is required");
        }
        mode(&format!("{field}.mode"), &item["mode"], report);
    }
}

fn projected(field: &str, source: &Value, report: &mut Report) {
    mode(
        &format!("{field}.defaultMode"),
        &source["defaultMode"],
        report,
    );
    for (index, item) in list(&source["sources"]).iter().enumerate() {
        let at = format!("{field}.sources[{index}]");
        for kind in ["configMap", "secret"] {
            if item[kind].is_object() {
                let at = format!("{at}.{kind}");
                require(&format!("{at}.name"), &item[kind]["name"], report);
                files(&at, &item[kind], report);
            }
        }
        if item["downwardAPI"].is_object() {
            downward(&format!("{at}.downwardAPI"), &item["downwardAPI"], report);
        }
        let token = &item["serviceAccountToken"];
        if token.is_object() {
            let life = &token["expirationSeconds"];
            if life.as_i64().is_some_and(|it| it < MIN_TOKEN_SECONDS) {
                let at = format!("{at}.serviceAccountToken.expirationSeconds");
                report.invalid(
                    &at,
                    life.clone(),
                    "may not specify a duration less than 10 minutes",
                );
            }
            if str_of(&token["path"]).is_empty() {
                report.required(&format!("{field}.path"));
            }
        }
    }
}
