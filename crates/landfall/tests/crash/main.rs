//! Kills the server with `kill -9` at moments spread evenly over a run, and looks whether anything shows.
//!
//! At even moments the server dies alone: steps and pods live on with the
//! spawner and are adopted. At odd ones the spawner dies as well: what ran is
//! lost, jobs start again, and the run says so. `LANDFALL_CRASH_MOMENTS` sets
//! how many moments there are.

mod account;
mod fifty;
mod installation;
mod log;
mod project;

use std::time::{Duration, Instant};

use account::{Account, Attempts};
use installation::{Installation, Victims};
use project::Project;

/// As many as the goal names.
const MOMENTS: u32 = 100;

/// Runs that are only watched; the first one also fills the caches.
const UNDISTURBED: u32 = 3;

/// What all moments together showed.
#[derive(Default)]
struct Seen {
    pushes_cut: u32,
    jobs_restarted: u32,
    moments_restarted: u32,
}

#[test]
fn a_killed_server_loses_and_doubles_nothing() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: sandboxes need root");
        return;
    }
    let moments = std::env::var("LANDFALL_CRASH_MOMENTS").ok().and_then(|it| it.parse().ok()).unwrap_or(MOMENTS);
    let installation = Installation::start();
    let project = Project::create(&installation);
    let began = Instant::now();
    let run = undisturbed(&installation, &project);
    let mut seen = Seen::default();
    for moment in 0..moments {
        let at = run * moment / moments.max(1);
        let victims = if moment % 2 == 0 { Victims::Server } else { Victims::ServerAndSpawner };
        let crashed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            crash(&installation, &project, moment, at, victims, &mut seen);
        }));
        if let Err(cause) = crashed {
            eprintln!("--- moment {moment} of {moments}, {at:?} of {run:?} into the run, {victims:?}");
            eprintln!("{}", installation.diagnostics(&project.head()));
            std::panic::resume_unwind(cause);
        }
    }
    println!(
        "{moments} moments over {run:?}: {} pushes cut off, {} jobs started again at {} moments, nothing lost or doubled, {:?} in all",
        seen.pushes_cut,
        seen.jobs_restarted,
        seen.moments_restarted,
        began.elapsed()
    );
    // With the spawner gone in the middle of steps, something must have started again.
    assert!(moments < 10 || seen.moments_restarted > 0, "no moment hit a running step");
}

/// How long a run takes from the push to its outcome when nobody disturbs it.
fn undisturbed(installation: &Installation, project: &Project) -> Duration {
    let mut shortest = Duration::MAX;
    for number in 0..UNDISTURBED {
        let commit = project.commit(&format!("undisturbed {number}"));
        let began = Instant::now();
        assert!(project.push().wait(), "an undisturbed push fails");
        let account = Account::of(installation, &commit);
        shortest = shortest.min(began.elapsed());
        account.check(Attempts::One);
        project.forget_anchor();
    }
    shortest
}

fn crash(installation: &Installation, project: &Project, moment: u32, at: Duration, victims: Victims, seen: &mut Seen) {
    let before = installation.anchor_pods();
    let commit = project.commit(&format!("moment {moment}"));
    let began = Instant::now();
    let push = project.push();
    std::thread::sleep(at.saturating_sub(began.elapsed()));
    installation.kill(victims);
    let acknowledged = push.wait();
    installation.up();
    let moved = project.remote_head().as_deref() == Some(&*commit);
    assert!(moved || !acknowledged, "the push of {commit} was acknowledged, and is lost");
    if !moved {
        seen.pushes_cut += 1;
        assert!(project.push().wait(), "the push of {commit} fails when it is done again");
    }
    let account = Account::of(installation, &commit);
    let restarted = match victims {
        Victims::Server => account.check(Attempts::One),
        Victims::ServerAndSpawner => account.check(Attempts::Several),
    };
    seen.jobs_restarted += restarted;
    seen.moments_restarted += u32::from(restarted > 0);
    match victims {
        Victims::Server => assert_eq!(installation.anchor_pods(), before, "pods did not outlive the server"),
        Victims::ServerAndSpawner => installation.await_anchor(before.len()),
    }
}
