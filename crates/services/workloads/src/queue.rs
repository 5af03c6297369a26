//! What has to be looked at: each key once at a time, with timers and back-off.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// The first retry comes soon: most failures are races that the next look does not meet.
const FIRST_RETRY: Duration = Duration::from_millis(5);
/// A key that fails for long is still tried this often, so that nothing needs a restart to heal.
const LAST_RETRY: Duration = Duration::from_secs(30);

/// A set of keys in order of arrival. A key that is added while it is worked
/// on comes again afterwards, so no change is missed and none is handled twice at once.
#[derive(Debug)]
pub struct Queue<K> {
    state: Mutex<State<K>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<K> {
    ready: VecDeque<K>,
    queued: HashSet<K>,
    running: HashSet<K>,
    again: HashSet<K>,
    failures: HashMap<K, u32>,
    timers: BTreeSet<(Instant, K)>,
    timer_of: HashMap<K, Instant>,
}

/// How the work on a key ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to do until something changes.
    Settled,
    /// Look again then, even if nothing changes.
    At(Instant),
    /// Try again after a growing while.
    Failed,
}

impl<K: Clone + Eq + Hash + Ord> Queue<K> {
    pub fn new() -> Self {
        Self { state: Mutex::new(State::new()), changed: Notify::new() }
    }

    pub fn add(&self, key: K) {
        self.lock().add(key);
        self.changed.notify_one();
    }

    pub fn add_all(&self, keys: impl IntoIterator<Item = K>) {
        let mut state = self.lock();
        keys.into_iter().for_each(|key| state.add(key));
        drop(state);
        self.changed.notify_one();
    }

    /// Adds the key at that time, unless it is worked on before.
    pub fn add_at(&self, key: K, time: Instant) {
        self.lock().set_timer(key, Some(time));
        self.changed.notify_one();
    }

    /// Waits for a key; it is the caller's until [`Queue::done`].
    pub async fn next(&self) -> K {
        loop {
            let wake = {
                let mut state = self.lock();
                state.ring(Instant::now());
                if let Some(key) = state.take() {
                    if !state.ready.is_empty() {
                        self.changed.notify_one();
                    }
                    return key;
                }
                state.timers.first().map(|(time, _)| *time)
            };
            match wake {
                Some(time) => tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep_until(time) => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    pub fn done(&self, key: K, outcome: Outcome) {
        self.lock().done(key, outcome, Instant::now());
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash + Ord> State<K> {
    fn new() -> Self {
        Self {
            ready: VecDeque::new(),
            queued: HashSet::new(),
            running: HashSet::new(),
            again: HashSet::new(),
            failures: HashMap::new(),
            timers: BTreeSet::new(),
            timer_of: HashMap::new(),
        }
    }

    fn add(&mut self, key: K) {
        if self.running.contains(&key) {
            self.again.insert(key);
        } else if self.queued.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    fn set_timer(&mut self, key: K, time: Option<Instant>) {
        if let Some(old) = self.timer_of.remove(&key) {
            self.timers.remove(&(old, key.clone()));
        }
        if let Some(time) = time {
            self.timer_of.insert(key.clone(), time);
            self.timers.insert((time, key));
        }
    }

    fn ring(&mut self, now: Instant) {
        while let Some((time, key)) = self.timers.first().filter(|(time, _)| *time <= now).cloned() {
            self.timers.remove(&(time, key.clone()));
            self.timer_of.remove(&key);
            self.add(key);
        }
    }

    fn take(&mut self) -> Option<K> {
        let key = self.ready.pop_front()?;
        self.queued.remove(&key);
        self.running.insert(key.clone());
        self.set_timer(key.clone(), None);
        Some(key)
    }

    fn done(&mut self, key: K, outcome: Outcome, now: Instant) {
        self.running.remove(&key);
        let wake = match outcome {
            Outcome::Settled => None,
            Outcome::At(time) => Some(time),
            Outcome::Failed => {
                let failures = self.failures.entry(key.clone()).or_insert(0);
                let wait = FIRST_RETRY.saturating_mul(2u32.saturating_pow(*failures)).min(LAST_RETRY);
                *failures += 1;
                Some(now + wait)
            }
        };
        if outcome != Outcome::Failed {
            self.failures.remove(&key);
        }
        self.set_timer(key.clone(), wake);
        if self.again.remove(&key) {
            self.add(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_are_one_and_come_again_if_added_meanwhile() {
        check("add a, add b, add a, take, take, take", "a b -");
        check("add a, take, add a, take, settle a, take", "a - a");
    }

    #[test]
    fn failures_wait_longer_each_time() {
        check("add a, take, fail a, +4, take, +1, take, fail a, +9, take, +1, take", "a - a - a");
        check("add a, take, fail a, +5, take, settle a, add a, take, fail a, +5, take", "a a a a");
    }

    #[test]
    fn the_last_timer_counts() {
        check("at a 9, at a 2, +2, take, settle a, +9, take", "a -");
    }

    /// Steps: `add`, `take`, `settle`, `fail`, `at KEY MILLISECONDS`, `+MILLISECONDS`. Expected is what was taken.
    #[track_caller]
    fn check(story: &str, expected: &str) {
        let mut state = State::new();
        let mut now = Instant::now();
        let mut taken = Vec::new();
        for step in story.split(", ") {
            let words: Vec<&str> = step.split(' ').collect();
            let millis = |text: &str| Duration::from_millis(text.parse().expect("a number"));
            match words[..] {
                ["add", key] => state.add(key),
                ["at", key, after] => state.set_timer(key, Some(now + millis(after))),
                ["settle", key] => state.done(key, Outcome::Settled, now),
                ["fail", key] => state.done(key, Outcome::Failed, now),
                ["take"] => {
                    state.ring(now);
                    taken.push(state.take().unwrap_or("-"));
                }
                _ => now += millis(step.trim_start_matches('+')),
            }
        }
        assert_eq!(taken.join(" "), expected);
    }
}
