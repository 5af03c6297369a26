//! Tables for [`decide`]: a story of news goes in, the actions it leads to come out.

use serde_json::{Value, json};

use super::*;
use crate::seen::{News, PulledImage};

#[test]
fn preparation_is_parallel_and_starting_waits_for_all_of_it() {
    check(
        json!({ "containers": [{ "name": "web" }] }),
        &[
            (0, "", "network volumes pull(web)"),
            (1, "network", ""),
            (2, "image web", ""),
            (3, "volumes", "initialized start(web,0)"),
            (4, "started web", ""),
        ],
    );
}

#[test]
fn init_containers_run_one_after_the_other() {
    check(
        json!({ "initContainers": [{ "name": "a" }, { "name": "b" }], "containers": [{ "name": "web" }] }),
        &[
            (0, "", "network volumes pull(a) pull(b) pull(web)"),
            (
                1,
                "network; volumes; image a; image b; image web",
                "start(a,0)",
            ),
            (2, "started a", ""),
            (3, "ended a 0", "start(b,0)"),
            (4, "started b", ""),
            (5, "ended b 1", "start(b,1)"),
            (6, "started b; ended b 0", "initialized start(web,0)"),
        ],
    );
}

#[test]
fn a_sidecar_must_have_started_and_is_stopped_last() {
    check(
        json!({
            "initContainers": [{ "name": "mesh", "restartPolicy": "Always" }],
            "containers": [{ "name": "web" }],
            "restartPolicy": "Never",
        }),
        &[
            (
                0,
                "network; volumes; image mesh; image web",
                "start(mesh,0)",
            ),
            (1, "started mesh", ""),
            (2, "passed mesh", "initialized start(web,0)"),
            (3, "started web", ""),
            (4, "ended mesh 1", "start(mesh,1)"),
            (5, "started mesh; ended web 0", "stop(mesh)"),
            (6, "ended mesh 143", "release"),
            (7, "released", ""),
        ],
    );
}

#[test]
fn the_first_restart_is_immediate_and_later_ones_back_off() {
    check(
        json!({ "containers": [{ "name": "web" }] }),
        &[
            (0, "network; volumes; image web", "initialized start(web,0)"),
            (1, "started web", ""),
            (2, "ended web 1", "start(web,1)"),
            (3, "started web", ""),
            (4, "ended web 1", "backoff(web) wake(14)"),
            (5, "", "wake(14)"),
            (14, "", "start(web,2)"),
            (15, "started web; ended web 0", "backoff(web) wake(35)"),
            (35, "", "start(web,3)"),
        ],
    );
}

#[test]
fn policies_decide_whether_a_container_starts_again() {
    let story = |policy: &str, end: &str, expected: &str| {
        check(
            json!({ "containers": [{ "name": "web" }], "restartPolicy": policy }),
            &[
                (0, "network; volumes; image web", "initialized start(web,0)"),
                (1, &format!("started web; ended web {end}"), expected),
            ],
        );
    };
    story("Never", "0", "release");
    story("Never", "1", "release");
    story("OnFailure", "0", "release");
    story("OnFailure", "1", "start(web,1)");
    story("Always", "0", "start(web,1)");
}

#[test]
fn a_failed_init_container_ends_a_pod_that_never_restarts() {
    check(
        json!({ "initContainers": [{ "name": "a" }], "containers": [{ "name": "web" }], "restartPolicy": "Never" }),
        &[
            (0, "network; volumes; image a; image web", "start(a,0)"),
            (1, "started a; ended a 2", "release"),
        ],
    );
}

#[test]
fn a_failed_pull_is_tried_again_with_growing_delays() {
    check(
        json!({ "containers": [{ "name": "web" }] }),
        &[
            (0, "", "network volumes pull(web)"),
            (1, "no-image web", "wake(4)"),
            (4, "", "wake(11)"),
            (11, "", "pull(web)"),
            (12, "no-image web", "wake(15)"),
            (15, "", "wake(32)"),
        ],
    );
}

#[test]
fn a_container_that_cannot_be_made_is_tried_again_when_something_changes() {
    check(
        json!({ "containers": [{ "name": "web" }] }),
        &[
            (0, "network; volumes; image web", "initialized start(web,0)"),
            (1, "refused web", "wake(1.5)"),
            (1, "source", "start(web,0)"),
        ],
    );
}

#[test]
fn deletion_drains_stops_cleans_and_deletes() {
    check(
        json!({ "containers": [{ "name": "web" }, { "name": "log" }] }),
        &[
            (
                0,
                "network; volumes; image web; image log",
                "initialized start(web,0) start(log,0)",
            ),
            (1, "started web; started log", ""),
            (2, "delete", "drain"),
            (3, "drained", "stop(web) stop(log)"),
            (4, "ended web 143", ""),
            (5, "ended log 137", "cleanup"),
            (6, "cleaned", "delete"),
            (7, "deleted", "leave"),
        ],
    );
}

