//! Brings in the actions that steps use, and makes ready what composite actions do.

use std::sync::Arc;

use super::{
    Outside, PreparedAction, Run,
    leg_state::{LegAction, LegPhase},
    state::ManifestText,
    step_state::{Part, StepPhase, StepState},
    steps::static_name,
};
use crate::{ActionRef, Manifest, Step, StepAction, reference::Uses};

impl Run {
    /// Actions that a job's steps, or the steps of one composite action, use and that are not there yet.
    pub(super) fn missing_actions(
        &self,
        job: usize,
        leg: usize,
        composite: Option<usize>,
    ) -> Vec<ActionRef> {
        let state = self.leg(job, leg);
        let mut missing: Vec<ActionRef> = Vec::new();
        let mut seen: Vec<usize> = Vec::new();
        let mut open: Vec<&[Step]> = match composite {
            None => vec![self.job(job).steps.as_slice()],
            Some(index) => self
                .manifest(job, leg, index)
                .map(Manifest::steps)
                .into_iter()
                .collect(),
        };
        while let Some(steps) = open.pop() {
            for action in steps.iter().flat_map(repositories) {
                let reference = action.to_string();
                match state.actions.iter().find(|it| it.reference == reference) {
                    None if !missing.contains(action) => missing.push(action.clone()),
                    None => {}
                    Some(known) if seen.contains(&known.manifest) => {}
                    Some(known) => {
                        seen.push(known.manifest);
                        open.extend(self.manifests.get(known.manifest).map(|it| it.steps()));
                    }
                }
            }
        }
        missing
    }

    /// Actions of a job, or of a composite action in it, are there or cannot be had.
    pub(super) fn actions_prepared(
        &mut self,
        job: usize,
        leg: usize,
        actions: Vec<(ActionRef, Result<PreparedAction, String>)>,
        outside: &dyn Outside,
    ) {
        let mut problems = Vec::new();
        for (action, prepared) in actions {
            let reference = action.to_string();
            let known = self.leg(job, leg).actions.iter();
            if known.into_iter().any(|it| it.reference == reference) {
                continue;
            }
            let told = format!("{}/action.yml", action.name());
            let added = prepared.and_then(|it| self.add_action(job, leg, &reference, &told, it));
            if let Err(problem) = added {
                problems.push((action, format!("`uses: {reference}`: {problem}")));
            }
        }
        if self.leg(job, leg).phase == LegPhase::Preparing {
            self.job_prepared(job, leg, &problems);
            return;
        }
        let steps = self.leg(job, leg).steps.iter().enumerate();
        let waiting = steps.filter(|(_, it)| it.phase == StepPhase::Preparing);
        let waiting: Vec<_> = waiting.map(|(index, _)| index).collect();
        for index in waiting {
            let missing = self.missing_actions(job, leg, Some(index));
            let problem = problems.iter().find(|(it, _)| missing.contains(it));
            if let Some((_, problem)) = problem {
                self.fail_step(job, leg, index, problem, outside);
            } else if missing.is_empty() {
                self.go_on_with_action(job, leg, index, outside);
            } else {
                self.step_mut(job, leg, index).given.ask = false;
            }
        }
        self.touch(job, leg);
    }

    fn job_prepared(&mut self, job: usize, leg: usize, problems: &[(ActionRef, String)]) {
        if !problems.is_empty() {
            let problems: Vec<_> = problems.iter().map(|(_, it)| it.as_str()).collect();
            return self.fail_leg(job, leg, &problems.join("; "));
        }
        if !self.missing_actions(job, leg, None).is_empty() {
            // Composite actions use others in turn.
            self.leg_mut(job, leg).given.ask = false;
            return;
        }
        self.leg_mut(job, leg).enter(LegPhase::Running);
        self.add_pres(job, leg);
        self.touch(job, leg);
    }

