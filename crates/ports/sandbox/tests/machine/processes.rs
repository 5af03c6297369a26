//! Programs run, end, are signalled, limited, and talked to.

use std::time::Duration;

use sandbox::{Error, Io, Limits, Process, Reason, Sandbox, Signal, Target};
use tokio::io::AsyncWriteExt;

use crate::world::{World, id, process_name, read_all, shell};

#[tokio::test]
async fn a_program_runs_as_first_process_with_its_output_and_exit() {
    let Some(world) = World::new().await else { return };
    let spec = world.shell("a", "echo pid $$; echo $HOME $HOSTNAME $(hostname) $(umask); pwd; exit 7");
    assert_eq!(world.told("a", &spec).await, "pid 1|/root a a 0022|/=7");
    let again = world.local.run(&id("a"), &spec).await;
    assert!(matches!(again, Err(Error::Exists(_))), "{again:?}");
    world.remove("a").await;
    world.remove("a").await;
    assert!(Sandbox::list(&world.local).await.expect("list").is_empty());
    world.end().await;
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let Some(world) = World::new().await else { return };
    let mut spec = world.idle("x");
    let cases = [
        (Process::new(["nope"]), Reason::ProgramNotFound, "program `nope` not found"),
        (Process::new(["/bin/nope"]), Reason::ProgramNotFound, "program `/bin/nope` not found"),
        (Process::new(["/etc/passwd"]), Reason::ProgramNotExecutable, "executing `/etc/passwd`: Permission denied (os error 13)"),
        (Process { user: "ghost".into(), ..shell("true") }, Reason::NoSuchUser, "no user `ghost` in /etc/passwd"),
        (
            Process { cwd: "/etc/passwd".into(), ..shell("true") },
            Reason::Spec,
            "entering the working directory `/etc/passwd`: Not a directory (os error 20)",
        ),
    ];
    for (process, reason, message) in cases {
        spec.main = sandbox::Main::Process(process);
        match world.local.run(&id("x"), &spec).await {
            Err(Error::CannotStart(why)) => assert_eq!((why.reason, why.message.as_str()), (reason, message)),
            other => panic!("{message}: {other:?}"),
        }
    }
    assert!(Sandbox::list(&world.local).await.expect("list").is_empty());
    world.end().await;
}

#[tokio::test]
async fn executed_processes_share_the_sandbox_and_have_their_own_end() {
    let Some(world) = World::new().await else { return };
    world.local.run(&id("job"), &world.idle("job")).await.expect("run");
    assert_eq!(world.exec("job", "one", &shell("echo x > /tmp/f; exit 3")).await, "=3");
    let user = Process { user: "web".into(), cwd: "/made/here".into(), ..shell("id -u; id -g; id -G; pwd; cat /tmp/f; echo $HOME") };
    assert_eq!(world.exec("job", "two", &user).await, "100|101|101 7|/made/here|x|/srv=0");
    assert_eq!(world.exec("job", "three", &shell("echo out; echo err >&2; kill -9 $$")).await, "out|err=137");
    let open = Process { user: "web".into(), ..shell("echo opened > /dev/stdout; echo also > /dev/stderr") };
    assert_eq!(world.exec("job", "four", &open).await, "opened|also=0");
    assert_eq!(world.exec("job", "missing", &Process::new(["nope"])).await, "error: program `nope` not found");
    assert_eq!(world.exec("job", "missing", &shell("echo the name is free again")).await, "the name is free again=0");
    let background = world.exec("job", "five", &shell("setsid sleep 1000 & echo started")).await;
    assert_eq!(background, "started=0", "a process left behind holds nobody up");
    let status = Sandbox::list(&world.local).await.expect("list").remove(0);
    let processes: Vec<_> = status.processes.iter().map(|process| process.name.as_str()).collect();
    assert_eq!(processes, ["five", "four", "missing", "one", "three", "two"]);
    assert_eq!(status.exit, None);
    world.remove("job").await;
    world.end().await;
}

