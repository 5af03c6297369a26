//! Random lives of apps: bad revisions, drift, requests and crashes in any order.

use std::sync::LazyLock;

use api::{AppSpec, AppStatus, Automated};

use super::*;
use crate::gitops::{Choice, Standing, choose};

/// So many lives are lived in one test.
const SEEDS: u64 = 200;

/// So many things happen in one life.
const EVENTS: usize = 40;

/// After so many looks without an event an app has come to rest.
const LOOKS_MAX: usize = 60;

/// Digests are slow to compute in a build for tests.
static RENDERED: LazyLock<Vec<Digest>> = LazyLock::new(|| (0..=u8::MAX).map(|number| Digest::of(&[number])).collect());

fn revision(number: u8) -> Revision {
    Revision { commits: Vec::new(), rendered: RENDERED[usize::from(number)] }
}

fn cause() -> Cause {
    Cause { code: "LF-D0202".into(), summary: "bad".into(), evidence: Vec::new(), help: Vec::new() }
}

/// A small random source, the same for the same seed everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (it ^ (it >> 31)) % sides
    }
}

/// An app, the Git it follows and the cluster it writes to.
struct World {
    app: App,
    /// What Git renders: odd numbers are good, even ones are bad.
    git: u8,
    /// What the cluster holds; `None` while several states are mixed.
    cluster: Option<u8>,
    newest: u8,
    now: Timestamp,
    told: Vec<String>,
}

impl World {
    fn new() -> Self {
        let automated = Some(Automated { prune: true, self_heal: true, allow_empty: false });
        let spec = AppSpec { automated, history: 10, ..AppSpec::default() };
        let app = App { name: "shop".into(), spec, generation: 1, request: None, status: AppStatus::default() };
        Self { app, git: 1, cluster: None, newest: 1, now: Timestamp::from_micros(0), told: Vec::new() }
    }

    fn number(&self, rendered: Digest) -> u8 {
        (1..=self.newest).find(|it| revision(*it).rendered == rendered).expect("a known revision")
    }

    /// Something happens to the app from outside.
    fn event(&mut self, dice: &mut Dice) {
        let history = self.app.status.history.len() as u64;
        match dice.roll(7) {
            // A new revision, good or bad.
            0 | 1 => {
                self.newest += 1;
                self.git = self.newest;
            }
            // Git goes back to any earlier state.
            2 => self.git = u8::try_from(dice.roll(u64::from(self.newest)) + 1).expect("a small number"),
            3 => self.cluster = None,
            4 => self.app.request = Some(AppRequest::Sync { revision: None, prune: true, confirmed: true }),
            5 if history > 0 => {
                let deployment = self.app.status.history[usize::try_from(dice.roll(history)).expect("a small number")].id;
                self.app.request = Some(AppRequest::Rollback { deployment });
            }
            _ => self.app.request = Some(AppRequest::Release),
        }
        self.told.push(format!("git {}, cluster {:?}, request {:?}", self.git, self.cluster, self.app.request));
    }

    /// What is in memory is lost, what is stored stays.
    fn crash(&mut self) {
        let stored = serde_json::to_vec(&self.app).expect("a record can be stored");
        self.app = serde_json::from_slice(&stored).expect("a stored record can be loaded");
    }

    /// One look, as an actor takes it; whether anything was done.
    fn look(&mut self) -> bool {
        self.now = self.now + std::time::Duration::from_secs(400);
        let before = (self.app.status.clone(), self.app.request.clone(), self.cluster);
        self.step();
        before != (self.app.status.clone(), self.app.request.clone(), self.cluster)
    }

    fn step(&mut self) {
        let (seen, now) = (revision(self.git), self.now);
        if self.app.request == Some(AppRequest::Release) {
            release(&mut self.app);
        }
        self.app.status.seen = Some(seen.clone());
        if let Some(AppRequest::Rollback { deployment }) = self.app.request {
            ask_back(&mut self.app, deployment, now);
        }
        replace_stuck(&mut self.app, &seen, now);
        if let Some(operation) = self.app.status.operation.clone() {
            return self.write(operation.deployment);
        }
        if let Some(waiting) = self.app.status.history.last().filter(|it| it.state == DeploymentState::Waiting) {
            let (id, rendered) = (waiting.id, waiting.revision.rendered);
            self.judge(id, rendered);
            if self.app.status.operation.is_some() {
                return;
            }
        }
        let standing = Standing {
            seen: &seen,
            differing: usize::from(self.cluster != Some(self.git)),
            extra: 0,
            heals: 0,
            last_heal: None,
        };
        let asked = matches!(self.app.request, Some(AppRequest::Sync { .. }));
        match choose(&self.app, &standing, now) {
            Choice::Rest(_) | Choice::Wait(_) | Choice::Back { .. } => {}
            Choice::Heal => self.cluster = Some(self.git),
            Choice::Hold { .. } => {
                let held = super::standing(&self.app).map(|it| it.revision.rendered).expect("something is held");
                assert!(!is_quarantined(&self.app, held), "what is held is quarantined: {:#?}", self.told);
                self.cluster = Some(self.number(held));
            }
            Choice::Sync { .. } => {
                assert!(asked || !is_quarantined(&self.app, seen.rendered), "a quarantined state is chosen: {:#?}", self.told);
                begin(&mut self.app, NewDeployment { revision: seen, subject: String::new(), inventory: Vec::new() }, now);
            }
        }
    }

