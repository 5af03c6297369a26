//! What the proxy counted, in the words of an analysis.

use std::sync::{Arc, Weak};

use delivery::rollout::Counted;
use network::{LATENCY_BOUNDS_MS, ServiceProxy, Tally};

/// The counters of a proxy, which they do not keep from ending.
pub fn of(proxy: &Arc<ServiceProxy>) -> gitops::Counters {
    let proxy: Weak<ServiceProxy> = Arc::downgrade(proxy);
    Arc::new(move |namespace, deployment| {
        let mut counted = Counted { bounds_ms: LATENCY_BOUNDS_MS.to_vec(), ..Counted::default() };
        let stats = proxy.upgrade().map(|proxy| proxy.stats()).unwrap_or_default();
        for service in stats.iter().filter(|it| it.namespace == namespace) {
            for version in service.versions.iter().filter(|it| is_of(&it.version, deployment)) {
                add(&mut counted, &version.tally);
            }
        }
        counted
    })
}

/// A version is named by its Deployment and the hash of its pod template.
fn is_of(version: &str, deployment: &str) -> bool {
    let hash = version.strip_prefix(deployment).and_then(|rest| rest.strip_prefix('-'));
    hash.is_some_and(|hash| !hash.contains('-'))
}

fn add(counted: &mut Counted, tally: &Tally) {
    // What is no HTTP is counted by connection.
    let answered = if tally.requests > 0 { tally.requests } else { tally.connections };
    counted.requests += answered + tally.failures;
    counted.errors += tally.by_class[4] + tally.failures;
    counted.latency.resize(tally.latency.len(), 0);
    counted.latency.iter_mut().zip(tally.latency).for_each(|(sum, count)| *sum += count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_those_of_similar_names() {
        let versions = ["web-canary-5d8f", "web-5d8f", "web-canary-2-5d8f", "web-canary"];
        assert_eq!(versions.map(|version| is_of(version, "web-canary")), [true, false, false, false]);
    }

    #[test]
    fn answers_that_say_the_server_failed_are_errors() {
        let mut counted = Counted::default();
        let mut tally = Tally { requests: 10, failures: 1, ..Tally::default() };
        tally.by_class = [0, 7, 0, 1, 2];
        tally.latency[3] = 10;
        add(&mut counted, &tally);
        add(&mut counted, &Tally { connections: 4, ..Tally::default() });
        assert_eq!((counted.requests, counted.errors, counted.latency[3]), (15, 3, 10));
    }
}
