//! Waits until a service says that it is healthy.

use std::time::{Duration, Instant};

use sandbox::{Process, ProcessName, SandboxId};

use super::options::HealthOptions;
use crate::Ci;

/// Docker's own defaults.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const RETRIES: u32 = 3;

/// The first checks come sooner than Docker's: a service that is up need not wait for its interval.
const FIRST: Duration = Duration::from_millis(100);

/// How a service is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub command: Vec<String>,
    pub interval: Duration,
    pub timeout: Duration,
    pub start_period: Duration,
    pub retries: u32,
}

impl Check {
    /// The check of an image with what the options change; `None` if there is none.
    pub fn new(image: Option<&image::Healthcheck>, options: &HealthOptions) -> Option<Self> {
        if options.disabled {
            return None;
        }
        let of_image = |nanos: i64| u64::try_from(nanos).ok().filter(|it| *it > 0).map(Duration::from_nanos);
        let command = match &options.command {
            Some(text) if text == "none" => return None,
            Some(text) => vec!["/bin/sh".to_owned(), "-c".to_owned(), text.clone()],
            None => command_of(&image?.test)?,
        };
        let image = image.cloned().unwrap_or_default();
        Some(Self {
            command,
            interval: options.interval.or(of_image(image.interval)).unwrap_or(INTERVAL),
            timeout: options.timeout.or(of_image(image.timeout)).unwrap_or(TIMEOUT),
            start_period: options.start_period.or(of_image(image.start_period)).unwrap_or_default(),
            retries: options.retries.or(u32::try_from(image.retries).ok().filter(|it| *it > 0)).unwrap_or(RETRIES),
        })
    }
}

fn command_of(test: &[String]) -> Option<Vec<String>> {
    match test.split_first()? {
        (kind, words) if kind == "CMD" => Some(words.to_vec()),
        (kind, words) if kind == "CMD-SHELL" => Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), words.join(" ")]),
        _ => None,
    }
}

/// Asks until the service is healthy; the error says what the last check printed.
pub async fn wait(ci: &Ci, id: &SandboxId, check: &Check, env: &[(String, String)], user: &str) -> Result<(), String> {
    let begun = Instant::now();
    let mut failures = 0;
    let mut number = 0;
    let mut pause = FIRST.min(check.interval);
    loop {
        number += 1;
        let told = match ask(ci, id, check, env, user, number).await? {
            Answer::Healthy => return Ok(()),
            Answer::Ill(told) => told,
        };
        // Until its interval has passed once, a service is only starting.
        if begun.elapsed() > check.start_period.max(check.interval) {
            failures += 1;
        }
        if failures >= check.retries {
            return Err(format!("the service is unhealthy: {told}"));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(check.interval);
    }
}

enum Answer {
    Healthy,
    Ill(String),
}

async fn ask(
    ci: &Ci,
    id: &SandboxId,
    check: &Check,
    env: &[(String, String)],
    user: &str,
    number: u32,
) -> Result<Answer, String> {
    let name: ProcessName = format!("health-{number}").parse().expect("letters, a dash and digits name a process");
    let process = Process { env: env.to_vec(), user: user.to_owned(), ..Process::new(check.command.clone()) };
    match ci.sandbox.exec(id, &name, &process).await {
        Ok(_) | Err(sandbox::Error::ProcessExists(..)) => {}
        Err(sandbox::Error::CannotStart(why)) => return Ok(Answer::Ill(why.message)),
        Err(error) => return Err(format!("the service has ended: {error}")),
    }
    let attached = ci.sandbox.attach(id, &name).await.map_err(|error| error.to_string())?;
    let log = attached.log.clone();
    match tokio::time::timeout(check.timeout, attached.wait()).await {
        Ok(Ok(exit)) if exit.success() => Ok(Answer::Healthy),
        Ok(Ok(exit)) => {
            let text = log.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let last = text.lines().last().and_then(|line| line.splitn(4, ' ').nth(3)).unwrap_or_default();
            Ok(Answer::Ill(format!("exit code {} {last}", exit.code).trim_end().to_owned()))
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => {
            let kill = sandbox::Target::Process(name, sandbox::Signal::KILL);
            // It may have ended by itself in this moment.
            let _ = ci.sandbox.stop(id, kill).await;
            Ok(Answer::Ill(format!("no answer within {:?}", check.timeout)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_win_over_the_image() {
        let image = image::Healthcheck {
            test: vec!["CMD".to_owned(), "true".to_owned()],
            interval: 1_000_000_000,
            ..image::Healthcheck::default()
        };
        let check = Check::new(Some(&image), &HealthOptions::default()).expect("a check");
        assert_eq!((check.command, check.interval, check.retries), (vec!["true".to_owned()], Duration::from_secs(1), 3));
        let options = HealthOptions { command: Some("ping".to_owned()), retries: Some(9), ..HealthOptions::default() };
        let check = Check::new(Some(&image), &options).expect("a check");
        assert_eq!((check.command.last().map(String::as_str), check.retries), (Some("ping"), 9));
        assert_eq!(Check::new(None, &HealthOptions::default()), None);
    }
}
