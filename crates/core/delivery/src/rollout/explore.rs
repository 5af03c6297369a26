//! Every order of events of small changeovers: writes that break off, pods that come and go,
//! measurements of all kinds, requests of a person.

use std::{
    collections::{HashSet, VecDeque},
    hash::Hash,
    time::Duration,
};

use api::{
    AnalysisPlan, AnalysisProgress, BlueGreenPlan, CanaryPlan, CanaryStep, MeasuredVerdict as Verdict, ObjectRef, RolloutPhase as Phase, RolloutPlan,
    TrafficSplit, WorkloadRollout,
};
use names::Timestamp;

use super::{
    Ask, Others, Picture, Reading, Seen, Sight, Stable, advance, ask,
    analysis::measure_now,
    picture, returning,
};

/// One beat of the clock; intervals and pauses are as long.
const BEAT: Duration = Duration::from_secs(30);

/// Nothing is told apart that lies further back than this many beats.
const BEATS_KEPT: u64 = 1;

/// Longer than any time that is told apart, so that patience never ends by itself.
const PATIENCE: Duration = Duration::from_secs(3600);

/// More states than this mean that something grows without end.
const STATES_MAX: usize = 200_000;

const NOW_SECONDS: u64 = 1_000_000;

fn now() -> Timestamp {
    Timestamp::default() + Duration::from_secs(NOW_SECONDS)
}

/// A changeover, and the cluster that it acts on.
#[derive(Clone, Debug)]
struct World {
    it: WorkloadRollout,
    stable: Template,
    stable_pods: u32,
    stable_ready: bool,
    canary: Option<(u32, bool)>,
    weight: Option<u8>,
    others: Others,
    /// Whether this weight was found good, or a person went on without.
    proven: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Template {
    Old,
    New,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// The first so many writes of a look; a crash may come after any of them.
    Write(usize),
    Look(Option<Verdict>),
    CanaryReady(bool),
    CanaryFails,
    StableReady(bool),
    StableFails,
    Beat,
    Ask(Ask),
    OthersPass,
}

fn events() -> Vec<Event> {
    let looks = [None, Some(Verdict::Good), Some(Verdict::Bad), Some(Verdict::Inconclusive), Some(Verdict::Unknown)];
    let asks = [Ask::Next, Ask::Full, Ask::Back];
    let mut all = vec![
        Event::Write(1),
        Event::Write(2),
        Event::Write(3),
        Event::CanaryReady(true),
        Event::CanaryReady(false),
        Event::CanaryFails,
        Event::StableReady(true),
        Event::StableReady(false),
        Event::StableFails,
        Event::Beat,
        Event::OthersPass,
    ];
    all.extend(looks.map(Event::Look));
    all.extend(asks.map(Event::Ask));
    all
}

impl World {
    fn new(plan: RolloutPlan) -> Self {
        let object = ObjectRef {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            plural: "deployments".into(),
            namespace: Some("shop".into()),
            name: "web".into(),
        };
        let it = WorkloadRollout {
            object,
            plan,
            services: vec!["web".into()],
            stable: "a".into(),
            canary: "b".into(),
            replicas_stable: 2,
            replicas_canary: 2,
            phase: Phase::Starting,
            step: 0,
            weight: 0,
            since: now(),
            stable_changed: false,
            unready_since: None,
            analysis: AnalysisProgress::default(),
            message: String::new(),
            paused: false,
        };
        Self { it, stable: Template::Old, stable_pods: 2, stable_ready: true, canary: None, weight: None, others: Others::NotYet, proven: false }
    }

    fn wish(&self) -> Picture {
        picture(&self.it, TrafficSplit::Proxy)
    }

    /// Brings the first `count` of: requests, first Deployment, second Deployment in line.
    fn write(&mut self, count: usize) {
        let wish = self.wish();
        if self.weight != wish.weight {
            self.check_weight(wish.weight);
            self.weight = wish.weight;
        }
        if count < 2 {
            return;
        }
        let template = match wish.stable {
            Stable::Old(_) => Template::Old,
            Stable::New => Template::New,
            Stable::Leave => self.stable,
        };
        if template != self.stable {
            if template == Template::New {
                assert_eq!(self.weight, Some(100), "the first Deployment changes while it serves: {self:?}");
            }
            (self.stable, self.stable_ready) = (template, false);
        }
        if count < 3 {
            return;
        }
        match (wish.canary, self.canary) {
            (None, _) => {
                assert!(matches!(self.weight, None | Some(0)), "the second Deployment goes while it serves: {self:?}");
                self.canary = None;
            }
            (Some(pods), Some((have, ready))) => self.canary = Some((pods, ready && pods <= have)),
            (Some(pods), None) => self.canary = Some((pods, pods == 0)),
        }
    }

