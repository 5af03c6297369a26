//! Makes the node known: its Node object, kept ready, and its lease, kept renewed.

use std::{collections::BTreeMap, fs, time::Duration};

use names::Timestamp;
use serde_json::{Value, json};

use crate::{
    api::{PatchKind, Requests, is, now},
    context::Config,
};

/// As the kubelet renews and others expect.
const LEASE_SECONDS: u64 = 40;
const RENEWAL: Duration = Duration::from_secs(10);
const STATUS_RENEWAL: Duration = Duration::from_secs(300);
const LEASES: &str = "kube-node-lease";

/// What the machine offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    pub cpus: usize,
    pub memory_bytes: u64,
    pub disk_bytes: u64,
}

impl Machine {
    /// Asks the machine; `dir` lies on the disk that pods write to.
    pub fn observe(dir: &std::path::Path) -> Self {
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = memory.lines().find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        });
        let disk = rustix::fs::statvfs(dir).map(|disk| disk.f_blocks * disk.f_frsize);
        Self {
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory.unwrap_or(0_u64) * 1024,
            disk_bytes: disk.unwrap_or(0),
        }
    }

    /// Capacity, and as nothing is kept back, what pods may ask for.
    pub fn resources(&self) -> BTreeMap<String, String> {
        [
            ("cpu", self.cpus.to_string()),
            ("memory", format!("{}Ki", self.memory_bytes / 1024)),
            ("ephemeral-storage", format!("{}Ki", self.disk_bytes / 1024)),
            ("pods", "110".to_owned()),
            ("hugepages-2Mi", "0".to_owned()),
            ("hugepages-1Gi", "0".to_owned()),
        ]
        .map(|(name, quantity)| (name.to_owned(), quantity))
        .into()
    }
}

/// Keeps one node registered.
pub struct Registration {
    pub requests: Requests,
    pub config: Config,
    pub address: std::net::IpAddr,
    pub machine: Machine,
}

impl Registration {
    /// Makes or updates the Node object and the lease.
    pub async fn register(&self) -> kube::Result<()> {
        let name = &self.config.name;
        let path = format!("/api/v1/nodes/{name}");
        let found = self.requests.get(&path).await?;
        let node = match found {
            Some(node) => {
                let patch = json!({ "metadata": { "labels": self.labels() } });
                self.requests.patch(&path, PatchKind::Merge, &patch).await?;
                node
            }
            None => ignore_conflict(self.requests.post("/api/v1/nodes", &self.node()).await)?,
        };
        let uid = node["metadata"]["uid"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        self.write_status(&node["status"]).await?;
        self.take_lease(&uid).await
    }

    /// Renews the lease, and now and then the status, until it is dropped.
    pub async fn keep(&self) {
        let mut since_status = Duration::ZERO;
        loop {
            tokio::time::sleep(RENEWAL).await;
            since_status += RENEWAL;
            let renewed = match self.renew_lease().await {
                Ok(true) if since_status < STATUS_RENEWAL => Ok(()),
                Ok(_) => {
                    since_status = Duration::ZERO;
                    self.register().await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = renewed {
                tracing::warn!(%error, node = %self.config.name, "the node could not be renewed");
            }
        }
    }

    fn labels(&self) -> Value {
        let mut labels = json!({
            "kubernetes.io/hostname": self.config.name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": architecture(),
            "beta.kubernetes.io/os": "linux",
            "beta.kubernetes.io/arch": architecture(),
        });
        for (name, value) in &self.config.labels {
            labels[name] = json!(value);
        }
        labels
    }

    fn node(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": self.config.name, "labels": self.labels() },
            "spec": { "podCIDR": self.config.pod_cidr, "podCIDRs": [self.config.pod_cidr] },
        })
    }

    async fn write_status(&self, before: &Value) -> kube::Result<()> {
        let resources = self.machine.resources();
        let mut status = json!({
            "capacity": resources,
            "allocatable": resources,
            "conditions": conditions(before, now()),
            "addresses": [
                { "type": "InternalIP", "address": self.address.to_string() },
                { "type": "Hostname", "address": self.config.name },
            ],
            "nodeInfo": node_info(),
        });
        if let Some(port) = self.config.kubelet_port {
            status["daemonEndpoints"] = json!({ "kubeletEndpoint": { "Port": port } });
        }
        let path = format!("/api/v1/nodes/{}/status", self.config.name);
        self.requests
            .patch(&path, PatchKind::Strategic, &json!({ "status": status }))
            .await
            .map(drop)
    }

    fn lease_path(&self) -> String {
        format!(
            "/apis/coordination.k8s.io/v1/namespaces/{LEASES}/leases/{}",
            self.config.name
        )
    }

    async fn take_lease(&self, uid: &str) -> kube::Result<()> {
        if self.renew_lease().await? {
            return Ok(());
        }
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self.config.name,
                "namespace": LEASES,
                "ownerReferences": [{ "apiVersion": "v1", "kind": "Node", "name": self.config.name, "uid": uid }],
            },
            "spec": {
                "holderIdentity": self.config.name,
                "leaseDurationSeconds": LEASE_SECONDS,
                "renewTime": micro_time(now()),
            },
        });
        let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{LEASES}/leases");
        match self.requests.post(&leases, &lease).await {
            Err(error) if is(&error, 404) => {
                let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": LEASES } });
                ignore_conflict(self.requests.post("/api/v1/namespaces", &namespace).await)?;
                ignore_conflict(self.requests.post(&leases, &lease).await).map(drop)
            }
            made => ignore_conflict(made).map(drop),
        }
    }

    /// Says whether there was a lease to renew.
    async fn renew_lease(&self) -> kube::Result<bool> {
        let patch = json!({ "spec": { "holderIdentity": self.config.name, "renewTime": micro_time(now()) } });
        let renewed = self
            .requests
            .patch(&self.lease_path(), PatchKind::Merge, &patch)
            .await?;
        Ok(renewed.is_some())
    }
}

