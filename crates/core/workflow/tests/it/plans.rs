//! What an event would start, before anything runs.

use serde_json::{Value, json};
use workflow::{
    Happening, parse,
    plan::{Surroundings, normal, plan, shown},
};

fn planned(source: &str, event: &str, payload: &Value) -> Value {
    let parsed = parse(source, "ci.yml");
    let workflow = parsed
        .workflow
        .unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    let happening = Happening {
        event,
        payload,
        changed: None,
    };
    shown(plan(&workflow, &happening, &Surroundings::default()))
}

/// Each job as `id fate: reason`, with the names of its legs.
#[track_caller]
fn check(source: &str, event: &str, payload: Value, expected: &str) {
    let plan = planned(source, event, &payload);
    let jobs = plan["run"]["jobs"]
        .as_array()
        .expect("jobs")
        .iter()
        .map(|job| {
            let reason = job["reason"]
                .as_str()
                .map(|it| format!(": {it}"))
                .unwrap_or_default();
            let legs = match &job["legs"] {
                Value::Array(legs) => legs
                    .iter()
                    .map(|it| format!("\n  {}", it["name"]))
                    .collect(),
                later @ (Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Object(_)) => {
                    format!("\n  {later}")
                }
            };
            format!(
                "{} {}{reason}{legs}\n",
                job["id"].as_str().expect("text"),
                job["fate"].as_str().expect("text")
            )
        });
    assert_eq!(jobs.collect::<String>(), expected);
}

const SOURCE: &str = "
on: { push: , workflow_dispatch: { inputs: { all: { type: boolean } } } }
jobs:
  last: { needs: deploy, if: always(), runs-on: x, steps: [] }
  deploy: { needs: build, if: github.ref == 'refs/heads/main' || inputs.all, runs-on: x, steps: [] }
  after: { needs: deploy, runs-on: x, steps: [] }
  build:
    name: b-${{ matrix.n }}
    strategy: { matrix: { n: [1, 2] } }
    runs-on: x
    steps: []
  dynamic: { needs: build, if: needs.build.outputs.m, strategy: { matrix: '${{ fromJSON(needs.build.outputs.m) }}' }, runs-on: x, steps: [] }
";

#[test]
fn jobs_run_are_skipped_or_decided_later() {
    check(
        SOURCE,
        "push",
        json!({"ref": "refs/heads/main"}),
        "\
last runs
  \"last\"
deploy runs
  \"deploy\"
after runs
  \"after\"
build runs
  \"b-1\"
  \"b-2\"
dynamic later: it depends on `needs.build.outputs.m`
  {\"later\":\"${{ fromJSON(needs.build.outputs.m) }}\"}
",
    );
    let plan = planned(SOURCE, "push", &json!({"ref": "refs/heads/dev"}));
    let fates: Vec<_> = plan["run"]["jobs"]
        .as_array()
        .expect("jobs")
        .iter()
        .map(|it| it["fate"].clone())
        .collect();
    assert_eq!(fates, ["runs", "skipped", "skipped", "runs", "later"]);
    assert_eq!(
        plan["run"]["jobs"][2]["reason"],
        "it needs `deploy`, which is skipped"
    );
}

#[test]
fn expressions_may_be_keys_and_stand_for_several_values() {
    check(
        "
on: push
jobs:
  merged:
    runs-on: x
    strategy:
      matrix:
        v:
          - env:
              one: 1
              ${{insert}}: { two: 2 }
              ${{ insert }}: ${{ fromJSON('{\"three\":3,\"one\":0}') }}
          - ${{ fromJSON('[\"x\",\"y\"]') }}
        ${{ format('node{0}', 's') }}: ['${{ github.event.x }}']
    steps: []
",
        "push",
        json!({"ref": "refs/heads/main", "x": "20"}),
        "\
merged runs
  \"merged (1, 2, 3, 20)\"
  \"merged (x, 20)\"
  \"merged (y, 20)\"
",
    );
}

#[test]
fn inputs_of_a_dispatch_decide() {
    let plan = planned(
        SOURCE,
        "workflow_dispatch",
        &json!({"inputs": {"all": "true"}}),
    );
    assert_eq!(plan["starts"], true);
    assert_eq!(plan["run"]["inputs"], json!({"all": true}));
    assert_eq!(plan["run"]["jobs"][1]["fate"], "runs");
    let plan = planned(SOURCE, "issues", &json!({}));
    assert_eq!(plan["starts"], false);
    assert_eq!(plan["reason"], "it does not listen to `issues`");
}

#[test]
fn short_forms_are_written_out() {
    let source = "
on: [push, pull_request]
concurrency: ${{ github.ref }}
jobs:
  a: { runs-on: x, container: node:20, environment: prod, services: { db: redis }, steps: [{ run: x }, { uses: a/b@v1 }] }
  b: { needs: a, uses: ./.github/workflows/x.yml, secrets: inherit }
";
    let workflow = parse(source, "ci.yml").workflow.expect("a workflow");
    let expected = json!({
        "name": "ci.yml",
        "on": {"push": {}, "pull_request": {"types": ["opened", "synchronize", "reopened"]}},
        "concurrency": {"group": "${{ github.ref }}", "cancel-in-progress": false, "queue": "single"},
        "jobs": {
            "a": {
                "needs": [], "if": "success()", "runs-on": "x",
                "environment": {"name": "prod"}, "container": {"image": "node:20"},
                "services": {"db": {"image": "redis"}},
                "steps": [
                    {"id": "__run", "if": "success()", "run": "x"},
                    {"id": "__a_b", "if": "success()", "uses": "a/b@v1"},
                ],
            },
            "b": {
                "needs": ["a"], "if": "success()", "uses": "./.github/workflows/x.yml", "with": {}, "secrets": "inherit",
            },
        },
    });
    assert_eq!(normal(&workflow), expected);
}
