//! A stage for runs: an executor that answers every effect from a script and writes down what it was asked.

use std::collections::{BTreeMap, BTreeSet};

use names::Timestamp;
use serde_json::{Value, json};
use workflow::{
    ActionHome, Effect, Event, JobStart, LoadedWorkflow, Place, PreparedAction, Run, Secrets,
    Start, StepEnd, StepKey, StepReport, StepStart, StepWork, WorkflowHome, parse,
};

/// What stands outside of a run in a test.
#[derive(Clone)]
pub struct Stage {
    source: String,
    pub start: Start,
    pub secrets: Vec<(String, String)>,
    pub place: Place,
    actions: BTreeMap<String, PreparedAction>,
    workflows: BTreeMap<String, String>,
    reports: BTreeMap<String, StepReport>,
    /// Steps that run until they are stopped.
    endless: BTreeSet<String>,
    /// Events to tell when a step of this name starts.
    asides: BTreeMap<String, Vec<Event>>,
    /// Groups and environments are answered by hand.
    pub manual_gates: bool,
}

/// A run on its stage.
pub struct Played {
    pub run: Run,
    pub now: Timestamp,
    stage: Stage,
    secrets: Secrets,
    pending: Vec<Event>,
    answered: BTreeSet<String>,
    stopped: BTreeSet<StepKey>,
    /// Whether what is taken up again after a crash is told again.
    echoes: bool,
    pub trace: Vec<String>,
    /// Steps as they were described, by name.
    pub steps: BTreeMap<String, StepStart>,
    pub jobs: BTreeMap<String, JobStart>,
}

impl Stage {
    pub fn new(source: &str) -> Self {
        let start = Start {
            github: json!({
                "ref": "refs/heads/main", "sha": "abc", "event_name": "push", "repository": "o/r",
                "event": {"x": 1}, "run_attempt": "1", "workflow": "CI",
            }),
            vars: json!({"REGION": "eu"}),
            inputs: json!({}),
            ..Start::default()
        };
        Self {
            source: source.to_owned(),
            start,
            secrets: vec![
                ("GITHUB_TOKEN".to_owned(), "tok-123456".to_owned()),
                ("TOKEN".to_owned(), "s3cret-value".to_owned()),
            ],
            place: Place {
                workspace: "/w/r/r".into(),
                temp: "/w/_temp".into(),
                tool_cache: "/tools".into(),
                runner: "local".into(),
                os: "Linux".into(),
                arch: "X64".into(),
                bash: true,
                env: vec![
                    ("PATH".into(), "/usr/bin".into()),
                    ("HOME".into(), "/home/x".into()),
                ],
                ..Place::default()
            },
            actions: BTreeMap::new(),
            workflows: BTreeMap::new(),
            reports: BTreeMap::new(),
            endless: BTreeSet::new(),
            asides: BTreeMap::new(),
            manual_gates: false,
        }
    }

    /// `o/a@v1` or `./a`
    pub fn action(mut self, reference: &str, manifest: &str) -> Self {
        let name = reference.split('@').next().unwrap_or(reference);
        let home = ActionHome::Folder(format!("/w/_actions/{}", name.trim_start_matches("./")));
        let action = PreparedAction {
            manifest: manifest.to_owned(),
            home,
            commit: Some("c0ffee".to_owned()),
        };
        self.actions.insert(reference.to_owned(), action);
        self
    }

    pub fn native(mut self, reference: &str, manifest: &str) -> Self {
        let action = PreparedAction {
            manifest: manifest.to_owned(),
            home: ActionHome::Native,
            commit: None,
        };
        self.actions.insert(reference.to_owned(), action);
        self
    }

    /// `./.github/workflows/x.yml` or `o/r/.github/workflows/x.yml@v1`
    pub fn workflow(mut self, reference: &str, source: &str) -> Self {
        self.workflows
            .insert(reference.to_owned(), source.to_owned());
        self
    }

    /// How a step of this name ends.
    pub fn ends(self, step: &str, code: i32) -> Self {
        self.reports(step, StepReport::new(StepEnd::Exited(code)))
    }

    pub fn writes(self, step: &str, outputs: &str) -> Self {
        let report = StepReport {
            output_file: outputs.to_owned(),
            ..StepReport::new(StepEnd::Exited(0))
        };
        self.reports(step, report)
    }

