//! Well-known actions that Landfall answers itself, with the same inputs and outputs and without a network.
//!
//! In a job Landfall's own program runs under the name [`PROGRAM`]; it finds its inputs in the
//! environment and leaves outputs, state and variables in the command files, as any action does.

mod artifact;
mod azure;
mod cache;
mod checkout;
mod docker;
mod docker_build;
mod docker_metadata;
mod globs;
mod manifests;
mod package_cache;
mod problems;
mod reports;
mod server;
mod setup;
mod step;
mod versions;
mod zip;

use std::{ffi::OsString, path::Path, process::ExitCode};

pub use manifests::{manifest, repositories};
pub use reports::patterns as report_inputs;
use step::{Failed, Phase, Step};

/// The name under which the program answers actions.
pub const PROGRAM: &str = "landfall-action";

/// Carries out an action if this process was started under the name [`PROGRAM`].
///
/// Put it first into `main`; in a test program, [`crate::act_as_action`] does.
pub fn main_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    let name = arguments.next()?;
    (Path::new(&name).file_name()? == PROGRAM).then(|| main(&arguments.collect::<Vec<_>>()))
}

/// Lets a test program answer actions: put it once into the root of the program.
#[macro_export]
macro_rules! act_as_action {
    () => {
        #[used]
        #[unsafe(link_section = ".init_array")]
        static ACT_AS_ACTION: extern "C" fn() = {
            extern "C" fn act() {
                if let Some(code) = $crate::native_main_if_asked() {
                    // There is no `main` to return to.
                    std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
                }
            }
            act
        };
    };
}

fn main(arguments: &[OsString]) -> ExitCode {
    let text = |at: usize| arguments.get(at).and_then(|it| it.to_str()).unwrap_or_default();
    let phase = match text(1) {
        "pre" => Phase::Pre,
        "post" => Phase::Post,
        _ => Phase::Main,
    };
    let step = Step::of_process(phase);
    match run(text(0), &step) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(why)) => {
            step.error(&why);
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, step: &Step) -> Result<(), Failed> {
    match name.to_ascii_lowercase().as_str() {
        "actions/checkout" => checkout::run(step),
        "actions/cache" => cache::run(step, cache::Part::Both),
        "actions/cache/restore" => cache::run(step, cache::Part::Restore),
        "actions/cache/save" => cache::run(step, cache::Part::Save),
        "actions/upload-artifact" => artifact::upload(step),
        "actions/upload-artifact/merge" => artifact::merge_all(step),
        "actions/download-artifact" => artifact::download(step),
        "actions/setup-node" => setup::node(step),
        "actions/setup-python" => setup::python(step),
        "actions/setup-go" => setup::go(step),
        "actions/setup-java" => setup::java(step),
        "dtolnay/rust-toolchain" | "actions-rs/toolchain" | "actions-rust-lang/setup-rust-toolchain" => setup::rust(step),
        "docker/login-action" | "azure/docker-login" => docker::login(step),
        "docker/setup-buildx-action" => docker::buildx(step),
        "docker/setup-qemu-action" => docker::qemu(step),
        "docker/build-push-action" => docker_build::run(step),
        "docker/metadata-action" => docker_metadata::run(step),
        "azure/k8s-deploy" => azure::deploy(step),
        "azure/setup-kubectl" => azure::tool(step, "kubectl"),
        "azure/setup-helm" => azure::tool(step, "helm"),
        "azure/k8s-set-context" => azure::set_context(step),
        "dorny/test-reporter" => reports::dorny(step),
        "mikepenz/action-junit-report" => reports::mikepenz(step),
        "enricomi/publish-unit-test-result-action"
        | "enricomi/publish-unit-test-result-action/linux"
        | "enricomi/publish-unit-test-result-action/composite" => reports::enricomi(step),
        "test-summary/action" => reports::test_summary(step),
        other => Err(Failed(format!("`{other}` is not among the actions that Landfall answers itself"))),
    }
}
