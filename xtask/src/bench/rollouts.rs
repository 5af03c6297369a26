//! Requests that fail while the app is rolled out again and again under load.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use super::{
    Ground,
    figure::Figure,
    installation::Installation,
    project::{NAME, Project},
};
use crate::program;

const ROLLOUTS: usize = 20;

/// Longer than all roll-outs take; the load is ended when they are over.
const LOAD: &str = "1h";

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let (installation, _) = Installation::start(&ground.program)?;
    let project = Project::create(&ground.root, &installation)?;
    let served = project.serve(&installation, 1)?;
    installation.run(&["watch", &served.commit, "--timeout", "120s"])?;
    let alone = load(&format!("http://{}/", served.address), || {
        std::thread::sleep(Duration::from_secs(3));
        Ok(())
    })?;
    let began = Instant::now();
    let during = load(&format!("http://{}/", served.address), || (0..ROLLOUTS).try_for_each(|number| roll(&installation, number)))?;
    let each = began.elapsed() / u32::try_from(ROLLOUTS).unwrap_or(1);
    Ok(vec![
        Figure::new(format!("rollouts: failed requests during {ROLLOUTS}"), during.failed, "").goal(0.0),
        Figure::new("rollouts: requests meanwhile", during.requests, ""),
        Figure::time("rollouts: each", each),
        Figure::new("rollouts: requests per second, no roll-out", alone.per_second, "/s"),
        Figure::new("rollouts: requests per second meanwhile", during.per_second, "/s"),
    ])
}

/// By an annotation of the pods: `kubectl rollout restart` refuses a second time within a second.
fn roll(installation: &Installation<'_>, number: usize) -> anyhow::Result<()> {
    let deployment = format!("deployment/{NAME}");
    let patch = format!(r#"{{"spec":{{"template":{{"metadata":{{"annotations":{{"roll-out":"{number}"}}}}}}}}}}"#);
    program::output(installation.kubectl().args(["-n", NAME, "patch", &deployment, "-p", &patch]))?;
    program::output(installation.kubectl().args(["-n", NAME, "rollout", "status", &deployment, "--timeout=60s"])).map(drop)
}

/// What wrk counted.
#[derive(Debug, PartialEq)]
pub struct Tally {
    pub requests: f64,
    pub failed: f64,
    pub per_second: f64,
}

/// Sends requests while `work` is done.
pub fn load(url: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Tally> {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", "16", "--duration", LOAD, "--timeout", "10s", url]);
    let child = wrk.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start wrk; install it")?;
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).context("an odd process id")?;
    let done = work();
    // It counts until it is interrupted, then tells.
    rustix::process::kill_process(pid, rustix::process::Signal::INT).context("wrk ended early")?;
    let output = child.wait_with_output()?;
    done?;
    read(&String::from_utf8_lossy(&output.stdout))
}

fn read(text: &str) -> anyhow::Result<Tally> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let requests = text.lines().find_map(|line| number(line.split_once(" requests in ")?.0));
    let per_second = text.lines().find_map(|line| number(line.trim().strip_prefix("Requests/sec:")?));
    let (Some(requests), Some(per_second)) = (requests, per_second) else { bail!("wrk says\n{text}") };
    let refused = text.lines().find_map(|line| number(line.trim().strip_prefix("Non-2xx or 3xx responses:")?)).unwrap_or(0.0);
    let errors = text.lines().find_map(|line| line.trim().strip_prefix("Socket errors:"));
    let broken: f64 = errors.unwrap_or_default().split(',').filter_map(|part| number(part.trim().rsplit_once(' ')?.1)).sum();
    Ok(Tally { requests, failed: refused + broken, per_second })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_both_kinds_are_counted() {
        let text = "  1024 requests in 3.00s, 1.2MB read\n  Socket errors: connect 0, read 2, write 0, timeout 1\n  Non-2xx or 3xx responses: 4\nRequests/sec:    341.33\n";
        assert_eq!(read(text).expect("readable"), Tally { requests: 1024.0, failed: 7.0, per_second: 341.33 });
    }

    #[test]
    fn silence_means_no_error() {
        let text = "  9 requests in 3.00s, 1.2MB read\nRequests/sec:    3\n";
        assert_eq!(read(text).expect("readable"), Tally { requests: 9.0, failed: 0.0, per_second: 3.0 });
    }
}
