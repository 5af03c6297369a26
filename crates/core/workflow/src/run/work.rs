//! What a run knows about itself without storing it: who needs whom, and what is still to be looked at.

use std::collections::{BTreeSet, HashMap};

use super::{
    leg_state::LegPhase,
    state::{JobPhase, State},
};
use crate::Workflow;

/// Made anew when a run is loaded.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    /// Jobs and legs that may be able to move on.
    pub dirty: BTreeSet<(usize, Option<usize>)>,
    /// Legs that may have an effect to give.
    pub open: BTreeSet<(usize, usize)>,
    /// The jobs that each job needs.
    pub needs: Vec<Vec<usize>>,
    pub needed_by: Vec<Vec<usize>>,
    ids: HashMap<String, usize>,
    /// So many frames are known.
    frames: usize,
}

impl Work {
    /// Everything is to be looked at.
    pub fn of(files: &[std::sync::Arc<Workflow>], state: &State) -> Self {
        let mut work = Self::default();
        work.learn(files, state);
        work.look_at_all(state);
        work
    }

    /// Takes in the frames that are new.
    pub fn learn(&mut self, files: &[std::sync::Arc<Workflow>], state: &State) {
        for frame in state.frames.iter().skip(self.frames) {
            let Some(file) = files.get(frame.file) else {
                continue;
            };
            let positions: HashMap<String, usize> = file
                .jobs
                .iter()
                .enumerate()
                .map(|(at, job)| (job.id.to_ascii_lowercase(), frame.first + at))
                .collect();
            self.needs.resize(frame.first + frame.count, Vec::new());
            self.needed_by.resize(frame.first + frame.count, Vec::new());
            for (at, job) in file.jobs.iter().enumerate() {
                let job_at = frame.first + at;
                let needs: Vec<_> = job
                    .needs
                    .iter()
                    .filter_map(|id| positions.get(&id.to_ascii_lowercase()).copied())
                    .collect();
                for needed in &needs {
                    if let Some(list) = self.needed_by.get_mut(*needed) {
                        list.push(job_at);
                    }
                }
                if let Some(list) = self.needs.get_mut(job_at) {
                    *list = needs;
                }
            }
        }
        self.frames = state.frames.len();
        self.ids.clear();
        for (at, job) in state.jobs.iter().enumerate() {
            if state.frames.get(job.frame).is_some_and(|it| !it.gone) {
                self.ids.insert(job.id.clone(), at);
            }
        }
    }

    pub fn look_at_all(&mut self, state: &State) {
        for (at, job) in state.jobs.iter().enumerate() {
            if state.frames.get(job.frame).is_none_or(|it| it.gone) {
                continue;
            }
            if job.phase != JobPhase::Done {
                self.dirty.insert((at, None));
            }
            for (leg, it) in job.legs.iter().enumerate() {
                self.open.insert((at, leg));
                if it.phase != LegPhase::Done {
                    self.dirty.insert((at, Some(leg)));
                }
            }
        }
    }

    pub fn job(&self, id: &str) -> Option<usize> {
        self.ids.get(id).copied()
    }

    pub fn needs_of(&self, job: usize) -> &[usize] {
        self.needs.get(job).map_or(&[], Vec::as_slice)
    }

    pub fn needing(&self, job: usize) -> &[usize] {
        self.needed_by.get(job).map_or(&[], Vec::as_slice)
    }

    /// All jobs that must end before `job` starts, direct and indirect, in the order of the file.
    pub fn ancestors(&self, job: usize) -> BTreeSet<usize> {
        Self::closure(job, |it| self.needs_of(it))
    }

    /// All jobs that wait for `job`, direct and indirect.
    pub fn descendants(&self, job: usize) -> BTreeSet<usize> {
        Self::closure(job, |it| self.needing(it))
    }

    fn closure<'a>(job: usize, next: impl Fn(usize) -> &'a [usize]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = next(job).to_vec();
        while let Some(at) = open.pop() {
            if found.insert(at) {
                open.extend(next(at));
            }
        }
        found
    }
}
