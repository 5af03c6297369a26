//! The options of `docker create` that workflows write into `options:`.

use std::time::Duration;

use sandbox::{Limits, Privilege, Seccomp, Security};
use super::words::parse_words;

/// What a container asks for beyond its image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub hostname: Option<String>,
    pub user: Option<String>,
    pub workdir: Option<String>,
    pub entrypoint: Option<String>,
    pub aliases: Vec<String>,
    pub env: Vec<(String, String)>,
    pub volumes: Vec<String>,
    pub ports: Vec<String>,
    pub hosts: Vec<(String, String)>,
    pub tmpfs: Vec<String>,
    pub privileged: bool,
    pub add_capabilities: Vec<String>,
    pub drop_capabilities: Vec<String>,
    pub unconfined: bool,
    pub read_only: bool,
    pub cpu_millis: Option<u64>,
    pub memory_bytes: Option<u64>,
    pub pids: Option<u64>,
    pub health: HealthOptions,
}

/// What of a health check is not as the image has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthOptions {
    pub command: Option<String>,
    pub disabled: bool,
    pub interval: Option<Duration>,
    pub timeout: Option<Duration>,
    pub start_period: Option<Duration>,
    pub retries: Option<u32>,
}

/// Options that change nothing here.
const IDLE: [&str; 16] = [
    "--name", "--label", "-l", "--restart", "--ulimit", "--shm-size", "--log-driver", "--log-opt", "--platform",
    "--cpu-shares", "-c", "--stop-signal", "--stop-timeout", "--pull", "--memory-swap", "--oom-score-adj",
];

/// Switches that change nothing here.
const IDLE_SWITCHES: [&str; 8] =
    ["--init", "--rm", "-t", "--tty", "-i", "--interactive", "-it", "--no-new-privileges"];

impl Options {
    /// Reads options as a shell would split them; what is not done here is refused by name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words = parse_words(text).map_err(|why| format!("options: {why}"))?;
        let mut options = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if !word.starts_with('-') {
                return Err(format!("options: expected an option of `docker create`, found `{word}`"));
            }
            if IDLE_SWITCHES.contains(&word.as_str()) {
                continue;
            }
            let (name, given) = match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (word, None),
            };
            if options.switch(&name, given.as_deref())? {
                continue;
            }
            let missing = || format!("options: `{name}` takes a value");
            let value = given.or_else(|| words.next()).ok_or_else(missing)?;
            options.set(&name, value)?;
        }
        Ok(options)
    }

    fn switch(&mut self, name: &str, given: Option<&str>) -> Result<bool, String> {
        let on = match given {
            None | Some("true") => true,
            Some("false") => false,
            Some(_) => return Ok(false),
        };
        match name {
            "--privileged" => self.privileged = on,
            "--read-only" => self.read_only = on,
            "--no-healthcheck" => self.health.disabled = on,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        let wrong = |expected: &str| format!("options: `{name}` takes {expected}, found `{value}`");
        let span = || span(&value).ok_or_else(|| wrong("a span such as `10s`"));
        let number = || value.parse().map_err(|_| wrong("a number"));
        match name {
            "--hostname" | "-h" => self.hostname = Some(value),
            "--user" | "-u" => self.user = Some(value),
            "--workdir" | "-w" => self.workdir = Some(value),
            "--entrypoint" => self.entrypoint = Some(value),
            "--network-alias" | "--net-alias" => self.aliases.push(value),
            "--volume" | "-v" => self.volumes.push(value),
            "--publish" | "-p" => self.ports.push(value),
            "--tmpfs" => self.tmpfs.push(value),
            "--cap-add" => self.add_capabilities.push(value),
            "--cap-drop" => self.drop_capabilities.push(value),
            "--pids-limit" => self.pids = number().ok(),
            "--health-cmd" => self.health.command = Some(value),
            "--health-interval" => self.health.interval = Some(span()?),
            "--health-timeout" => self.health.timeout = Some(span()?),
            "--health-start-period" => self.health.start_period = Some(span()?),
            "--health-start-interval" => {}
            "--health-retries" => {
                self.health.retries = Some(value.parse().map_err(|_| wrong("a number"))?);
            }
            "--env" | "-e" => {
                let (name, value) = value.split_once('=').unwrap_or((&value, ""));
                self.env.push((name.to_owned(), value.to_owned()));
            }
            "--add-host" => {
                let pair = value.split_once([':', '=']).ok_or_else(|| wrong("`host:address`"))?;
                self.hosts.push((pair.0.to_owned(), pair.1.to_owned()));
            }
            "--security-opt" if value.contains("seccomp=unconfined") || value.contains("seccomp:unconfined") => {
                self.unconfined = true;
            }
            "--security-opt" => {}
            "--cpus" => {
                let cpus: f64 = value.parse().map_err(|_| wrong("a number"))?;
                // Nobody gives a container more than a million cores.
                self.cpu_millis = Some((cpus.clamp(0.001, 1e6) * 1000.0) as u64);
            }
            "--memory" | "-m" => self.memory_bytes = Some(bytes(&value).ok_or_else(|| wrong("a size such as `512m`"))?),
            "--network" | "--net" => {
                return Err(format!("options: `{name}` is not supported; the network of a job is made for it"));
            }
            idle if IDLE.contains(&idle) => {}
            other => return Err(format!("options: `{other}` is not supported")),
        }
        Ok(())
    }

    pub fn limits(&self, processes: u64) -> Limits {
        Limits { cpu_millis: self.cpu_millis, memory_bytes: self.memory_bytes, pids: self.pids.or(Some(processes)) }
    }

    pub fn security(&self) -> Security {
        Security {
            privilege: if self.privileged { Privilege::Privileged } else { Privilege::Confined },
            add_capabilities: self.add_capabilities.clone(),
            drop_capabilities: self.drop_capabilities.clone(),
            seccomp: if self.unconfined { Seccomp::Unconfined } else { Seccomp::Standard },
            read_only_root: self.read_only,
            ..Security::default()
        }
    }
}

