//! Describes a step to its executor down to the last byte.

use std::time::Duration;

use serde_json::Value;

use super::{
    ActionStep, CommandStep, Effect, Env, File, Outside, Place, Run, StepFiles, StepKey, StepStart,
    StepWork, Unbuildable,
    expand::{number, seconds},
};
use crate::{
    Defaults, StepAction,
    expr::{EvalError, Scope, Template},
    shell::Shell,
};

/// The entries of the `github` context that steps see as `GITHUB_…`; the token and the event are not among them.
const GITHUB_ENV: &[&str] = &[
    "action",
    "action_path",
    "action_ref",
    "action_repository",
    "actor",
    "actor_id",
    "api_url",
    "base_ref",
    "event_name",
    "event_path",
    "graphql_url",
    "head_ref",
    "job",
    "ref",
    "ref_name",
    "ref_protected",
    "ref_type",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "retention_days",
    "run_attempt",
    "run_id",
    "run_number",
    "server_url",
    "sha",
    "triggering_actor",
    "workflow",
    "workflow_ref",
    "workflow_sha",
    "workspace",
];

impl Run {
    /// The effect for a step whose turn it is; when its expressions have no value, it fails.
    pub(super) fn start_step(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        outside: &dyn Outside,
    ) -> Result<Effect, Unbuildable> {
        match self.describe_step(job, leg, index, outside) {
            Ok(start) => {
                if let Some(step) = self.leg_mut(job, leg).steps.get_mut(index) {
                    step.timeout_secs = start.timeout.map(|it| it.as_secs());
                }
                Ok(Effect::StartStep(Box::new(start)))
            }
            Err(problem) => {
                self.fail_step(job, leg, index, &problem, outside);
                Err(Unbuildable)
            }
        }
    }

    fn describe_step(
        &self,
        job: usize,
        leg: usize,
        index: usize,
        outside: &dyn Outside,
    ) -> Result<StepStart, String> {
        let key = self.key(job, leg);
        let state = self.leg(job, leg);
        let missing = || "the job has no place to run".to_owned();
        let place = state.place.as_ref().ok_or_else(missing)?;
        let file = self.job(job).steps.get(index).ok_or_else(missing)?;
        let secrets = outside.secrets(&key);
        let hash = |patterns: &[String]| outside.hash_files(&key, patterns);
        let own = self.step_env(job, leg, index, outside)?;
        let mut scope = self.step_scope(job, leg, secrets);
        scope.set_env(own.pairs()).set_hash_files(&hash);

        let outputs = step_files(place, state.attempt, index);
        let path: Vec<_> = state.path.iter().map(|it| secrets.unseal(it)).collect();
        let env = self.process_env(job, leg, place, &own, &path, &outputs);
        let broken =
            |key: &'static str| move |error: EvalError| format!("`{key}` has no value: {error}");
        let minutes =
            number(file.timeout_minutes.as_ref(), &scope).map_err(broken("timeout-minutes"))?;
        let mut files = self.plain_files(place, &outputs);
        let work = match &file.action {
            StepAction::Run {
                script,
                shell,
                working_directory,
            } => {
                let text = script.evaluate_text(&scope).map_err(broken("run"))?;
                let shell = self
                    .setting(job, shell.as_ref(), |it| &it.shell, &scope)
                    .map_err(broken("shell"))?;
                let folder = self.setting(
                    job,
                    working_directory.as_ref(),
                    |it| &it.working_directory,
                    &scope,
                );
                let folder = folder.map_err(broken("working-directory"))?;
                let shell = Shell::choose(shell.as_deref(), place.bash)
                    .map_err(|error| error.to_string())?;
                let base = format!("{}/_landfall/{}-{index}", place.temp, state.attempt);
                let command = shell.command(&base, &text);
                let shown = shell.shown();
                files.push(command.file);
                let cwd = join(&place.workspace, folder.as_deref().unwrap_or_default());
                StepWork::Command(CommandStep {
                    argv: command.argv,
                    cwd,
                    script: text,
                    shell: shown,
                })
            }
            StepAction::Uses { action, inputs } => {
                let inputs = inputs
                    .iter()
                    .map(|(name, it)| Ok((name.clone(), it.evaluate_text(&scope)?)));
                let inputs = inputs.collect::<Result<_, _>>().map_err(broken("with"))?;
                StepWork::Action(ActionStep {
                    action: action.clone(),
                    inputs,
                })
            }
        };
        Ok(StepStart {
            step: StepKey {
                job: key.clone(),
                attempt: state.attempt,
                index,
            },
            name: state
                .steps
                .get(index)
                .map(|it| it.name.clone())
                .unwrap_or_default(),
            work,
            env,
            files,
            outputs,
            timeout: minutes
                .map(|it| Duration::from_secs(seconds(it)))
                .filter(|it| !it.is_zero()),
        })
    }