    /// What must hold when the share of the new version changes.
    fn check_weight(&self, wanted: Option<u8>) {
        let Some(wanted) = wanted else {
            let same = self.canary.is_none() || self.it.phase == Phase::Finishing;
            assert!(same, "an unproven version gets its share unasked: {self:?}");
            return;
        };
        if wanted > self.weight.unwrap_or(0) {
            let pods = super::routed(2, wanted);
            let (have, _) = self.canary.unwrap_or((0, false));
            assert!(have >= pods, "too few pods for {wanted}%: {self:?}");
        }
    }

    fn sight(&self, readings: Option<Vec<Reading>>) -> Sight {
        let wish = self.wish();
        let stable_as_wished = match wish.stable {
            Stable::Old(_) => self.stable == Template::Old,
            Stable::New => self.stable == Template::New,
            Stable::Leave => true,
        };
        let waiting = || Seen::Waiting("pods".into());
        let stable = if stable_as_wished && self.stable_ready { Seen::Ready } else { waiting() };
        let canary = match (self.canary, wish.canary) {
            (None, _) => Seen::Absent,
            (Some((have, true)), Some(wanted)) if have == wanted => Seen::Ready,
            (Some(_), _) => waiting(),
        };
        Sight { stable, canary, others: self.others, readings, patience: PATIENCE }
    }

    fn look(&mut self, sight: &Sight) {
        let before = (self.it.weight, self.it.phase);
        // What the service does with a verdict: everything goes back.
        if advance(&mut self.it, sight, now()).is_some() {
            returning(&mut self.it, now());
        }
        if self.it.weight > before.0 && before.0 > 0 {
            assert!(self.proven || analysis_of(&self.it.plan).is_none(), "more requests without evidence: {before:?} {self:?}");
        }
        if self.it.weight > before.0 {
            assert_eq!(sight.canary, Seen::Ready, "requests go to pods that are not ready: {before:?} {self:?}");
        }
        if self.it.weight != before.0 {
            self.proven = false;
        }
    }

    /// `None` when the event cannot happen now.
    fn after(&self, event: Event) -> Option<Self> {
        let mut next = self.clone();
        match event {
            Event::Write(count) => next.write(count),
            Event::Look(None) => {
                let sight = next.sight(None);
                next.look(&sight);
            }
            Event::Look(Some(verdict)) => {
                measure_now(&next.it, now())?;
                // The evidence is for the weight that requests really meet.
                if next.weight != Some(next.it.weight) {
                    return None;
                }
                next.proven |= verdict == Verdict::Good;
                let sight = next.sight(Some(vec![Reading { verdict, text: String::new() }]));
                next.look(&sight);
            }
            Event::CanaryReady(ready) => next.canary = Some((next.canary?.0, ready)),
            Event::CanaryFails => {
                let sight = Sight { canary: next.canary.map(|_| Seen::Failed("no".into()))?, ..next.sight(None) };
                next.look(&sight);
            }
            Event::StableReady(ready) => next.stable_ready = ready,
            Event::StableFails => {
                let sight = Sight { stable: Seen::Failed("no".into()), ..next.sight(None) };
                next.look(&sight);
            }
            Event::Beat => next.beat(),
            Event::Ask(what) => {
                next.proven |= what != Ask::Back;
                ask(&mut next.it, what, now());
            }
            Event::OthersPass => next.others = Others::Passed,
        }
        next.simplify();
        Some(next)
    }

    /// Everything was a beat earlier.
    fn beat(&mut self) {
        let earliest = NOW_SECONDS - BEATS_KEPT * BEAT.as_secs();
        let earlier = |at: Timestamp| {
            let seconds = at.since(Timestamp::default()).as_secs().saturating_sub(BEAT.as_secs()).max(earliest);
            Timestamp::default() + Duration::from_secs(seconds)
        };
        self.it.since = earlier(self.it.since);
        self.it.unready_since = self.it.unready_since.map(earlier);
        self.it.analysis.due = self.it.analysis.due.map(earlier);
    }

    /// Drops what nothing depends on.
    fn simplify(&mut self) {
        let progress = &mut self.it.analysis;
        progress.mark = 0;
        progress.good = progress.good.min(1);
        progress.inconclusive = progress.inconclusive.min(1);
        progress.errors = progress.errors.min(1);
        // Only a bad one that was forgiven matters later.
        progress.latest.retain(|it| it.verdict == Verdict::Bad);
        let surplus = progress.latest.len().saturating_sub(1);
        progress.latest.drain(..surplus);
        if let Some(since) = &mut self.it.unready_since {
            *since = now();
        }
    }

    fn key(&self) -> impl Hash + Eq + use<> {
        let (it, progress) = (&self.it, &self.it.analysis);
        (
            (it.phase, it.step, it.weight, it.since, it.stable_changed, it.unready_since.is_some()),
            (progress.due, progress.good, progress.inconclusive, progress.errors, progress.waived, progress.failures, progress.latest.len()),
            (self.stable == Template::New, self.stable_ready, self.canary, self.weight, self.others == Others::Passed, self.proven),
        )
    }

