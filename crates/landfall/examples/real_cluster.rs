//! Runs the control plane of a real Kubernetes for whoever wants one, until its standard input ends.
//!
//! `LANDFALL_REAL_CLUSTER` names the program of `tests/real-cluster`. The first line that is
//! printed is the administrator's kubeconfig; `landfall up --kubeconfig FILE --node NAME` joins it.

#[path = "../tests/real/certificates.rs"]
mod certificates;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/real/control_plane.rs"]
mod control_plane;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/e2e/program.rs"]
mod program;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/e2e/wait.rs"]
mod wait;

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let cluster = control_plane::ControlPlane::start(folder.path());
    println!("{}", cluster.kubeconfig().display());
    io::stdout().flush()?;
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
