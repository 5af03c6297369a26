//! A controller's hand: carries out plans, keeps the picture in step, tells people.

use std::{sync::Arc, time::SystemTime};

use names::Timestamp;
use workload::{Action, Plan, Target, action::Notice};

use crate::{
    api::{Answer, Api, is_conflict, is_not_found},
    picture::Picture,
    teller::Teller,
};

/// What every controller has.
#[derive(Clone)]
pub struct Hand {
    /// The name under which it tells people.
    pub component: &'static str,
    pub api: Api,
    pub picture: Arc<Picture>,
    pub teller: Teller,
}

impl Hand {
    pub fn named(&self, component: &'static str) -> Self {
        Self { component, ..self.clone() }
    }

    /// Carries out all of a plan; the first fault ends it, and the next look takes it up again.
    pub async fn carry_out(&self, plan: &Plan) -> Result<(), kube::Error> {
        for action in &plan.actions {
            self.act(action).await?;
        }
        Ok(())
    }

    /// Carries out one action. What is gone or was there already is as good as done.
    pub async fn act(&self, action: &Action) -> Result<(), kube::Error> {
        match self.try_act(action).await {
            Ok(_) => Ok(()),
            Err(error) if is_not_found(&error) => Ok(()),
            Err(error) if matches!(action, Action::Create { .. }) && is_conflict(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Carries out one action and hands back the server's answer.
    pub async fn try_act(&self, action: &Action) -> Result<Answer, kube::Error> {
        if let Action::Tell { about, notice } = action {
            self.tell(about.clone(), notice.clone());
            return Ok(Answer::Gone);
        }
        tracing::debug!(component = self.component, %action, "carry out");
        let answer = self.api.carry_out(action).await?;
        match (action, &answer) {
            (Action::Create { kind, .. }, Answer::Object(object)) => self.picture.wrote(*kind, object.clone()),
            (
                Action::Patch { target, .. }
                | Action::PatchStatus { target, .. }
                | Action::Delete { target, .. }
                | Action::Kill { target },
                Answer::Object(object),
            ) => self.picture.wrote(target.kind, object.clone()),
            (Action::Delete { target, .. } | Action::Kill { target }, Answer::Gone) => {
                self.picture.deleted(target.kind, &target.key, &target.uid);
            }
            (Action::Create { .. } | Action::Patch { .. } | Action::PatchStatus { .. } | Action::Tell { .. }, _) => {}
        }
        Ok(answer)
    }

    pub fn tell(&self, about: Target, notice: Notice) {
        self.teller.tell(self.component, about, notice);
    }
}

pub fn now() -> Timestamp {
    SystemTime::now().into()
}
