//! What is said to people beyond the original's words.

use helm::{Compat, RenderErrorKind, Release, RenderError, RenderOptions, render};

use crate::{case::Case, ours};

fn fail(files: &str) -> RenderError {
    let case = Case::parse("explained", files);
    let chart = ours::load(&case, Compat::Helm4).expect("loads");
    let options = RenderOptions::new(Release::new("r", "default"), Compat::Helm4);
    *render(&chart, &options).expect_err("fails")
}

#[test]
fn a_failing_include_shows_the_way_and_the_values() {
    let error = fail(
        "-- values.yaml --\nimage: {tag: x}\n-- templates/_h.tpl --\n{{ define \"tag\" }}\n  {{ .Values.image.digest.short }}\n{{ end }}\n-- templates/a.yaml --\nkind: A\nx: {{ include \"tag\" . }}\n",
    );
    assert_eq!(error.kind, RenderErrorKind::Template);
    let explanation = &error.explanation;
    let steps: Vec<String> = explanation
        .steps
        .iter()
        .map(|it| format!("{}:{}:{} {}", it.file, it.line, it.column, it.source))
        .collect();
    assert_eq!(
        steps,
        [
            "demo/templates/a.yaml:2:7 x: {{ include \"tag\" . }}",
            "demo/templates/_h.tpl:2:13   {{ .Values.image.digest.short }}",
        ]
    );
    let values: Vec<String> =
        explanation.values.iter().map(|it| format!("{} = {}", it.path, it.shown)).collect();
    assert_eq!(values, [".Values.image.digest.short = `.Values.image.digest` is not set"]);
    assert_eq!(explanation.reason, "nil pointer evaluating interface {}.short");
}

#[test]
fn a_broken_manifest_shows_the_rendered_lines_and_the_template_line() {
    let error = fail(
        "-- values.yaml --\nlabels: {a: 1, b: 2}\n-- templates/a.yaml --\nkind: A\nmetadata:\n  labels: {{ toYaml .Values.labels }}\n  name: x\n",
    );
    assert_eq!(error.kind, RenderErrorKind::Manifest);
    let explanation = &error.explanation;
    let rendered: Vec<String> =
        explanation.rendered.iter().map(|(line, text)| format!("{line} {text}")).collect();
    assert_eq!(rendered, ["1 kind: A", "2 metadata:", "3   labels: a: 1", "4 b: 2", "5   name: x"]);
    assert_eq!(explanation.rendered_line, Some(3));
    assert_eq!(explanation.steps[0].line, 3);
}

#[test]
fn a_function_that_is_not_there_has_a_neighbour() {
    let error = fail("-- values.yaml --\na: 1\n-- templates/a.yaml --\nx: {{ .Values.a | toYml }}\n");
    assert_eq!(error.kind, RenderErrorKind::Parse);
    assert_eq!(error.explanation.hints, ["did you mean `toYaml`?"]);
    assert_eq!(error.explanation.values, []);
}

#[test]
fn templates_that_include_each_other_are_named() {
    let error = fail(
        "-- templates/_h.tpl --\n{{ define \"x\" }}{{ include \"y\" . }}{{ end }}{{ define \"y\" }}{{ include \"x\" . }}{{ end }}\n-- templates/a.yaml --\na: {{ include \"x\" . }}\n",
    );
    let expected = ["these templates include each other: x → y → x", "these templates include each other: y → x → y"];
    assert!(matches!(&error.explanation.hints[..], [hint] if expected.contains(&hint.as_str())), "{:?}", error.explanation.hints);
}

#[test]
fn a_schema_names_the_value() {
    let error = fail(
        "-- values.yaml --\nreplicas: two\n-- values.schema.json --\n{\"properties\": {\"replicas\": {\"type\": \"integer\"}}}\n",
    );
    assert_eq!(error.kind, RenderErrorKind::Schema);
    assert_eq!(error.explanation.hints, ["chart `demo`: `replicas`: got string, want integer"]);
}

#[test]
fn a_hostile_chart_is_stopped() {
    let case = Case::parse(
        "hostile",
        "-- templates/a.yaml --\n{{ range until 1000000 }}{{ range until 1000000 }}x{{ end }}{{ end }}\n",
    );
    let chart = ours::load(&case, Compat::Helm4).expect("loads");
    let mut options = RenderOptions::new(Release::new("r", "default"), Compat::Helm4);
    options.limits.steps = 100_000;
    let error = render(&chart, &options).expect_err("is stopped");
    assert_eq!(error.kind, RenderErrorKind::Limit);
}
