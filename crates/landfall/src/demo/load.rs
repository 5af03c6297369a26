//! A steady load of requests, and what was answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};

use super::{
    app::Version,
    unmet::{Unmet, expect},
    wire::{Answer, Use, Wire},
};

/// Half of the load keeps its connections, the other half makes a new one each time.
const WORKERS: [Use; 4] = [Use::Kept, Use::Once, Use::Kept, Use::Once];

/// The pause of each worker: all of them together send about 400 requests a second.
const PAUSE: Duration = Duration::from_millis(10);

/// A broken app is not told a thousand times.
const FAILURES_TOLD: usize = 5;

/// What a load has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub sent: u64,
    /// Answers by version and greeting.
    pub answers: BTreeMap<(u32, String), u64>,
    pub pods: BTreeSet<String>,
    pub failed: u64,
    /// The first few failures in words.
    pub failures: Vec<String>,
    pub slowest: Duration,
    /// When each version answered first.
    pub first: BTreeMap<u32, Instant>,
    /// The version that answered last, and how often without another one between.
    pub streak: (u32, u64),
}

impl Tally {
    /// Counts one request.
    pub fn count(&mut self, answer: Result<Answer, String>, took: Duration) {
        self.sent += 1;
        self.slowest = self.slowest.max(took);
        match answer {
            Ok(answer) => {
                self.first.entry(answer.version).or_insert_with(Instant::now);
                self.streak = match self.streak {
                    (version, count) if version == answer.version => (version, count + 1),
                    _ => (answer.version, 1),
                };
                self.pods.insert(answer.pod);
                *self.answers.entry((answer.version, answer.greeting)).or_default() += 1;
            }
            Err(failure) => {
                self.failed += 1;
                if self.failures.len() < FAILURES_TOLD {
                    self.failures.push(failure);
                }
            }
        }
    }

    /// Checks that no request failed and each was answered by one of `versions`, with that version's configuration.
    ///
    /// # Errors
    ///
    /// [`Unmet`] tells what was answered instead.
    pub fn check(&self, what: &str, versions: &[Version]) -> Result<(), Unmet> {
        let known = |(number, greeting): &(u32, String)| {
            versions.iter().any(|version| version.number == *number && version.greeting == greeting)
        };
        let expected: Vec<_> =
            versions.iter().map(|it| format!("version {} (`{}`)", it.number, it.greeting)).collect();
        let expected = format!("no failure, only answers of {}", expected.join(" and "));
        expect(self.failed == 0 && self.answers.keys().all(known), what, expected, self)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests, {} failed", self.sent, self.failed)?;
        for ((version, greeting), count) in &self.answers {
            write!(f, ", {count} of version {version} (`{greeting}`)")?;
        }
        self.failures.iter().try_for_each(|failure| write!(f, "\n{failure}"))
    }
}

/// Requests that go on until [`Load::stop`]; dropped, it ends at once.
pub struct Load {
    tally: watch::Sender<Tally>,
    stop: watch::Sender<bool>,
    workers: JoinSet<()>,
}

impl Load {
    pub fn start(address: SocketAddr) -> Self {
        let (tally, stop) = (watch::Sender::new(Tally::default()), watch::Sender::new(false));
        let mut workers = JoinSet::new();
        for kind in WORKERS {
            workers.spawn(work(Wire::new(address, kind), tally.clone(), stop.subscribe()));
        }
        Self { tally, stop, workers }
    }

    /// Waits until the tally is as wanted, or for `patience`; gives the tally either way.
    pub async fn wait(&self, patience: Duration, wanted: impl FnMut(&Tally) -> bool) -> Tally {
        let mut tally = self.tally.subscribe();
        // The caller looks at the tally and sees whether it came.
        let _ = tokio::time::timeout(patience, tally.wait_for(wanted)).await;
        self.tally.borrow().clone()
    }

    pub fn sent(&self) -> u64 {
        self.tally.borrow().sent
    }

    /// Lets the requests under way end.
    pub async fn stop(mut self) -> Tally {
        self.stop.send_replace(true);
        while self.workers.join_next().await.is_some() {}
        self.tally.borrow().clone()
    }
}

async fn work(mut wire: Wire, tally: watch::Sender<Tally>, stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stop.borrow() {
        ticks.tick().await;
        let began = Instant::now();
        let answer = wire.ask().await;
        tally.send_modify(|tally| tally.count(answer, began.elapsed()));
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::app::{FIRST, SECOND},
        *,
    };

    #[test]
    fn answers_of_the_wanted_versions_are_right() {
        check("1 hello,2 welcome back,1 hello", None);
    }

    #[test]
    fn one_failure_is_told() {
        check("1 hello,!", Some("2 requests, 1 failed, 1 of version 1 (`hello`)\nno connection"));
    }

    #[test]
    fn a_version_with_the_configuration_of_another_is_told() {
        check("1 welcome back", Some("1 requests, 0 failed, 1 of version 1 (`welcome back`)"));
    }

    #[test]
    fn the_streak_breaks_with_another_version() {
        let tally = tally("1 hello,2 welcome back,2 welcome back");
        assert_eq!(tally.streak, (2, 2));
    }

    #[track_caller]
    fn check(answers: &str, seen: Option<&str>) {
        let told = tally(answers).check("all is well", &[FIRST, SECOND]).err().map(|unmet| unmet.to_string());
        let expected = seen.map(|seen| {
            let wanted = "no failure, only answers of version 1 (`hello`) and version 2 (`welcome back`)";
            format!("all is well\n  expected  {wanted}\n  seen      {}", seen.replace('\n', "\n            "))
        });
        assert_eq!(told, expected);
    }

    /// Each entry is a version and its greeting; `!` is a failure.
    fn tally(answers: &str) -> Tally {
        let mut tally = Tally::default();
        for text in answers.split(',') {
            let answer = text.split_once(' ').map(|(version, greeting)| Answer {
                app: "shop".to_owned(),
                version: version.parse().unwrap(),
                greeting: greeting.to_owned(),
                pod: "shop-1".to_owned(),
            });
            tally.count(answer.ok_or_else(|| "no connection".to_owned()), Duration::ZERO);
        }
        tally
    }
}
