//! Measures what an analysis asks for: what the proxy counted, and what a Prometheus says.

use std::collections::HashMap;

use api::{ObjectRef, WorkloadRollout};
use delivery::rollout::{self, Counted, Reading};
use names::Timestamp;
use objects::ClusterError;
use tokio::task::JoinHandle;

use super::prometheus;
use crate::GitOps;

/// Where counting began, and questions that are under way.
#[derive(Default)]
pub struct Memory {
    marks: HashMap<ObjectRef, (u64, Counted)>,
    asked: HashMap<ObjectRef, (u64, JoinHandle<Result<Option<f64>, String>>)>,
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.asked.values().for_each(|(_, question)| question.abort());
    }
}

impl GitOps {
    /// The readings of a measurement that is due and complete.
    pub(super) async fn measure(
        &self,
        it: &mut WorkloadRollout,
        memory: &mut Memory,
        now: Timestamp,
    ) -> Result<Option<Vec<Reading>>, ClusterError> {
        if it.analysis.due.is_none() {
            return Ok(None);
        }
        let namespace = it.object.namespace.clone().unwrap_or_default();
        let total = self.counters.as_ref().map(|counters| counters(&namespace, &rollout::canary_name(&it.object.name)));
        let mark = it.analysis.mark;
        let known = memory.marks.get(&it.object).filter(|(known, _)| *known == mark).map(|(_, counted)| counted.clone());
        let Some(since) = known else {
            memory.marks.insert(it.object.clone(), (mark, total.unwrap_or_default()));
            // What was counted before a restart is lost, so its interval begins anew.
            if rollout::measure_now(it, now).is_some() {
                rollout::postpone(it, now);
                let total = memory.marks.remove(&it.object).map(|(_, total)| total).unwrap_or_default();
                memory.marks.insert(it.object.clone(), (it.analysis.mark, total));
            }
            return Ok(None);
        };
        let Some(plan) = rollout::measure_now(it, now).cloned() else { return Ok(None) };
        let mut readings = Vec::new();
        if let Some(check) = &plan.prometheus {
            let question = match memory.asked.remove(&it.object) {
                Some((asked, question)) if asked == mark => question,
                Some(_) | None => {
                    let address = self.reachable(&check.address, &namespace).await?;
                    tokio::spawn(prometheus::ask(address, check.query.clone()))
                }
            };
            if !question.is_finished() {
                memory.asked.insert(it.object.clone(), (mark, question));
                return Ok(None);
            }
            let answer = question.await.unwrap_or_else(|error| Err(error.to_string()));
            readings.push(rollout::judge_number(check, answer));
        }
        let counted = total.map(|total| difference(&total, &since));
        readings.extend(rollout::judge_counts(&plan, counted.as_ref()));
        Ok(Some(readings))
    }
}

/// What was counted since; counters that began anew give what they have.
fn difference(total: &Counted, since: &Counted) -> Counted {
    if total.requests < since.requests {
        return total.clone();
    }
    let older = |index: usize| since.latency.get(index).copied().unwrap_or(0);
    Counted {
        requests: total.requests - since.requests,
        errors: total.errors.saturating_sub(since.errors),
        bounds_ms: total.bounds_ms.clone(),
        latency: total.latency.iter().enumerate().map(|(index, count)| count.saturating_sub(older(index))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(requests: u64, errors: u64, latency: &[u64]) -> Counted {
        Counted { requests, errors, bounds_ms: vec![10], latency: latency.to_vec() }
    }

    #[test]
    fn only_what_came_since_counts() {
        assert_eq!(difference(&counted(10, 3, &[4, 6]), &counted(4, 1, &[4, 0])), counted(6, 2, &[0, 6]));
        assert_eq!(difference(&counted(2, 0, &[2]), &counted(4, 1, &[4])), counted(2, 0, &[2]));
        assert_eq!(difference(&counted(2, 0, &[2, 0]), &Counted::default()), counted(2, 0, &[2, 0]));
    }
}
