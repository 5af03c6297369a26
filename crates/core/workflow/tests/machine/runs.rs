//! Whole runs: events in, effects out, printed and compared.

use std::{collections::BTreeMap, time::Duration};

use names::Timestamp;
use serde_json::json;
use workflow::{
    ActionHome, Effect, Event, JobKey, Place, PreparedAction, Run, Secrets, Start, StepEnd,
    StepKey, StepReport, StepStart, StepWork, parse,
};

/// A run with an executor that does what it is told and writes down what it was asked.
struct World {
    run: Run,
    now: Timestamp,
    secrets: Secrets,
    /// Steps as last described, by name.
    steps: BTreeMap<String, StepStart>,
}

impl World {
    #[track_caller]
    fn new(source: &str) -> Self {
        let parsed = parse(source, "ci.yml");
        let workflow = parsed
            .workflow
            .unwrap_or_else(|| panic!("{}", yaml::render_all(&parsed.diagnostics, source)));
        let now = Timestamp::from_micros(1_000_000);
        let start = Start {
            github: json!({"ref": "refs/heads/main", "sha": "abc", "event_name": "push", "repository": "a/b", "event": {"x": 1}}),
            vars: json!({"REGION": "eu"}),
            inputs: json!({}),
            ..Start::default()
        };
        let secrets = Secrets::new([("TOKEN".to_owned(), "s3cret-value".to_owned())]);
        Self {
            run: Run::new(workflow, start, now),
            now,
            secrets,
            steps: BTreeMap::new(),
        }
    }

    /// All open effects, one word or two each.
    fn drain(&mut self) -> String {
        let mut words = Vec::new();
        while let Some(effect) = self.run.next_effect(&self.secrets) {
            words.push(match effect {
                Effect::StartJob(job) => format!("job {}#{}", job.job, job.attempt),
                Effect::AdoptJob { job, attempt } => format!("adopt {job}#{attempt}"),
                Effect::StartStep(start) => {
                    let text = format!("step {}.{}", start.step.job, start.step.index);
                    self.steps
                        .insert(format!("{}.{}", start.step.job, start.step.index), *start);
                    text
                }
                Effect::AdoptStep { step } => format!("adopt {}.{}", step.job, step.index),
                Effect::StopStep { step, why } => {
                    format!("stop {}.{} {why:?}", step.job, step.index)
                }
                Effect::FinishJob(end) => format!("end {} {}", end.job, end.conclusion),
                Effect::FinishRun { conclusion } => format!("finish {conclusion}"),
                Effect::PrepareActions {
                    job,
                    attempt,
                    actions,
                } => {
                    // Here every action is a native one without pre and post.
                    let manifest = "{inputs: {}, runs: {using: native, main: x}}".to_owned();
                    let prepared = PreparedAction {
                        manifest,
                        home: ActionHome::Native,
                        commit: None,
                    };
                    let actions = actions
                        .into_iter()
                        .map(|it| (it, Ok(prepared.clone())))
                        .collect();
                    self.run.handle(
                        Event::ActionsPrepared {
                            job,
                            attempt,
                            actions,
                        },
                        &self.secrets,
                        self.now,
                    );
                    continue;
                }
                other => format!("{other:?}"),
            });
        }
        words.join(", ")
    }

    fn tell(&mut self, event: Event) -> String {
        self.run.handle(event, &self.secrets, self.now);
        self.drain()
    }

    fn started(&mut self, job: &str) -> String {
        self.started_again(job, 1)
    }

    fn started_again(&mut self, job: &str, attempt: u32) -> String {
        let place = Place {
            workspace: "/w/repo".into(),
            temp: "/w/_temp".into(),
            tool_cache: "/w/tools".into(),
            runner: "local".into(),
            os: "Linux".into(),
            arch: "X64".into(),
            bash: true,
            env: vec![
                ("PATH".into(), "/usr/bin".into()),
                ("HOME".into(), "/home/x".into()),
            ],
            ..Place::default()
        };
        self.tell(Event::JobStarted {
            job: key(job),
            attempt,
            place,
        })
    }

    fn running(&mut self, job: &str, index: usize) -> String {
        self.tell(Event::StepStarted {
            step: StepKey {
                job: key(job),
                attempt: 1,
                index,
            },
        })
    }

    fn ended(&mut self, job: &str, index: usize, code: i32) -> String {
        self.report(job, index, StepReport::new(StepEnd::Exited(code)))
    }

