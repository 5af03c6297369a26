//! `container:` and `services:` from images.

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn steps_run_in_the_image_with_githubs_paths() {
    let world = World::new().await;
    world.image("base:1", |config| config.env.push("FROM_IMAGE=yes".to_owned()), &[("etc/marker", "the image\n")]).await;
    let run = world
        .run(
            "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    container:
      image: base:1
      env: {OWN: value}
      volumes: ['data:/data']
      options: --cpus 1
    steps:
      - uses: actions/checkout@v4
      - run: |
          cat /etc/marker hello.txt
          pwd
          echo \"$FROM_IMAGE $OWN $HOME $RUNNER_TEMP\"
          touch /data/x && echo volume
          echo 'A=from env' >> $GITHUB_ENV
      - run: echo \"$A\"
",
            &[("hello.txt", "hello\n")],
        )
        .await;
    let told = world.succeeded(&run).await;
    let tail: Vec<_> = told.lines().skip_while(|line| *line != "the image").collect();
    let expected = "the image\nhello\n/__w/shop/shop\nyes value /github/home /__w/_temp\nvolume\nfrom env";
    assert_eq!(tail.join("\n"), expected);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_javascript_action_runs_in_an_image_without_node() {
    let world = World::new().await;
    world.image("base:1", |_| {}, &[]).await;
    let run = world
        .run(
            "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    container: base:1
    steps:
      - uses: actions/checkout@v4
      - uses: ./tool
        with: {name: Ada}
",
            &[
                ("tool/action.yml", "inputs: {name: {}}\nruns: {using: node20, main: main.js}\n"),
                ("tool/main.js", "console.log('hello ' + process.env.INPUT_NAME + ' ' + require('fs').existsSync('/bin/busybox'));\n"),
            ],
        )
        .await;
    let told = world.succeeded(&run).await;
    assert_eq!(told.lines().last(), Some("hello Ada true"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_reached_by_port_and_by_name_once_they_are_healthy() {
    let world = World::new().await;
    let serve = ["/bin/sh", "-c", "sleep 0.3; echo serving; httpd -f -p 80 -h /www"].map(str::to_owned).to_vec();
    world.image("web:1", |config| config.cmd = Some(serve), &[("www/index.html", "from the service\n")]).await;
    world.image("base:1", |_| {}, &[]).await;
    let run = world
        .run(
            "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    services:
      web:
        image: web:1
        ports: ['80']
        options: --health-cmd \"wget -q -O /dev/null http://127.0.0.1/\" --health-interval 100ms --health-retries 50
    steps:
      - run: curl --silent --fail --noproxy '*' http://localhost:${{ job.services.web.ports['80'] }}/
  inside:
    runs-on: ubuntu-latest
    container: base:1
    services:
      web:
        image: web:1
        options: --health-cmd \"wget -q -O /dev/null http://127.0.0.1/\" --health-interval 100ms --health-retries 50
    steps:
      - run: wget -q -O - http://web/
",
            &[],
        )
        .await;
    assert_eq!(world.succeeded(&run).await, "from the service");
    assert_eq!(world.printed(&run, "inside").await, ["from the service"]);
    let told = world.told(&run).await;
    assert!(told.contains("Print service container logs: web"), "{told}");
    assert!(told.contains("serving"), "{told}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_ends_or_is_not_there_fails_the_job() {
    let world = World::new().await;
    let fail = ["/bin/sh", "-c", "echo it broke; exit 3"].map(str::to_owned).to_vec();
    world.image("broken:1", |config| config.cmd = Some(fail), &[]).await;
    let workflow = |image: &str| {
        format!("on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    services:\n      db: {{image: '{image}'}}\n    steps:\n      - run: echo never\n")
    };
    let run = world.run(&workflow("broken:1"), &[]).await;
    assert_eq!(run.jobs[0].reason.as_deref(), Some("service `db`: it ended with exit code 3"));
    let told = world.told(&run).await;
    assert!(told.contains("it broke"), "{told}");
    let run = world.run(&workflow("127.0.0.1:1/none:1"), &[]).await;
    let reason = run.jobs[0].reason.clone().unwrap_or_default();
    assert!(reason.starts_with("the image `127.0.0.1:1/none:1` cannot be used: "), "{reason}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_containers_survives_the_server() {
    let mut world = World::new().await;
    let serve = ["/bin/sh", "-c", "httpd -f -p 80 -h /www"].map(str::to_owned).to_vec();
    world.image("web:1", |config| config.cmd = Some(serve), &[("www/index.html", "from the service\n")]).await;
    let workflow = "
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    services:
      web: {image: 'web:1', ports: ['80']}
    steps:
      - run: |
          echo begun
          echo '::add-mask::hunter2'
          until test -e go; do sleep 0.05; done
          curl --silent --fail --noproxy '*' --retry 20 --retry-connrefused --retry-delay 1 http://localhost:${{ job.services.web.ports['80'] }}/
      - run: echo \"hunter2 $GITHUB_RUN_ATTEMPT\"
";
    let (number, _) = world.push(&[(".github/workflows/ci.yml", workflow)]).await;
    world.taken_up(number).await;
    world.is(1, |run| run.jobs.iter().flat_map(|job| &job.steps).any(|step| step.status == api::Status::Running)).await;
    world.restart().await;
    let go = std::fs::read_dir(world.path("jobs")).expect("jobs").flatten();
    for entry in go.filter(|entry| entry.file_name().to_string_lossy().starts_with("job-")) {
        std::fs::write(entry.path().join("work/go"), "").expect("a file");
    }
    let run = world.over(1).await;
    assert_eq!(world.succeeded(&run).await, "begun\nfrom the service\n*** 1");
    world.end().await;
}
