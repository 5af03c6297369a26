//! Plays rollouts against a small model of the other controllers.

use serde_json::json;

use super::*;

/// A Deployment with its sets; whose pods become ready is up to the test.
struct Stage {
    deployment: Value,
    sets: Vec<Value>,
    now: Timestamp,
    told: Vec<String>,
}

#[test]
fn first_rollout_creates_one_set_at_full_size() {
    let mut stage = Stage::new(3, json!({}));
    stage.settle(true);
    stage.check("v1:3", "MinimumReplicasAvailable NewReplicaSetAvailable", "from 0 to 3");
}

#[test]
fn rolling_update_keeps_within_the_fenceposts() {
    let mut stage = Stage::new(3, json!({ "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } }));
    stage.settle(true);
    stage.update("v2");
    stage.settle(true);
    stage.check(
        "v1:0 v2:3",
        "MinimumReplicasAvailable NewReplicaSetAvailable",
        "from 0 to 1, from 3 to 2, from 1 to 2, from 2 to 1, from 2 to 3, from 1 to 0",
    );
}

#[test]
fn bad_template_stops_at_the_fenceposts_and_times_out() {
    let mut stage = Stage::new(4, json!({}));
    stage.settle(true);
    stage.update("v2");
    stage.settle(false);
    stage.check("v1:3 v2:2", "MinimumReplicasAvailable ReplicaSetUpdated", "from 0 to 1, from 4 to 3, from 1 to 2");
    stage.now = stage.now + std::time::Duration::from_secs(602);
    stage.told.clear();
    stage.settle(false);
    stage.check("v1:3 v2:2", "MinimumReplicasAvailable ProgressDeadlineExceeded", "");
}

#[test]
fn going_back_chooses_the_old_set_and_a_new_number() {
    let mut stage = Stage::new(1, json!({}));
    stage.settle(true);
    stage.update("v2");
    stage.settle(true);
    stage.update("v1");
    stage.settle(true);
    stage.told.clear();
    stage.check("v1:1 v2:0", "MinimumReplicasAvailable NewReplicaSetAvailable", "");
    let annotations = &stage.sets[0]["metadata"]["annotations"];
    assert_eq!((&annotations[revision::REVISION], &annotations["deployment.kubernetes.io/revision-history"]), (&json!("3"), &json!("1")));
    assert_eq!(stage.deployment["metadata"]["annotations"][revision::REVISION], "3");
}

#[test]
fn recreate_ends_the_old_pods_first() {
    let mut stage = Stage::new(2, json!({ "type": "Recreate" }));
    stage.settle(true);
    stage.update("v2");
    stage.settle(true);
    stage.check("v1:0 v2:2", "MinimumReplicasAvailable NewReplicaSetAvailable", "from 2 to 0, from 0 to 2");
}

#[test]
fn growth_in_a_hanging_rollout_is_shared() {
    let mut stage = Stage::new(10, json!({ "rollingUpdate": { "maxSurge": 3, "maxUnavailable": 2 } }));
    stage.settle(true);
    stage.update("v2");
    stage.settle(false);
    stage.told.clear();
    stage.check("v1:8 v2:5", "MinimumReplicasAvailable ReplicaSetUpdated", "");
    stage.deployment["spec"]["replicas"] = json!(15);
    stage.settle(false);
    stage.check("v1:11 v2:7", "MinimumReplicasUnavailable ReplicaSetUpdated", "from 8 to 11, from 5 to 7");
}

#[test]
fn paused_deployment_makes_no_new_set() {
    let mut stage = Stage::new(2, json!({}));
    stage.settle(true);
    stage.deployment["spec"]["paused"] = json!(true);
    stage.update("v2");
    stage.settle(true);
    stage.check("v1:2", "MinimumReplicasAvailable DeploymentPaused", "");
}

#[test]
fn history_is_cut_to_its_limit() {
    let mut stage = Stage::new(1, json!({}));
    stage.deployment["spec"]["revisionHistoryLimit"] = json!(1);
    for version in ["v1", "v2", "v3", "v4"] {
        stage.update(version);
        stage.settle(true);
    }
    stage.told.clear();
    stage.check("v3:0 v4:1", "MinimumReplicasAvailable NewReplicaSetAvailable", "");
}

impl Stage {
    fn new(replicas: i32, strategy: Value) -> Self {
        let mut stage = Self {
            deployment: json!({
                "metadata": { "name": "web", "namespace": "n", "uid": "d", "generation": 1 },
                "spec": { "replicas": replicas, "progressDeadlineSeconds": 600, "strategy": strategy,
                    "selector": { "matchLabels": { "app": "web" } } },
            }),
            sets: Vec::new(),
            now: Timestamp::from_micros(0),
            told: Vec::new(),
        };
        stage.update("v1");
        stage
    }

    fn update(&mut self, image: &str) {
        self.told.clear();
        self.deployment["spec"]["template"] =
            json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "image": image }] } });
    }

    /// Plans and carries out until nothing is left to do; `healthy` pods become ready at once, others of new templates never.
    fn settle(&mut self, healthy: bool) {
        for _ in 0..50 {
            let deployment: Deployment = serde_json::from_value(self.deployment.clone()).expect("a deployment");
            let sets: Vec<Arc<ReplicaSet>> =
                self.sets.iter().map(|set| Arc::new(serde_json::from_value(set.clone()).expect("a set"))).collect();
            let plan = plan(&deployment, &sets, &[], self.now);
            if plan.actions.is_empty() {
                return;
            }
            plan.actions.into_iter().for_each(|action| self.carry_out(action));
            for set in &mut self.sets {
                let size = set["spec"]["replicas"].as_i64().expect("a size");
                let was_ready = set["status"]["availableReplicas"].as_i64().unwrap_or(0);
                let ready = if healthy { size } else { was_ready.min(size) };
                set["status"] = json!({ "replicas": size, "readyReplicas": ready, "availableReplicas": ready });
            }
        }
        panic!("the rollout does not settle");
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Create { mut manifest, .. } => {
                let count = self.sets.len();
                manifest["metadata"]["uid"] = json!(format!("s{count}"));
                manifest["metadata"]["creationTimestamp"] = json!(Timestamp::from_micros(count as i64));
                self.sets.push(manifest);
            }
            Action::Patch { target, patch } | Action::PatchStatus { target, patch } => {
                let same = |object: &&mut Value| object["metadata"]["uid"] == target.uid;
                let object = std::iter::once(&mut self.deployment).chain(&mut self.sets).find(same).expect("the target");
                merge(object, &patch);
            }
            Action::Delete { target, .. } | Action::Kill { target } => self.sets.retain(|set| set["metadata"]["uid"] != target.uid),
            Action::Tell { notice, .. } => {
                let sizes = notice.message.split_once(" from ").expect("a scaling").1;
                self.told.push(format!("from {sizes}"));
            }
        }
    }

    #[track_caller]
    fn check(&self, sets: &str, reasons: &str, told: &str) {
        let image = |set: &Value| set["spec"]["template"]["spec"]["containers"][0]["image"].clone();
        let line = |set: &Value| format!("{}:{}", image(set).as_str().unwrap_or_default(), set["spec"]["replicas"]);
        let found: Vec<String> = self.sets.iter().map(line).collect();
        let conditions: Vec<Condition> =
            serde_json::from_value(self.deployment["status"]["conditions"].clone()).expect("conditions");
        let mut found_reasons: Vec<&str> = conditions.iter().map(|condition| condition.reason.as_str()).collect();
        found_reasons.sort_by_key(|reason| !reason.starts_with("Minimum"));
        assert_eq!((found.join(" ").as_str(), found_reasons.join(" ").as_str()), (sets, reasons));
        assert_eq!(self.told.join(", "), told);
    }
}

fn merge(object: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else { return *object = patch.clone() };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in fields {
        if value.is_null() {
            object.as_object_mut().expect("an object").shift_remove(key);
        } else {
            merge(&mut object[key], value);
        }
    }
}
