//! Runs the steps of a job one after the other, those inside actions too.

use std::time::Duration;

use api::Conclusion;

use super::{
    Outside, Run, StopReason,
    background::BACKGROUND_MAX,
    conditions::Verdict,
    expand::{number, seconds},
    step_state::{Part, Stage, StepPhase, StepState},
    steps::{script_name, static_name},
};
use crate::{Runs, StepAction, action::COMPOSITE_DEPTH_MAX, reference::Uses};

/// What a step is named after.
#[derive(Clone, Copy)]
enum NameOf {
    Given,
    Script,
}

impl Run {
    /// Decides the next step, or ends the job. Whether anything changed.
    pub(super) fn advance_steps(&mut self, job: usize, leg: usize, outside: &dyn Outside) -> bool {
        let mut changed = false;
        for step in self.leg(job, leg).background.clone() {
            if self.step(job, leg, step).phase == StepPhase::Inside {
                changed |= self.advance_inside(job, leg, step, outside);
            }
        }
        let state = self.leg(job, leg);
        let open = |it: &usize| state.steps.get(*it).is_some_and(|it| !it.lets_pass());
        let next = state.order.iter().copied().find(open);
        match next {
            Some(step) => self.advance_step(job, leg, step, outside) || changed,
            None => self.next_stage(job, leg, outside) || changed,
        }
    }

    fn advance_step(&mut self, job: usize, leg: usize, step: usize, outside: &dyn Outside) -> bool {
        match self.step(job, leg, step).phase {
            StepPhase::Pending => self.decide_step(job, leg, step, outside),
            StepPhase::Inside => self.advance_inside(job, leg, step, outside),
            StepPhase::Waiting => self.advance_wait(job, leg, step, outside),
            StepPhase::Loading
            | StepPhase::Preparing
            | StepPhase::Ready
            | StepPhase::Running
            | StepPhase::Done => false,
        }
    }

    fn advance_inside(
        &mut self,
        job: usize,
        leg: usize,
        step: usize,
        outside: &dyn Outside,
    ) -> bool {
        let state = self.leg(job, leg);
        let children = &self.step(job, leg, step).children;
        let child = |it: &usize| state.steps.get(*it);
        let next = children
            .iter()
            .find(|it| child(it).is_some_and(|it| !it.lets_pass()));
        if let Some(next) = next.copied() {
            return self.advance_step(job, leg, next, outside);
        }
        let over = children
            .iter()
            .all(|it| child(it).is_none_or(|it| it.phase == StepPhase::Done));
        if over {
            self.finish_inside(job, leg, step, outside);
        }
        over
    }

    /// The steps of the file are over: what is left in the background, then what actions do afterwards, then the end.
    fn next_stage(&mut self, job: usize, leg: usize, outside: &dyn Outside) -> bool {
        let state = self.leg_mut(job, leg);
        match state.stage {
            Stage::Steps => {
                state.stage = Stage::Rest;
                if !state.background.is_empty() {
                    let index = state.steps.len();
                    state.steps.push(StepState {
                        name: "Wait for all background steps".to_owned(),
                        part: Part::WaitForRest,
                        main: index,
                        ..StepState::default()
                    });
                    state.order.push(index);
                }
            }
            Stage::Rest => {
                state.stage = Stage::Posts;
                let posts = self.add_posts(job, leg, None, None);
                self.leg_mut(job, leg).order.extend(posts);
            }
            Stage::Posts => self.finish_leg(job, leg, outside),
        }
        true
    }

    /// Adds what the actions of a job, or inside a composite action, do afterwards: the last first.
    fn add_posts(
        &mut self,
        job: usize,
        leg: usize,
        composite: Option<usize>,
        within: Option<usize>,
    ) -> Vec<usize> {
        let state = self.leg(job, leg);
        let registered = match composite {
            None => state.posts.clone(),
            Some(main) => self.step(job, leg, main).posts.clone(),
        };
        let mut added = Vec::new();
        for main in registered.into_iter().rev() {
            if self.has_post(job, leg, main) {
                added.push(self.add_part(job, leg, main, Part::Post, within));
            }
        }
        added
    }

    fn has_post(&self, job: usize, leg: usize, main: usize) -> bool {
        let Some(manifest) = self.manifest(job, leg, main) else {
            return false;
        };
        let inner = &self.step(job, leg, main).posts;
        manifest.has_post() || inner.iter().any(|it| self.has_post(job, leg, *it))
    }

    /// Adds the pre or post part of a step, and gives its index.
    pub(super) fn add_part(
        &mut self,
        job: usize,
        leg: usize,
        main: usize,
        part: Part,
        within: Option<usize>,
    ) -> usize {
        let file = self.step(job, leg, main);
        let word = if part == Part::Pre { "Pre" } else { "Post" };
        let step = StepState {
            name: format!("{word} {}", file.name),
            part,
            main,
            at: file.at,
            sub: file.sub,
            scope: file.scope,
            within,
            ..StepState::default()
        };
        let steps = &mut self.leg_mut(job, leg).steps;
        steps.push(step);
        steps.len() - 1
    }