    /// The manifest of an action in the workspace is there, or cannot be read.
    pub(super) fn action_loaded(
        &mut self,
        job: usize,
        leg: usize,
        path: &str,
        loaded: Result<PreparedAction, String>,
        outside: &dyn Outside,
    ) {
        let wants = |index: &usize| {
            self.step(job, leg, *index).phase == StepPhase::Loading
                && self.local_path(job, leg, *index) == Some(path)
        };
        let waiting: Vec<_> = (0..self.leg(job, leg).steps.len()).filter(wants).collect();
        for index in waiting {
            let told = format!("{}/action.yml", path.trim_end_matches('/'));
            let added = loaded
                .clone()
                .and_then(|it| self.add_action(job, leg, path, &told, it));
            match added {
                Ok(action) => {
                    self.step_mut(job, leg, index).action = Some(action);
                    if self
                        .manifest(job, leg, index)
                        .is_some_and(Manifest::has_pre)
                    {
                        let note =
                            format!("`uses: {path}`: its `pre` is left out, it is known too late");
                        self.note(job, leg, note);
                    }
                    self.go_on_with_action(job, leg, index, outside);
                }
                Err(problem) => {
                    let problem = format!("`uses: {path}`: {problem}");
                    self.fail_step(job, leg, index, &problem, outside);
                }
            }
        }
        self.touch(job, leg);
    }

    fn go_on_with_action(&mut self, job: usize, leg: usize, index: usize, outside: &dyn Outside) {
        let own = self.sight(job, leg, Some(index), outside).env();
        let entered = own.and_then(|(_, own)| self.enter_action(job, leg, index, &own, outside));
        if let Err(problem) = entered {
            self.fail_step(job, leg, index, &problem, outside);
        }
    }

    /// The path of a step that uses an action of the workspace.
    pub(super) fn local_path(&self, job: usize, leg: usize, step: usize) -> Option<&str> {
        match &self.file_step(job, leg, step)?.action {
            StepAction::Uses {
                action: Uses::Local(path),
                ..
            } => Some(path),
            StepAction::Uses { .. }
            | StepAction::Run { .. }
            | StepAction::Wait(_)
            | StepAction::WaitAll
            | StepAction::Cancel(_)
            | StepAction::Parallel(_) => None,
        }
    }

    /// Keeps an action for the steps of a job, and gives its place.
    fn add_action(
        &mut self,
        job: usize,
        leg: usize,
        reference: &str,
        path: &str,
        prepared: PreparedAction,
    ) -> Result<usize, String> {
        let text = ManifestText {
            source: prepared.manifest,
            home: home_kind(&prepared.home),
        };
        let known = self.state.ground.manifests.iter().position(|it| *it == text);
        let manifest = match known {
            Some(known) => known,
            None => {
                let manifest = read_manifest(&text, path)?;
                self.manifests.push(Arc::new(manifest));
                self.state.ground.manifests.push(text);
                self.manifests.len() - 1
            }
        };
        let actions = &mut self.leg_mut(job, leg).actions;
        actions.push(LegAction {
            reference: reference.to_owned(),
            manifest,
            home: prepared.home,
            commit: prepared.commit,
        });
        Ok(actions.len() - 1)
    }

    pub(super) fn note(&mut self, job: usize, leg: usize, note: String) {
        let notes = &mut self.leg_mut(job, leg).notes;
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// Puts what actions do beforehand before the steps of the file.
    fn add_pres(&mut self, job: usize, leg: usize) {
        let mut pres = Vec::new();
        for main in 0..self.job(job).steps.len() {
            let reference = self
                .action_reference(job, leg, main)
                .map(ToString::to_string);
            let Some(reference) = reference else {
                continue;
            };
            let actions = self.leg(job, leg).actions.iter();
            let action = actions.into_iter().position(|it| it.reference == reference);
            self.step_mut(job, leg, main).action = action;
            if self.has_pre(job, leg, main) {
                pres.push(self.add_part(job, leg, main, Part::Pre, None));
            }
        }
        self.leg_mut(job, leg).order.splice(0..0, pres);
    }

    /// Whether the action of a main part, or one inside it, has something to do beforehand.
    pub(super) fn has_pre(&self, job: usize, leg: usize, main: usize) -> bool {
        let manifest = self.manifest(job, leg, main);
        manifest.is_some_and(|it| self.manifest_has_pre(job, leg, it, &mut Vec::new()))
    }

    fn manifest_has_pre<'a>(
        &'a self,
        job: usize,
        leg: usize,
        manifest: &'a Manifest,
        seen: &mut Vec<&'a str>,
    ) -> bool {
        if manifest.has_pre() {
            return true;
        }
        let inner: Vec<_> = manifest.steps().iter().flat_map(repositories).collect();
        for action in inner {
            let reference = action.to_string();
            let actions = &self.leg(job, leg).actions;
            let Some(known) = actions.iter().find(|it| it.reference == reference) else {
                continue;
            };
            if seen.contains(&known.reference.as_str()) {
                continue;
            }
            seen.push(&known.reference);
            let manifest = self.manifests.get(known.manifest);
            if manifest.is_some_and(|it| self.manifest_has_pre(job, leg, it, seen)) {
                return true;
            }
        }
        false
    }

