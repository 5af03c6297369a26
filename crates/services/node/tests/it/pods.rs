//! Pods that do what they should.

use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::world::{World, is, run, script};

#[test]
fn a_pod_gets_its_environment_and_ends() {
    run(1, async |world: &mut World| {
        let config =
            json!({ "metadata": { "name": "conf", "namespace": "t" }, "data": { "color": "red" } });
        world.make("v1", "ConfigMap", config).await;
        let mut main = script(
            "main",
            "echo $COLOR $WHERE $KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT; cat /vol/color; cat /etc/hostname 2>/dev/null; exit 0",
        );
        main["env"] = json!([
            { "name": "COLOR", "valueFrom": { "configMapKeyRef": { "name": "conf", "key": "color" } } },
            { "name": "POD", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
            { "name": "WHERE", "value": "$(POD)@$(COLOR)" },
        ]);
        main["volumeMounts"] = json!([{ "name": "conf", "mountPath": "/vol" }]);
        let volumes = json!([{ "name": "conf", "configMap": { "name": "conf" } }]);
        world
            .pod(
                "once",
                json!({ "restartPolicy": "Never", "containers": [main], "volumes": volumes }),
            )
            .await;
        let pod = world
            .until("once", "over", |pod| pod["status"]["phase"] == "Succeeded")
            .await;
        let log = world.logs("once", "").await;
        assert!(log.starts_with("red once@red 10.96.0.1:443\nred"), "{log}");
        let state = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
        assert_eq!(
            (state["exitCode"].as_i64(), state["reason"].as_str()),
            (Some(0), Some("Completed"))
        );
        let ip = pod["status"]["podIP"].as_str().unwrap_or_default();
        assert!(ip.starts_with("10.252.1."), "{ip}");
        let image = pod["status"]["containerStatuses"][0]["imageID"]
            .as_str()
            .unwrap_or_default();
        assert!(
            image.starts_with("docker.io/library/busybox@sha256:"),
            "{image}"
        );
        world
            .until_event("once", "Started: Started container main")
            .await;
        let events = world.events("once").await;
        assert_eq!(
            events,
            [
                "Created: Created container: main",
                "Pulled: Container image \"busybox:1\" already present on machine",
                "Started: Started container main",
            ]
        );
    });
}

#[test]
fn a_server_is_ready_as_soon_as_it_answers() {
    run(2, async |world: &mut World| {
        let mut web = script(
            "web",
            "mkdir /www; echo hi > /www/health; exec httpd -f -p 8080 -h /www",
        );
        web["ports"] = json!([{ "name": "http", "containerPort": 8080 }]);
        web["readinessProbe"] = json!({ "httpGet": { "path": "/health", "port": "http" }, "periodSeconds": 1, "failureThreshold": 1 });
        let begun = std::time::Instant::now();
        world.pod("web", json!({ "containers": [web] })).await;
        world.until("web", "ready", |pod| is(pod, "Ready")).await;
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "ready after {:?}",
            begun.elapsed()
        );
        world.exec("web", &["rm", "/www/health"]).await;
        let pod = world.until("web", "unready", |pod| !is(pod, "Ready")).await;
        assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
        world
            .until_event(
                "web",
                "Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 404",
            )
            .await;
    });
}

#[test]
fn a_config_map_volume_follows_its_source() {
    run(3, async |world: &mut World| {
        let config =
            json!({ "metadata": { "name": "conf", "namespace": "t" }, "data": { "page": "one" } });
        world.make("v1", "ConfigMap", config).await;
        let mut web = script(
            "web",
            "while ! [ \"$(cat /vol/page)\" = two ]; do sleep 0.05; done; cat /vol/page; ls /vol",
        );
        web["volumeMounts"] = json!([{ "name": "conf", "mountPath": "/vol" }]);
        let volumes = json!([{ "name": "conf", "configMap": { "name": "conf" } }]);
        world
            .pod(
                "web",
                json!({ "restartPolicy": "Never", "containers": [web], "volumes": volumes }),
            )
            .await;
        world
            .until("web", "running", |pod| pod["status"]["phase"] == "Running")
            .await;
        let patch = json!({ "data": { "page": "two", "more": "three" } });
        world
            .request(Method::PATCH, "/api/v1/namespaces/t/configmaps/conf", patch)
            .await
            .expect("patched");
        world
            .until("web", "over", |pod| pod["status"]["phase"] == "Succeeded")
            .await;
        assert_eq!(world.logs("web", "").await, "twomore\npage\n");
    });
}

