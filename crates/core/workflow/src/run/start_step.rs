//! Describes a step to its executor down to the last byte.

use std::time::Duration;

use serde_json::Value;

use super::{
    BuiltinStep, CommandStep, ContainerStep, Effect, Env, File, ImageSource, NodeStep, Outside,
    Place, Run, StepFiles, StepKey, StepStart, StepWork, Unbuildable,
    expand::{broken, number, seconds},
    inputs::inputs_scope,
    sight::{Sight, event_path},
    step_state::Part,
};
use crate::{
    DockerImage, DockerRuns, Runs, StepAction,
    expr::{self, Scope, Template},
    reference::Uses,
    shell::{Shell, words},
};

/// Where a Docker action finds the folders of its job, the more exact first.
const DOCKER_MOUNTS: [(&str, &str); 4] = [
    ("_github_home", "/github/home"),
    ("_github_workflow", "/github/workflow"),
    ("_runner_file_commands", "/github/file_commands"),
    ("", "/github/runner_temp"),
];
const DOCKER_WORKSPACE: &str = "/github/workspace";

/// A step as it is to be started, and notes for its job.
struct Description {
    start: StepStart,
    notes: Vec<String>,
}

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
            Ok(Description { start, notes }) => {
                for note in notes {
                    self.note(job, leg, note);
                }
                let step = self.step_mut(job, leg, index);
                step.timeout_secs = start.timeout.map(|it| it.as_secs());
                step.asked = true;
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
    ) -> Result<Description, String> {
        let state = self.leg(job, leg);
        let missing = || "the job has no place to run".to_owned();
        let place = state.place.as_ref().ok_or_else(missing)?;
        let file = self.file_step(job, leg, index).ok_or_else(missing)?;
        let step = self.step(job, leg, index);
        let sight = self.sight(job, leg, Some(index), outside);
        let (own, _) = sight.env()?;
        let scope = sight.scope_with(&own);
        let minutes =
            number(file.timeout_minutes.as_ref(), &scope).map_err(broken("timeout-minutes"))?;
        let outputs = step_files(place, state.attempt, index);
        let mut files = sight.plain_files(place, &outputs);
        let mut notes = Vec::new();
        let (work, env) = match &file.action {
            StepAction::Run {
                script,
                shell,
                working_directory,
            } => {
                let text = script.evaluate_text(&scope).map_err(broken("run"))?;
                let (work, file) = sight.command(
                    place,
                    &text,
                    (shell.as_ref(), working_directory.as_ref()),
                    &scope,
                )?;
                files.push(file);
                (work, sight.process_env(place, &own, &outputs, &[]))
            }
            StepAction::Uses { action, .. } => {
                let (inputs, found) = sight.inputs(&own)?;
                if step.part == Part::Main {
                    notes = found;
                }
                let env = sight.process_env(place, &own, &outputs, &inputs);
                sight.action(place, action, inputs, env, &own)?
            }
            StepAction::Wait(_)
            | StepAction::WaitAll
            | StepAction::Cancel(_)
            | StepAction::Parallel(_) => return Err(missing()),
        };
        let start = StepStart {
            step: StepKey {
                job: self.key(job, leg),
                attempt: state.attempt,
                index,
            },
            name: step.name.clone(),
            phase: step.part.phase(),
            within: step.within,
            background: state.background_root(index).is_some(),
            work,
            env,
            files,
            outputs,
            timeout: minutes
                .map(|it| Duration::from_secs(seconds(it)))
                .filter(|it| !it.is_zero()),
        };
        Ok(Description { start, notes })
    }
}