#[tokio::test]
async fn stopping_asks_first_and_then_kills_everything() {
    let Some(world) = World::new().await else { return };
    let polite = world.shell("polite", "trap 'echo bye; exit 4' TERM; echo up; while true; do sleep 0.05; done");
    world.local.run(&id("polite"), &polite).await.expect("run");
    let mut output = world.local.attach(&id("polite"), &process_name("main")).await.expect("attach").follow(0);
    output.next().await.expect("follow");
    world.local.stop(&id("polite"), Target::All { signal: Signal::TERM, grace: Duration::from_secs(20) }).await.expect("stop");
    assert_eq!(world.output("polite", "main").await, "up|bye=4");

    let deaf = world.shell("deaf", "trap '' TERM; (setsid sh -c 'trap \"\" TERM; sleep 1000') & sleep 1000");
    world.local.run(&id("deaf"), &deaf).await.expect("run");
    world.local.stop(&id("deaf"), Target::All { signal: Signal::TERM, grace: Duration::from_millis(50) }).await.expect("stop");
    assert_eq!(world.output("deaf", "main").await, "=137");

    world.local.run(&id("idle"), &world.idle("idle")).await.expect("run");
    world.local.exec(&id("idle"), &process_name("step"), &shell("sleep 1000")).await.expect("exec");
    world.local.exec(&id("idle"), &process_name("other"), &shell("sleep 1000")).await.expect("exec");
    world.local.stop(&id("idle"), Target::Process(process_name("step"), Signal::INT)).await.expect("stop");
    assert_eq!(world.output("idle", "step").await, "=130");
    world.local.stop(&id("idle"), Target::All { signal: Signal::TERM, grace: Duration::from_secs(20) }).await.expect("stop");
    assert_eq!(world.output("idle", "other").await, "=143");
    let exec = world.local.exec(&id("idle"), &process_name("late"), &shell("true")).await;
    assert!(matches!(exec, Err(Error::NotRunning(_))), "{exec:?}");
    world.end().await;
}

#[tokio::test]
async fn limits_hold() {
    let Some(world) = World::new().await else { return };
    let missing = sandbox::Local::capabilities();
    if missing.limits.len() < 3 {
        eprintln!("skipped: {:?}", missing.missing());
        return;
    }
    let mut spec = world.shell("memory", "head -c 200000000 /dev/zero | tr '\\0' x | (x=$(cat); echo ${#x})");
    spec.limits = Limits { memory_bytes: Some(32 << 20), ..Limits::default() };
    let told = world.told("memory", &spec).await;
    assert!(told.ends_with("oom"), "{told}");

    let mut spec = world.shell("pids", "for i in $(seq 50); do sleep 1000 & done; echo never");
    spec.limits = Limits { pids: Some(10), cpu_millis: Some(500), ..Limits::default() };
    let told = world.told("pids", &spec).await;
    assert!(told.contains("fork") && !told.contains("never"), "{told}");
    world.end().await;
}

#[tokio::test]
async fn streams_carry_input_and_output() {
    let Some(world) = World::new().await else { return };
    world.local.run(&id("s"), &world.idle("s")).await.expect("run");
    let cat = Process { io: Io::Streams { terminal: None }, ..shell("cat; echo done >&2; exit 5") };
    let mut streams = world.local.exec(&id("s"), &process_name("cat"), &cat).await.expect("exec").expect("streams");
    streams.stdin.write_all(b"hello").await.expect("write");
    streams.stdin = Box::new(tokio::io::sink());
    assert_eq!(read_all(&mut streams).await, "hello");
    assert_eq!(world.output("s", "cat").await, "=5");

    let tty = Process { io: Io::Streams { terminal: Some((100, 40)) }, ..shell("stty size; test -t 0 && read x; echo got $x; stty size") };
    let mut streams = world.local.exec(&id("s"), &process_name("tty"), &tty).await.expect("exec").expect("streams");
    let terminal = streams.terminal.clone().expect("a terminal");
    terminal.resize(80, 24).expect("resize");
    streams.stdin.write_all(b"word\n").await.expect("write");
    let text = read_all(&mut streams).await;
    assert!(text.ends_with("got word\r\n24 80\r\n"), "{text:?}");
    world.end().await;
}