    pub fn reports(mut self, step: &str, report: StepReport) -> Self {
        self.reports.insert(step.to_owned(), report);
        self
    }

    pub fn endless(mut self, step: &str) -> Self {
        self.endless.insert(step.to_owned());
        self
    }

    /// Tells something as soon as a step of this name runs.
    pub fn aside(mut self, step: &str, event: Event) -> Self {
        self.asides.entry(step.to_owned()).or_default().push(event);
        self
    }

    pub fn begin(&self) -> Played {
        let parsed = parse(&self.source, ".github/workflows/ci.yml");
        let workflow = parsed
            .workflow
            .unwrap_or_else(|| panic!("{}", yaml::render_all(&parsed.diagnostics, &self.source)));
        let now = Timestamp::from_micros(1_000_000);
        self.on(Run::new(workflow, self.start.clone(), now))
    }

    /// Another run, or the same once more, on this stage.
    pub fn on(&self, run: Run) -> Played {
        Played {
            run,
            now: Timestamp::from_micros(1_000_000),
            stage: self.clone(),
            secrets: Secrets::new(self.secrets.clone()),
            pending: Vec::new(),
            answered: BTreeSet::new(),
            stopped: BTreeSet::new(),
            echoes: false,
            trace: Vec::new(),
            steps: BTreeMap::new(),
            jobs: BTreeMap::new(),
        }
    }

    /// Plays the run to its end in order, then again with a crash after each event; both must come to the same.
    #[track_caller]
    pub fn play(&self) -> Played {
        let mut played = self.begin();
        played.play(0, false);
        let mut echoing = self.begin();
        echoing.echoes = true;
        echoing.play(0, true);
        assert_eq!(
            echoing.result(),
            played.result(),
            "with crashes, and all told twice"
        );
        for seed in 1..3 {
            let (mut smooth, mut bumpy) = (self.begin(), self.begin());
            smooth.play(seed, false);
            bumpy.play(seed, true);
            assert_eq!(
                bumpy.result(),
                smooth.result(),
                "with crashes, order {seed}"
            );
            assert_eq!(bumpy.trace, smooth.trace, "with crashes, order {seed}");
        }
        played
    }
}

impl Played {
    /// Answers until nothing is left to answer; `seed` chooses which of the open answers comes first, 0 takes the oldest.
    #[track_caller]
    pub fn play(&mut self, seed: u64, crashing: bool) -> &mut Self {
        let mut dice = seed;
        loop {
            self.drain();
            if self.pending.is_empty() {
                return self;
            }
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(seed);
            let at = if seed == 0 {
                0
            } else {
                (dice >> 33) as usize % self.pending.len()
            };
            let event = self.pending.remove(at);
            if matches!(event, Event::ActionLoaded { .. }) {
                // A step that asks for the same path later asks for something new.
                self.answered.retain(|it| !it.starts_with("LoadAction"));
            }
            self.run.handle(event, &self.secrets, self.now);
            if crashing {
                self.reload();
            }
        }
    }

    /// Takes all open effects and plans their answers.
    pub fn drain(&mut self) {
        while let Some(effect) = self.run.next_effect(&self.secrets) {
            self.take(effect);
        }
    }

    pub fn tell(&mut self, event: Event) -> &mut Self {
        self.run.handle(event, &self.secrets, self.now);
        self
    }

    pub fn later(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now + std::time::Duration::from_secs(seconds);
        self.run.handle_timeout(&self.secrets, self.now);
        self
    }

    /// Stores the run and loads it again, as after a crash.
    #[track_caller]
    pub fn reload(&mut self) {
        let stored = serde_json::to_string(&self.run).expect("a run is JSON");
        for (name, value) in self.stage.secrets.iter().filter(|(_, it)| !it.is_empty()) {
            assert!(!stored.contains(value), "secret {name} is stored: {stored}");
        }
        self.run = serde_json::from_str(&stored).expect("a stored run");
    }