impl Sight<'_> {
    /// A `run` step.
    fn command(
        &self,
        place: &Place,
        text: &str,
        (shell, folder): (Option<&Template>, Option<&Template>),
        scope: &Scope<'_>,
    ) -> Result<(StepWork, File), String> {
        let shell = self.setting(shell, "shell", scope)?;
        let folder = self.setting(folder, "working-directory", scope)?;
        // In a container nobody knows whether there is a bash.
        let bash = place.bash && place.container.is_none();
        let shell = Shell::choose(shell.as_deref(), bash).map_err(|error| error.to_string())?;
        let (attempt, index) = (self.state().attempt, self.step.unwrap_or_default());
        let base = format!("{}/_landfall/{attempt}-{index}", place.temp);
        let command = shell.command(&base, text);
        let work = StepWork::Command(CommandStep {
            argv: command.argv,
            cwd: join(&place.workspace, folder.as_deref().unwrap_or_default()),
            script: text.to_owned(),
            shell: shell.shown(),
        });
        Ok((work, command.file))
    }

    /// The step's own setting, else the job's, else the workflow's; steps of actions have their own only.
    fn setting(
        &self,
        own: Option<&Template>,
        key: &'static str,
        scope: &Scope<'_>,
    ) -> Result<Option<String>, String> {
        let text = |it: &Template| it.evaluate_text(scope).map_err(broken(key));
        let filled = |it: String| Some(it).filter(|it| !it.is_empty());
        if let Some(own) = own {
            return Ok(filled(text(own)?));
        }
        let in_action = self.step.and_then(|it| self.state().steps.get(it)?.scope);
        if in_action.is_some() {
            return Ok(None);
        }
        for defaults in [
            &self.run.job(self.job).defaults,
            &self.run.file(self.job).defaults,
        ] {
            let named = match key {
                "shell" => &defaults.shell,
                _ => &defaults.working_directory,
            };
            let found = match (named, &defaults.run) {
                (Some(named), _) => filled(text(named)?),
                (None, Some(whole)) => match whole.evaluate(scope).map_err(broken("run"))? {
                    expr::Value::Object(object) => {
                        object.get(key).and_then(|it| filled(it.to_text()))
                    }
                    expr::Value::Null
                    | expr::Value::Bool(_)
                    | expr::Value::Number(_)
                    | expr::Value::String(_)
                    | expr::Value::Array(_) => None,
                },
                (None, None) => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// One phase of an action.
    fn action(
        &self,
        place: &Place,
        uses: &Uses,
        inputs: Vec<(String, String)>,
        env: Env,
        own: &Env,
    ) -> Result<(StepWork, Env), String> {
        let index = self.step.unwrap_or_default();
        if let Uses::Image(image) = uses {
            let image = ImageSource::Reference(image.clone());
            return self.container(place, image, None, None, inputs, env);
        }
        let missing = || format!("`{uses}` is not there");
        let manifest = self
            .run
            .manifest(self.job, self.leg, index)
            .ok_or_else(missing)?;
        let part = self.run.step(self.job, self.leg, index).part;
        let choose = |main: &String, pre: &Option<String>, post: &Option<String>| {
            let chosen = match part {
                Part::Pre => pre.clone(),
                Part::Post => post.clone(),
                Part::Main | Part::WaitForRest => Some(main.clone()),
            };
            chosen.ok_or_else(missing)
        };
        let folder = self
            .run
            .action_folder(self.job, self.leg, index)
            .unwrap_or_default();
        match &manifest.runs {
            Runs::Native(native) => {
                let action = self.run.action_reference(self.job, self.leg, index);
                let work = BuiltinStep {
                    action: action.ok_or_else(missing)?.clone(),
                    entry: choose(&native.main, &native.pre, &native.post)?,
                    inputs,
                    state: self.saved(),
                };
                Ok((StepWork::Builtin(work), env))
            }
            Runs::Node(node) => {
                let work = NodeStep {
                    version: node.version,
                    script: join(folder, &choose(&node.main, &node.pre, &node.post)?),
                    cwd: place.workspace.clone(),
                    inputs,
                };
                Ok((StepWork::Node(work), env))
            }
            Runs::Docker(docker) => {
                let image = match &docker.image {
                    DockerImage::Reference(image) => ImageSource::Reference(image.clone()),
                    DockerImage::Dockerfile(file) => {
                        let file = join(folder, file);
                        let context = file.rsplit_once('/').map_or("", |(it, _)| it);
                        ImageSource::Dockerfile {
                            context: context.to_owned(),
                            file,
                        }
                    }
                };
                let entrypoint = match part {
                    Part::Pre => docker.pre_entrypoint.clone(),
                    Part::Post => docker.post_entrypoint.clone(),
                    Part::Main | Part::WaitForRest => docker.entrypoint.clone(),
                };
                self.container(place, image, entrypoint, Some((docker, own)), inputs, env)
            }
            Runs::Composite(_) => Err(missing()),
        }
    }

    fn container(
        &self,
        place: &Place,
        image: ImageSource,
        entrypoint: Option<String>,
        docker: Option<(&DockerRuns, &Env)>,
        inputs: Vec<(String, String)>,
        mut env: Env,
    ) -> Result<(StepWork, Env), String> {
        let given = |name: &str| {
            let found = inputs.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
            found
                .map(|(_, value)| value.clone())
                .filter(|it| !it.is_empty())
        };
        let is_main = self
            .step
            .is_none_or(|it| self.run.step(self.job, self.leg, it).part == Part::Main);
        let entrypoint = given("entrypoint").filter(|_| is_main).or(entrypoint);
        let mut args = given("args").map(|it| words(&it)).unwrap_or_default();
        if let Some((docker, own)) = docker {
            let scope = inputs_scope(&inputs);
            if args.is_empty() {
                let texts = docker.args.iter().map(|it| it.evaluate_text(&scope));
                args = texts.collect::<Result<_, _>>().map_err(broken("args"))?;
            }
            for (name, template) in &docker.env {
                let value = template.evaluate_text(&scope).map_err(broken("env"))?;
                // The step and its job know better than the manifest.
                if own.get(name).is_none() {
                    env.set(name, value);
                }
            }
        }
        // The machine's own variables mean nothing inside an image.
        let foreign =
            |name: &str| place.env.iter().any(|(it, _)| it == name) && self.sets(name).is_none();
        env.0.retain(|(name, _)| !foreign(name));
        env.set("HOME", "/github/home");
        let mounts = docker_mounts(place);
        for (_, value) in &mut env.0 {
            if let Some(inner) = translate(value, &mounts) {
                *value = inner;
            }
        }
        for arg in &mut args {
            if let Some(inner) = translate(arg, &mounts) {
                *arg = inner;
            }
        }
        let work = ContainerStep {
            image,
            entrypoint,
            args,
            cwd: DOCKER_WORKSPACE.to_owned(),
            mounts,
            inputs,
        };
        Ok((StepWork::Container(work), env))
    }

    /// What the workflow itself sets a variable to.
    fn sets(&self, name: &str) -> Option<String> {
        let (env, _) = self.env().ok()?;
        env.get(name).map(str::to_owned)
    }

    /// What earlier phases of the action saved.
    pub(super) fn saved(&self) -> Vec<(String, String)> {
        let steps = &self.state().steps;
        let main = self.step.and_then(|it| steps.get(it)).map(|it| it.main);
        let saved = main
            .and_then(|it| steps.get(it))
            .map(|it| it.state.as_slice());
        let open = |(name, value): &(String, String)| (name.clone(), self.secrets.unseal(value));
        saved.unwrap_or_default().iter().map(open).collect()
    }

    /// The event, once for a job, and the empty command files.
    fn plain_files(&self, place: &Place, files: &StepFiles) -> Vec<File> {
        let mut all = Vec::new();
        if self.state().steps.iter().all(|it| it.started.is_none()) {
            let event = self.run.state.ground.start.github.get("event");
            all.push(File {
                path: event_path(&place.temp),
                text: serde_json::to_string_pretty(event.unwrap_or(&Value::Null))
                    .unwrap_or_default(),
            });
        }
        let empty = [
            &files.env,
            &files.output,
            &files.path,
            &files.state,
            &files.summary,
        ];
        all.extend(empty.map(|path| File {
            path: path.clone(),
            text: String::new(),
        }));
        all
    }
}

pub(super) fn step_files(place: &Place, attempt: u32, index: usize) -> StepFiles {
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

fn docker_mounts(place: &Place) -> Vec<(String, String)> {
    let inner = DOCKER_MOUNTS.iter().map(|(folder, target)| {
        let source = match *folder {
            "" => place.temp.clone(),
            folder => format!("{}/{folder}", place.temp),
        };
        (source, (*target).to_owned())
    });
    inner
        .chain([(place.workspace.clone(), DOCKER_WORKSPACE.to_owned())])
        .collect()
}

/// A path of the job as a Docker action sees it.
fn translate(value: &str, mounts: &[(String, String)]) -> Option<String> {
    mounts.iter().find_map(|(source, target)| {
        let rest = value.strip_prefix(source.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{target}{rest}"))
    })
}

/// An absolute folder stays as it is; others lie in the first.
fn join(base: &str, path: &str) -> String {
    let path = path.trim_start_matches("./");
    match path {
        "" | "." => base.to_owned(),
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        relative => format!("{}/{relative}", base.trim_end_matches('/')),
    }
}