    /// Makes the steps of a composite action, once.
    pub(super) fn ensure_children(&mut self, job: usize, leg: usize, main: usize) {
        if !self.step(job, leg, main).children.is_empty() {
            return;
        }
        let Some(manifest) = self.manifest(job, leg, main) else {
            return;
        };
        let found: Vec<_> = manifest
            .steps()
            .iter()
            .map(|step| {
                let reference = repositories(step).next().map(ToString::to_string);
                let actions = self.leg(job, leg).actions.iter();
                let known = reference.and_then(|it| {
                    actions
                        .into_iter()
                        .position(|action| action.reference == it)
                });
                (static_name(step), known)
            })
            .collect();
        let steps = &mut self.leg_mut(job, leg).steps;
        let first = steps.len();
        for (at, (name, action)) in found.into_iter().enumerate() {
            steps.push(StepState {
                name,
                main: first + at,
                at,
                within: Some(main),
                scope: Some(main),
                action,
                ..StepState::default()
            });
        }
        let children = (first..steps.len()).collect();
        self.step_mut(job, leg, main).children = children;
    }

    /// Keeps what the steps of a composite action see of their caller.
    pub(super) fn keep_call(
        &mut self,
        job: usize,
        leg: usize,
        main: usize,
        own: &[(String, String)],
        outside: &dyn Outside,
    ) -> Result<(), String> {
        let (inputs, notes) = {
            let sight = self.sight(job, leg, Some(main), outside);
            let (env, _) = sight.env()?;
            sight.inputs(&env)?
        };
        let secrets = self.own_secrets(job, leg, outside).into_owned();
        for note in notes {
            self.note(job, leg, note);
        }
        let seal = |(name, value): &(String, String)| (name.clone(), secrets.seal(value));
        let step = self.step_mut(job, leg, main);
        step.inputs = inputs.iter().map(seal).collect();
        step.env = own.iter().map(seal).collect();
        Ok(())
    }
}

/// Of a folder it matters only that it is none of the executor's own.
fn home_kind(home: &crate::ActionHome) -> crate::ActionHome {
    match home {
        crate::ActionHome::Native => crate::ActionHome::Native,
        crate::ActionHome::Folder(_) => crate::ActionHome::Folder(String::new()),
    }
}

pub(super) fn read_manifest(text: &ManifestText, path: &str) -> Result<Manifest, String> {
    let parsed = Manifest::parse(&text.source, path, &text.home);
    let first = parsed
        .diagnostics
        .iter()
        .find(|it| it.severity == yaml::Severity::Error);
    let told = first.map(ToString::to_string).unwrap_or_default();
    parsed.manifest.ok_or(told)
}

/// The actions of repositories that a step uses; steps of a `parallel` block count.
fn repositories(step: &Step) -> impl Iterator<Item = &ActionRef> {
    let mut found = Vec::new();
    collect(step, &mut found);
    found.into_iter()
}

fn collect<'a>(step: &'a Step, found: &mut Vec<&'a ActionRef>) {
    match &step.action {
        StepAction::Uses {
            action: Uses::Repository(action),
            ..
        } => found.push(action),
        StepAction::Parallel(inner) => inner.iter().for_each(|it| collect(it, found)),
        StepAction::Uses { .. }
        | StepAction::Run { .. }
        | StepAction::Wait(_)
        | StepAction::WaitAll
        | StepAction::Cancel(_) => {}
    }
}
