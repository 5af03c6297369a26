//! Changes back what somebody else changed, ever later if they do it again and again.

use std::{collections::HashMap, time::Duration};

use api::{App, ObjectRef, SyncOperation};
use delivery::gitops::{self, Phase};
use names::Timestamp;

use crate::{
    GitOps,
    actor::{StepError, Wait, condition},
    compare::Look,
    kept::Objects,
    sync::{Goal, Round, States},
};

/// Who changes something back within this time fights; who does it later just did it again.
const FIGHT: Duration = Duration::from_secs(10);

/// How often each object was healed.
#[derive(Default)]
pub struct Heals {
    of: HashMap<ObjectRef, (u32, Timestamp)>,
    /// What differed at the last look.
    differing: Vec<ObjectRef>,
    last_try: Option<Timestamp>,
}

impl Heals {
    /// Notes what differs now; calm times are forgiven.
    pub fn see(&mut self, look: &Look, now: Timestamp) {
        let differing: Vec<_> = look.differing.iter().chain(look.extra.iter().map(|(object, _)| object)).cloned().collect();
        for object in differing.iter().filter(|it| !self.differing.contains(it)) {
            if self.of.get(object).is_some_and(|(_, last)| now.since(*last) >= FIGHT) {
                self.of.remove(object);
            }
        }
        self.differing = differing;
    }

    /// How often what differs was healed; an object that is not fought about is not kept waiting by one that is.
    pub fn count(&self) -> u32 {
        self.calmest().map_or(0, |(count, _)| count)
    }

    pub fn last(&self) -> Option<Timestamp> {
        self.calmest().map(|(_, last)| last)
    }

    fn calmest(&self) -> Option<(u32, Timestamp)> {
        let known = self.differing.iter().map(|object| self.of.get(object).copied());
        known.min().flatten()
    }

    /// Heals everything that differs.
    pub async fn heal(&mut self, service: &GitOps, app: &mut App, goal: &Objects, look: &Look, now: Timestamp) -> Result<(), StepError> {
        for object in &self.differing {
            let entry = self.of.entry(object.clone()).or_insert((0, now));
            *entry = (entry.0 + 1, now);
        }
        let prunes = app.spec.automated.is_some_and(|it| it.prune);
        let pruned = if prunes { look.extra.clone() } else { Objects::new() };
        let goal = Goal { objects: goal, pruned, only: Some(look.differing.clone()), until: Phase::PostSync };
        let mut operation = SyncOperation {
            deployment: app.status.deployed.unwrap_or_default(),
            phase: "Heal".to_owned(),
            message: String::new(),
            attempt: 1,
            retry_at: None,
            done: Vec::new(),
        };
        let round = service.advance(app, &mut operation, &goal, &mut States::new()).await?;
        if let Round::Failed(reason) = round {
            condition(app, "HealingFailed", reason, "the next try waits longer");
        }
        Ok(())
    }

    /// While an older deployment is held or Git is away, drift from what stands is healed as well.
    ///
    /// Gives when to try again.
    pub async fn heal_what_stands(
        &mut self,
        service: &GitOps,
        app: &mut App,
        goal: &Objects,
        look: &Look,
        now: Timestamp,
    ) -> Result<Wait, StepError> {
        let heals = app.spec.automated.is_some_and(|it| it.self_heal) && gitops::standing(app).is_some();
        if !heals || (look.differing.is_empty() && look.extra.is_empty()) {
            return Ok(None);
        }
        if self.last_try.is_none_or(|last| now.since(last) >= service.config.pace.retry) {
            self.last_try = Some(now);
            self.heal(service, app, goal, look, now).await?;
        }
        Ok(Some(service.config.pace.retry))
    }
}
