//! A thousand stories of deploy and rollback with faults at random moments.

use std::time::Instant;

use anyhow::ensure;

use super::{Ground, figure::Figure};
use crate::program;

/// As many stories; each has faults of its own.
const SEEDS: u32 = 1000;

pub fn measure(_: &Ground) -> anyhow::Result<Vec<Figure>> {
    // Built before, so that only the stories are timed.
    let test = ["test", "--locked", "--package", "gitops", "--test", "it"];
    ensure!(program::cargo().args(test).arg("--no-run").status()?.success(), "the stories do not compile");
    let began = Instant::now();
    let mut stories = program::cargo();
    stories.args(test).args(["--", "--exact", "seeds::whatever_fails_everything_is_as_it_was", "--nocapture"]);
    let passed = stories.env("LANDFALL_SEEDS", SEEDS.to_string()).status()?.success();
    ensure!(passed, "some stories ended badly; each is told above with its seed");
    let took = began.elapsed();
    Ok(vec![
        Figure::new(format!("seeds: of {SEEDS} stories with faults, ended badly"), 0.0, "").goal(0.0),
        Figure::time("  each of them, several at a time", took / SEEDS),
    ])
}
