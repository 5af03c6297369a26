//! One control plane: etcd, API server, controllers and scheduler on an address of their own.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{
    certificates::{Authority, write_token_key},
    program::run,
    wait::until_ok,
};

/// Names the program with all parts in it.
const PROGRAM: &str = "LANDFALL_REAL_CLUSTER";

/// So many control planes fit on one machine.
const PLACES: u8 = 250;

/// A control plane that runs; ended and forgotten when dropped.
pub struct ControlPlane {
    program: PathBuf,
    folder: PathBuf,
    kubeconfig: PathBuf,
    place: Place,
    parts: Vec<(&'static str, Child)>,
}

impl ControlPlane {
    /// Starts one; returns when a node may join.
    pub fn start(folder: &Path) -> Self {
        let program = std::env::var_os(PROGRAM);
        let program = program.unwrap_or_else(|| panic!("{PROGRAM} names no program; `cargo xtask test --real-cluster` builds it and sets it"));
        fs::create_dir_all(folder).expect("a folder can be made");
        let mut it = Self {
            program: program.into(),
            folder: folder.to_owned(),
            kubeconfig: folder.join("admin.conf"),
            place: Place::take(),
            parts: Vec::new(),
        };
        it.write_certificates();
        it.start_etcd();
        it.start_api_server();
        let kubeconfig = it.kubeconfig.clone();
        until_ok("the API server is ready", || kubectl(&kubeconfig, &["get", "--raw", "/readyz"]));
        it.start_part("kube-controller-manager", &[
            "--authentication-kubeconfig=manager.conf",
            "--authorization-kubeconfig=manager.conf",
            "--kubeconfig=manager.conf",
            "--root-ca-file=ca.pem",
            "--service-account-private-key-file=tokens.key",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--secure-port=0",
        ]);
        it.start_part("kube-scheduler", &[
            "--authentication-kubeconfig=scheduler.conf",
            "--authorization-kubeconfig=scheduler.conf",
            "--kubeconfig=scheduler.conf",
            "--leader-elect=false",
            "--secure-port=0",
        ]);
        for object in ["service/kubernetes", "servicecidr/kubernetes", "serviceaccount/default"] {
            until_ok(&format!("there is {object}"), || kubectl(&kubeconfig, &["get", "-n", "default", object]));
        }
        it
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The last lines of every part's log.
    pub fn evidence(&self) -> String {
        let mut text = String::new();
        for (name, _) in &self.parts {
            let log = fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default();
            let last: Vec<_> = log.lines().rev().take(40).collect();
            text += &format!("=== {name}\n");
            last.iter().rev().for_each(|line| text += &format!("{line}\n"));
        }
        text
    }

    fn write_certificates(&self) {
        let (authority, server) = (Authority::new(), format!("https://{}:6443", self.place.address()));
        authority.write(&self.folder.join("ca.pem"));
        let addresses = [self.place.address(), self.place.first_service(), Ipv4Addr::LOCALHOST].map(IpAddr::from);
        authority.server(&addresses).write(&self.folder, "server");
        authority.client("kube-apiserver-kubelet-client", &["system:masters"]).write(&self.folder, "kubelet-client");
        write_token_key(&self.folder);
        for (file, user, groups) in [
            ("admin.conf", "admin", &["system:masters"][..]),
            ("manager.conf", "system:kube-controller-manager", &[]),
            ("scheduler.conf", "system:kube-scheduler", &[]),
        ] {
            authority.write_kubeconfig(&self.folder.join(file), &server, &authority.client(user, groups));
        }
    }

    fn start_etcd(&mut self) {
        let (clients, peers) = (self.place.url(2379), self.place.url(2380));
        self.start_part("etcd", &[
            "--data-dir=etcd",
            &format!("--listen-client-urls={clients}"),
            &format!("--advertise-client-urls={clients}"),
            &format!("--listen-peer-urls={peers}"),
            &format!("--initial-advertise-peer-urls={peers}"),
            &format!("--initial-cluster=default={peers}"),
            // Nobody wants it back after a crash of the machine.
            "--unsafe-no-fsync",
            "--log-level=error",
        ]);
    }

    fn start_api_server(&mut self) {
        let address = self.place.address();
        self.start_part("kube-apiserver", &[
            &format!("--etcd-servers={}", self.place.url(2379)),
            &format!("--bind-address={address}"),
            &format!("--advertise-address={address}"),
            &format!("--service-cluster-ip-range={}", self.place.services()),
            "--secure-port=6443",
            "--tls-cert-file=server.pem",
            "--tls-private-key-file=server.key",
            "--client-ca-file=ca.pem",
            "--authorization-mode=Node,RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=tokens.pub",
            "--service-account-signing-key-file=tokens.key",
            "--kubelet-client-certificate=kubelet-client.pem",
            "--kubelet-client-key=kubelet-client.key",
            // No DNS of this machine knows the node's name.
            "--kubelet-preferred-address-types=InternalIP",
            // The node speaks the newer protocol itself, and needs no translation to the older one.
            "--feature-gates=TranslateStreamCloseWebsocketRequests=false",
        ]);
    }

    fn start_part(&mut self, name: &'static str, arguments: &[&str]) {
        let log = fs::File::create(self.folder.join(format!("{name}.log"))).expect("a file can be made");
        // A killed test takes its control plane with it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(&self.program).arg(name).args(arguments).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("`{name}` cannot be started: {error}"));
        self.parts.push((name, child));
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        for (_, child) in self.parts.iter_mut().rev() {
            // One that ended by itself is gone, too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn kubectl(kubeconfig: &Path, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new("kubectl");
    command.env("NO_PROXY", "*").arg("--kubeconfig").arg(kubeconfig).args(arguments);
    let ran = run(&mut command);
    if ran.code == Some(0) { Ok(()) } else { Err(ran.to_string()) }
}

/// An address of the loopback link and a range for Services, held until dropped.
struct Place {
    number: u8,
    _held: fs::File,
}

impl Place {
    fn take() -> Self {
        fs::create_dir_all("/run/lock").expect("a folder can be made");
        for number in 1..=PLACES {
            let file = fs::File::create(format!("/run/lock/landfall-real-cluster-{number}")).expect("a lock file can be made");
            if rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok() {
                let it = Self { number, _held: file };
                // One that a killed test left is as good.
                let _ = it.ip("add");
                return it;
            }
        }
        panic!("{PLACES} control planes run on this machine already");
    }

    /// API servers tell Services of no address in 127.0.0.0/8.
    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 98, 0, self.number)
    }

    fn first_service(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 97, self.number, 1)
    }

    fn services(&self) -> String {
        format!("10.97.{}.0/24", self.number)
    }

    fn url(&self, port: u16) -> String {
        format!("http://{}:{port}", self.address())
    }

    fn ip(&self, verb: &str) -> Option<i32> {
        run(Command::new("ip").args(["address", verb, &format!("{}/32", self.address()), "dev", "lo"])).code
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.ip("del");
    }
}
