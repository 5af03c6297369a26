//! The charts and kustomizations that are rendered, made anew for each measurement.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::program;

/// Deployments of the chart and of the kustomization; a typical one has a few files of each kind.
const COPIES: usize = 12;

/// Subcharts of the umbrella chart.
const SUBCHARTS: usize = 30;

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-NUMBER
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: shop/web:1
        env: [{name: A, value: \"1\"}, {name: B, value: \"2\"}]
        ports: [{containerPort: 8080}]
";

/// The chart that `helm create` makes, with more templates of the usual kind.
pub fn chart(folder: &Path, helm: &Path) -> anyhow::Result<PathBuf> {
    program::output(Command::new(helm).args(["create", "shop"]).current_dir(folder))?;
    let chart = folder.join("shop");
    let deployment = fs::read_to_string(chart.join("templates/deployment.yaml"))?;
    for number in 0..COPIES {
        let name = format!("{{{{ include \"shop.fullname\" . }}}}-{number}");
        let copy = deployment.replacen("{{ include \"shop.fullname\" . }}", &name, 1);
        fs::write(chart.join(format!("templates/deployment-{number}.yaml")), copy)?;
    }
    Ok(chart)
}

/// So many copies of the chart, in folders of their own.
pub fn charts(folder: &Path, chart: &Path, count: usize) -> anyhow::Result<Vec<PathBuf>> {
    (0..count)
        .map(|number| {
            let copy = folder.join(format!("chart-{number}"));
            copy_tree(chart, &copy)?;
            Ok(copy)
        })
        .collect()
}

/// A chart of charts: each is the typical one, with values of its own and global ones.
pub fn umbrella(folder: &Path, chart: &Path) -> anyhow::Result<PathBuf> {
    let umbrella = folder.join("umbrella");
    let (mut dependencies, mut values) = (String::new(), String::from("global: {team: a}\n"));
    for number in 0..SUBCHARTS {
        let name = format!("part-{number}");
        let part = umbrella.join("charts").join(&name);
        copy_tree(chart, &part)?;
        let metadata = fs::read_to_string(part.join("Chart.yaml"))?.replace("name: shop", &format!("name: {name}"));
        fs::write(part.join("Chart.yaml"), metadata)?;
        dependencies.push_str(&format!("- {{name: {name}, version: 0.1.0, condition: {name}.enabled}}\n"));
        values.push_str(&format!("{name}: {{enabled: true, replicaCount: {number}, image: {{tag: v{number}}}}}\n"));
    }
    let metadata = format!("apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies:\n{dependencies}");
    fs::write(umbrella.join("Chart.yaml"), metadata)?;
    fs::write(umbrella.join("values.yaml"), values)?;
    Ok(umbrella)
}

/// So many overlays of one base.
pub fn overlays(folder: &Path, count: usize) -> anyhow::Result<Vec<PathBuf>> {
    let base = folder.join("base");
    fs::create_dir_all(&base)?;
    let names: Vec<_> = (0..COPIES).map(|number| format!("web-{number}.yaml")).collect();
    for (number, name) in names.iter().enumerate() {
        fs::write(base.join(name), DEPLOYMENT.replace("NUMBER", &number.to_string()))?;
    }
    fs::write(base.join("kustomization.yaml"), format!("resources: [{}]\n", names.join(", ")))?;
    // The root of what may be read is the repository.
    fs::create_dir_all(folder.join(".git"))?;
    (0..count).map(|number| overlay(folder, number)).collect()
}

fn overlay(folder: &Path, number: usize) -> anyhow::Result<PathBuf> {
    let overlay = folder.join(format!("overlays/shop-{number}"));
    fs::create_dir_all(&overlay)?;
    let text = format!(
        "namespace: shop-{number}\nnamePrefix: prod-\nresources: [../../base]\nimages: [{{name: shop/web, newTag: '{number}'}}]\n\
         commonLabels: {{team: a}}\nconfigMapGenerator: [{{name: settings, literals: [a={number}]}}]\n\
         patches: [{{target: {{kind: Deployment}}, patch: '- {{op: replace, path: /spec/replicas, value: 3}}'}}]\n"
    );
    fs::write(overlay.join("kustomization.yaml"), text)?;
    Ok(overlay)
}

fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
