//! The manifests of the actions that Landfall answers: what they take, what they give, which phases they have.

/// Each action with its manifest; the name is also what the program is told.
const MANIFESTS: &[(&str, &str)] = &[
    ("actions/checkout", CHECKOUT),
    ("actions/cache", CACHE),
    ("actions/cache/restore", CACHE_RESTORE),
    ("actions/cache/save", CACHE_SAVE),
    ("actions/upload-artifact", UPLOAD),
    ("actions/upload-artifact/merge", MERGE),
    ("actions/download-artifact", DOWNLOAD),
    ("actions/setup-node", SETUP_NODE),
    ("actions/setup-python", SETUP_PYTHON),
    ("actions/setup-go", SETUP_GO),
    ("actions/setup-java", SETUP_JAVA),
    ("dtolnay/rust-toolchain", RUST),
    ("actions-rs/toolchain", RUST),
    ("actions-rust-lang/setup-rust-toolchain", RUST),
    ("docker/login-action", LOGIN),
    ("azure/docker-login", LOGIN),
    ("docker/setup-buildx-action", BUILDX),
    ("docker/setup-qemu-action", QEMU),
    ("docker/build-push-action", BUILD),
    ("docker/metadata-action", METADATA),
    ("azure/k8s-deploy", DEPLOY),
    ("azure/k8s-set-context", SET_CONTEXT),
    ("azure/setup-kubectl", TOOL),
    ("azure/setup-helm", TOOL),
    ("dorny/test-reporter", super::reports::DORNY),
    ("mikepenz/action-junit-report", super::reports::MIKEPENZ),
    ("enricomi/publish-unit-test-result-action", super::reports::ENRICOMI),
    ("enricomi/publish-unit-test-result-action/linux", super::reports::ENRICOMI),
    ("enricomi/publish-unit-test-result-action/composite", super::reports::ENRICOMI),
    ("test-summary/action", super::reports::TEST_SUMMARY),
];

/// The manifest of an action, by its repository and path.
pub fn manifest(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let (known, text) = MANIFESTS.iter().find(|(known, _)| *known == lower)?;
    Some(text.replace("NAME", known))
}

/// The names of all actions that are answered.
pub fn repositories() -> Vec<&'static str> {
    MANIFESTS.iter().map(|(name, _)| *name).collect()
}

const CHECKOUT: &str = "
name: Checkout
inputs:
  repository: {default: '${{ github.repository }}'}
  ref: {}
  token: {default: '${{ github.token }}'}
  ssh-key: {}
  ssh-known-hosts: {}
  ssh-strict: {default: 'true'}
  ssh-user: {default: git}
  persist-credentials: {default: 'true'}
  path: {}
  clean: {default: 'true'}
  filter: {}
  sparse-checkout: {}
  sparse-checkout-cone-mode: {default: 'true'}
  fetch-depth: {default: '1'}
  fetch-tags: {default: 'false'}
  show-progress: {default: 'true'}
  lfs: {default: 'false'}
  submodules: {default: 'false'}
  set-safe-directory: {default: 'true'}
  github-server-url: {}
outputs:
  ref: {}
  commit: {}
runs: {using: native, main: NAME, post: NAME}
";

const CACHE: &str = "
name: Cache
inputs:
  path: {required: true}
  key: {required: true}
  restore-keys: {}
  upload-chunk-size: {}
  enableCrossOsArchive: {default: 'false'}
  fail-on-cache-miss: {default: 'false'}
  lookup-only: {default: 'false'}
  save-always: {default: 'false'}
outputs:
  cache-hit: {}
  cache-primary-key: {}
  cache-matched-key: {}
runs: {using: native, main: NAME, post: NAME, post-if: success()}
";

const CACHE_RESTORE: &str = "
name: Restore Cache
inputs:
  path: {required: true}
  key: {required: true}
  restore-keys: {}
  enableCrossOsArchive: {default: 'false'}
  fail-on-cache-miss: {default: 'false'}
  lookup-only: {default: 'false'}
outputs:
  cache-hit: {}
  cache-primary-key: {}
  cache-matched-key: {}
runs: {using: native, main: NAME}
";

const CACHE_SAVE: &str = "
name: Save a cache
inputs:
  path: {required: true}
  key: {required: true}
  upload-chunk-size: {}
  enableCrossOsArchive: {default: 'false'}
