//! The real Helm, as a referee.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use helm::Compat;

/// What a render came to: the text, or the error without its advice.
pub type Outcome = Result<String, String>;

/// Where the referee of a mode is.
pub fn path(compat: Compat) -> PathBuf {
    let name = match compat {
        Compat::Helm4 => "helm4",
        Compat::Helm3 => "helm3",
    };
    let folder = env::var_os("LANDFALL_TOOLS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/tools/bin"),
        PathBuf::from,
    );
    let path = folder.join(name);
    assert!(
        path.exists(),
        "no `{name}` in {}: set LANDFALL_TOOLS to the folder of the referees",
        folder.display()
    );
    path
}

/// Runs `helm template r chart` in `folder`.
pub fn template(compat: Compat, folder: &Path, arguments: &[String]) -> Outcome {
    let output = Command::new(path(compat))
        .args(["template", "r", "chart"])
        .args(arguments)
        .current_dir(folder)
        .env("HELM_CACHE_HOME", folder.join("cache"))
        .env("HELM_CONFIG_HOME", folder.join("config"))
        .env("HELM_DATA_HOME", folder.join("data"))
        .env("TZ", "UTC")
        .env_remove("KUBECONFIG")
        .output()
        .expect("the referee starts");
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let all = String::from_utf8_lossy(&output.stderr).into_owned();
    let at = all.find("Error: ").map_or(0, |at| at + "Error: ".len());
    Err(plain_error(&all[at..]))
}

/// An error without the advice that the command line adds.
pub fn plain_error(text: &str) -> String {
    let text = text.trim();
    let advice = "Use --debug flag to render out invalid YAML";
    text.strip_suffix(advice).unwrap_or(text).trim().to_owned()
}
