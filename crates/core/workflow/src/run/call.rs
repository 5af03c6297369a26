//! Jobs that call another workflow: its jobs become jobs of the run.

use std::sync::Arc;

use api::Conclusion;
use serde_json::{Map, Value};

use super::{
    LoadedWorkflow, Outside, Reason, Run, WorkflowHome,
    conditions::ended,
    leg_state::LegPhase,
    state::{Gate, JobPhase},
    steps::put,
};
use crate::{CallSecrets, Workflow, expr::Scope};

/// GitHub's limits: files called inside one another, the first included, and files of one run beside the first.
const CALL_DEPTH_MAX: usize = 10;
const CALLED_FILES_MAX: usize = 50;

type Outputs = Vec<(String, String)>;

impl Run {
    /// The file that a job calls is there, or cannot be had.
    pub(super) fn workflow_loaded(
        &mut self,
        job: usize,
        leg: usize,
        loaded: Result<LoadedWorkflow, String>,
        outside: &dyn Outside,
    ) {
        if self.leg(job, leg).phase != LegPhase::Loading {
            return;
        }
        if let Err(problem) = loaded.and_then(|it| self.enter_call(job, leg, it, outside)) {
            let called = self
                .job(job)
                .call
                .as_ref()
                .map(|it| it.workflow.to_string());
            let problem = format!("`{}`: {problem}", called.unwrap_or_default());
            let secrets = self.own_secrets(job, leg, outside);
            let problem = secrets.masker().mask(&problem);
            self.fail_leg(job, leg, &problem);
        }
    }

    fn enter_call(
        &mut self,
        job: usize,
        leg: usize,
        loaded: LoadedWorkflow,
        outside: &dyn Outside,
    ) -> Result<(), String> {
        self.check_depth(job, &loaded)?;
        let workflow = crate::parse::again(&loaded.source, &loaded.path)?;
        let interface = workflow
            .triggers
            .workflow_call
            .as_ref()
            .ok_or("it cannot be called: it does not listen to `workflow_call`")?;
        let inputs = {
            let call = self.job(job).call.as_ref().ok_or("it calls nothing")?;
            let scope = self.leg_scope(job, leg);
            let mut given = Map::new();
            for (name, tree) in &call.inputs {
                let value = tree
                    .evaluate(&scope)
                    .map_err(|error| format!("input `{name}` has no value: {error}"))?;
                given.insert(name.clone(), value);
            }
            if let CallSecrets::Named(named) = &call.secrets {
                let secrets = self.own_secrets(job, leg, outside);
                let mut scope = self.leg_scope(job, leg);
                scope.set_lazy("secrets", move || secrets.to_json());
                for (name, template) in named {
                    template
                        .evaluate_text(&scope)
                        .map_err(|error| format!("secret `{name}` has no value: {error}"))?;
                }
            }
            match &call.secrets {
                CallSecrets::Inherit => {}
                CallSecrets::None => interface.check_secrets(&[])?,
                CallSecrets::Named(named) => {
                    let names: Vec<_> = named.iter().map(|(name, _)| name.as_str()).collect();
                    interface.check_secrets(&names)?;
                }
            }
            let mut defaults = self.base_scope(self.job_state(job).frame);
            defaults.set("inputs", Value::Object(given.clone()));
            interface.read_inputs(&given, &defaults)?
        };
        let caller = Some((job, leg));
        let frame = self
            .state
            .open_frame(&workflow, caller, loaded.home, Value::Object(inputs));
        if self.files.len() < self.state.ground.files.len() {
            self.files.push(Arc::new(workflow));
        }
        self.work.learn(&self.files, &self.state);
        let state = self.leg_mut(job, leg);
        state.frame = Some(frame);
        state.enter(LegPhase::Calling);
        if let Err(problem) = self.open_gate(frame) {
            self.drop_frame(frame);
            return Err(problem);
        }
        for inner in self.jobs_of(frame) {
            self.touch_job(inner);
        }
        Ok(())
    }

    fn check_depth(&self, job: usize, loaded: &LoadedWorkflow) -> Result<(), String> {
        let mut depth = 2;
        let mut at = Some(job);
        while let Some(job) = at {
            let frame = self.frame(job);
            let same = |home: &WorkflowHome| {
                home.repository == loaded.home.repository && home.commit == loaded.home.commit
            };
            if same(&frame.home) && self.file(job).path == loaded.path {
                return Err("it calls itself".to_owned());
            }
            at = frame.caller.map(|(caller, _)| caller);
            depth += usize::from(at.is_some());
        }
        if depth > CALL_DEPTH_MAX {
            return Err(format!(
                "workflows call one another {depth} deep, expected at most {CALL_DEPTH_MAX}"
            ));
        }
        let known =
            |it: &super::state::FileText| it.source == loaded.source && it.path == loaded.path;
        if self.state.ground.files.len() > CALLED_FILES_MAX && !self.state.ground.files.iter().any(known) {
            return Err(format!(
                "the run calls more than {CALLED_FILES_MAX} workflow files"
            ));
        }
        Ok(())
    }