#[test]
fn init_containers_prepare_and_sidecars_stay() {
    run(4, async |world: &mut World| {
        let mounts = json!([{ "name": "shared", "mountPath": "/shared" }]);
        let mut first = script("first", "echo one > /shared/a");
        let mut side = script("side", "echo side > /shared/b; exec sleep 1000");
        side["restartPolicy"] = json!("Always");
        let mut main = script(
            "main",
            "while ! [ -e /shared/b ]; do sleep 0.02; done; cat /shared/a /shared/b",
        );
        main["volumeMounts"] = json!([{ "name": "shared", "mountPath": "/shared", "subPath": "" }]);
        for container in [&mut first, &mut side] {
            container["volumeMounts"] = mounts.clone();
        }
        let volumes =
            json!([{ "name": "shared", "emptyDir": { "medium": "Memory", "sizeLimit": "1Mi" } }]);
        let spec = json!({
            "restartPolicy": "Never", "initContainers": [first, side], "containers": [main], "volumes": volumes,
        });
        world.pod("init", spec).await;
        let pod = world
            .until("init", "over", |pod| {
                let side = &pod["status"]["initContainerStatuses"][1]["state"];
                pod["status"]["phase"] == "Succeeded" && side.get("terminated").is_some()
            })
            .await;
        assert_eq!(world.logs("init", "container=main").await, "one\nside\n");
        assert!(is(&pod, "Initialized"));
    });
}

#[test]
fn deletion_asks_first_and_leaves_nothing() {
    run(5, async |world: &mut World| {
        let mut main = script(
            "main",
            "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done",
        );
        main["lifecycle"] = json!({ "preStop": { "exec": { "command": ["/bin/sh", "-c", "echo gone > /shared/hook"] } } });
        let shared = world.dir.path().join("shared");
        main["volumeMounts"] = json!([{ "name": "shared", "mountPath": "/shared" }]);
        let volumes = json!([{ "name": "shared", "hostPath": { "path": shared, "type": "DirectoryOrCreate" } }]);
        let spec = json!({ "containers": [main], "volumes": volumes, "terminationGracePeriodSeconds": 20 });
        world.pod("long", spec).await;
        let pod = world
            .until("long", "running", |pod| pod["status"]["phase"] == "Running")
            .await;
        let uid = pod["metadata"]["uid"].as_str().expect("an ID").to_owned();
        let begun = std::time::Instant::now();
        world.delete("long").await;
        world.until_gone("long").await;
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(
            std::fs::read_to_string(shared.join("hook")).expect("the hook ran"),
            "gone\n"
        );
        assert!(!world.dir.path().join("node/pods").join(&uid).exists());
        let left = sandbox::Sandbox::list(&world.sandbox)
            .await
            .expect("a list");
        assert!(left.is_empty(), "{left:?}");
        assert!(
            sandbox::PodNetworks::list(&world.sandbox)
                .await
                .expect("a list")
                .is_empty()
        );
    });
}

/// Not a check but a measurement: `cargo test -p node --test it -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn how_long_a_pod_takes() {
    run(6, async |world: &mut World| {
        let (mut running, mut ready, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..30 {
            let name = format!("web-{index}");
            let mut web = script("web", "exec httpd -f -p 8080 -h /etc");
            web["readinessProbe"] = json!({ "httpGet": { "path": "/passwd", "port": 8080 } });
            let begun = std::time::Instant::now();
            world
                .pod(
                    &name,
                    json!({ "containers": [web], "terminationGracePeriodSeconds": 0 }),
                )
                .await;
            world
                .until(&name, "running", |pod| pod["status"]["phase"] == "Running")
                .await;
            running.push(begun.elapsed());
            world.until(&name, "ready", |pod| is(pod, "Ready")).await;
            ready.push(begun.elapsed());
            let begun = std::time::Instant::now();
            world
                .request(
                    Method::DELETE,
                    &format!("/api/v1/namespaces/t/pods/{name}"),
                    json!({ "gracePeriodSeconds": 1 }),
                )
                .await
                .expect("deleted");
            world.until_gone(&name).await;
            gone.push(begun.elapsed());
        }
        for (what, times) in [
            ("running", &mut running),
            ("ready", &mut ready),
            ("gone", &mut gone),
        ] {
            times.sort();
            println!(
                "{what}: least {:?}, half {:?}, nine in ten {:?}",
                times[0],
                times[times.len() / 2],
                times[times.len() * 9 / 10]
            );
        }
    });
}