    /// Everybody helps: pods get ready, measurements are good, nothing crashes.
    fn settle(&mut self) {
        for _ in 0..25 {
            self.write(3);
            self.canary = self.canary.map(|(pods, _)| (pods, true));
            (self.stable_ready, self.others) = (true, Others::Passed);
            let readings = measure_now(&self.it, now()).map(|_| vec![Reading { verdict: Verdict::Good, text: String::new() }]);
            self.proven = true;
            let sight = self.sight(readings);
            self.look(&sight);
            self.beat();
        }
        self.write(3);
    }

    /// What is left in the end.
    fn end(&self) -> String {
        format!("{} {:?} pods {} ready {} canary {:?} weight {:?}", self.it.phase, self.stable, self.stable_pods, self.stable_ready, self.canary, self.weight)
    }
}

fn analysis_of(plan: &RolloutPlan) -> Option<&AnalysisPlan> {
    match plan {
        RolloutPlan::Rolling => None,
        RolloutPlan::Canary(plan) => plan.analysis.as_ref(),
        RolloutPlan::BlueGreen(plan) => plan.analysis.as_ref(),
    }
}

const DONE: &str = "done New pods 2 ready true canary None weight None";
const GONE: &str = "gone Old pods 2 ready true canary None weight None";

/// Visits every state; from each, a person can get to both ends as far as they are still open.
fn explore(plan: &RolloutPlan) -> usize {
    let first = World::new(plan.clone());
    let (mut known, mut ahead) = (HashSet::from([first.key()]), VecDeque::from([first]));
    let events = events();
    while let Some(world) = ahead.pop_front() {
        assert!(known.len() < STATES_MAX, "the states have no end");
        check_ends(&world);
        for event in &events {
            let Some(next) = world.after(*event) else { continue };
            if known.insert(next.key()) {
                ahead.push_back(next);
            }
        }
    }
    known.len()
}

fn check_ends(world: &World) {
    for what in [Ask::Full, Ask::Back] {
        let mut world = world.clone();
        let before = world.it.phase;
        ask(&mut world.it, what, now());
        world.settle();
        let expected = match (what, before) {
            (_, Phase::Done) => DONE,
            (_, Phase::Returning | Phase::Returned | Phase::Gone) | (Ask::Back, _) => GONE,
            (Ask::Full | Ask::Next, _) => DONE,
        };
        assert_eq!(world.end(), expected, "after {what:?} in {before}: {world:?}");
    }
}

fn analysis() -> Option<AnalysisPlan> {
    Some(AnalysisPlan { errors_percent_max: Some(1.0), interval_seconds: BEAT.as_secs(), requests_min: 1, ..AnalysisPlan::default() })
}

#[test]
fn a_canary_keeps_its_promises_in_every_order_of_events() {
    let steps = vec![CanaryStep::Weight(10), CanaryStep::Pause(Some(BEAT.as_secs())), CanaryStep::Weight(60), CanaryStep::Pause(None)];
    let states = explore(&RolloutPlan::Canary(CanaryPlan { steps, analysis: analysis() }));
    assert!(states > 500, "{states}");
}

#[test]
fn a_canary_without_analysis_keeps_its_promises_as_well() {
    let steps = vec![CanaryStep::Weight(50), CanaryStep::Weight(20), CanaryStep::Pause(None), CanaryStep::Weight(100)];
    let states = explore(&RolloutPlan::Canary(CanaryPlan { steps, analysis: None }));
    assert!(states > 100, "{states}");
}

#[test]
fn a_blue_green_change_keeps_its_promises_in_every_order_of_events() {
    let plan = BlueGreenPlan { preview: None, promote_after_seconds: None, keep_seconds: BEAT.as_secs(), analysis: analysis() };
    let states = explore(&RolloutPlan::BlueGreen(plan));
    assert!(states > 200, "{states}");
}

#[test]
fn a_bad_measurement_brings_requests_back_in_one_look() {
    let steps = vec![CanaryStep::Weight(10), CanaryStep::Pause(None)];
    let mut world = World::new(RolloutPlan::Canary(CanaryPlan { steps, analysis: analysis() }));
    for _ in 0..4 {
        world.write(3);
        world.canary = world.canary.map(|(pods, _)| (pods, true));
        let sight = world.sight(None);
        world.look(&sight);
    }
    assert_eq!((world.it.phase, world.it.weight, world.weight), (Phase::Stepping, 10, Some(10)));
    world.beat();
    let sight = world.sight(Some(vec![Reading { verdict: Verdict::Bad, text: "errors".into() }]));
    let cause = advance(&mut world.it, &sight, now()).expect("it goes back");
    assert_eq!((cause.code.as_str(), cause.evidence), ("LF-D0203", vec!["errors".to_owned()]));
    returning(&mut world.it, now());
    let sight = world.sight(None);
    assert_eq!(advance(&mut world.it, &sight, now()), None);
    world.write(1);
    assert_eq!((world.it.phase, world.weight), (Phase::Returned, Some(0)));
}
