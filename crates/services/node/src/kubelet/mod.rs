//! The HTTP paths of a kubelet: logs, `exec` and `attach`.

mod attach;
mod channels;
mod exec;
mod logs;

use std::sync::Arc;

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use sandbox::SandboxId;
use serde_json::json;

use crate::{
    context::{Context, Known},
    folders::RunName,
    pod::Container,
    seen::{ContainerSeen, Run},
};

pub fn router(context: Arc<Context>) -> Router {
    Router::new()
        .route(
            "/containerLogs/{namespace}/{pod}/{container}",
            get(logs::logs),
        )
        .route(
            "/exec/{namespace}/{pod}/{container}",
            get(exec::exec).post(exec::exec),
        )
        .route(
            "/attach/{namespace}/{pod}/{container}",
            get(attach::attach).post(attach::attach),
        )
        .with_state(context)
}

/// The parts of the path, as every handler takes them.
type Target = (String, String, String);

/// Query parameters in order; some come more than once.
struct Query(Vec<(String, String)>);

impl Query {
    /// The last value of the first of `names` that is given.
    fn get(&self, names: &[&str]) -> Option<&str> {
        let find = |name: &&str| self.0.iter().rev().find(|(key, _)| key == name);
        names.iter().find_map(find).map(|(_, value)| value.as_str())
    }

    fn flag(&self, names: &[&str]) -> bool {
        self.get(names)
            .is_some_and(|value| matches!(value, "1" | "true" | "True" | "TRUE"))
    }

    /// A number; what is none is refused, not ignored.
    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let wrong =
            |value: &str| Refusal::bad_request(format!("invalid value \"{value}\" for `{name}`"));
        self.get(&[name])
            .map(|value| value.parse().map_err(|_| wrong(value)))
            .transpose()
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .collect()
    }
}

/// An answer that is an error, in the form every Kubernetes client reads.
#[derive(Debug)]
struct Refusal {
    code: StatusCode,
    reason: &'static str,
    message: String,
}

impl Refusal {
    fn bad_request(message: String) -> Self {
        Self {
            code: StatusCode::BAD_REQUEST,
            reason: "BadRequest",
            message,
        }
    }

    fn not_found(message: String) -> Self {
        Self {
            code: StatusCode::NOT_FOUND,
            reason: "NotFound",
            message,
        }
    }

    fn internal(error: &dyn std::error::Error) -> Self {
        Self {
            code: StatusCode::INTERNAL_SERVER_ERROR,
            reason: "InternalError",
            message: error.to_string(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code.as_u16(),
        });
        (self.code, Json(status)).into_response()
    }
}

/// Which run of a container is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Newest,
    /// The one before the last restart.
    Previous,
}

/// A container's run and how it ended, if it has.
struct FoundRun {
    known: Known,
    container: Container,
    name: RunName,
    id: SandboxId,
    running: bool,
}

fn find(
    context: &Context,
    (namespace, pod, container): &Target,
    which: Which,
) -> Result<FoundRun, Refusal> {
    let known = context.find(namespace, pod);
    let known = known.ok_or_else(|| {
        Refusal::not_found(format!(
            "pod \"{pod}\" not found in namespace \"{namespace}\""
        ))
    })?;
    let spec = known.pod.container(container).cloned();
    let spec = spec.ok_or_else(|| {
        Refusal::bad_request(format!("container {container} is not valid for pod {pod}"))
    })?;
    let seen = known
        .seen
        .borrow()
        .containers
        .get(container)
        .cloned()
        .unwrap_or_default();
    let (attempt, running) = match which {
        Which::Newest => newest(&seen, container, pod)?,
        Which::Previous => previous(&seen)
            .map(|attempt| (attempt, false))
            .ok_or_else(|| {
                Refusal::bad_request(format!(
                    "previous terminated container \"{container}\" in pod \"{pod}\" not found"
                ))
            })?,
    };
    let name = RunName {
        uid: known.pod.metadata.uid.clone(),
        container: container.clone(),
        attempt,
    };
    let id = name.sandbox().map_err(|error| Refusal::internal(&error))?;
    Ok(FoundRun {
        known,
        container: spec,
        name,
        id,
        running,
    })
}

/// The run that runs, or else the last one that did.
fn newest(seen: &ContainerSeen, container: &str, pod: &str) -> Result<(u32, bool), Refusal> {
    match &seen.run {
        Run::Running(_) => Ok((seen.restarts, true)),
        Run::Ended(_) => Ok((seen.restarts, false)),
        Run::Never | Run::Starting | Run::Refused { .. } => {
            match (&seen.last, seen.restarts.checked_sub(1)) {
                (Some(_), Some(attempt)) => Ok((attempt, false)),
                _ => {
                    let problem = seen
                        .refusal
                        .as_ref()
                        .or(seen.image.problem().map(|(problem, _)| problem));
                    let reason =
                        problem.map_or("ContainerCreating", |problem| problem.reason.as_str());
                    let title = format!("container \"{container}\" in pod \"{pod}\"");
                    Err(Refusal::bad_request(match reason {
                        "ContainerCreating" | "PodInitializing" => {
                            format!("{title} is waiting to start: {reason}")
                        }
                        reason if reason.contains("Pull") || reason == "InvalidImageName" => {
                            format!("{title} is waiting to start: trying and failing to pull image")
                        }
                        reason => format!("{title} is waiting to start: {reason}"),
                    }))
                }
            }
        }
    }
}

/// While the next run is only being made, the last one is both newest and previous.
fn previous(seen: &ContainerSeen) -> Option<u32> {
    seen.restarts.checked_sub(1).filter(|_| seen.last.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_any_of_their_names() {
        let query = Query(vec![
            ("command".to_owned(), "ls".to_owned()),
            ("command".to_owned(), "-l".to_owned()),
            ("input".to_owned(), "1".to_owned()),
            ("tailLines".to_owned(), "x".to_owned()),
        ]);
        assert_eq!(query.all("command"), ["ls", "-l"]);
        assert!(query.flag(&["stdin", "input"]) && !query.flag(&["tty"]));
        assert!(
            query.number::<u64>("tailLines").is_err() && query.number::<u64>("limitBytes").is_ok()
        );
    }
}