    fn report(&mut self, job: &str, index: usize, report: StepReport) -> String {
        self.tell(Event::StepFinished {
            step: StepKey {
                job: key(job),
                attempt: 1,
                index,
            },
            report,
        })
    }

    fn later(&mut self, span: Duration) -> String {
        self.now = self.now + span;
        self.run.handle_timeout(&self.secrets, self.now);
        self.drain()
    }

    /// Stores the run and loads it again, as after a crash.
    fn reload(&mut self) -> String {
        let stored = serde_json::to_string(&self.run).expect("a run is JSON");
        assert!(
            !stored.contains("s3cret-value"),
            "a secret is stored: {stored}"
        );
        self.run = serde_json::from_str(&stored).expect("a stored run");
        self.drain()
    }

    /// Job, conclusion and reason, one line each.
    fn jobs(&self) -> String {
        let lines = self.run.jobs().into_iter().map(|job| {
            let conclusion = job
                .conclusion
                .map_or_else(|| format!("{:?}", job.status), |it| it.to_string());
            let reason = job.reason.map(|it| format!(": {it}")).unwrap_or_default();
            format!("{} {conclusion}{reason}\n", job.name)
        });
        lines.collect()
    }
}

fn key(job: &str) -> JobKey {
    match job
        .rsplit_once('.')
        .and_then(|(id, leg)| Some((id, leg.parse().ok()?)))
    {
        Some((id, leg)) => JobKey {
            id: id.to_owned(),
            leg,
        },
        None => JobKey {
            id: job.to_owned(),
            leg: 0,
        },
    }
}

const CHAIN: &str = "
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    outputs: { tag: '${{ steps.v.outputs.tag }}', leak: 'x${{ steps.v.outputs.leak }}' }
    steps:
      - uses: actions/checkout@v4
      - { id: v, run: echo }
  test:
    needs: build
    runs-on: ubuntu-latest
    steps: [{ run: 'test ${{ needs.build.outputs.tag }}' }]
  deploy:
    needs: test
    runs-on: ubuntu-latest
    if: github.ref == 'refs/heads/main'
    steps: [{ run: deploy }]
  docs:
    needs: test
    if: github.ref == 'refs/heads/docs' && vars.REGION
    runs-on: ubuntu-latest
    steps: [{ run: docs }]
";

#[test]
fn jobs_run_as_their_needs_allow_and_outputs_flow() {
    let mut world = World::new(CHAIN);
    assert_eq!(world.drain(), "job build#1");
    assert_eq!(
        world.jobs(),
        "build Queued: it waits for its executor\ntest Queued: it waits for `build`\ndeploy Queued: it waits for `test`\ndocs Queued: it waits for `test`\n"
    );
    assert_eq!(world.started("build"), "step build.0");
    assert!(
        matches!(&world.steps["build.0"].work, StepWork::Builtin(it) if it.action.to_string() == "actions/checkout@v4")
    );
    assert_eq!(world.running("build", 0), "");
    assert_eq!(world.ended("build", 0, 0), "step build.1");
    assert_eq!(world.ended("build", 0, 1), "", "a second report is ignored");
    let report = StepReport {
        output_file: "tag=v1\nleak=s3cret-value\n".into(),
        ..StepReport::new(StepEnd::Exited(0))
    };
    assert_eq!(
        world.report("build", 1, report),
        "end build success, job test#1"
    );
    assert_eq!(
        world.run.outputs("build"),
        [("tag".to_owned(), "v1".to_owned())]
    );
    assert_eq!(
        world.run.jobs()[0].notes,
        ["output `leak` is dropped: it may contain a secret"]
    );
    assert_eq!(world.started("test"), "step test.0");
    assert!(matches!(&world.steps["test.0"].work, StepWork::Command(it) if it.script == "test v1"));
    assert_eq!(world.ended("test", 0, 0), "end test success, job deploy#1");
    assert_eq!(world.started("deploy"), "step deploy.0");
    assert_eq!(
        world.ended("deploy", 0, 0),
        "end deploy success, finish success"
    );
    assert_eq!(
        world.jobs(),
        "build success\ntest success\ndeploy success\n\
         docs skipped: its condition `github.ref == 'refs/heads/docs' && vars.REGION` does not hold: 'refs/heads/main' == 'refs/heads/docs' && 'eu'\n"
    );
}

