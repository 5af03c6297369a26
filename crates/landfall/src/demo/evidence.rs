//! What is kept of a demo that did not hold, so that the reason can be found.

use std::{fs, path::PathBuf};

use serde_json::Value;

use super::{
    app::App,
    installation::{Cluster, Installation},
    place::Place,
};

/// Writes the server's log, the threads and the cluster's objects into the demo's folder; gives the files.
pub async fn keep(place: &Place, installation: &Installation, app: &App) -> Vec<PathBuf> {
    let mut kept = Vec::new();
    let mut keep = |name: &str, text: Result<String, String>| {
        // Evidence that cannot be had is told in its place.
        let text = text.unwrap_or_else(|error| format!("not to be had: {error}\n"));
        let path = place.folder().join(name);
        if fs::write(&path, text).is_ok() {
            kept.push(path);
        }
    };
    keep("server.log", fs::read_to_string(installation.data().join("server.log")).map_err(|it| it.to_string()));
    let threads = installation.get::<Value>("threads").await;
    keep("threads.json", threads.map(pretty).map_err(|it| format!("{it:#}")));
    for run in runs(app, installation).await {
        let printed = installation.run(&["logs", &format!("{}#{run}", app.name)]).await;
        let printed = printed.map(|it| String::from_utf8_lossy(&[it.stdout, it.stderr].concat()).into_owned());
        keep(&format!("run-{run}.log"), printed.map_err(|it| format!("{it:#}")));
    }
    match installation.cluster().await {
        Ok(cluster) => {
            for (name, path) in paths(app) {
                keep(name, objects(&cluster, &path).await);
            }
        }
        Err(error) => keep("cluster.txt", Err(format!("{error:#}"))),
    }
    kept
}

/// The numbers of the runs that there were.
async fn runs(app: &App, installation: &Installation) -> Vec<u64> {
    let Ok(runs) = installation.get::<Value>(&format!("runs?project={}", app.name)).await else { return Vec::new() };
    let items = runs["items"].as_array().into_iter().flatten();
    items.filter_map(|run| run["id"].as_str()?.rsplit_once('#')?.1.parse().ok()).collect()
}

fn paths(app: &App) -> [(&'static str, String); 4] {
    let name = &app.name;
    [
        ("pods.json", format!("/api/v1/namespaces/{name}/pods")),
        ("events.json", format!("/api/v1/namespaces/{name}/events")),
        ("deployments.json", format!("/apis/apps/v1/namespaces/{name}/deployments")),
        ("replicasets.json", format!("/apis/apps/v1/namespaces/{name}/replicasets")),
    ]
}

async fn objects(cluster: &Cluster, path: &str) -> Result<String, String> {
    let found = cluster.get(path).await.map_err(|it| format!("{it:#}"))?;
    Ok(found.map(pretty).unwrap_or_default())
}

fn pretty(value: Value) -> String {
    format!("{value:#}\n")
}
