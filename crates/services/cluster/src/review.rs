//! Questions that are answered and not kept: who am I, whose token is this, may I.

use access::Principal;
use resource::{
    Kind, kinds,
    status::{self, Status},
};
use serde_json::{Value, json};

use crate::{
    object,
    rights::{self, Verb, Wanted},
    server::Server,
};

/// Answers a review of `kind`.
pub fn answer(
    server: &Server,
    principal: &Principal,
    kind: &Kind,
    question: Value,
) -> Result<Value, Status> {
    let found = match kind.kind {
        "SelfSubjectReview" => json!({ "userInfo": user(principal) }),
        "TokenReview" => {
            let token = object::text(&question, &["spec", "token"]);
            match server.config.tokens.principal(token) {
                Some(principal) => {
                    json!({ "authenticated": true, "user": user(&principal), "audiences": [crate::AUDIENCE] })
                }
                None => json!({ "authenticated": false, "error": "the token is not known" }),
            }
        }
        "SelfSubjectAccessReview" => may(principal, &question["spec"]),
        _ => return Err(status::no_such_resource()),
    };
    let mut answered = question;
    object::members(&mut answered).insert("status".to_owned(), found);
    Ok(answered)
}

fn user(principal: &Principal) -> Value {
    json!({ "username": rights::user_name(principal), "groups": rights::groups(principal) })
}

fn may(principal: &Principal, spec: &Value) -> Value {
    let is_owner = matches!(principal, Principal::Admin | Principal::Component { .. });
    let Some(asked) = spec.get("resourceAttributes") else {
        return json!({ "allowed": is_owner });
    };
    let text = |member: &str| object::text(asked, &[member]);
    let subresource = text("subresource");
    let wanted = Wanted {
        plural: text("resource"),
        namespace: Some(text("namespace")).filter(|it| !it.is_empty()),
        subresource: Some(subresource).filter(|it| !it.is_empty()),
    };
    let allowed = match Verb::parse(text("verb")) {
        Some(verb) => rights::allows(principal, verb, wanted),
        // `*` and verbs that no request has are for those who may do everything.
        None => is_owner,
    };
    let is_served = kinds::kinds().iter().any(|it| it.plural == wanted.plural);
    let reason = if is_served || wanted.plural == "*" {
        ""
    } else {
        "the server doesn't have this resource"
    };
    json!({ "allowed": allowed, "reason": reason })
}