#[test]
fn a_failure_skips_what_needs_it_and_says_so() {
    let mut world = World::new(CHAIN);
    world.drain();
    world.started("build");
    assert_eq!(
        world.ended("build", 0, 3),
        "end build failure, finish failure"
    );
    assert_eq!(
        world.jobs(),
        "build failure: step `Run actions/checkout@v4`: process completed with exit code 3\n\
         test skipped: it needs `build`, which failed\n\
         deploy skipped: it needs `build`, which failed\n\
         docs skipped: it needs `build`, which failed\n"
    );
}

#[test]
fn status_functions_look_at_all_ancestors() {
    let mut world = World::new(
        "
on: push
jobs:
  a: { runs-on: x, steps: [{ run: a }] }
  b: { runs-on: x, needs: a, steps: [{ run: b }] }
  c: { runs-on: x, needs: b, if: failure(), steps: [{ run: c }] }
  d: { runs-on: x, needs: b, if: always(), steps: [{ run: d }] }
  e: { runs-on: x, needs: b, if: success() || failure() || cancelled(), steps: [{ run: e }] }
  f: { runs-on: x, needs: b, if: \"${{ needs.b.result == 'skipped' }}\", steps: [{ run: f }] }
",
    );
    world.drain();
    world.started("a");
    assert_eq!(
        world.ended("a", 0, 1),
        "end a failure, job c#1, job d#1, job e#1"
    );
}

#[test]
fn steps_go_on_as_their_conditions_say() {
    let mut world = World::new(
        "
on: push
jobs:
  a:
    runs-on: x
    steps:
      - { id: soft, run: a, continue-on-error: true }
      - { run: b, if: \"steps.soft.outcome == 'failure' && steps.soft.conclusion == 'success'\" }
      - { run: c }
      - { run: d }
      - { run: e, if: failure() }
      - { run: f, if: always() }
",
    );
    world.drain();
    assert_eq!(world.started("a"), "step a.0");
    assert_eq!(world.ended("a", 0, 1), "step a.1");
    assert_eq!(world.ended("a", 1, 0), "step a.2");
    assert_eq!(world.ended("a", 2, 7), "step a.4");
    assert_eq!(world.ended("a", 4, 0), "step a.5");
    assert_eq!(world.ended("a", 5, 0), "end a failure, finish failure");
    let skipped = &world.run.jobs()[0].steps[3];
    assert_eq!(skipped.reason.as_deref(), Some("an earlier step failed"));
}

#[test]
fn a_failing_leg_takes_its_siblings_along() {
    let mut world = World::new(
        "
on: push
jobs:
  t:
    runs-on: x
    strategy: { max-parallel: 2, matrix: { v: [1, 2, 3], os: [l] } }
    steps: [{ run: 'x ${{ matrix.v }} ${{ strategy.job-total }}' }]
",
    );
    assert_eq!(world.drain(), "job t#1, job t.1#1");
    assert_eq!(world.started("t"), "step t.0");
    assert_eq!(world.started("t.1"), "step t.1.0");
    assert_eq!(
        world.ended("t", 0, 1),
        "end t failure, stop t.1.0 Cancelled, end t.2 cancelled"
    );
    assert_eq!(
        world.report("t.1", 0, StepReport::new(StepEnd::Killed(2))),
        "end t.1 cancelled, finish failure"
    );
    assert_eq!(
        world.jobs(),
        "t (1, l) failure: step `Run x 1 3`: process completed with exit code 1\n\
         t (2, l) cancelled: `t (1, l)` failed, and `fail-fast` is on\n\
         t (3, l) cancelled: `t (1, l)` failed, and `fail-fast` is on\n"
    );
}

#[test]
fn a_tolerated_job_counts_as_a_success() {
    let mut world = World::new(
        "
on: push
jobs:
  a: { runs-on: x, continue-on-error: true, steps: [{ run: a }] }
  b: { runs-on: x, needs: a, steps: [{ run: 'echo ${{ needs.a.result }}' }] }
",
    );
    world.drain();
    world.started("a");
    assert_eq!(world.ended("a", 0, 1), "end a failure, job b#1");
    world.started("b");
    assert!(
        matches!(&world.steps["b.0"].work, StepWork::Command(it) if it.script == "echo success")
    );
    assert_eq!(world.ended("b", 0, 0), "end b success, finish success");
}

#[test]
fn a_cancelled_run_stops_what_does_not_insist() {
    let mut world = World::new(
        "
on: push
jobs:
  a: { runs-on: x, steps: [{ run: a }, { run: b, if: always() }, { run: c }] }
  b: { runs-on: x, needs: a, steps: [{ run: b }] }
  c: { runs-on: x, needs: a, if: cancelled(), steps: [{ run: c }] }
",
    );
    world.drain();
    world.started("a");
    world.running("a", 0);
    assert_eq!(
        world.tell(Event::CancelRun {
            reason: "by hand".into()
        }),
        "stop a.0 Cancelled"
    );
    assert_eq!(world.reload(), "adopt a#1, adopt a.0, stop a.0 Cancelled");
    assert_eq!(
        world.report("a", 0, StepReport::new(StepEnd::Killed(2))),
        "step a.1"
    );
    assert_eq!(world.ended("a", 1, 0), "end a cancelled, job c#1");
    world.started("c");
    assert_eq!(world.ended("c", 0, 0), "end c success, finish cancelled");
    assert_eq!(
        world.jobs(),
        "a cancelled: by hand\nb skipped: the run was cancelled: by hand\nc success\n"
    );
}

#[test]
fn time_is_limited_for_steps_and_jobs() {
    let mut world = World::new("
on: push
jobs:
  a: { runs-on: x, timeout-minutes: 10, steps: [{ run: a, timeout-minutes: 1 }, { run: b, if: failure() }, { run: c, if: always() }] }
");
    world.drain();
    world.started("a");
    world.running("a", 0);
    assert_eq!(
        world.run.deadline(),
        Some(world.now + Duration::from_secs(60))
    );
    assert_eq!(world.later(Duration::from_secs(59)), "");
    assert_eq!(world.later(Duration::from_secs(1)), "stop a.0 StepTimeout");
    assert_eq!(
        world.report("a", 0, StepReport::new(StepEnd::Killed(2))),
        "step a.1"
    );
    assert_eq!(
        world.run.jobs()[0].steps[0].reason.as_deref(),
        Some("timed out after 1 minute")
    );
    world.running("a", 1);
    assert_eq!(world.later(Duration::from_secs(540)), "stop a.1 JobTimeout");
    assert_eq!(
        world.report("a", 1, StepReport::new(StepEnd::Killed(2))),
        "step a.2"
    );
    world.running("a", 2);
    assert_eq!(
        world.later(Duration::from_secs(300)),
        "end a cancelled, finish cancelled"
    );
    assert_eq!(
        world.jobs(),
        "a cancelled: it is over its time of 10 minutes\n"
    );
}

#[test]
fn a_lost_job_starts_again_and_late_reports_are_ignored() {
    let mut world =
        World::new("on: push\njobs:\n  a: { runs-on: x, steps: [{ run: a }, { run: b }] }\n");
    world.drain();
    world.started("a");
    world.ended("a", 0, 0);
    let lost = |attempt| Event::JobLost {
        job: key("a"),
        attempt,
        reason: "power cut".into(),
    };
    assert_eq!(world.tell(lost(1)), "job a#2");
    assert_eq!(world.ended("a", 1, 0), "", "a report of the first attempt");
    assert_eq!(world.started("a"), "", "a report of the first attempt");
    assert_eq!(world.started_again("a", 2), "step a.0");
    assert_eq!(
        world.run.jobs()[0].notes,
        ["attempt 1 was lost at 1970-01-01T00:00:01Z: power cut"]
    );
    assert_eq!(world.tell(lost(2)), "job a#3");
    assert_eq!(world.tell(lost(3)), "end a failure, finish failure");
    assert_eq!(
        world.jobs(),
        "a failure: its executor was lost 3 times, at last: power cut\n"
    );
}

#[test]
fn a_reload_gives_open_effects_again_and_nothing_else() {
    let mut world = World::new(CHAIN);
    assert_eq!(world.drain(), "job build#1");
    assert_eq!(world.reload(), "job build#1");
    assert_eq!(world.started("build"), "step build.0");
    assert_eq!(world.reload(), "adopt build#1, step build.0");
    world.running("build", 0);
    assert_eq!(world.reload(), "adopt build#1, adopt build.0");
    assert_eq!(world.ended("build", 0, 0), "step build.1");
    assert_eq!(world.ended("build", 1, 0), "end build success, job test#1");
    assert_eq!(world.reload(), "end build success, job test#1");
    assert_eq!(
        world.tell(Event::JobClosed {
            job: key("build"),
            attempt: 1
        }),
        ""
    );
    assert_eq!(world.reload(), "job test#1");
}

#[test]
fn a_step_is_described_to_the_last_byte() {
    let mut world = World::new("
on: push
env: { A: workflow, B: workflow, C: workflow, GITHUB_SHA: mine }
defaults: { run: { working-directory: sub } }
jobs:
  a:
    runs-on: x
    env: { B: job, C: job, T: '${{ secrets.TOKEN }}' }
    steps:
      - { run: one, env: { C: step }, timeout-minutes: 2 }
      - { run: 'two ${{ env.B }} ${{ env.C }} ${{ env.T }}', shell: bash, working-directory: /abs, name: 'say ${{ secrets.TOKEN }}' }
      - { run: three, shell: 'perl {0}' }
");
    world.drain();
    world.started("a");
    let first = &world.steps["a.0"];
    let env = |step: &StepStart, name: &str| step.env.get(name).unwrap_or("-").to_owned();
    let shown: Vec<_> = [
        "A",
        "B",
        "C",
        "T",
        "GITHUB_SHA",
        "CI",
        "GITHUB_ACTIONS",
        "PATH",
        "HOME",
        "GITHUB_WORKSPACE",
        "RUNNER_OS",
        "GITHUB_TOKEN",
    ]
    .iter()
    .map(|it| env(first, it))
    .collect();
    assert_eq!(
        shown,
        [
            "workflow",
            "job",
            "step",
            "s3cret-value",
            "abc",
            "true",
            "true",
            "/usr/bin",
            "/home/x",
            "/w/repo",
            "Linux",
            "-"
        ]
    );
    let StepWork::Command(command) = &first.work else {
        panic!("a command")
    };
    assert_eq!(command.argv, ["bash", "-e", "/w/_temp/_landfall/1-0.sh"]);
    assert_eq!(
        (command.cwd.as_str(), first.timeout),
        ("/w/repo/sub", Some(Duration::from_secs(120)))
    );
    assert_eq!(
        first
            .files
            .last()
            .map(|it| (it.path.as_str(), it.text.as_str())),
        Some(("/w/_temp/_landfall/1-0.sh", "one"))
    );

    let report = StepReport {
        env_file: "B=file\nSEALED<<E\nx s3cret-value\ny\nE\n".into(),
        path_file: "/first\n/second\n".into(),
        ..StepReport::new(StepEnd::Exited(0))
    };
    world.report("a", 0, report);
    assert_eq!(world.reload(), "adopt a#1, step a.1");
    let second = &world.steps["a.1"];
    assert_eq!(
        [env(second, "B"), env(second, "SEALED"), env(second, "PATH")],
        ["file", "x s3cret-value\ny", "/second:/first:/usr/bin"]
    );
    assert_eq!(second.name, "say ***");
    let StepWork::Command(command) = &second.work else {
        panic!("a command")
    };
    assert_eq!(
        command.argv,
        [
            "bash",
            "--noprofile",
            "--norc",
            "-e",
            "-o",
            "pipefail",
            "/w/_temp/_landfall/1-1.sh"
        ]
    );
    assert_eq!(
        (command.script.as_str(), command.cwd.as_str()),
        ("two file job s3cret-value", "/abs")
    );
    assert_eq!(
        world.report(
            "a",
            1,
            StepReport {
                output_file: "broken\n".into(),
                ..StepReport::new(StepEnd::Exited(0))
            }
        ),
        "end a failure, finish failure"
    );
    assert_eq!(
        world.jobs(),
        "a failure: step `say ***`: unable to process file command `output`: invalid format `broken`: expected `name=value` or `name<<delimiter`\n"
    );
}

#[test]
fn expressions_without_a_value_fail_the_step() {
    let mut world = World::new("
on: push
jobs:
  a:
    runs-on: x
    steps:
      - { run: \"${{ fromJSON('x') }}\", continue-on-error: true }
      - { run: b, if: \"fromJSON('x')\" }
      - { run: c, if: always(), env: { X: \"${{ hashFiles('*') }}\" } }
  b: { runs-on: x, strategy: { matrix: { v: \"${{ fromJSON(vars.NOPE) }}\" } }, steps: [{ run: b }] }
");
    world.drain();
    assert_eq!(world.started("a"), "end a failure, finish failure");
    let reasons: Vec<_> = world.run.jobs()[0]
        .steps
        .iter()
        .map(|it| it.reason.clone().unwrap_or_default())
        .collect();
    assert_eq!(
        reasons,
        [
            "`run` has no value: `x` is no JSON: expected value at line 1 column 1",
            "its condition `fromJSON('x')` has no value: `x` is no JSON: expected value at line 1 column 1",
            "`env` has no value: files could not be hashed: there are no files here",
        ]
    );
    assert!(world.jobs().ends_with("b failure: `matrix` has no value: `` is no JSON: EOF while parsing a value at line 1 column 0\n"));
}

#[test]
fn a_dynamic_matrix_comes_from_outputs() {
    let mut world = World::new(
        "
on: push
jobs:
  plan: { runs-on: x, outputs: { m: '${{ steps.s.outputs.m }}' }, steps: [{ id: s, run: plan }] }
  t:
    needs: plan
    name: 'T ${{ matrix.v }}'
    runs-on: x
    strategy: { matrix: { v: '${{ fromJSON(needs.plan.outputs.m) }}' } }
    steps: [{ run: t }]
",
    );
    world.drain();
    world.started("plan");
    let report = StepReport {
        outputs: vec![("m".into(), "[\"a\", 2]".into())],
        ..StepReport::new(StepEnd::Exited(0))
    };
    assert_eq!(
        world.report("plan", 0, report),
        "end plan success, job t#1, job t.1#1"
    );
    assert_eq!(
        world.jobs(),
        "plan success\nT a Queued: it waits for its executor\nT 2 Queued: it waits for its executor\n"
    );
}

const WIDE: &str = "
on: push
jobs:
  lint: { runs-on: x, steps: [{ run: a }, { run: b, if: failure() }] }
  test:
    runs-on: x
    strategy: { fail-fast: false, max-parallel: 2, matrix: { v: [1, 2, 3] } }
    outputs: { last: '${{ steps.s.outputs.v }}' }
    steps: [{ id: s, run: 't ${{ matrix.v }}' }, { run: u, continue-on-error: true }]
  pack: { needs: [lint, test], if: '!cancelled()', runs-on: x, steps: [{ run: p }] }
  ship: { needs: pack, runs-on: x, steps: [{ run: 'ship ${{ secrets.TOKEN }}' }] }
  tell: { needs: ship, if: always(), runs-on: x, steps: [{ run: t }] }
";

/// Does every effect at once, with exit codes drawn from `seed`; stores and loads the run after each event if `crashing`.
fn play(seed: u64, crashing: bool) -> (String, Vec<workflow::JobView>) {
    let mut world = World::new(WIDE);
    let mut given = Vec::new();
    while let Some(effect) = world.run.next_effect(&world.secrets) {
        let code = |step: &StepKey| {
            i32::from(
                (seed >> (step.index + 2 * step.job.leg + step.job.id.len())).is_multiple_of(3),
            )
        };
        let ended = |step: &StepKey| {
            let mut report = StepReport::new(StepEnd::Exited(code(step)));
            report.output_file = format!("v={}\n", step.job.leg);
            vec![
                Event::StepStarted { step: step.clone() },
                Event::StepFinished {
                    step: step.clone(),
                    report,
                },
            ]
        };
        let events = match effect {
            Effect::StartJob(start) => {
                vec![Event::JobStarted {
                    job: start.job,
                    attempt: start.attempt,
                    place: Place::default(),
                }]
            }
            Effect::StartStep(start) => {
                given.push(format!("{}.{}", start.step.job, start.step.index));
                ended(&start.step)
            }
            Effect::FinishJob(end) => vec![Event::JobClosed {
                job: end.job,
                attempt: end.attempt,
            }],
            Effect::AdoptJob { .. }
            | Effect::AdoptStep { .. }
            | Effect::AcquireGroup(_)
            | Effect::RequestApproval { .. }
            | Effect::LoadWorkflow { .. }
            | Effect::PrepareActions { .. }
            | Effect::LoadAction { .. } => Vec::new(),
            Effect::StopStep { step, .. } => ended(&step),
            Effect::FinishRun { conclusion } => {
                return (
                    format!("{conclusion} {}", given.join(" ")),
                    world.run.jobs(),
                );
            }
        };
        for event in events {
            world.run.handle(event, &world.secrets, world.now);
            if crashing {
                let stored = serde_json::to_value(&world.run).expect("a run is JSON");
                world.run = serde_json::from_value(stored).expect("a stored run");
            }
        }
    }
    panic!("the run never finished: {}", world.jobs())
}

#[test]
fn a_crash_after_any_event_changes_nothing() {
    for seed in 0..40_u64 {
        let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        assert_eq!(play(seed, true), play(seed, false), "seed {seed}");
    }
}