runs: {using: native, main: NAME}
";

const UPLOAD: &str = "
name: Upload a Build Artifact
inputs:
  name: {default: artifact}
  path: {required: true}
  if-no-files-found: {default: warn}
  retention-days: {}
  compression-level: {default: '6'}
  overwrite: {default: 'false'}
  include-hidden-files: {default: 'false'}
  archive: {default: 'true'}
outputs:
  artifact-id: {}
  artifact-url: {}
  artifact-digest: {}
runs: {using: native, main: NAME}
";

const MERGE: &str = "
name: Merge Build Artifacts
inputs:
  name: {default: merged-artifacts}
  pattern: {default: '*'}
  separate-directories: {default: 'false'}
  retention-days: {}
  compression-level: {default: '6'}
  delete-merged: {default: 'false'}
  include-hidden-files: {default: 'false'}
outputs:
  artifact-id: {}
  artifact-url: {}
  artifact-digest: {}
runs: {using: native, main: NAME}
";

const DOWNLOAD: &str = "
name: Download a Build Artifact
inputs:
  name: {}
  artifact-ids: {}
  path: {}
  pattern: {}
  merge-multiple: {default: 'false'}
  github-token: {}
  repository: {default: '${{ github.repository }}'}
  run-id: {default: '${{ github.run_id }}'}
  digest-mismatch: {default: error}
  skip-decompress: {default: 'false'}
outputs:
  download-path: {}
runs: {using: native, main: NAME}
";

const SETUP_NODE: &str = "
name: Setup Node.js environment
inputs:
  always-auth: {default: 'false'}
  node-version: {}
  node-version-file: {}
  architecture: {}
  check-latest: {default: 'false'}
  registry-url: {}
  scope: {}
  token: {default: '${{ github.token }}'}
  cache: {}
  package-manager-cache: {default: 'true'}
  cache-dependency-path: {}
  mirror: {}
  mirror-token: {}
outputs:
  cache-hit: {}
  node-version: {}
runs: {using: native, main: NAME, post: NAME, post-if: success()}
";

const SETUP_PYTHON: &str = "
name: Setup Python
inputs:
  python-version: {}
  python-version-file: {}
  cache: {}
  architecture: {}
  check-latest: {default: 'false'}
  token: {default: '${{ github.token }}'}
  cache-dependency-path: {}
  update-environment: {default: 'true'}
  allow-prereleases: {default: 'false'}
  freethreaded: {default: 'false'}
  pip-version: {}
  pip-install: {}
outputs:
  python-version: {}
  cache-hit: {}
  python-path: {}
runs: {using: native, main: NAME, post: NAME, post-if: success()}
";

const SETUP_GO: &str = "
name: Setup Go environment
inputs:
  go-version: {}
  go-version-file: {}
  check-latest: {default: 'false'}
  token: {default: '${{ github.token }}'}
  cache: {default: 'true'}
  cache-dependency-path: {}
  architecture: {}
  go-download-base-url: {}
outputs:
  go-version: {}
  cache-hit: {}
runs: {using: native, main: NAME, post: NAME, post-if: success()}
";

const SETUP_JAVA: &str = "
name: Setup Java JDK
inputs:
  java-version: {}
  java-version-file: {}
  distribution: {required: true}
  java-package: {default: jdk}
  architecture: {}
  jdkFile: {}
  check-latest: {default: 'false'}
  server-id: {}
  server-username: {}
  server-password: {}
  settings-path: {}
  overwrite-settings: {default: 'true'}
  gpg-private-key: {}
  gpg-passphrase: {}
  cache: {}
  cache-dependency-path: {}
  job-status: {default: '${{ job.status }}'}
  token: {default: '${{ github.token }}'}
  mvn-toolchain-id: {}
  mvn-toolchain-vendor: {}
outputs:
  distribution: {}
  version: {}
  path: {}
  cache-hit: {}
runs: {using: native, main: NAME, post: NAME, post-if: success()}
";

const RUST: &str = "
name: Rust toolchain
inputs:
  toolchain: {}
  target: {}
  targets: {}
  components: {}
  profile: {}
  override: {}
  default: {}
  cache: {}
  rustflags: {}
  matcher: {}
outputs:
  cachekey: {}
  name: {}
runs: {using: native, main: NAME}
";

