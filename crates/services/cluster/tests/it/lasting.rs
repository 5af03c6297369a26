//! What was answered is there after a restart, and revisions go on.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::home::{Ask, config_map, open};

#[tokio::test]
async fn objects_and_revisions_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cluster.db");
    let list = "/api/v1/namespaces/default/configmaps";

    let cluster = open(&path);
    let ask = Ask::new(&cluster);
    for name in ["a", "b", "c"] {
        let (code, _) = ask
            .json("POST", list, config_map(name, &json!({ "k": name })))
            .await;
        assert_eq!(code, 201);
    }
    let (code, _) = ask.json("DELETE", &format!("{list}/b"), Value::Null).await;
    assert_eq!(code, 200);
    let (_, before) = ask.json("GET", list, Value::Null).await;
    drop((ask, cluster));

    let cluster = open(&path);
    let ask = Ask::new(&cluster);
    let (_, after) = ask.json("GET", list, Value::Null).await;
    assert_eq!(before["items"], after["items"]);
    assert_eq!(names(&after), ["a", "c", "kube-root-ca.crt"]);
    assert!(
        revision(&after) > revision(&before),
        "a revision is never given twice"
    );
}

#[tokio::test]
async fn a_second_start_makes_nothing_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cluster.db");
    let mut seen = Vec::new();
    for _ in 0..2 {
        let cluster = open(&path);
        let ask = Ask::new(&cluster);
        let mut all = Vec::new();
        for list in ["namespaces", "services", "endpoints", "serviceaccounts"] {
            let (_, list) = ask
                .json("GET", &format!("/api/v1/{list}"), Value::Null)
                .await;
            all.push(list["items"].clone());
        }
        seen.push(all);
    }
    assert_eq!(seen[0], seen[1]);
}

fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["metadata"]["name"].as_str())
        .collect()
}

fn revision(list: &Value) -> u64 {
    list["metadata"]["resourceVersion"]
        .as_str()
        .and_then(|it| it.parse().ok())
        .expect("a revision")
}

#[tokio::test]
async fn secrets_are_sealed_on_disk_and_open_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cluster.db");
    let list = "/api/v1/namespaces/default/secrets";
    let cluster = open(&path);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" }, "stringData": { "k": "correct horse" },
    });
    let (code, made) = Ask::new(&cluster).json("POST", list, secret).await;
    assert_eq!(
        (code, made["data"].clone()),
        (201, json!({ "k": "Y29ycmVjdCBob3JzZQ==" }))
    );
    drop(cluster);
    for file in std::fs::read_dir(folder.path()).expect("a folder") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("readable");
        assert!(!bytes.windows(20).any(|it| it == b"Y29ycmVjdCBob3JzZQ=="));
    }
    let (_, kept) = Ask::new(&open(&path))
        .json("GET", &format!("{list}/a"), Value::Null)
        .await;
    assert_eq!(kept, made);
}

/// Names the file for [`writes_until_killed`], which is the program that is killed.
const WRITER: &str = "CLUSTER_TEST_WRITER";

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cluster.db");
    let mut answered: Vec<String> = Vec::new();
    for life in 0..3 {
        let mut writer = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "lasting::writes_until_killed", "--nocapture"])
            .env(WRITER, &path)
            .env("CLUSTER_TEST_LIFE", life.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program again");
        let lines = BufReader::new(writer.stdout.take().expect("piped")).lines();
        let told = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("answered ").map(ToOwned::to_owned));
        answered.extend(told.take(50 + 30 * life));
        writer.kill().expect("it runs");
        writer.wait().expect("it ends");
    }
    let cluster = open(&path);
    let (_, list) = Ask::new(&cluster)
        .json("GET", "/api/v1/namespaces/default/configmaps", Value::Null)
        .await;
    let there = names(&list);
    let lost: Vec<&String> = answered
        .iter()
        .filter(|name| !there.contains(&name.as_str()))
        .collect();
    assert_eq!((answered.len(), lost), (240, Vec::new()));
}

/// No test of its own: writes and tells what was answered, until it is killed.
#[tokio::test]
async fn writes_until_killed() {
    let Ok(path) = std::env::var(WRITER) else {
        return;
    };
    let life = std::env::var("CLUSTER_TEST_LIFE").expect("set together");
    let cluster = open(&PathBuf::from(path));
    let ask = Ask::new(&cluster);
    for count in 0.. {
        let name = format!("life-{life}-{count}");
        let (code, _) = ask
            .json(
                "POST",
                "/api/v1/namespaces/default/configmaps",
                config_map(&name, &json!({})),
            )
            .await;
        assert_eq!(code, 201);
        println!("answered {name}");
    }
}
