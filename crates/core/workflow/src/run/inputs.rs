//! The inputs of an action: what the step gives, and defaults for the rest.

use super::{Env, expand::broken, sight::Sight};
use crate::{StepAction, expr::Scope};

/// Docker actions take these beside their own.
const DOCKER_INPUTS: [&str; 2] = ["entrypoint", "args"];

type Inputs = Vec<(String, String)>;

impl Sight<'_> {
    /// Names with values, and notes on what the manifest does not know.
    pub fn inputs(&self, env: &Env) -> Result<(Inputs, Vec<String>), String> {
        let (mut inputs, mut notes) = (Vec::new(), Vec::new());
        let Some(index) = self.step else {
            return Ok((inputs, notes));
        };
        let file = self.run.file_step(self.job, self.leg, index);
        let Some(StepAction::Uses {
            action,
            inputs: given,
        }) = file.map(|it| &it.action)
        else {
            return Ok((inputs, notes));
        };
        let scope = self.scope_with(env);
        let given = given.evaluate(&scope).map_err(broken("with"))?;
        let Some(manifest) = self.run.manifest(self.job, self.leg, index) else {
            return Ok((given, notes));
        };
        for (name, value) in given {
            match manifest.input(&name) {
                Some(known) => {
                    if let Some(told) = known.deprecation.as_ref().filter(|it| !it.is_empty()) {
                        notes.push(format!(
                            "`{action}`: input `{}` is deprecated: {told}",
                            known.name
                        ));
                    }
                    inputs.push((known.name.clone(), value));
                }
                None => {
                    let docker = matches!(manifest.runs, crate::Runs::Docker(_));
                    let lower = name.to_ascii_lowercase();
                    if !docker || !DOCKER_INPUTS.contains(&lower.as_str()) {
                        let known: Vec<_> = manifest
                            .inputs
                            .iter()
                            .map(|it| format!("`{}`", it.name))
                            .collect();
                        notes.push(format!(
                            "`{action}`: unexpected input `{name}`, it takes {}",
                            if known.is_empty() {
                                "none".to_owned()
                            } else {
                                known.join(", ")
                            }
                        ));
                    }
                    inputs.push((name, value));
                }
            }
        }
        for input in &manifest.inputs {
            if inputs
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case(&input.name))
            {
                continue;
            }
            let value = match &input.default {
                None => String::new(),
                Some(default) => default.evaluate_text(&scope).map_err(|error| {
                    format!(
                        "the default of input `{}` has no value: {error}",
                        input.name
                    )
                })?,
            };
            inputs.push((input.name.clone(), value));
        }
        Ok((inputs, notes))
    }
}

/// The only context that a Docker action's own arguments see.
pub(super) fn inputs_scope(inputs: &[(String, String)]) -> Scope<'static> {
    let object: serde_json::Map<_, _> = inputs
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    let mut scope = Scope::new();
    scope.set("inputs", object.into());
    scope
}

/// `INPUT_NAME`, with spaces turned to `_` and nothing else.
pub(super) fn variable(name: &str) -> String {
    format!("INPUT_{}", name.replace(' ', "_").to_uppercase())
}
