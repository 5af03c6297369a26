//! Which part of a run is wanted, where somebody asks for less than all of it.

use api::Conclusion;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Reason, Run};
use crate::Workflow;

/// A part of a run; the default is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Ids of jobs; they and all that they need run. None are all.
    pub jobs: Vec<String>,
    /// Keys of matrices with a value; of several values of a key one must fit.
    pub matrix: Vec<(String, String)>,
}

impl Selection {
    /// Whether a job of the run's own file is wanted.
    pub fn takes_job(&self, workflow: &Workflow, id: &str) -> bool {
        let is = |other: &str| other.eq_ignore_ascii_case(id);
        self.jobs.is_empty()
            || self
                .jobs
                .iter()
                .any(|job| is(job) || workflow.ancestors(job).iter().any(|it| is(&it.id)))
    }

    /// Whether a combination of a matrix is wanted; keys that it lacks say nothing about it.
    pub fn takes_leg(&self, values: &Value) -> bool {
        let found = |key: &str| {
            let mut entries = values.as_object()?.iter();
            entries
                .find(|(it, _)| it.eq_ignore_ascii_case(key))
                .map(|(_, value)| text(value))
        };
        self.matrix.iter().all(|(key, _)| {
            let Some(value) = found(key) else { return true };
            let mut wanted = self.matrix.iter();
            wanted.any(|(it, wanted)| it.eq_ignore_ascii_case(key) && *wanted == value)
        })
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

impl Run {
    /// Ends the jobs that nobody asked for.
    pub(super) fn leave_out(&mut self) {
        let selection = self.state.ground.start.selection.clone();
        let Some(file) = self.files.first().cloned() else {
            return;
        };
        let jobs: Vec<_> = self.jobs_of(0).collect();
        for job in jobs {
            if !selection.takes_job(&file, &self.job(job).id) {
                let reason = format!("only {} was asked for", selection.jobs.join(", "));
                self.end_job(job, Conclusion::Skipped, Some(Reason::new(reason)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(wanted: &[(&str, &str)], values: Value, expected: bool) {
        let matrix = wanted
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let selection = Selection {
            matrix,
            ..Selection::default()
        };
        assert_eq!(selection.takes_leg(&values), expected);
    }

    #[test]
    fn legs_fit_by_every_key_that_they_have() {
        let leg = || json!({"os": "linux", "node": 20});
        check(&[], leg(), true);
        check(&[("node", "20")], leg(), true);
        check(&[("node", "18")], leg(), false);
        check(&[("node", "18"), ("NODE", "20")], leg(), true);
        check(&[("node", "20"), ("os", "mac")], leg(), false);
        check(&[("arch", "arm")], leg(), true);
        check(&[("arch", "arm")], Value::Null, true);
    }
}