const LOGIN: &str = "
name: Docker Login
inputs:
  registry: {}
  login-server: {}
  username: {}
  password: {}
  ecr: {default: auto}
  scope: {}
  logout: {default: 'true'}
runs: {using: native, main: NAME, post: NAME}
";

const BUILDX: &str = "
name: Docker Setup Buildx
inputs:
  version: {}
  name: {}
  driver: {}
  driver-opts: {}
  buildkitd-flags: {}
  buildkitd-config: {}
  buildkitd-config-inline: {}
  config: {}
  config-inline: {}
  install: {}
  use: {}
  endpoint: {}
  platforms: {}
  append: {}
  keep-state: {}
  cache-binary: {}
  cleanup: {}
outputs:
  name: {}
  driver: {}
  platforms: {}
  nodes: {}
  endpoint: {}
  status: {}
  flags: {}
runs: {using: native, main: NAME}
";

const QEMU: &str = "
name: Docker Setup QEMU
inputs:
  image: {}
  platforms: {}
  cache-image: {}
  reset: {}
outputs:
  platforms: {}
runs: {using: native, main: NAME}
";

const BUILD: &str = "
name: Build and push Docker images
inputs:
  add-hosts: {}
  allow: {}
  annotations: {}
  attests: {}
  build-args: {}
  build-contexts: {}
  builder: {}
  cache-from: {}
  cache-to: {}
  call: {}
  cgroup-parent: {}
  context: {}
  file: {}
  labels: {}
  load: {default: 'false'}
  network: {}
  no-cache: {default: 'false'}
  no-cache-filters: {}
  outputs: {}
  platforms: {}
  provenance: {}
  pull: {default: 'false'}
  push: {default: 'false'}
  sbom: {}
  secrets: {}
  secret-envs: {}
  secret-files: {}
  shm-size: {}
  ssh: {}
  tags: {}
  target: {}
  ulimit: {}
  github-token: {default: '${{ github.token }}'}
outputs:
  imageid: {}
  digest: {}
  metadata: {}
runs: {using: native, main: NAME}
";

const METADATA: &str = "
name: Docker Metadata action
inputs:
  context: {}
  images: {}
  tags: {}
  flavor: {}
  labels: {}
  annotations: {}
  sep-tags: {}
  sep-labels: {}
  sep-annotations: {}
  bake-target: {}
  github-token: {default: '${{ github.token }}'}
outputs:
  version: {}
  tags: {}
  labels: {}
  annotations: {}
  json: {}
runs: {using: native, main: NAME}
";

const DEPLOY: &str = "
name: Deploy to Kubernetes cluster
inputs:
  namespace: {}
  manifests: {required: true}
  images: {}
  imagepullsecrets: {}
  pull-images: {default: 'true'}
  strategy: {default: basic}
  action: {default: deploy}
  percentage: {default: '0'}
  baseline-and-canary-replicas: {}
  route-method: {}
  version-switch-buffer: {}
  traffic-split-method: {}
  force: {default: 'false'}
  annotate-resources: {}
  annotate-namespace: {}
  private-cluster: {}
  resource-group: {}
  name: {}
  skip-tls-verify: {}
  token: {default: '${{ github.token }}'}
  timeout: {}
runs: {using: native, main: NAME}
";

const SET_CONTEXT: &str = "
name: Kubernetes set context
inputs:
  method: {default: kubeconfig}
  kubeconfig: {}
  context: {}
  cluster-type: {}
runs: {using: native, main: NAME}
";

const TOOL: &str = "
name: Setup tool
inputs:
  version: {default: latest}
  token: {default: '${{ github.token }}'}
  downloadBaseURL: {}
outputs:
  kubectl-path: {}
  helm-path: {}
runs: {using: native, main: NAME}
";

#[cfg(test)]
mod tests {
    use workflow::{ActionHome, Manifest};

    use super::*;

    #[test]
    fn every_manifest_is_read_without_a_word() {
        for name in repositories() {
            let text = manifest(name).expect("a manifest");
            let parsed = Manifest::parse(&text, name, &ActionHome::Native);
            let told: Vec<_> = parsed.diagnostics.iter().map(|it| it.render(&text)).collect();
            assert_eq!(told.join("\n"), "", "{name}");
            assert!(parsed.manifest.is_some(), "{name}");
        }
        assert_eq!(manifest("actions/unknown"), None);
    }
}