    /// The step's own setting, else the job's, else the workflow's.
    fn setting(
        &self,
        job: usize,
        own: Option<&Template>,
        default: impl Fn(&Defaults) -> &Option<Template>,
        scope: &Scope<'_>,
    ) -> Result<Option<String>, EvalError> {
        let template = own
            .or(default(&self.job(job).defaults).as_ref())
            .or(default(&self.workflow.defaults).as_ref());
        let text = template.map(|it| it.evaluate_text(scope)).transpose()?;
        Ok(text.filter(|it| !it.is_empty()))
    }

    fn process_env(
        &self,
        job: usize,
        leg: usize,
        place: &Place,
        own: &Env,
        path: &[String],
        files: &StepFiles,
    ) -> Env {
        let mut env = Env::default();
        place
            .env
            .iter()
            .for_each(|(name, value)| env.set(name, value.as_str()));
        own.pairs().for_each(|(name, value)| env.set(name, value));
        if !path.is_empty() {
            let rest = env.get("PATH").unwrap_or_default();
            let joined = if rest.is_empty() {
                path.join(":")
            } else {
                format!("{}:{rest}", path.join(":"))
            };
            env.set("PATH", joined);
        }
        if env.get("CI").is_none() {
            env.set("CI", "true");
        }
        // None of these may be changed by the workflow.
        env.set("GITHUB_ACTIONS", "true");
        let github = self.step_github(job, leg);
        for name in GITHUB_ENV {
            let Some(value) = github.get(*name).filter(|it| !it.is_null()) else {
                continue;
            };
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            env.set(&format!("GITHUB_{}", name.to_ascii_uppercase()), text);
        }
        for (name, value) in [
            ("GITHUB_ENV", &files.env),
            ("GITHUB_OUTPUT", &files.output),
            ("GITHUB_PATH", &files.path),
            ("GITHUB_STATE", &files.state),
            ("GITHUB_STEP_SUMMARY", &files.summary),
            ("RUNNER_NAME", &place.runner),
            ("RUNNER_OS", &place.os),
            ("RUNNER_ARCH", &place.arch),
            ("RUNNER_TEMP", &place.temp),
            ("RUNNER_TOOL_CACHE", &place.tool_cache),
        ] {
            env.set(name, value.as_str());
        }
        env.set("RUNNER_ENVIRONMENT", "self-hosted");
        env.set(
            "RUNNER_TRACKING_ID",
            format!(
                "landfall_{}_{}",
                self.key(job, leg),
                self.leg(job, leg).attempt
            ),
        );
        env
    }

    fn step_github(&self, job: usize, leg: usize) -> Value {
        // No secrets are needed: the token is not exported.
        self.github(job, leg, &super::Secrets::default())
    }

    /// The event and the empty command files.
    fn plain_files(&self, place: &Place, files: &StepFiles) -> Vec<File> {
        let event = self
            .state
            .start
            .github
            .get("event")
            .cloned()
            .unwrap_or(Value::Null);
        let event = serde_json::to_string_pretty(&event).unwrap_or_default();
        let mut all = vec![File {
            path: format!("{}/_github_workflow/event.json", place.temp),
            text: event,
        }];
        for path in [
            &files.env,
            &files.output,
            &files.path,
            &files.state,
            &files.summary,
        ] {
            all.push(File {
                path: path.clone(),
                text: String::new(),
            });
        }
        all
    }
}

fn step_files(place: &Place, attempt: u32, index: usize) -> StepFiles {
    let path = |kind: &str| {
        format!(
            "{}/_runner_file_commands/{kind}_{attempt}-{index}",
            place.temp
        )
    };
    StepFiles {
        env: path("set_env"),
        output: path("set_output"),
        path: path("add_path"),
        state: path("save_state"),
        summary: path("step_summary"),
    }
}

/// An absolute folder stays as it is; others lie in the workspace.
fn join(workspace: &str, folder: &str) -> String {
    let folder = folder.trim_start_matches("./");
    match folder {
        "" | "." => workspace.to_owned(),
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        relative => format!("{}/{relative}", workspace.trim_end_matches('/')),
    }
}
