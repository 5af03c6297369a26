//! The environment of a step's process.

use super::{Env, Place, StepFiles, inputs::variable, sight::Sight};

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

impl Sight<'_> {
    /// All of it, from the sandbox's own up to what no workflow may change.
    pub(super) fn process_env(
        &self,
        place: &Place,
        set: &Env,
        files: &StepFiles,
        inputs: &[(String, String)],
    ) -> Env {
        let mut env = Env::default();
        place
            .env
            .iter()
            .for_each(|(name, value)| env.set(name, value.as_str()));
        set.pairs().for_each(|(name, value)| env.set(name, value));
        self.add_path(&mut env);
        if env.get("CI").is_none() {
            env.set("CI", "true");
        }
        for (name, value) in inputs {
            env.set(&variable(name), value.as_str());
        }
        for (name, value) in self.saved() {
            env.set(&format!("STATE_{name}"), value);
        }
        // None of these may be changed by the workflow.
        env.set("GITHUB_ACTIONS", "true");
        let own = self.own_github();
        let github = &self.run.state.ground.start.github;
        for name in GITHUB_ENV {
            let value = own.get(*name).or_else(|| github.get(*name));
            let Some(value) = value.filter(|it| !it.is_null()) else {
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
        if let Some((parent, _)) = place.workspace.trim_end_matches('/').rsplit_once('/') {
            env.set("RUNNER_WORKSPACE", parent);
        }
        if self.debugs() {
            env.set("RUNNER_DEBUG", "1");
        }
        env.set("RUNNER_ENVIRONMENT", "self-hosted");
        let key = self.run.key(self.job, self.leg);
        let attempt = self.state().attempt;
        env.set("RUNNER_TRACKING_ID", format!("landfall_{key}_{attempt}"));
        env
    }

    /// Folders that steps added come first, the latest before all others.
    fn add_path(&self, env: &mut Env) {
        let state = self.state();
        let held = self.background_root().and_then(|it| state.steps.get(it));
        let held = held.map(|it| it.held.path.as_slice()).unwrap_or_default();
        let folders = held.iter().chain(&state.path);
        let mut path: Vec<_> = folders.map(|it| self.secrets.unseal(it)).collect();
        if path.is_empty() {
            return;
        }
        path.extend(
            env.get("PATH")
                .filter(|it| !it.is_empty())
                .map(str::to_owned),
        );
        env.set("PATH", path.join(":"));
    }
}
