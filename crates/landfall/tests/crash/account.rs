//! What is told of a commit when all is over, and whether it is right.

use serde_json::Value;

use crate::{
    installation::{Installation, json},
    log,
};

/// How often a job may have started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempts {
    One,
    Several,
}

/// A commit's thread and the logs of its run.
pub struct Account {
    thread: Value,
    outcome: String,
    lines: Vec<log::Line>,
}

/// The number of the part of a log before the first step.
const SET_UP: usize = u32::MAX as usize - 1;

impl Account {
    /// Waits for the outcome of a commit.
    pub fn of(installation: &Installation, commit: &str) -> Self {
        let told = json(&installation.run(&["watch", commit, "--timeout", "60s", "--output", "json"]));
        let thread = told["thread"].clone();
        let run = thread["runs"][0]["id"].as_str().unwrap_or_else(|| panic!("{commit} has no run: {told:#}"));
        let output = installation.run(&["logs", run, "--output", "json"]);
        assert!(output.status.success(), "no logs of {run}: {}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8_lossy(&output.stdout).lines().map(log::Line::read).collect();
        Self { outcome: told["outcome"].as_str().unwrap_or_default().to_owned(), thread, lines }
    }

    /// Panics unless all is as it must be; gives how many jobs started again.
    pub fn check(&self, attempts: Attempts) -> u32 {
        assert_eq!(self.outcome, "healthy");
        let count = |key: &str| self.thread[key].as_array().map_or(0, Vec::len);
        assert_eq!((count("pushes"), count("runs"), count("releases")), (1, 1, 1), "pushes, runs and releases");
        let run = &self.thread["runs"][0];
        assert_eq!(run["conclusion"], "success");
        self.check_release(run);
        let jobs = run["jobs"].as_array().expect("jobs");
        assert_eq!(jobs.len(), 2, "jobs");
        jobs.iter().map(|job| self.check_job(job, attempts)).sum()
    }

    fn check_release(&self, run: &Value) {
        let release = &self.thread["releases"][0];
        assert_eq!((&release["state"], &release["run"]), (&"healthy".into(), &run["id"]));
        let changed = release["changes"].as_array().expect("changes");
        for (kind, name) in [("ConfigMap", "facts"), ("Deployment", "web")] {
            let is_it = |change: &&Value| change["object"]["kind"] == kind && change["object"]["name"] == name;
            assert_eq!(changed.iter().filter(is_it).count(), 1, "changes of {kind}/{name}: {release:#}");
        }
        for workload in release["workloads"].as_array().expect("workloads") {
            assert_eq!((&workload["ready"], &workload["updated"]), (&2.into(), &2.into()), "{workload:#}");
        }
    }

    /// Whether the job started again, as a number.
    fn check_job(&self, job: &Value, allowed: Attempts) -> u32 {
        let id = job["id"].as_str().expect("an id");
        let reason = job["reason"].as_str().unwrap_or_default();
        let lines: Vec<_> = self.lines.iter().filter(|line| line.job == id).collect();
        let steps = job["steps"].as_array().expect("steps");
        for step in steps {
            assert_eq!(step["conclusion"], "success", "{id}: {step:#}");
        }
        let last = lines.iter().map(|line| line.attempt).max().unwrap_or(1);
        if allowed == Attempts::One {
            assert_eq!((last, reason), (1, ""), "{id} started again");
        }
        for attempt in 1..last {
            assert!(reason.contains(&format!("attempt {attempt} was lost")), "{id} started again and does not say so: {reason}");
        }
        for attempt in 1..=last {
            for (index, step) in steps.iter().enumerate() {
                let index = step["section"].as_u64().map_or(index, |it| usize::try_from(it).expect("a small number"));
                let name = step["name"].as_str().unwrap_or_default();
                let of_step: Vec<_> = lines.iter().copied().filter(|it| (it.attempt, it.step) == (attempt, index)).collect();
                log::check(&format!("{id} / {name}, attempt {attempt}"), name, &of_step, attempt == last);
            }
        }
        // What comes before the first step has a number of its own.
        let place = |step: usize| if step == SET_UP { 0 } else { step + 1 };
        let order: Vec<_> = lines.iter().map(|line| (line.attempt, place(line.step))).collect();
        let late = order.windows(2).position(|pair| pair[0] > pair[1]).map(|at| lines[at + 1]);
        assert!(late.is_none(), "a line of {id} is not in order: {late:?} in {order:?}");
        u32::from(reason.contains("was lost"))
    }
}