/// Who came first does not matter, only that it is there.
fn ignore_conflict(made: kube::Result<Value>) -> kube::Result<Value> {
    match made {
        Err(error) if is(&error, 409) => Ok(Value::Null),
        made => made,
    }
}

fn micro_time(time: Timestamp) -> String {
    let micros = time.as_micros().rem_euclid(1_000_000);
    format!(
        "{}.{micros:06}Z",
        time.to_seconds_text().trim_end_matches('Z')
    )
}

fn conditions(before: &Value, at: Timestamp) -> Value {
    let at = at.to_seconds_text();
    let since = |kind: &str, status: &str| {
        let same = |condition: &&Value| condition["type"] == kind && condition["status"] == status;
        let known = before["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .find(same);
        known
            .and_then(|known| known["lastTransitionTime"].as_str())
            .unwrap_or(&at)
            .to_owned()
    };
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": at,
            "lastTransitionTime": since(kind, status),
        })
    };
    json!([
        condition(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available"
        ),
        condition(
            "DiskPressure",
            "False",
            "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure"
        ),
        condition(
            "PIDPressure",
            "False",
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available"
        ),
        condition(
            "Ready",
            "True",
            "KubeletReady",
            "kubelet is posting ready status"
        ),
    ])
}

fn node_info() -> Value {
    let read = |path: &str| {
        fs::read_to_string(path)
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    };
    let release = read("/etc/os-release");
    let os = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    json!({
        "machineID": read("/etc/machine-id"),
        "systemUUID": read("/etc/machine-id"),
        "bootID": read("/proc/sys/kernel/random/boot_id"),
        "kernelVersion": read("/proc/sys/kernel/osrelease"),
        "osImage": os.unwrap_or("Linux").trim_matches('"'),
        "containerRuntimeVersion": concat!("landfall://", env!("CARGO_PKG_VERSION")),
        "kubeletVersion": concat!("v1.34.0+landfall-", env!("CARGO_PKG_VERSION")),
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": architecture(),
    })
}

/// As Go names architectures.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