/// `1m30s`, `10s`, `500ms`, as Go writes it.
fn span(text: &str) -> Option<Duration> {
    let (mut total, mut rest) = (Duration::ZERO, text.trim());
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(end);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
        rest = next;
    }
    Some(total)
}

/// `512m`, `2g`, `1024`.
fn bytes(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let plain = lower.trim_end_matches('b');
    let (number, factor) = match plain.char_indices().last()? {
        (at, 'k') => (plain.get(..at)?, 1 << 10),
        (at, 'm') => (plain.get(..at)?, 1 << 20),
        (at, 'g') => (plain.get(..at)?, 1_u64 << 30),
        _ => (plain, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_options_are_read_as_workflows_write_them() {
        let text = "--health-cmd \"redis-cli ping\" --health-interval 10s --health-timeout=5s --health-retries 5 --name x";
        let options = Options::parse(text).expect("options");
        let expected = HealthOptions {
            command: Some("redis-cli ping".to_owned()),
            disabled: false,
            interval: Some(Duration::from_secs(10)),
            timeout: Some(Duration::from_secs(5)),
            start_period: None,
            retries: Some(5),
        };
        assert_eq!(options.health, expected);
    }

    #[test]
    fn what_is_not_done_is_named() {
        let why = |text| Options::parse(text).expect_err("refused");
        assert_eq!(why("--gpus all"), "options: `--gpus` is not supported");
        assert_eq!(why("--memory"), "options: `--memory` takes a value");
        assert_eq!(why("--cpus many"), "options: `--cpus` takes a number, found `many`");
    }

    #[test]
    fn sizes_and_spans() {
        assert_eq!(bytes("512m"), Some(512 << 20));
        assert_eq!(bytes("2gb"), Some(2 << 30));
        assert_eq!(span("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(span("soon"), None);
    }
}