    /// The objects of a deployment are written, or some of them are refused.
    fn write(&mut self, id: u64) {
        let deployment = find(&self.app, id).expect("an operation has a deployment").clone();
        let number = self.number(deployment.revision.rendered);
        self.told.push(format!("write {number} as {id}"));
        // Every fourth state is refused half-way, and a way back never is.
        if number.is_multiple_of(4) && deployment.back_to.is_none() {
            self.cluster = None;
            return fail(&mut self.app, id, cause(), Wrote::Something, self.now);
        }
        self.cluster = Some(number);
        written(&mut self.app, id);
    }

    fn judge(&mut self, id: u64, rendered: Digest) {
        let number = self.number(rendered);
        if number % 2 == 1 {
            succeed(&mut self.app, id, self.now);
        } else {
            fail(&mut self.app, id, cause(), Wrote::Something, self.now);
        }
    }

    /// Looks until nothing is done any more.
    fn rest(&mut self, seed: u64) {
        let from = self.app.status.history.last().map_or(0, |it| it.id);
        let looks = (0..LOOKS_MAX).take_while(|_| self.look()).count();
        assert!(looks < LOOKS_MAX, "seed {seed} finds no rest: {:#?}", self.told);
        let begun = self.app.status.history.last().map_or(0, |it| it.id) - from;
        assert!(begun <= 3, "seed {seed} goes to and fro, {begun} deployments without an event: {:#?}", self.told);
        let status = &self.app.status;
        let open = status.history.iter().filter(|it| is_open(it.state)).count();
        assert_eq!((open, status.operation.is_none()), (0, true), "seed {seed} rests with something open: {:#?}", self.told);
        assert!(status.history.len() <= 14, "seed {seed} forgets nothing");
        let good = status.history.iter().any(|it| it.state == DeploymentState::Healthy);
        if good && self.git % 2 == 1 && !is_quarantined(&self.app, revision(self.git).rendered) {
            assert_eq!(self.cluster, Some(self.git), "seed {seed}: a good state that nobody holds back is there: {:#?}", self.told);
        }
    }
}

#[test]
fn whatever_happens_an_app_comes_to_rest_and_never_chooses_what_was_bad() {
    for seed in 0..SEEDS {
        let (mut world, mut dice) = (World::new(), Dice(seed));
        for _ in 0..EVENTS {
            // Sometimes the next event comes while the app is in the middle of something.
            for _ in 0..dice.roll(4) {
                world.look();
            }
            if dice.roll(3) == 0 {
                world.crash();
            }
            if dice.roll(2) == 0 {
                world.rest(seed);
            }
            world.event(&mut dice);
        }
        world.rest(seed);
    }
}

#[test]
fn a_bad_deployment_goes_back_and_what_brings_it_back_does_not() {
    let mut world = World::new();
    world.rest(0);
    (world.git, world.newest) = (2, 2);
    world.rest(0);
    check(&world, "1 Healthy, 2 RolledBack, 3 Healthy", Some(3), "2");
    assert_eq!(origin(&world.app, 3), 1);

    let now = world.now;
    ask_back(&mut world.app, 1, now);
    check(&world, "1 Healthy, 2 RolledBack, 3 Healthy", Some(3), "2");
    release(&mut world.app);
    check(&world, "1 Healthy, 2 RolledBack, 3 Healthy", Some(3), "");
}

#[test]
fn a_persons_rollback_is_not_written_to_git() {
    let mut world = World::new();
    world.rest(0);
    (world.git, world.newest) = (3, 3);
    world.rest(0);
    world.app.request = Some(AppRequest::Rollback { deployment: 1 });
    world.rest(0);
    check(&world, "1 Healthy, 2 RolledBack, 3 Healthy", Some(3), "3");
    assert_eq!(world.app.status.quarantined.iter().map(is_taken_back_in_git).collect::<Vec<_>>(), [false]);
}

/// Compares states of all deployments, the deployed one, and the revisions in quarantine.
#[track_caller]
fn check(world: &World, history: &str, deployed: Option<u64>, quarantined: &str) {
    let status = &world.app.status;
    let states: Vec<_> = status.history.iter().map(|it| format!("{} {:?}", it.id, it.state)).collect();
    let bad: Vec<_> = status.quarantined.iter().map(|it| world.number(it.rendered).to_string()).collect();
    assert_eq!((states.join(", ").as_str(), status.deployed, bad.join(" ").as_str()), (history, deployed, quarantined));
}