    fn take(&mut self, effect: Effect) {
        let id = match &effect {
            Effect::StartStep(start) => format!("step {:?}", start.step),
            Effect::StartJob(start) => format!("job {} {}", start.job, start.attempt),
            Effect::FinishJob(end) => format!("end {} {}", end.job, end.attempt),
            other => format!("{other:?}"),
        };
        if !self.answered.insert(id) {
            return;
        }
        match effect {
            Effect::AcquireGroup(request) => {
                self.trace
                    .push(format!("group {} {:?}", request.group, request.holder));
                if !self.stage.manual_gates {
                    self.pending.push(Event::GroupGranted {
                        holder: request.holder,
                    });
                }
            }
            Effect::RequestApproval { job, environment } => {
                self.trace.push(format!("approval {environment} for {job}"));
                if !self.stage.manual_gates {
                    self.pending.push(Event::Approved {
                        job,
                        not_before: None,
                    });
                }
            }
            Effect::LoadWorkflow {
                job,
                reference,
                from,
            } => {
                let name = reference.to_string();
                self.trace.push(format!(
                    "load {name} for {job} from {}@{}",
                    from.repository, from.commit
                ));
                let missing = || format!("no file `{name}`");
                let source = self.stage.workflows.get(&name).cloned().ok_or_else(missing);
                let path = name.split('@').next().unwrap_or_default();
                let at = path.find(".github").unwrap_or_default();
                let home = match name.starts_with("./") {
                    true => from,
                    false => WorkflowHome {
                        repository: path[..at].trim_end_matches('/').to_owned(),
                        git_ref: name.split('@').next_back().unwrap_or_default().to_owned(),
                        commit: "def".to_owned(),
                    },
                };
                let loaded = |source| LoadedWorkflow {
                    path: path[at..].to_owned(),
                    source,
                    home,
                };
                self.pending.push(Event::WorkflowLoaded {
                    job,
                    workflow: source.map(loaded),
                });
            }
            Effect::StartJob(start) => {
                self.trace.push(format!("job {}", start.name));
                let (job, attempt) = (start.job.clone(), start.attempt);
                self.jobs.insert(start.name.clone(), *start);
                let place = self.stage.place.clone();
                self.pending.push(Event::JobStarted {
                    job,
                    attempt,
                    place,
                });
            }
            Effect::AdoptJob { .. } => {}
            Effect::AdoptStep { step } => {
                let name = self
                    .steps
                    .values()
                    .find(|it| it.step == step)
                    .map(|it| it.name.clone());
                let name = name.filter(|it| self.echoes && !self.stage.endless.contains(it));
                if let Some(name) = name {
                    let report = self.stage.reports.get(&name).cloned();
                    let report = report.unwrap_or_else(|| StepReport::new(StepEnd::Exited(0)));
                    self.pending.push(Event::StepStarted { step: step.clone() });
                    self.pending.push(Event::StepFinished { step, report });
                }
            }
            Effect::PrepareActions {
                job,
                attempt,
                actions,
            } => {
                let names: Vec<_> = actions.iter().map(ToString::to_string).collect();
                self.trace.push(format!("prepare {}", names.join(" ")));
                let found = actions.into_iter().map(|action| {
                    let prepared = self.stage.actions.get(&action.to_string()).cloned();
                    (action, prepared.ok_or_else(|| "not found".to_owned()))
                });
                let actions = found.collect();
                self.pending.push(Event::ActionsPrepared {
                    job,
                    attempt,
                    actions,
                });
            }
            Effect::LoadAction { job, attempt, path } => {
                self.trace.push(format!("load {path}"));
                let action = self.stage.actions.get(&path).cloned();
                let action = action.ok_or_else(|| "there is no action.yml".to_owned());
                self.pending.push(Event::ActionLoaded {
                    job,
                    attempt,
                    path,
                    action,
                });
            }
            Effect::StartStep(start) => self.start(*start),
            Effect::StopStep { step, why } => {
                self.trace
                    .push(format!("stop {}.{} {why:?}", step.job, step.index));
                self.stopped.insert(step.clone());
                let report = StepReport::new(StepEnd::Killed(2));
                self.pending.push(Event::StepFinished { step, report });
            }
            Effect::FinishJob(end) => {
                let url = end
                    .environment_url
                    .map(|it| format!(" at {it}"))
                    .unwrap_or_default();
                self.trace
                    .push(format!("end {} {}{url}", end.job, end.conclusion));
                self.pending.push(Event::JobClosed {
                    job: end.job,
                    attempt: end.attempt,
                });
            }
            Effect::FinishRun { conclusion } => self.trace.push(format!("finish {conclusion}")),
        }
    }

