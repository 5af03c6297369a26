//! Kills the server in the middle of a step, alone and with its spawner.

use std::fs;

use crate::{
    installation::Installation,
    repository::Pushing,
    shop::{self, GOOD_ANSWER},
    wait::until,
};

/// Prints a line each half second for three seconds.
const SLOW_JOB: &str = "  count:
    runs-on: ubuntu-latest
    steps:
      - run: |
          for number in 1 2 3 4 5 6; do
            echo \"line $number\"
            sleep 0.5
          done
      - run: echo the end
";

const ALL_LINES: [&str; 7] = ["line 1", "line 2", "line 3", "line 4", "line 5", "line 6", "the end"];

#[test]
fn a_step_is_adopted_when_the_server_was_killed() {
    let Some((landfall, _)) = shop::serving("shop") else { return };
    let (pods, address) = (landfall.pods("shop"), landfall.address("shop", "shop"));
    let (commit, _pushing) = begin(&landfall);

    kill(server(&landfall));
    landfall.up(&[]).succeeded();

    landfall.watch(&commit).ended_with(0);
    assert_eq!(counted(&landfall), ALL_LINES, "each line stands once in the log");
    let run = landfall.thread(&commit)["runs"][0].take();
    assert_eq!((&run["conclusion"], &run["jobs"][0]["reason"]), (&"success".into(), &serde_json::Value::Null), "{run:#}");
    assert_eq!(landfall.pods("shop"), pods, "the pods go on");
    landfall.answers(&address, GOOD_ANSWER);
}

#[test]
fn a_step_starts_again_when_the_spawner_was_killed_too() {
    let Some((landfall, _)) = shop::serving("shop") else { return };
    let address = landfall.address("shop", "shop");
    let (commit, _pushing) = begin(&landfall);

    let spawner = spawner(&landfall);
    kill(server(&landfall));
    kill(spawner);
    landfall.up(&[]).succeeded();

    landfall.watch(&commit).ended_with(0);
    let run = landfall.thread(&commit)["runs"][0].take();
    assert_eq!(run["conclusion"], "success", "{run:#}");
    let reason = run["jobs"][0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("attempt 1 was lost"), "the run does not say that an attempt was lost: {run:#}");
    let counted = counted(&landfall);
    assert!(counted.ends_with(&ALL_LINES.map(str::to_owned)), "the step ran again as a whole: {counted:?}");
    landfall.answers(&address, GOOD_ANSWER);
}

/// Pushes the slow job and waits until it is in the middle of its step.
fn begin(landfall: &Installation) -> (String, Pushing) {
    let repository = landfall.repository("slow");
    repository.workflow(SLOW_JOB);
    let begun = repository.begin_push();
    until("the step is at its second line", || counted(landfall).contains(&"line 2".to_owned()).then_some(()));
    begun
}

/// What the steps printed, without the lines that tell what is run.
fn counted(landfall: &Installation) -> Vec<String> {
    let log = landfall.logs("slow#1");
    let lines = log.lines().filter(|line| ALL_LINES.contains(line));
    lines.map(str::to_owned).collect()
}

pub fn server(landfall: &Installation) -> i32 {
    landfall.status()["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("the server has a process")
}

/// The process that the sandboxes of an installation are children of.
fn spawner(landfall: &Installation) -> i32 {
    let folder = landfall.data().join("sandboxes");
    let folder = folder.to_str().expect("the path is text");
    let is_spawner = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        words.next() == Some(b"landfall-spawner") && words.next() == Some(folder.as_bytes())
    };
    let all = fs::read_dir("/proc").expect("/proc can be read").flatten();
    let pids: Vec<i32> = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|pid| is_spawner(*pid)).collect();
    // Its children look like it until they become what they run.
    let parents: Vec<_> = pids.iter().copied().filter(|pid| !pids.contains(&parent(*pid))).collect();
    let [pid] = parents[..] else { panic!("not one spawner: {parents:?}") };
    pid
}

fn parent(pid: i32) -> i32 {
    stat(pid).get(1).and_then(|field| field.parse().ok()).unwrap_or_default()
}

/// Kills a process at once and waits until it is gone.
pub fn kill(pid: i32) {
    let process = rustix::process::Pid::from_raw(pid).expect("a process id is not zero");
    rustix::process::kill_process(process, rustix::process::Signal::KILL).expect("the process can be killed");
    // Its files stay open as long as any of its threads is there.
    until("the killed process is dead", || {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().count();
        let is_dead = matches!(stat(pid).first().map(String::as_str), None | Some("Z" | "X"));
        (is_dead && threads <= 1).then_some(())
    });
}

/// The fields of a process from its state on; empty if there is none.
fn stat(pid: i32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    rest.split_whitespace().map(str::to_owned).collect()
}