    /// Whether anything changed.
    fn decide_step(&mut self, job: usize, leg: usize, index: usize, outside: &dyn Outside) -> bool {
        let state = self.leg(job, leg);
        let busy = |it: &&usize| {
            let step = state.steps.get(**it);
            step.is_some_and(|it| it.phase != StepPhase::Done)
        };
        if self.step(job, leg, index).background
            && state.background.iter().filter(busy).count() >= BACKGROUND_MAX
        {
            return false;
        }
        if self.is_inside_overdue(job, leg, index) {
            let reason = "its action is over its time".to_owned();
            self.skip_step(job, leg, index, reason);
            return true;
        }
        self.name_step(job, leg, index, outside);
        // The environment comes first: a step whose `env` is broken fails before its `if` is asked.
        let env = self.sight(job, leg, Some(index), outside).env();
        let (env, own) = match env {
            Ok(env) => env,
            Err(problem) => {
                self.fail_step(job, leg, index, &problem, outside);
                return true;
            }
        };
        match self.step_condition(job, leg, index, &env, outside) {
            Verdict::Holds => {
                if self.step(job, leg, index).background {
                    self.leg_mut(job, leg).background.push(index);
                }
                if let Err(problem) = self.begin_step(job, leg, index, &own, outside) {
                    self.fail_step(job, leg, index, &problem, outside);
                }
            }
            Verdict::Fails(reason) => self.skip_step(job, leg, index, reason.text),
            Verdict::Broken(problem) => self.fail_step(job, leg, index, &problem, outside),
        }
        true
    }

    fn skip_step(&mut self, job: usize, leg: usize, index: usize, reason: String) {
        let step = self.step_mut(job, leg, index);
        step.enter(StepPhase::Done);
        step.covered = true;
        step.outcome = Some(Conclusion::Skipped);
        step.conclusion = Some(Conclusion::Skipped);
        step.reason = Some(reason);
    }

    fn is_inside_overdue(&self, job: usize, leg: usize, index: usize) -> bool {
        let mut at = self.step(job, leg, index).within;
        while let Some(outer) = at {
            let step = self.step(job, leg, outer);
            if step.stop == Some(StopReason::StepTimeout) {
                return true;
            }
            at = step.within;
        }
        false
    }

    fn name_step(&mut self, job: usize, leg: usize, index: usize, outside: &dyn Outside) {
        let part = self.step(job, leg, index).part;
        if part != Part::Main {
            return;
        }
        let named = self.file_step(job, leg, index).and_then(|it| match (&it.name, &it.action) {
            (Some(name), _) => Some((name, NameOf::Given)),
            (None, StepAction::Run { script, .. }) => Some((script, NameOf::Script)),
            (
                None,
                StepAction::Uses { .. }
                | StepAction::Wait(_)
                | StepAction::WaitAll
                | StepAction::Cancel(_)
                | StepAction::Parallel(_),
            ) => None,
        });
        let Some((template, kind)) = named.filter(|(it, _)| it.as_literal().is_none()) else {
            return;
        };
        let name = {
            let sight = self.sight(job, leg, Some(index), outside);
            let env = sight.global_env().unwrap_or_default();
            let name = template.evaluate_text(&sight.scope_with(&env));
            name.map(|it| sight.secrets.masker().mask(&it))
        };
        let name = name.map(|it| match kind {
            NameOf::Given => it,
            NameOf::Script => script_name(&it),
        });
        if let Some(name) = name.ok().filter(|it| !it.is_empty()) {
            self.step_mut(job, leg, index).name = name;
        }
    }

    /// A step whose condition holds goes to work.
    fn begin_step(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        own: &[(String, String)],
        outside: &dyn Outside,
    ) -> Result<(), String> {
        let part = self.step(job, leg, index).part;
        match part {
            Part::Pre => return self.begin_part(job, leg, index, own, outside),
            Part::Post => return self.begin_part(job, leg, index, own, outside),
            Part::WaitForRest => {
                self.step_mut(job, leg, index).enter(StepPhase::Waiting);
                return Ok(());
            }
            Part::Main => {}
        }
        let Some(file) = self.file_step(job, leg, index) else {
            return Err("the file has no such step".to_owned());
        };
        match &file.action {
            StepAction::Run { .. }
            | StepAction::Uses {
                action: Uses::Image(_),
                ..
            } => self.step_mut(job, leg, index).enter(StepPhase::Ready),
            StepAction::Uses {
                action: Uses::Repository(action),
                ..
            } => {
                let reference = action.to_string();
                let actions = self.leg(job, leg).actions.iter();
                let found = actions.into_iter().position(|it| it.reference == reference);
                let missing =
                    || format!("`{reference}` is not there: the job ended before it was fetched");
                self.step_mut(job, leg, index).action = Some(found.ok_or_else(missing)?);
                self.enter_action(job, leg, index, own, outside)?;
            }
            StepAction::Uses {
                action: Uses::Local(_),
                ..
            } => self.step_mut(job, leg, index).enter(StepPhase::Loading),
            StepAction::Wait(_) | StepAction::WaitAll => {
                self.step_mut(job, leg, index).enter(StepPhase::Waiting);
            }
            StepAction::Cancel(id) => {
                let id = id.clone();
                self.cancel_background(job, leg, index, &id);
            }
            StepAction::Parallel(inner) => {
                let inner: Vec<_> = inner.iter().map(static_name).collect();
                self.begin_inside(job, leg, index, outside)?;
                self.add_parallel(job, leg, index, inner);
            }
        }
        Ok(())
    }

