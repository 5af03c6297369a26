//! Pods that fail, and how they say so.

use serde_json::json;

use crate::world::{World, run, script};

#[test]
fn a_crashing_container_backs_off() {
    run(11, async |world: &mut World| {
        let mut main = script(
            "main",
            "echo try; echo reason > /dev/termination-log; exit 3",
        );
        main["env"] = json!([]);
        world.pod("crash", json!({ "containers": [main] })).await;
        let pod = world
            .until("crash", "in back-off", |pod| {
                pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
                    == "CrashLoopBackOff"
            })
            .await;
        let status = &pod["status"]["containerStatuses"][0];
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        let expected = format!("back-off 10s restarting failed container=main pod=crash_t({uid})");
        assert_eq!(status["state"]["waiting"]["message"], expected);
        assert_eq!(status["restartCount"], 1);
        let last = &status["lastState"]["terminated"];
        assert_eq!(
            (last["exitCode"].as_i64(), last["reason"].as_str()),
            (Some(3), Some("Error"))
        );
        assert_eq!(last["message"], "reason\n");
        assert_eq!(pod["status"]["phase"], "Running");
        assert_eq!(world.logs("crash", "").await, "try\n");
        assert_eq!(world.logs("crash", "previous=true").await, "try\n");
        world
            .until_event(
                "crash",
                "BackOff: Back-off restarting failed container main in pod crash_t(",
            )
            .await;
    });
}

#[test]
fn missing_images_and_programs_are_named() {
    run(12, async |world: &mut World| {
        let image = |name: &str, policy: &str| json!({ "containers": [{ "name": "main", "image": name, "imagePullPolicy": policy }] });
        world.pod("never", image("nothing:1", "Never")).await;
        world
            .pod("absent", image("127.0.0.1:9/nothing:1", "IfNotPresent"))
            .await;
        world
            .pod("badname", image("Not//AName", "IfNotPresent"))
            .await;
        let program = json!({ "name": "main", "command": ["/nope"] });
        world
            .pod(
                "program",
                json!({ "restartPolicy": "Never", "containers": [program] }),
            )
            .await;
        for (name, reason, message) in [
            (
                "never",
                "ErrImageNeverPull",
                "Container image \"nothing:1\" is not present with pull policy of Never",
            ),
            ("absent", "ErrImagePull", "no image `127.0.0.1:9/nothing:1`"),
            (
                "badname",
                "InvalidImageName",
                "Failed to apply default image tag \"Not//AName\"",
            ),
        ] {
            let pod = world
                .until(name, reason, |pod| {
                    pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == reason
                })
                .await;
            let told = pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
                .as_str()
                .unwrap_or_default();
            assert!(told.starts_with(message), "{told}");
        }
        let pod = world
            .until("program", "failed", |pod| {
                pod["status"]["phase"] == "Failed"
            })
            .await;
        let end = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
        assert_eq!(
            (end["reason"].as_str(), end["exitCode"].as_i64()),
            (Some("StartError"), Some(128))
        );
        assert!(
            end["message"]
                .as_str()
                .unwrap_or_default()
                .contains("/nope"),
            "{end}"
        );
    });
}

#[test]
fn missing_configuration_is_waited_for() {
    run(13, async |world: &mut World| {
        let mut main = script("main", "echo $COLOR");
        main["env"] = json!([{ "name": "COLOR", "valueFrom": { "configMapKeyRef": { "name": "late", "key": "color" } } }]);
        world
            .pod(
                "waits",
                json!({ "restartPolicy": "Never", "containers": [main] }),
            )
            .await;
        let pod = world
            .until("waits", "refused", |pod| {
                pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
                    == "CreateContainerConfigError"
            })
            .await;
        assert_eq!(
            pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"],
            "configmap \"late\" not found"
        );
        let config =
            json!({ "metadata": { "name": "late", "namespace": "t" }, "data": { "color": "red" } });
        world.make("v1", "ConfigMap", config).await;
        world
            .until("waits", "over", |pod| pod["status"]["phase"] == "Succeeded")
            .await;
        assert_eq!(world.logs("waits", "").await, "red\n");
    });
}

#[test]
fn an_unwell_container_is_restarted_and_a_greedy_one_killed() {
    run(14, async |world: &mut World| {
        let mut sick = script("main", "echo up; exec sleep 1000");
        sick["livenessProbe"] = json!({ "exec": { "command": ["cat", "/none"] }, "periodSeconds": 1, "failureThreshold": 1 });
        world.pod("sick", json!({ "containers": [sick] })).await;
        let mut greedy = script(
            "main",
            "head -c 200000000 /dev/zero | tr '\\0' x | sort > /dev/null",
        );
        greedy["resources"] = json!({ "limits": { "memory": "16Mi" } });
        world
            .pod(
                "greedy",
                json!({ "restartPolicy": "Never", "containers": [greedy] }),
            )
            .await;
        let pod = world
            .until("sick", "restarted", |pod| {
                pod["status"]["containerStatuses"][0]["restartCount"] == 1
            })
            .await;
        assert_eq!(
            pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"],
            137
        );
        world
            .until_event(
                "sick",
                "Unhealthy: Liveness probe failed: cat: can't open '/none'",
            )
            .await;
        world
            .until_event(
                "sick",
                "Killing: Container main failed liveness probe, will be restarted",
            )
            .await;
        let pod = world
            .until("greedy", "failed", |pod| pod["status"]["phase"] == "Failed")
            .await;
        let end = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
        assert_eq!(end["reason"], "OOMKilled", "{end}");
    });
}