#[test]
fn a_pod_that_vanished_is_stopped_and_cleaned_without_a_delete() {
    check(
        json!({ "containers": [{ "name": "web" }] }),
        &[
            (0, "network; volumes; image web", "initialized start(web,0)"),
            (1, "started web", ""),
            (2, "gone", "stop(web)"),
            (3, "ended web 0", "cleanup"),
            (4, "cleaned", "leave"),
        ],
    );
}

#[test]
fn a_pod_past_its_deadline_fails() {
    check(
        json!({ "containers": [{ "name": "web" }], "activeDeadlineSeconds": 60 }),
        &[
            (
                0,
                "network; volumes; image web",
                "initialized start(web,0) wake(60)",
            ),
            (1, "started web", "wake(60)"),
            (60, "", "fail(DeadlineExceeded) stop(web)"),
            (61, "ended web 143", "release"),
        ],
    );
}

/// Each step: the second, the news of that moment, the actions expected after it.
#[track_caller]
fn check(spec: Value, story: &[(i64, &str, &str)]) {
    let mut pod =
        Pod::read(json!({ "metadata": { "name": "p", "uid": "u" }, "spec": spec })).expect("a pod");
    let mut seen = Seen {
        accepted: Some(Timestamp::default()),
        ..Seen::default()
    };
    for (second, news, expected) in story {
        let now = Timestamp::from_micros(second * 1_000_000);
        for line in news.split("; ").filter(|line| !line.is_empty()) {
            tell(&mut pod, &mut seen, line, now);
        }
        let decision = decide(&pod, &seen, now);
        for action in &decision.actions {
            seen.begin(action, now);
        }
        assert_eq!(print(&decision), *expected, "after `{news}` at {second}");
        let again = decide(&pod, &seen, now).actions;
        assert!(
            again.is_empty() || again == [Action::Leave],
            "deciding twice decided {again:?}"
        );
    }
}

fn tell(pod: &mut Pod, seen: &mut Seen, line: &str, now: Timestamp) {
    let words: Vec<_> = line.split(' ').collect();
    let container = words.get(1).copied().unwrap_or_default().to_owned();
    let problem = || Problem::new("Broken", "it broke");
    let image = || PulledImage {
        id: "i".to_owned(),
        digest: names::Digest::of(b""),
    };
    let news = match words[0] {
        "network" => News::Network(Ok([10, 0, 0, 1].into())),
        "volumes" => News::Volumes(Ok(())),
        "source" => News::SourceChanged,
        "image" => News::Image {
            container,
            result: Ok(image()),
        },
        "no-image" => News::Image {
            container,
            result: Err(problem()),
        },
        "started" => News::Started {
            container,
            id: "x".to_owned(),
            at: now,
        },
        "passed" => News::StartupPassed { container },
        "refused" => News::Refused {
            container,
            problem: problem(),
        },
        "ended" => News::Ended {
            container,
            ended: ended(words[2], now),
        },
        "drained" => News::Drained,
        "released" => News::NetworkReleased,
        "cleaned" => News::Cleaned(Ok(())),
        "deleted" => News::Deleted(Ok(())),
        "delete" => return pod.metadata.deletion_timestamp = Some(now),
        "gone" => return seen.gone = true,
        other => panic!("no such news: {other}"),
    };
    seen.learn(news, now);
}

fn ended(code: &str, now: Timestamp) -> Ended {
    Ended {
        id: "x".to_owned(),
        exit_code: code.parse().expect("a code"),
        reason: String::new(),
        message: String::new(),
        started: now,
        finished: now,
    }
}

fn print(decision: &Decision) -> String {
    let action = |action: &Action| match action {
        Action::PrepareNetwork => "network".to_owned(),
        Action::PrepareVolumes => "volumes".to_owned(),
        Action::Pull(name) => format!("pull({name})"),
        Action::Start { container, attempt } => format!("start({container},{attempt})"),
        Action::Stop { container, .. } => format!("stop({container})"),
        Action::TellBackOff { container } => format!("backoff({container})"),
        Action::Initialized => "initialized".to_owned(),
        Action::Fail(problem) => format!("fail({})", problem.reason),
        Action::Drain => "drain".to_owned(),
        Action::ReleaseNetwork => "release".to_owned(),
        Action::CleanUp => "cleanup".to_owned(),
        Action::Delete => "delete".to_owned(),
        Action::Leave => "leave".to_owned(),
    };
    let mut words: Vec<_> = decision.actions.iter().map(action).collect();
    if let Some(wake) = decision.wake {
        words.push(format!("wake({})", wake.as_micros() as f64 / 1e6));
    }
    words.join(" ")
}
