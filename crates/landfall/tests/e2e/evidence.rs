//! Prints what a failed test leaves, so that the reason can be found.

use crate::installation::Installation;

/// The server's log, all threads and job logs, and the cluster's pods and events.
pub fn print(installation: &Installation) {
    let log = std::fs::read_to_string(installation.data().join("server.log")).unwrap_or_default();
    eprintln!("=== server.log\n{log}");
    for arguments in [&["runs", "--output", "json"][..], &["ps", "--output", "json"], &["image", "ls"]] {
        eprintln!("=== {}", installation.landfall(arguments));
    }
    let runs = installation.landfall(&["runs", "--output", "json"]).out;
    let runs: serde_json::Value = serde_json::from_str(&runs).unwrap_or_default();
    for run in runs["items"].as_array().into_iter().flatten() {
        if let (Some(id), Some(commit)) = (run["id"].as_str(), run["commit"].as_str()) {
            eprintln!("=== {}", installation.landfall(&["logs", "--timestamps", id]));
            eprintln!("=== {}", installation.landfall(&["trace", commit]));
        }
    }
    eprintln!("{}", installation.home().evidence());
    if installation.kubeconfig().is_some() {
        for arguments in [&["get", "pods,services", "-A", "-o", "wide"][..], &["get", "events", "-A"]] {
            eprintln!("=== {}", installation.kubectl(arguments));
        }
    }
}
