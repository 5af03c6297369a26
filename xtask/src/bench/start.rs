//! How long `landfall up` takes, until everything is ready.

use std::{process::Command, time::Instant};

use super::{Ground, figure::{Figure, Samples}, installation::Installation};
use crate::program;

const STARTS: usize = 10;

pub fn measure(ground: &Ground) -> anyhow::Result<Vec<Figure>> {
    let floor = Samples::take(STARTS, |_| {
        let began = Instant::now();
        program::output(Command::new(&ground.program).arg("--version"))?;
        Ok(began.elapsed())
    })?;
    let (mut installation, first) = Installation::start(&ground.program)?;
    let again = Samples::take(STARTS, |_| {
        installation.down()?;
        installation.up()
    })?;
    let what = "the program starts and ends";
    Ok(vec![
        Figure::time("up: the very first start", first).floor(what, floor.p50()),
        Figure::time("up: to ready, p50", again.p50()).floor(what, floor.p50()).goal(150.0),
        Figure::time("up: to ready, p95", again.p95()).floor(what, floor.p95()),
    ])
}
