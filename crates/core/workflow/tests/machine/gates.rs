//! What jobs wait for: groups, approvals, timers; what trust takes away; containers.

use names::Timestamp;
use serde_json::json;
use workflow::{
    ContainerPlace, Event, GroupHolder, JobKey, Permissions, ServicePlace, StepWork, Trust,
};

use crate::stage::{Stage, check, untrusted};

fn key(id: &str) -> JobKey {
    JobKey {
        id: id.into(),
        leg: 0,
    }
}

const GROUPED: &str = "
on: push
concurrency: { group: 'deploy-${{ github.ref }}', cancel-in-progress: true }
jobs:
  a: { runs-on: x, concurrency: { group: job, queue: max }, steps: [{ name: s, run: x }] }
";

#[test]
fn groups_are_acquired_before_anything_starts() {
    let played = Stage::new(GROUPED).play();
    check(
        &played.told(),
        "
group deploy-refs/heads/main Run
group job Job(JobKey { id: \"a\", leg: 0 })
job a
s
end a success
finish success
",
    );
}

#[test]
fn whoever_waits_for_a_group_says_so_and_may_be_replaced() {
    let mut stage = Stage::new(GROUPED);
    stage.manual_gates = true;
    let mut played = stage.begin();
    played.play(0, true);
    let holder = GroupHolder::Run;
    played
        .tell(Event::GroupWaits {
            holder: holder.clone(),
            reason: "run 3 holds it".into(),
        })
        .play(0, true);
    check(
        &played.result(),
        "a Queued: it waits for the concurrency group `deploy-refs/heads/main` of its workflow: run 3 holds it\n",
    );
    played.tell(Event::GroupGranted { holder }).play(0, true);
    let holder = GroupHolder::Job(key("a"));
    played
        .tell(Event::GroupWaits {
            holder: holder.clone(),
            reason: "run 2 holds it".into(),
        })
        .play(0, true);
    check(
        &played.result(),
        "a Queued: it waits for the concurrency group `job` of the job: run 2 holds it\n",
    );
    let reason = "a newer run took its place".to_owned();
    played
        .tell(Event::GroupReplaced { holder, reason })
        .play(0, true);
    check(
        &played.result(),
        "a cancelled: a newer run took its place\n",
    );

    let mut whole = stage.begin();
    whole.play(0, true);
    let reason = "a newer run took its place".to_owned();
    whole
        .tell(Event::GroupReplaced {
            holder: GroupHolder::Run,
            reason,
        })
        .play(0, true);
    check(
        &whole.told(),
        "group deploy-refs/heads/main Run\nfinish cancelled\n",
    );
}

#[test]
fn a_job_cannot_wait_for_its_own_run() {
    let source = "
on: push
concurrency: Same
jobs:
  a: { runs-on: x, concurrency: same, steps: [{ run: x }] }
  b: { runs-on: x, concurrency: { group: b, queue: max, cancel-in-progress: '${{ true }}' }, steps: [{ run: x }] }
";
    check(
        &Stage::new(source).play().result(),
        "
a failure: its concurrency group `same` is the group of its run: it would wait for itself
b failure: `queue: max` and `cancel-in-progress: true` cannot stand together
",
    );
}

const DEPLOY: &str = "
on: push
jobs:
  a:
    runs-on: x
    environment: { name: 'prod-${{ vars.REGION }}', url: 'https://${{ steps.s.outputs.h }}' }
    steps: [{ id: s, name: s, run: x }]
";

#[test]
fn environments_need_leave() {
    let played = Stage::new(DEPLOY).writes("s", "h=host\n").play();
    check(
        &played.told(),
        "approval prod-eu for a\njob a\ns\nend a success at https://host\nfinish success\n",
    );
    let leaky = Stage::new(DEPLOY).writes("s", "h=s3cret-value\n").play();
    assert!(leaky.told().contains("end a success\n"), "{}", leaky.told());

    let mut stage = Stage::new(DEPLOY);
    stage.manual_gates = true;
    let mut played = stage.begin();
    played.play(0, true);
    check(
        &played.result(),
        "a Queued: it waits for leave to use the environment `prod-eu`\n",
    );
    played
        .tell(Event::ApprovalWaits {
            job: key("a"),
            reason: "one of ada, bob".into(),
        })
        .play(0, true);
    check(&played.result(), "a Queued: it waits for one of ada, bob\n");
    let until = Timestamp::from_micros(61_000_000);
    played
        .tell(Event::Approved {
            job: key("a"),
            not_before: Some(until),
        })
        .play(0, true);
    check(
        &played.result(),
        "a Queued: it waits for the wait timer of its environment, until 1970-01-01T00:01:01Z\n",
    );
    assert_eq!(played.run.deadline(), Some(until));
    played.later(59).play(0, true);
    assert_eq!(played.trace.len(), 1);
    played.later(1).play(0, true);
    check(&played.result(), "a success\n");

    let mut rejected = stage.begin();
    rejected.play(0, true);
    rejected
        .tell(Event::Rejected {
            job: key("a"),
            reason: "ada rejected it: not today".into(),
        })
        .play(0, true);
    check(
        &rejected.result(),
        "a failure: ada rejected it: not today\n",
    );
}

#[test]
fn an_untrusted_run_reads_and_deploys_nothing() {
    let source = "
on: push
permissions: write-all
jobs:
  a:
    runs-on: x
    permissions: { contents: write, id-token: write }
    env: { T: '${{ secrets.TOKEN }}' }
    steps: [{ name: s, run: 'x${{ secrets.TOKEN }}${{ env.T }} ${{ secrets.GITHUB_TOKEN }}' }]
  b: { runs-on: x, environment: prod, steps: [{ run: x }] }
  c: { runs-on: x, steps: [{ run: x }] }
";
    let mut stage = Stage::new(source);
    stage.start = untrusted();
    let played = stage.play();
    assert_eq!(played.script("s"), "x tok-123456");
    let scopes = [("contents", "read"), ("id-token", "none")];
    let scopes = scopes.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
    assert_eq!(played.jobs["a"].permissions, Permissions::Scopes(scopes));
    assert_eq!(played.jobs["c"].permissions, Permissions::ReadAll);
    assert_eq!(
        played.jobs["c"].trust,
        Trust::Untrusted {
            reason: "it comes from the fork `m/r`".into()
        }
    );
    check(
        &played.result(),
        "
a success
b failure: it uses the environment `prod`, but the run is not trusted: it comes from the fork `m/r`
c success
",
    );
}

#[test]
fn a_job_that_checks_out_foreign_code_loses_its_secrets() {
    let source = "
on: push
jobs:
  a:
    runs-on: x
    env: { T: '${{ secrets.TOKEN }}' }
    steps:
      - { id: one, name: one, run: 'x ${{ env.T }}' }
      - { name: checkout, run: x }
      - { name: two, run: 'x ${{ env.T }}|${{ secrets.TOKEN }}|${{ env.KEPT }}|${{ steps.one.outputs.o }}' }
";
    let report = workflow::StepReport {
        env_file: "KEPT=s3cret-value\n".into(),
        output_file: "o=s3cret-value\n".into(),
        ..workflow::StepReport::new(workflow::StepEnd::Exited(0))
    };
    let reason = "`m/r` was checked out".to_owned();
    let job = key("a");
    let stage = Stage::new(source)
        .reports("one", report)
        .aside("checkout", Event::TrustLost { job, reason });
    let mut played = stage.begin();
    played.play(0, true);
    assert_eq!(played.script("one"), "x s3cret-value");
    assert_eq!(played.script("two"), "x |||");
    check(
        &played.result(),
        "a success\n  note: secrets are withheld from here on: `m/r` was checked out\n",
    );
}

#[test]
fn values_that_steps_hide_are_not_stored() {
    let source = "
on: push
jobs:
  a:
    runs-on: x
    steps:
      - { id: one, name: one, run: x }
      - { name: two, run: 'x ${{ steps.one.outputs.o }}' }
";
    let stage = Stage::new(source)
        .writes("one", "o=hidden-value\n")
        .endless("two");
    let mut played = stage.begin();
    played.mask("hidden-value");
    played.play(0, true);
    assert_eq!(played.script("two"), "x hidden-value");
    let stored = serde_json::to_string(&played.run).unwrap();
    assert!(!stored.contains("hidden-value"), "{stored}");
}

#[test]
fn containers_are_described_whole() {
    let source = "
on: push
jobs:
  a:
    runs-on: [self-hosted, '${{ vars.REGION }}']
    strategy: { matrix: { image: ['node:20', ''] } }
    env: { J: job }
    container:
      image: '${{ matrix.image }}'
      credentials: { username: me, password: '${{ secrets.TOKEN }}' }
      env: { A: '${{ env.J }}', B: 2 }
      ports: [80, '53:53/udp']
      volumes: ['/a:/b']
      options: --cpus 1
    services:
      db: { image: 'postgres:16', env: { P: '${{ secrets.TOKEN }}' }, ports: ['5432:5432'], options: '--health-cmd x', command: postgres -c a=b }
      off: { image: '${{ vars.NONE }}' }
      plain: docker://redis
    steps:
      - { name: 's ${{ matrix.image }}', run: 'x ${{ job.services.db.ports[5432] }} ${{ job.container.id }} ${{ job.services.db.network }}' }
";
    let mut stage = Stage::new(source);
    stage.place.container = Some(ContainerPlace {
        id: "c1".into(),
        network: "n1".into(),
    });
    stage.place.services = vec![ServicePlace {
        name: "db".into(),
        id: "c2".into(),
        network: "n1".into(),
        ports: vec![("5432".into(), "49153".into())],
    }];
    let played = stage.play();
    let job = &played.jobs["a (node:20)"];
    assert_eq!(job.labels, ["self-hosted", "eu"]);
    let container = job.container.as_ref().expect("a container");
    assert_eq!(
        format!("{container:?}"),
        "ContainerSpec { image: \"node:20\", credentials: Some(Credentials(me)), env: [\"A\", \"B\"], ports: [\"80\", \"53:53/udp\"], volumes: [\"/a:/b\"], options: \"--cpus 1\", entrypoint: None, command: None }"
    );
    assert_eq!(
        container
            .credentials
            .as_ref()
            .map(|it| it.password.as_str()),
        Some("s3cret-value")
    );
    assert_eq!(
        (container.env.get("A"), container.env.get("B")),
        (Some("job"), Some("2"))
    );
    let services: Vec<_> = job
        .services
        .iter()
        .map(|it| (it.id.as_str(), it.container.image.as_str()))
        .collect();
    assert_eq!(services, [("db", "postgres:16"), ("plain", "redis")]);
    assert_eq!(
        job.services[0].container.command.as_deref(),
        Some("postgres -c a=b")
    );
    assert_eq!(
        played.jobs["a"].container, None,
        "an empty image is no container"
    );
    assert_eq!(played.script("s node:20"), "x 49153 c1 n1");
    let StepWork::Command(command) = &played.step("s node:20").work else {
        panic!("a command")
    };
    assert_eq!(
        command.argv[..2],
        ["sh", "-e"],
        "in a container nobody knows a bash"
    );
}

#[test]
fn debug_is_told_to_steps() {
    let mut stage = Stage::new(
        "on: push\njobs: { a: { runs-on: x, steps: [{ name: s, run: 'x ${{ runner.debug }}' }] } }",
    );
    stage.start.vars = json!({"ACTIONS_STEP_DEBUG": "true"});
    let played = stage.play();
    assert_eq!(
        (played.script("s"), played.env("s", "RUNNER_DEBUG")),
        ("x 1", "1")
    );
}
