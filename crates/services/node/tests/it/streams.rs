//! Logs and commands, through the API server as clients reach them.

use futures_util::{AsyncBufReadExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube_rs::{
    Api,
    api::{AttachParams, LogParams},
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{World, run, script};

impl World {
    /// Runs a command in the pod's only container; gives its output and exit code.
    pub async fn exec(&self, name: &str, command: &[&str]) -> (String, String, i32) {
        let pods: Api<Pod> = Api::namespaced(self.remote.clone(), "t");
        let params = AttachParams::default().stdout(true).stderr(true);
        let mut process = pods
            .exec(name, command.iter().copied(), &params)
            .await
            .expect("a command");
        let (mut stdout, mut stderr) = (
            process.stdout().expect("stdout"),
            process.stderr().expect("stderr"),
        );
        let status = process.take_status().expect("a status");
        let (mut output, mut errors) = (String::new(), String::new());
        let (_, _) = tokio::join!(
            stdout.read_to_string(&mut output),
            stderr.read_to_string(&mut errors)
        );
        let status = status.await.expect("an end");
        let causes = status
            .details
            .and_then(|details| details.causes)
            .unwrap_or_default();
        let code = causes
            .iter()
            .find(|cause| cause.reason.as_deref() == Some("ExitCode"));
        let code = code
            .and_then(|cause| cause.message.as_deref()?.parse().ok())
            .unwrap_or(0);
        (output, errors, code)
    }
}

#[test]
fn commands_run_inside_the_container() {
    run(21, async |world: &mut World| {
        let mut main = script("main", "exec sleep 1000");
        main["env"] = json!([{ "name": "COLOR", "value": "red" }]);
        world
            .pod("box", json!({ "containers": [main], "hostname": "here" }))
            .await;
        world
            .until("box", "running", |pod| pod["status"]["phase"] == "Running")
            .await;
        let (output, errors, code) = world
            .exec(
                "box",
                &["/bin/sh", "-c", "echo $COLOR; echo bad >&2; exit 7"],
            )
            .await;
        assert_eq!(
            (output.as_str(), errors.as_str(), code),
            ("red\n", "bad\n", 7)
        );
        let (_, errors, code) = world.exec("box", &["/nope"]).await;
        assert_eq!(code, 127, "{errors}");
        let pods: Api<Pod> = Api::namespaced(world.remote.clone(), "t");
        let params = AttachParams::default()
            .stdin(true)
            .stdout(true)
            .stderr(false);
        let mut process = pods.exec("box", ["cat"], &params).await.expect("a command");
        let mut stdin = process.stdin().expect("stdin");
        stdin.write_all(b"through\n").await.expect("written");
        stdin.shutdown().await.expect("closed");
        drop(stdin);
        let mut output = String::new();
        process
            .stdout()
            .expect("stdout")
            .read_to_string(&mut output)
            .await
            .expect("read");
        assert_eq!(output, "through\n");
    });
}

#[test]
fn logs_are_followed_as_they_are_written() {
    run(22, async |world: &mut World| {
        let text = "echo one; echo two; while ! [ -e /go ]; do sleep 0.02; done; echo three";
        world
            .pod(
                "talk",
                json!({ "restartPolicy": "Never", "containers": [script("main", text)] }),
            )
            .await;
        world
            .until("talk", "running", |pod| pod["status"]["phase"] == "Running")
            .await;
        let pods: Api<Pod> = Api::namespaced(world.remote.clone(), "t");
        let params = LogParams {
            follow: true,
            ..LogParams::default()
        };
        let mut lines = pods
            .log_stream("talk", &params)
            .await
            .expect("a log")
            .lines();
        let mut read = async || lines.next().await.map(|line| line.expect("a line"));
        assert_eq!(
            (read().await.as_deref(), read().await.as_deref()),
            (Some("one"), Some("two"))
        );
        world.exec("talk", &["/bin/sh", "-c", "echo > /go"]).await;
        assert_eq!(
            (read().await.as_deref(), read().await),
            (Some("three"), None)
        );
        world
            .until("talk", "over", |pod| pod["status"]["phase"] == "Succeeded")
            .await;
        assert_eq!(world.logs("talk", "tailLines=2").await, "two\nthree\n");
        assert_eq!(world.logs("talk", "limitBytes=5").await, "one\nt");
        let stamped = world.logs("talk", "tailLines=1&timestamps=true").await;
        assert!(
            stamped.starts_with("20") && stamped.ends_with("Z three\n"),
            "{stamped}"
        );
    });
}
