//! Describes a job to its executor: labels, containers, permissions.

use std::{borrow::Cow, time::Duration};

use serde_json::{Map, Value};

use super::{
    CalledFile, ContainerSpec, Credentials, Effect, Env, JobStart, Outside, Run, ServiceSpec, Trust,
    Unbuildable,
    expand::{broken, labels},
};
use crate::{Tree, expr, expr::Scope};

impl Run {
    /// The effect for a leg that is to start; when its expressions have no value, it fails.
    pub(super) fn start_job(
        &mut self,
        job: usize,
        leg: usize,
        outside: &dyn Outside,
    ) -> Result<Effect, Unbuildable> {
        match self.describe_job(job, leg, outside) {
            Ok(start) => Ok(Effect::StartJob(Box::new(start))),
            Err(problem) => {
                let secrets = self.own_secrets(job, leg, outside);
                let problem = secrets.masker().mask(&problem);
                self.fail_leg(job, leg, &problem);
                Err(Unbuildable)
            }
        }
    }

    fn describe_job(
        &self,
        job: usize,
        leg: usize,
        outside: &dyn Outside,
    ) -> Result<JobStart, String> {
        let state = self.leg(job, leg);
        let file = self.job(job);
        let sight = self.sight(job, leg, None, outside);
        let scope = self.leg_scope(job, leg);
        let runs_on = file.runs_on.evaluate(&scope).map_err(broken("runs-on"))?;
        let group = runs_on.get("group").and_then(Value::as_str);
        // Images have neither secrets nor `env`; their credentials and variables have both.
        let rich = if file.container.is_some() || file.services.is_some() {
            let env = sight.global_env().map_err(broken("env"))?;
            let mut rich = self.leg_scope(job, leg);
            let secrets = Cow::clone(&sight.secrets);
            rich.set_env(env.pairs())
                .set_lazy("secrets", move || secrets.to_json());
            rich
        } else {
            Scope::new()
        };
        let container = match &file.container {
            Some(tree) => container(tree, &rich).map_err(|it| format!("`container`: {it}"))?,
            None => None,
        };
        let services = match &file.services {
            Some(tree) => services(tree, &rich).map_err(|it| format!("`services`: {it}"))?,
            None => Vec::new(),
        };
        let environment = file.environment.as_ref().map(|it| it.evaluate(&scope));
        let environment = environment.transpose()?;
        let trust = match (&self.state.ground.start.trust, &state.distrusted) {
            (Trust::Trusted, Some(reason)) => Trust::Untrusted {
                reason: reason.clone(),
            },
            (trust, _) => trust.clone(),
        };
        Ok(JobStart {
            job: self.key(job, leg),
            attempt: state.attempt,
            name: state.name.clone(),
            labels: labels(&runs_on),
            group: group.map(str::to_owned),
            environment: state.environment.clone(),
            records_deployment: environment.is_some_and(|it| it.records_deployment),
            container,
            services,
            called: self.called_file(job),
            permissions: self.permissions(job),
            reuse: self.reuse_ask(job, leg),
            trust,
            timeout: Duration::from_secs(state.timeout_secs),
        })
    }
}

impl Run {
    fn called_file(&self, job: usize) -> Option<CalledFile> {
        let frame = self.frame(job);
        frame.caller?;
        let (path, home) = (&self.file(job).path, &frame.home);
        let path = path.trim_start_matches("./");
        let reference = format!("{}/{path}@{}", home.repository, home.git_ref);
        Some(CalledFile { reference, commit: home.commit.clone() })
    }
}

type Keys = Map<String, Value>;

/// A container, or nothing where the image has no name.
fn container(tree: &Tree, scope: &Scope<'_>) -> Result<Option<ContainerSpec>, String> {
    let value = tree.evaluate(scope).map_err(|error| error.to_string())?;
    read_container(&value)
}

fn services(tree: &Tree, scope: &Scope<'_>) -> Result<Vec<ServiceSpec>, String> {
    let value = tree.evaluate(scope).map_err(|error| error.to_string())?;
    let named = match &value {
        Value::Null => return Ok(Vec::new()),
        Value::Object(named) => named,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(format!("expected a mapping, found `{value}`"));
        }
    };
    let mut services = Vec::new();
    for (id, value) in named {
        let container = read_container(value).map_err(|it| format!("`{id}`: {it}"))?;
        services.extend(container.map(|container| ServiceSpec {
            id: id.clone(),
            container,
        }));
    }
    Ok(services)
}

fn read_container(value: &Value) -> Result<Option<ContainerSpec>, String> {
    let keys = match value {
        Value::Null => return Ok(None),
        Value::String(image) => {
            let image = image.trim();
            return Ok((!image.is_empty()).then(|| ContainerSpec {
                image: plain_image(image),
                ..ContainerSpec::default()
            }));
        }
        Value::Object(keys) => keys,
        Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return Err(format!("expected an image or a mapping, found `{value}`"));
        }
    };
    let image = text(keys, "image").unwrap_or_default();
    if image.trim().is_empty() {
        return Ok(None);
    }
    let credentials = match keys.get("credentials") {
        None | Some(Value::Null) => None,
        Some(Value::Object(pair)) => Some(Credentials {
            username: text(pair, "username").unwrap_or_default(),
            password: text(pair, "password").unwrap_or_default(),
        })
        .filter(|it| !it.username.is_empty() || !it.password.is_empty()),
        Some(other) => {
            return Err(format!(
                "`credentials`: expected a mapping, found `{other}`"
            ));
        }
    };
    let env = match keys.get("env") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(env)) => env
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        Some(other) => return Err(format!("`env`: expected a mapping, found `{other}`")),
    };
    Ok(Some(ContainerSpec {
        image: plain_image(image.trim()),
        credentials,
        env: Env(env),
        ports: list(keys, "ports")?,
        volumes: list(keys, "volumes")?,
        options: text(keys, "options").unwrap_or_default(),
        entrypoint: text(keys, "entrypoint").filter(|it| !it.is_empty()),
        command: text(keys, "command").filter(|it| !it.is_empty()),
    }))
}

fn plain_image(image: &str) -> String {
    image.strip_prefix("docker://").unwrap_or(image).to_owned()
}

fn plain(value: &Value) -> String {
    expr::Value::from(value).to_text()
}

fn text(keys: &Keys, key: &str) -> Option<String> {
    keys.get(key).filter(|it| !it.is_null()).map(plain)
}

fn list(keys: &Keys, key: &str) -> Result<Vec<String>, String> {
    match keys.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.iter().map(plain).collect()),
        Some(other) => Err(format!("`{key}`: expected a sequence, found `{other}`")),
    }
}
