//! The inputs of actions that many workflows use.

/// The names of an action's inputs, if the action is known here.
pub(super) fn of(action: &str) -> Option<&'static [&'static str]> {
    let lower = action.to_lowercase();
    KNOWN.iter().find(|(name, _)| *name == lower).map(|(_, inputs)| *inputs)
}

/// By name; of all versions that are in use together.
const KNOWN: &[(&str, &[&str])] = &[
    (
        "actions/checkout",
        &[
            "repository", "ref", "token", "ssh-key", "ssh-known-hosts", "ssh-strict", "ssh-user",
            "persist-credentials", "path", "clean", "filter", "sparse-checkout", "sparse-checkout-cone-mode",
            "fetch-depth", "fetch-tags", "show-progress", "lfs", "submodules", "set-safe-directory",
            "github-server-url", "allow-unsafe-pr-checkout",
        ],
    ),
    (
        "actions/cache",
        &[
            "path", "key", "restore-keys", "upload-chunk-size", "enableCrossOsArchive", "fail-on-cache-miss",
            "lookup-only", "save-always",
        ],
    ),
    (
        "actions/cache/restore",
        &["path", "key", "restore-keys", "enableCrossOsArchive", "fail-on-cache-miss", "lookup-only"],
    ),
    ("actions/cache/save", &["path", "key", "upload-chunk-size", "enableCrossOsArchive"]),
    (
        "actions/upload-artifact",
        &[
            "name", "path", "if-no-files-found", "retention-days", "compression-level", "overwrite",
            "include-hidden-files", "archive",
        ],
    ),
    (
        "actions/download-artifact",
        &[
            "name", "artifact-ids", "path", "pattern", "merge-multiple", "github-token", "repository", "run-id",
            "skip-decompress", "digest-mismatch",
        ],
    ),
    (
        "actions/setup-node",
        &[
            "always-auth", "node-version", "node-version-file", "architecture", "check-latest", "registry-url",
            "scope", "token", "cache", "package-manager-cache", "cache-dependency-path", "mirror", "mirror-token",
            "version",
        ],
    ),
    (
        "actions/setup-python",
        &[
            "python-version", "python-version-file", "cache", "architecture", "check-latest", "token",
            "cache-dependency-path", "update-environment", "allow-prereleases", "freethreaded", "pip-version",
            "pip-install",
        ],
    ),
    (
        "actions/setup-go",
        &[
            "go-version", "go-version-file", "check-latest", "token", "cache", "cache-dependency-path",
            "architecture", "go-download-base-url", "stable",
        ],
    ),
    (
        "actions/setup-java",
        &[
            "java-version", "java-version-file", "distribution", "java-package", "architecture", "jdkFile",
            "check-latest", "server-id", "server-username", "server-password", "settings-path",
            "overwrite-settings", "gpg-private-key", "gpg-passphrase", "cache", "cache-dependency-path",
            "job-status", "token", "mvn-toolchain-id", "mvn-toolchain-vendor",
        ],
    ),
    (
        "actions/setup-dotnet",
        &[
            "dotnet-version", "dotnet-quality", "global-json-file", "source-url", "owner", "config-file", "cache",
            "cache-dependency-path", "workloads", "architecture", "channel",
        ],
    ),
    (
        "actions/github-script",
        &[
            "script", "github-token", "debug", "user-agent", "previews", "result-encoding", "retries",
            "retry-exempt-status-codes", "base-url",
        ],
    ),
    ("actions/configure-pages", &["static_site_generator", "generator_config_file", "token", "enablement"]),
    ("actions/upload-pages-artifact", &["name", "path", "retention-days", "include-hidden-files"]),
    ("actions/deploy-pages", &["token", "timeout", "error_count", "reporting_interval", "artifact_name", "preview"]),
    ("docker/login-action", &["registry", "username", "password", "scope", "ecr", "logout", "registry-auth"]),
    (
        "docker/setup-buildx-action",
        &[
            "version", "name", "driver", "driver-opts", "buildkitd-flags", "buildkitd-config",
            "buildkitd-config-inline", "install", "use", "endpoint", "platforms", "append", "keep-state",
            "cache-binary", "cleanup", "config", "config-inline",
        ],
    ),
    ("docker/setup-qemu-action", &["image", "platforms", "cache-image", "reset"]),
    (
        "docker/build-push-action",
        &[
            "add-hosts", "allow", "annotations", "attests", "build-args", "build-contexts", "builder", "cache-from",
            "cache-to", "call", "cgroup-parent", "context", "file", "labels", "load", "network", "no-cache",
            "no-cache-filters", "outputs", "platforms", "provenance", "pull", "push", "sbom", "secrets",
            "secret-envs", "secret-files", "shm-size", "ssh", "tags", "target", "ulimit", "github-token",
        ],
    ),
    (
        "docker/metadata-action",
        &[
            "context", "images", "tags", "flavor", "labels", "annotations", "sep-tags", "sep-labels",
            "sep-annotations", "bake-target", "github-token",
        ],
    ),
    (
        "azure/k8s-deploy",
        &[
            "namespace", "manifests", "images", "imagepullsecrets", "pull-images", "strategy", "route-method",
            "version-switch-buffer", "traffic-split-method", "traffic-split-annotations",
            "baseline-and-canary-replicas", "percentage", "action", "force", "server-side", "timeout", "token",
            "annotate-resources", "annotate-namespace", "private-cluster", "resource-group", "name",
            "skip-tls-verify", "resource-type",
        ],
    ),
    ("azure/setup-kubectl", &["version"]),
    ("azure/setup-helm", &["version", "token", "downloadBaseURL"]),
];