    /// The action of a main part is known: begin it.
    pub(super) fn enter_action(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        own: &[(String, String)],
        outside: &dyn Outside,
    ) -> Result<(), String> {
        let composite = self
            .manifest(job, leg, index)
            .is_some_and(|it| matches!(it.runs, Runs::Composite(_)));
        if !composite {
            self.register_post(job, leg, index);
            self.step_mut(job, leg, index).enter(StepPhase::Ready);
            return Ok(());
        }
        self.check_depth_of(job, leg, index)?;
        if !self.missing_actions(job, leg, Some(index)).is_empty() {
            self.step_mut(job, leg, index).enter(StepPhase::Preparing);
            return Ok(());
        }
        self.register_post(job, leg, index);
        self.keep_call(job, leg, index, own, outside)?;
        self.ensure_children(job, leg, index);
        self.begin_inside(job, leg, index, outside)
    }

    fn check_depth_of(&self, job: usize, leg: usize, index: usize) -> Result<(), String> {
        let mut depth = 1;
        let mut at = self.step(job, leg, index).scope;
        while let Some(outer) = at {
            depth += 1;
            at = self.step(job, leg, outer).scope;
        }
        if depth > COMPOSITE_DEPTH_MAX {
            return Err(format!(
                "composite actions stand inside one another {depth} deep, expected at most {COMPOSITE_DEPTH_MAX}"
            ));
        }
        Ok(())
    }

    /// The pre or post part of an action begins.
    fn begin_part(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        own: &[(String, String)],
        outside: &dyn Outside,
    ) -> Result<(), String> {
        let (main, part) = {
            let step = self.step(job, leg, index);
            (step.main, step.part)
        };
        if part == Part::Pre {
            self.register_post(job, leg, main);
        }
        let composite = self
            .manifest(job, leg, main)
            .is_some_and(|it| matches!(it.runs, Runs::Composite(_)));
        if !composite {
            self.step_mut(job, leg, index).enter(StepPhase::Ready);
            return Ok(());
        }
        let children = if part == Part::Pre {
            self.keep_call(job, leg, main, own, outside)?;
            self.ensure_children(job, leg, main);
            let inner = self.step(job, leg, main).children.clone();
            let inner = inner.into_iter().filter(|it| self.has_pre(job, leg, *it));
            let inner: Vec<_> = inner.collect();
            let add = |it| self.add_part(job, leg, it, Part::Pre, Some(index));
            inner.into_iter().map(add).collect()
        } else {
            self.add_posts(job, leg, Some(main), Some(index))
        };
        self.step_mut(job, leg, index).children = children;
        self.begin_inside(job, leg, index, outside)
    }

    fn begin_inside(
        &mut self,
        job: usize,
        leg: usize,
        index: usize,
        outside: &dyn Outside,
    ) -> Result<(), String> {
        let minutes = {
            let sight = self.sight(job, leg, Some(index), outside);
            let (env, _) = sight.env()?;
            let template = self
                .file_step(job, leg, index)
                .and_then(|it| it.timeout_minutes.as_ref());
            number(template, &sight.scope_with(&env))
                .map_err(super::expand::broken("timeout-minutes"))?
        };
        let now = self.state.now;
        let step = self.step_mut(job, leg, index);
        step.timeout_secs = minutes.map(seconds).filter(|it| *it > 0);
        step.deadline = step.timeout_secs.map(|it| now + Duration::from_secs(it));
        step.started = step.started.or(Some(now));
        step.enter(StepPhase::Inside);
        Ok(())
    }

    /// What is to be done after the job, once the action has begun.
    fn register_post(&mut self, job: usize, leg: usize, index: usize) {
        let step = self.step(job, leg, index);
        let (main, scope) = (step.main, step.scope);
        let wanted = self
            .manifest(job, leg, main)
            .is_some_and(|it| it.has_post() || matches!(it.runs, Runs::Composite(_)));
        if !wanted {
            return;
        }
        let posts = match scope {
            None => &mut self.leg_mut(job, leg).posts,
            Some(composite) => &mut self.step_mut(job, leg, composite).posts,
        };
        if !posts.contains(&main) {
            posts.push(main);
        }
    }
}
