//! Runs a template with the real Helm.

use std::{fs, path::PathBuf, process::Command};

use sprig::Edition;

fn tool(name: &str) -> PathBuf {
    let folder = std::env::var_os("LANDFALL_TOOLS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../target/tools/bin"),
        PathBuf::from,
    );
    let path = folder.join(name);
    assert!(
        path.exists(),
        "the referee {} is missing; `cargo xtask tools` fetches it",
        path.display()
    );
    path
}

/// What Helm writes for the template, without its own first lines.
pub fn helm(template: &str, values: &str, edition: Edition) -> Result<String, String> {
    let chart = tempfile::tempdir().expect("a folder");
    fs::create_dir(chart.path().join("templates")).expect("a folder");
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ("values.yaml", values),
        ("templates/all.yaml", template),
    ] {
        fs::write(chart.path().join(name), text).expect("a file");
    }
    let name = match edition {
        Edition::Helm3 => "helm3",
        Edition::Helm4 => "helm4",
    };
    let output = Command::new(tool(name))
        .args(["template", "r"])
        .arg(chart.path())
        .env("TZ", "UTC")
        .output()
        .expect("helm runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}
