//! Runs `docker` against a real builder and registry, as a job does.
//!
//! Everything here needs root; without it the tests are skipped and say so.

mod cases;
mod ground;

use std::{panic::AssertUnwindSafe, process::ExitCode};

use futures_util::FutureExt as _;

fn main() -> ExitCode {
    sandbox::spawner_main_if_asked();
    if !rustix::process::geteuid().is_root() {
        println!("skipped: building needs root");
        return ExitCode::SUCCESS;
    }
    rustls::crypto::ring::default_provider().install_default().expect("the first provider");
    let filter = std::env::args().skip(1).find(|it| !it.starts_with('-'));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mut failed = 0;
    for (name, case) in cases::all() {
        if filter.as_ref().is_some_and(|it| !name.contains(it.as_str())) {
            continue;
        }
        let started = std::time::Instant::now();
        let passed = runtime.block_on(async {
            let ground = ground::Ground::new().await;
            let passed = AssertUnwindSafe(case(&ground)).catch_unwind().await.is_ok();
            ground.close().await;
            passed
        });
        println!("test {name} ... {} ({:?})", if passed { "ok" } else { "FAILED" }, started.elapsed());
        failed += usize::from(!passed);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
