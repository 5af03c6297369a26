//! Why a request to the API server failed, in the words of the original.

use serde_json::Value;

use crate::failure::Failure;

/// A request that did not succeed.
#[derive(Debug)]
pub enum Fault {
    /// The server's `Status`.
    Status { code: u16, status: Value },
    /// Nobody listens at the address.
    Refused(String),
    Unreachable(String),
    /// Something on this side.
    Here(String),
}

impl Fault {
    pub fn here(message: impl Into<String>) -> Self {
        Self::Here(message.into())
    }

    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Status { code: 404, .. })
    }

    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Status { code: 409, status } if status["reason"] == "Conflict")
    }

    /// Says at which file the server stumbled.
    pub fn while_doing(self, what: &str) -> Self {
        match self {
            Self::Status { code, mut status } => {
                let message = status["message"].as_str().unwrap_or_default().to_owned();
                status["message"] = format!("{what}: {message}").into();
                Self::Status { code, status }
            }
            Self::Refused(_) | Self::Unreachable(_) | Self::Here(_) => self,
        }
    }
}

impl Fault {
    /// Says which kind could not be made: `failed to create configmap`.
    pub fn while_doing_kind(self, kind: &str) -> Self {
        let kind = match kind {
            "cm" => "configmap",
            "ns" | "namespace" => return self,
            "sa" => "serviceaccount",
            "deploy" => "deployment",
            other => other,
        };
        let told = Failure::from(self).message;
        // The original puts its words before the server's, not between reason and message.
        match told.strip_prefix("Error from server (") {
            Some(rest) => {
                let message = rest.split_once("): ").map_or(rest, |(_, message)| message);
                Self::Here(format!("error: failed to create {kind}: {message}"))
            }
            None => Self::Here(told),
        }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Here(failure.message)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::new(match fault {
            Fault::Status { code: 401, .. } => "error: You must be logged in to the server (Unauthorized)".to_owned(),
            Fault::Status { code, status } => told(code, &status),
            Fault::Refused(host) => format!("The connection to the server {host} was refused - did you specify the right host or port?"),
            Fault::Unreachable(why) => format!("Unable to connect to the server: {why}"),
            Fault::Here(message) if message.starts_with("error: ") || message.starts_with("Error from server") => message,
            Fault::Here(message) => format!("error: {message}"),
        })
    }
}

fn told(code: u16, status: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (reason, message) = (text(&status["reason"]), text(&status["message"]));
    if code == 422 && reason == "Invalid" {
        let details = &status["details"];
        let (kind, name) = (text(&details["kind"]), text(&details["name"]));
        let causes = details["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
        if !causes.is_empty() && !(kind.is_empty() && name.is_empty()) {
            let mut lines: Vec<String> = Vec::new();
            for cause in causes {
                let line = format!("{}: {}", text(&cause["field"]), text(&cause["message"]));
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
            let begin = format!("The {kind} \"{name}\" is invalid: ");
            return match lines.as_slice() {
                [only] => format!("{begin}{only}"),
                several => format!("{begin}\n{}", several.iter().map(|it| format!("* {it}")).collect::<Vec<_>>().join("\n")),
            };
        }
    }
    if reason.is_empty() {
        return format!("Error from server: {message}");
    }
    format!("Error from server ({reason}): {message}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_are_told_as_kubectl_tells_them() {
        check(404, json!({"reason": "NotFound", "message": "pods \"a\" not found"}), "Error from server (NotFound): pods \"a\" not found");
        check(
            422,
            json!({"reason": "Invalid", "message": "…", "details": {"kind": "Pod", "name": "a", "causes": [{"field": "spec.x", "message": "Required value"}]}}),
            "The Pod \"a\" is invalid: spec.x: Required value",
        );
        check(
            422,
            json!({"reason": "Invalid", "message": "…", "details": {"kind": "Pod", "name": "a", "causes": [{"field": "x", "message": "1"}, {"field": "y", "message": "2"}]}}),
            "The Pod \"a\" is invalid: \n* x: 1\n* y: 2",
        );
        check(401, json!({}), "error: You must be logged in to the server (Unauthorized)");
    }

    #[track_caller]
    fn check(code: u16, status: Value, expected: &str) {
        assert_eq!(Failure::from(Fault::Status { code, status }).message, expected);
    }
}