    fn start(&mut self, start: StepStart) {
        let what = match &start.work {
            StepWork::Command(_) => String::new(),
            StepWork::Builtin(it) => format!(" = {}", it.entry),
            StepWork::Node(it) => format!(" = node{} {}", it.version, it.script),
            StepWork::Container(it) => {
                format!(
                    " = {:?} {:?} {}",
                    it.image,
                    it.entrypoint,
                    it.args.join(",")
                )
            }
        };
        self.trace.push(format!(
            "{}{}{what}",
            "- ".repeat(usize::from(start.within.is_some())),
            start.name
        ));
        let step = start.step.clone();
        self.pending.push(Event::StepStarted { step: step.clone() });
        self.pending.extend(
            self.stage
                .asides
                .get(&start.name)
                .cloned()
                .unwrap_or_default(),
        );
        let report = self.stage.reports.get(&start.name).cloned();
        if !self.stage.endless.contains(&start.name) {
            let report = report.unwrap_or_else(|| StepReport::new(StepEnd::Exited(0)));
            self.pending.push(Event::StepFinished { step, report });
        }
        self.steps.insert(start.name.clone(), start);
    }

    /// Adds a mask, as a step does by `::add-mask::`.
    pub fn mask(&mut self, value: &str) {
        self.secrets.add_mask(value);
    }

    /// What was asked, one line each.
    pub fn told(&self) -> String {
        self.trace.iter().map(|it| format!("{it}\n")).collect()
    }

    /// Jobs with conclusion, reason and notes.
    pub fn result(&self) -> String {
        let mut lines = String::new();
        for job in self.run.jobs() {
            let conclusion = job
                .conclusion
                .map_or_else(|| format!("{:?}", job.status), |it| it.to_string());
            let reason = job.reason.map(|it| format!(": {it}")).unwrap_or_default();
            lines.push_str(&format!("{} {conclusion}{reason}\n", job.name));
            lines.extend(job.notes.iter().map(|it| format!("  note: {it}\n")));
        }
        lines
    }

    /// The steps of the first job with conclusion and reason.
    pub fn outcome(&self) -> String {
        let jobs = self.run.jobs();
        let steps = jobs
            .first()
            .map(|it| it.steps.as_slice())
            .unwrap_or_default();
        let line = |it: &workflow::StepView| {
            let conclusion = it
                .conclusion
                .map_or_else(|| format!("{:?}", it.status), |it| it.to_string());
            let reason = it
                .reason
                .as_ref()
                .map(|it| format!(": {it}"))
                .unwrap_or_default();
            format!(
                "{}{} {conclusion}{reason}\n",
                "- ".repeat(usize::from(it.within.is_some())),
                it.name
            )
        };
        steps.iter().map(line).collect()
    }

    /// One variable of a step that was started.
    #[track_caller]
    pub fn env(&self, step: &str, name: &str) -> &str {
        self.step(step).env.get(name).unwrap_or("-")
    }

    #[track_caller]
    pub fn step(&self, name: &str) -> &StepStart {
        self.steps
            .get(name)
            .unwrap_or_else(|| panic!("no step `{name}` in\n{}", self.told()))
    }

    /// The script of a `run` step.
    #[track_caller]
    pub fn script(&self, name: &str) -> &str {
        match &self.step(name).work {
            StepWork::Command(it) => &it.script,
            other => panic!("no command: {other:?}"),
        }
    }
}

/// Text that would fail at a glance is compared whole.
#[track_caller]
pub fn check(found: &str, expected: &str) {
    let expected: String = expected.trim_start_matches('\n').to_owned();
    assert!(found == expected, "found:\n{found}\nexpected:\n{expected}");
}

/// A start as a pull request from a fork makes it.
pub fn untrusted() -> Start {
    Start {
        trust: workflow::Trust::Untrusted {
            reason: "it comes from the fork `m/r`".to_owned(),
        },
        github: json!({"repository": "o/r", "sha": "abc", "ref": "refs/pull/1/merge"}),
        vars: Value::Null,
        inputs: Value::Null,
        selection: workflow::Selection::default(),
    }
}