    /// Takes a frame out of the run; its jobs stay in the state but are never looked at.
    pub(super) fn drop_frame(&mut self, frame: usize) {
        if let Some(state) = self.state.frames.get_mut(frame) {
            state.gone = true;
        }
        for job in self.jobs_of(frame) {
            for leg in 0..self.job_state(job).legs.len() {
                if let Some(inner) = self.leg(job, leg).frame {
                    self.drop_frame(inner);
                }
                self.work.open.remove(&(job, leg));
                self.work.dirty.remove(&(job, Some(leg)));
            }
            self.work.dirty.remove(&(job, None));
            self.job_state_mut(job).phase = JobPhase::Done;
        }
    }

    /// The call is over when all jobs of the called file are.
    pub(super) fn finish_call(&mut self, job: usize, leg: usize, outside: &dyn Outside) {
        let Some(frame) = self.leg(job, leg).frame else {
            return;
        };
        let mut jobs = self.jobs_of(frame);
        if !jobs.all(|it| self.job_state(it).phase == JobPhase::Done) {
            return;
        }
        let conclusion = match (self.overall(frame), &self.leg(job, leg).cancelled) {
            (Conclusion::Success | Conclusion::Skipped, Some(_)) => Conclusion::Cancelled,
            (conclusion, _) => conclusion,
        };
        let mut reason = self.call_reason(frame, conclusion);
        if let Some(why) = &self.leg(job, leg).cancelled {
            reason = Some(Reason::new(why));
        }
        match self.call_outputs(job, leg, frame, outside) {
            Ok((outputs, notes)) => {
                let state = self.job_state_mut(job);
                for (name, value) in outputs {
                    put(&mut state.outputs, &name, value);
                }
                self.leg_mut(job, leg).notes.extend(notes);
                self.end_leg(job, leg, conclusion, reason);
            }
            Err(problem) => self.fail_leg(job, leg, &problem),
        }
    }

    fn call_reason(&self, frame: usize, conclusion: Conclusion) -> Option<Reason> {
        let decided = |it: &usize| self.job_state(*it).result == Some(conclusion);
        let job = self.jobs_of(frame).find(decided)?;
        (conclusion != Conclusion::Success)
            .then(|| Reason::ancestor(&self.job_state(job).id, ended(conclusion)))
            .map(|it| Reason {
                text: format!("its job `{}` {}", self.job(job).id, ended(conclusion)),
                ..it
            })
    }

    /// The outputs of a called workflow and notes on those that are dropped.
    fn call_outputs(
        &self,
        job: usize,
        leg: usize,
        frame: usize,
        outside: &dyn Outside,
    ) -> Result<(Outputs, Vec<String>), String> {
        let mut kept = Vec::new();
        let mut notes = Vec::new();
        let Some(file) = self.file_of(frame) else {
            return Ok((kept, notes));
        };
        let secrets = self.own_secrets(job, leg, outside);
        let mut scope: Scope<'_> = self.base_scope(frame);
        scope.set_lazy("jobs", move || {
            let jobs = self.jobs_of(frame);
            jobs.map(|it| (self.job(it).id.clone(), self.result_of(it)))
                .collect::<Map<String, Value>>()
                .into()
        });
        let outputs = file.triggers.workflow_call.as_ref().map(|it| &it.outputs);
        for (name, template) in outputs.into_iter().flatten() {
            let value = template
                .evaluate_text(&scope)
                .map_err(|error| format!("output `{name}` has no value: {error}"))?;
            if secrets.masker().mask(&value) != value {
                notes.push(format!(
                    "output `{name}` is dropped: it may contain a secret"
                ));
            } else if !value.is_empty() {
                kept.push((name.clone(), value));
            }
        }
        Ok((kept, notes))
    }

    pub(super) fn file_of(&self, frame: usize) -> Option<&Workflow> {
        let file = self.state.frames.get(frame)?.file;
        self.files.get(file).map(|it| &**it)
    }

    /// Ends every job of a file that never got its concurrency group.
    pub(super) fn abandon_frame(&mut self, frame: usize, why: &str) {
        let gate = self.state.frames.get(frame).map(|it| &it.group);
        if gate.is_none_or(Gate::is_open) {
            return;
        }
        for job in self.jobs_of(frame) {
            if self.job_state(job).phase != JobPhase::Done {
                self.end_job(job, Conclusion::Cancelled, Some(Reason::new(why)));
            }
        }
    }
}
