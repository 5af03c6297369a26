//! Records of releases and archives of charts.

use std::{fs, process::Command, sync::Arc};

use helm::{Chart, Compat, Release, ReleaseRecord, RenderOptions, Stamp, Status, render, repository_index};

use crate::{case::Case, ours, tool};

const CHART: &str = "\
-- Chart.yaml --
apiVersion: v2
name: web
version: 1.2.3+build.4
appVersion: \"7\"
dependencies:
- name: db
  version: 0.x
-- values.yaml --
a: 1
big: 2.5
-- values.schema.json --
{\"type\": \"object\"}
-- templates/a.yaml --
kind: ConfigMap
metadata: {name: web}
data: {a: {{ .Values.a | quote }}, db: {{ .Values.db.x | quote }}}
---
kind: Job
metadata: {name: hook, annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: \"3\"}}
-- templates/NOTES.txt --
hello {{ .Release.Name }}
-- README.md --
text
-- charts/db/Chart.yaml --
apiVersion: v2
name: db
version: 0.4.0
-- charts/db/values.yaml --
x: y
-- charts/db/templates/d.yaml --
kind: Secret
";

fn case() -> Case {
    Case::parse("web", CHART)
}

#[test]
fn a_record_survives_its_secret() {
    let chart = ours::load(&case(), Compat::Helm4).expect("loads");
    let release = Release::new("shop", "prod");
    let options = RenderOptions::new(release.clone(), Compat::Helm4);
    let rendered = render(&chart, &options).expect("renders");
    let mut record =
        ReleaseRecord::new(&release, &chart, &options.values, &rendered, "2026-01-02T03:04:05Z");
    record.status = Status::Deployed;
    record.labels.insert("team".to_owned(), "shop".to_owned());
    record.rest.insert("apply_method".to_owned(), "ssa".into());

    let secret = record.to_secret(Stamp::Created, 1_767_323_045);
    let labels = r#"{"team":"shop","createdAt":"1767323045","name":"shop","owner":"helm","status":"deployed","version":"1"}"#;
    assert_eq!(secret["metadata"]["labels"].to_string(), labels);
    assert_eq!(secret["metadata"]["name"], "sh.helm.release.v1.shop.v1");
    assert_eq!(ReleaseRecord::from_secret(&secret), Ok(record.clone()));
    assert_eq!(record.notes, "hello shop\n");
    assert_eq!(record.chart["values"].to_string(), r#"{"a":1,"big":2.5}"#);
    assert_eq!(record.hooks[0]["weight"], 3);
}

#[test]
fn an_archive_is_the_same_each_time_and_renders_the_same_with_the_tool() {
    let chart = ours::load(&case(), Compat::Helm4).expect("loads");
    let bytes = chart.package().expect("packs");
    assert_eq!(bytes, chart.package().expect("packs"));
    assert_eq!(chart.archive_name(), "web-1.2.3+build.4.tgz");
    assert_eq!(chart.oci_tag(), "1.2.3_build.4");

    let text = |chart: Chart| {
        let options = RenderOptions::new(Release::new("r", "default"), Compat::Helm4);
        let rendered = render(&Arc::new(chart), &options).expect("renders");
        rendered.text(&helm::OutputOptions::default()).expect("prints")
    };
    let packed = text(Chart::load_archive(&bytes, Compat::Helm4).expect("loads"));
    let plain = ours::template(&case(), Compat::Helm4, &[]).expect("renders");
    assert_eq!(packed, plain);

    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join(chart.archive_name());
    fs::write(&path, &bytes).expect("write");
    let output = Command::new(tool::path(Compat::Helm4))
        .args(["template", "r"])
        .arg(&path)
        .env("HOME", place.path())
        .output()
        .expect("the referee starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), plain);
}

#[test]
fn an_index_lists_the_newest_version_first() {
    let chart = ours::load(&case(), Compat::Helm4).expect("loads");
    let entry = |version: &str| {
        let mut entry = chart.index_entry(&[format!("web-{version}.tgz")], "abc", "2026-01-01T00:00:00Z");
        entry["version"] = version.into();
        entry
    };
    let index = repository_index(vec![entry("1.9.0"), entry("1.10.0")], "2026-01-01T00:00:00Z");
    let versions: Vec<&str> = index
        .lines()
        .filter_map(|line| line.strip_prefix("    version: "))
        .collect();
    assert_eq!(versions, ["1.10.0", "1.9.0"]);
}
