//! An agent that starts again takes over what runs and clears away what is gone.

use http::Method;
use sandbox::{Sandbox as _, Target};
use serde_json::json;

use crate::world::{World, is, run, script};

#[test]
fn a_restarted_agent_takes_over() {
    run(31, async |world: &mut World| {
        let forever =
            |name: &str| json!({ "containers": [script(name, "echo $$; exec sleep 1000")] });
        world.pod("stays", forever("main")).await;
        world.pod("goes", forever("main")).await;
        let once = script(
            "main",
            "while ! [ -e /shared/end ]; do sleep 0.02; done; exit 5",
        );
        let shared = world.dir.path().join("shared");
        std::fs::create_dir(&shared).expect("a folder");
        let mut ends = json!({ "restartPolicy": "Never", "containers": [once] });
        ends["volumes"] = json!([{ "name": "shared", "hostPath": { "path": shared } }]);
        ends["containers"][0]["volumeMounts"] =
            json!([{ "name": "shared", "mountPath": "/shared" }]);
        world.pod("ends", ends).await;
        for name in ["goes", "ends"] {
            world.until(name, "ready", |pod| is(pod, "Ready")).await;
        }
        let before = world.until("stays", "ready", |pod| is(pod, "Ready")).await;
        world.stop_node().await;

        std::fs::write(shared.join("end"), "").expect("a file");
        let now = json!({ "gracePeriodSeconds": 0 });
        world
            .request(Method::DELETE, "/api/v1/namespaces/t/pods/goes", now)
            .await
            .expect("deleted");
        world.start_node().await;
        let ended = world
            .until("ends", "failed", |pod| pod["status"]["phase"] == "Failed")
            .await;
        assert_eq!(
            ended["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"],
            5
        );
        world.pod("fresh", forever("main")).await;
        world.until("fresh", "ready", |pod| is(pod, "Ready")).await;
        let after = world.until("stays", "ready", |pod| is(pod, "Ready")).await;
        let container = |pod: &serde_json::Value| pod["status"]["containerStatuses"][0].clone();
        assert_eq!(container(&before), container(&after));
        assert_eq!(before["status"]["podIP"], after["status"]["podIP"]);
        let (output, ..) = world.exec("stays", &["echo", "alive"]).await;
        assert_eq!(output, "alive\n");
        world.delete("stays").await;
        world.until_gone("stays").await;
    });
}

/// A kill between the network of a pod and its files leaves the one without the other.
#[test]
fn an_agent_that_died_while_preparing_a_pod_prepares_it_again() {
    run(33, async |world: &mut World| {
        let spec = json!({ "containers": [script("main", "cat /etc/hosts; exec sleep 1000")] });
        world.pod("cut", spec).await;
        let pod = world.until("cut", "ready", |pod| is(pod, "Ready")).await;
        world.stop_node().await;

        let uid = pod["metadata"]["uid"].as_str().expect("an ID");
        let id = format!("{uid}.main.0").parse().expect("a name");
        world.sandbox.stop(&id, Target::Remove).await.expect("removed");
        for file in ["hosts", "resolv.conf"] {
            let path = world.dir.path().join("node/pods").join(uid).join(file);
            std::fs::remove_file(path).expect("a file of the pod");
        }
        world.start_node().await;
        world
            .until("cut", "restarted", |pod| {
                is(pod, "Ready") && pod["status"]["containerStatuses"][0]["restartCount"] == 1
            })
            .await;
    });
}
