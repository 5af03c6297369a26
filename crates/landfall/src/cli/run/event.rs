//! What an event would most likely say here.

use serde_json::{Map, Value, json};

use super::super::checkout::Checkout;

/// The payload of an event that nobody gave one for; `inputs` are those of a dispatch.
pub fn payload(event: &str, checkout: &Checkout, inputs: &Map<String, Value>) -> Value {
    let branch = branch(&checkout.git_ref);
    let actor = actor(checkout);
    let mut payload = match event {
        "pull_request" | "pull_request_target" => json!({
            "action": "opened",
            "number": 1,
            "pull_request": {
                "number": 1,
                "title": "",
                "base": {"ref": checkout.default_branch, "repo": {"full_name": checkout.repository}},
                "head": {"ref": branch, "sha": checkout.sha, "repo": {"full_name": checkout.repository}},
                "user": {"login": actor},
                "labels": [],
                "draft": false,
            },
        }),
        "workflow_dispatch" => json!({"inputs": inputs, "ref": checkout.git_ref}),
        "repository_dispatch" => json!({"action": "local", "client_payload": {}}),
        "schedule" => json!({}),
        "push" => {
            let commit = json!({"id": checkout.sha, "message": checkout.message, "author": {"name": checkout.author}});
            json!({
                "ref": checkout.git_ref, "after": checkout.sha, "created": false, "deleted": false, "forced": false,
                "commits": [commit], "head_commit": commit, "pusher": {"name": actor},
            })
        }
        _ => json!({"ref": checkout.git_ref, "after": checkout.sha}),
    };
    let (owner, name) = checkout.repository.split_once('/').unwrap_or(("", &checkout.repository));
    if let Value::Object(fields) = &mut payload {
        let repository = json!({
            "full_name": checkout.repository, "name": name, "owner": {"login": owner}, "default_branch": checkout.default_branch,
        });
        fields.insert("repository".to_owned(), repository);
        fields.insert("sender".to_owned(), json!({"login": actor}));
    }
    payload
}

/// The ref that a run of the event has.
pub fn git_ref(event: &str, payload: &Value, checkout: &Checkout) -> String {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    let number = payload.pointer("/pull_request/number").or_else(|| payload.get("number"));
    match (event, number) {
        ("pull_request", Some(number)) => format!("refs/pull/{number}/merge"),
        ("pull_request_target", _) => format!("refs/heads/{}", text("/pull_request/base/ref").unwrap_or(&checkout.default_branch)),
        _ => text("/ref").filter(|it| it.starts_with("refs/")).unwrap_or(&checkout.git_ref).to_owned(),
    }
}

/// Who does it, as far as git knows.
pub fn actor(checkout: &Checkout) -> &str {
    if checkout.author.is_empty() { "local" } else { &checkout.author }
}

fn branch(git_ref: &str) -> &str {
    git_ref.strip_prefix("refs/heads/").unwrap_or("main")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(event: &str, given: Option<Value>, expected: &str) {
        let checkout = Checkout {
            git_ref: "refs/heads/work".to_owned(),
            default_branch: "main".to_owned(),
            ..Checkout::default()
        };
        let payload = given.unwrap_or_else(|| payload(event, &checkout, &Map::new()));
        assert_eq!(git_ref(event, &payload, &checkout), expected);
    }

    #[test]
    fn each_event_has_its_ref() {
        check("push", None, "refs/heads/work");
        check("push", Some(json!({"ref": "refs/tags/v1"})), "refs/tags/v1");
        check("pull_request", None, "refs/pull/1/merge");
        check("pull_request", Some(json!({"number": 7})), "refs/pull/7/merge");
        check("pull_request_target", None, "refs/heads/main");
        check("schedule", None, "refs/heads/work");
    }
}
