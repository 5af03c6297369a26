//! What happens to pods beside changes: being given a node, being evicted.

use axum::response::Response;
use http::StatusCode;
use names::Timestamp;
use resource::status::{self, Status};
use serde_json::{Value, json};

use crate::{
    answer,
    delete::{self, Options},
    object::{self, Key},
    path::Target,
    query::Query,
    server::{Server, now, shelf},
    store::Mode,
};

/// Gives a pod to a node, once.
pub async fn bind(
    server: &Server,
    target: &Target,
    binding: &Value,
    mode: Mode,
) -> Result<Response, Status> {
    let node = object::text(binding, &["target", "name"]).to_owned();
    if node.is_empty() {
        return Err(status::bad_request(
            "Binding \"\" is invalid: target.name: Required value",
        ));
    }
    let kind = target.kind;
    let key = Key::new(target.namespace.clone().unwrap_or_default(), target.name());
    let committed = server.store.commit(mode, |transaction| {
        let Some(there) = transaction.get(shelf(kind), &key) else {
            return Err(status::not_found(kind, &key.name));
        };
        let mut next = there.value.clone();
        refuse_binding(binding, &next, &key.name, kind)?;
        object::child(&mut next, "spec").insert("nodeName".to_owned(), Value::from(node));
        object::child(&mut next, "status");
        set_condition(
            &mut next,
            json!({ "type": "PodScheduled", "status": "True" }),
            now(),
        );
        transaction.put(shelf(kind), key, next);
        Ok(())
    })?;
    server.safe(committed).await?;
    Ok(created())
}

fn refuse_binding(
    binding: &Value,
    pod: &Value,
    name: &str,
    kind: &resource::Kind,
) -> Result<(), Status> {
    let conflict = |why: String| Err(status::conflict(kind, name, &why));
    let uid = object::uid(binding);
    if !uid.is_empty() && uid != object::uid(pod) {
        return conflict(format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            object::uid(pod)
        ));
    }
    if object::is_terminating(pod) {
        return conflict(format!(
            "pod {name} is being deleted, cannot be assigned to a host"
        ));
    }
    let node = object::text(pod, &["spec", "nodeName"]);
    if !node.is_empty() {
        return conflict(format!("pod {name} is already assigned to node \"{node}\""));
    }
    Ok(())
}

/// Sets a condition by its type; its time changes only with its status.
fn set_condition(pod: &mut Value, mut condition: Value, now: Timestamp) {
    condition["lastTransitionTime"] = Value::from(now.to_seconds_text());
    condition["lastProbeTime"] = Value::Null;
    let conditions = object::child(pod, "status")
        .entry("conditions")
        .or_insert_with(|| json!([]));
    let Some(conditions) = conditions.as_array_mut() else {
        return;
    };
    match conditions
        .iter_mut()
        .find(|it| it["type"] == condition["type"])
    {
        Some(there) if there["status"] == condition["status"] => {}
        Some(there) => *there = condition,
        None => conditions.push(condition),
    }
}

/// Deletes a pod politely. Nothing here limits disruptions, so an eviction is a deletion.
pub async fn evict(
    server: &Server,
    target: &Target,
    eviction: &Value,
    query: &Query,
) -> Result<Response, Status> {
    let options = Options::read(eviction.get("deleteOptions"), query)?;
    let key = Key::new(target.namespace.clone().unwrap_or_default(), target.name());
    delete::delete(server, target.kind, &key, &options).await?;
    Ok(created())
}

fn created() -> Response {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
    answer::json(StatusCode::CREATED, &status)
}
