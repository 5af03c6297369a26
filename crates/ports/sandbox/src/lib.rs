//! One sandbox for jobs, build steps and pods: processes in a root file system with mounts, limits, network, output and an exit.
//!
//! [`Local`] runs them on this machine through a *spawner*: the same binary, started once more as a
//! single-threaded process that outlives the server. [`scripted::Scripted`] plays them in tests.

mod capabilities;
mod cgroups;
mod child;
mod error;
mod ids;
mod inside;
mod local;
pub mod log;
pub mod netlink;
pub mod scripted;
mod spawner;
mod spec;
mod spread;
mod status;
mod streams;
mod sys;
mod wire;

use std::{collections::BTreeMap, fmt, net::Ipv4Addr, path::PathBuf, pin::Pin};

pub use capabilities::Capabilities;
pub use cgroups::Layout;
pub use error::{CannotStart, Error, Reason};
pub use ids::{NetworkName, ParseNameError, ProcessName, SandboxId};
pub use inside::{Inside, Insides, OverlayError};
pub use local::Local;
use serde::{Deserialize, Serialize};
pub use spawner::{Nat, remove_bridge, spawner_main_if_asked};
pub use spread::spread;
pub use spec::{
    Access, HostView, Io, Limits, Main, Mount, Network, Privilege, Process, Root, Seccomp, Security, ShownAccess, ShownFolder,
    Spec,
};
pub use status::{Exit, ProcessStatus, Signal, Status, Target};
pub use streams::{Streams, Terminal};
pub use wire::Running;

/// Lets a test program act as spawner: put it once into the root of the program.
///
/// Test programs have no `main` of their own to call [`spawner_main_if_asked`] in, so the loader does it.
#[macro_export]
macro_rules! act_as_spawner {
    () => {
        #[used]
        #[unsafe(link_section = ".init_array")]
        static ACT_AS_SPAWNER: extern "C" fn() = {
            extern "C" fn act() {
                $crate::spawner_main_if_asked();
            }
            act
        };
    };
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Runs processes that see only what they are given.
///
/// # Contract
///
/// - `run` and `exec` return once the program was started, or why it could not be.
/// - Output and exit outlive the caller: who comes back finds them through `list` and `attach`.
/// - A name is taken until `stop(id, Target::Remove)`.
/// - When the main process ends, everything in the sandbox ends.
#[async_trait::async_trait]
pub trait Sandbox: Send + Sync {
    /// Starts a sandbox; streams come back if its main process asks for [`Io::Streams`].
    async fn run(&self, id: &SandboxId, spec: &Spec) -> Result<Option<Streams>>;

    /// Starts one more process in a running sandbox.
    async fn exec(&self, id: &SandboxId, name: &ProcessName, process: &Process) -> Result<Option<Streams>>;

    /// Everything that was run and not removed, ended or not.
    async fn list(&self) -> Result<Vec<Status>>;

    /// Finds the log and the end of a process, running or ended.
    async fn attach(&self, id: &SandboxId, name: &ProcessName) -> Result<Attached>;

    /// [`Sandbox::exec`] and [`Sandbox::attach`] in one go, for a process whose output is logged.
    async fn exec_attached(&self, id: &SandboxId, name: &ProcessName, process: &Process) -> Result<Attached> {
        self.exec(id, name, process).await?;
        self.attach(id, name).await
    }

    /// Signals, ends or removes; see [`Target`].
    async fn stop(&self, id: &SandboxId, target: Target) -> Result<()>;
}

/// A process that was found by [`Sandbox::attach`].
pub struct Attached {
    /// Lines as [`log::parse`] reads them; `None` for processes with [`Io::Streams`] and idle main processes.
    pub log: Option<PathBuf>,
    exit: Pin<Box<dyn Future<Output = Result<Exit>> + Send>>,
}

impl Attached {
    pub fn new(log: Option<PathBuf>, exit: impl Future<Output = Result<Exit>> + Send + 'static) -> Self {
        Self { log, exit: Box::pin(exit) }
    }

    /// Returns when the process has ended; dropping it has no effect on the process.
    pub async fn wait(self) -> Result<Exit> {
        self.exit.await
    }

    /// The lines of the log from byte `from` on, until the process has ended and all is read,
    /// and then how it ended.
    pub fn follow(self, from: u64) -> log::Follow {
        log::Follow::new(self.log, from, self.exit)
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("log", &self.log).finish_non_exhaustive()
    }
}

/// Networks that the sandboxes of one pod share.
///
/// A network lives as long as the spawner; names are taken until removed.
#[async_trait::async_trait]
pub trait PodNetworks: Send + Sync {
    /// Makes the bridge if it is missing, and a network connected to it.
    async fn create(&self, name: &NetworkName, address: &PodAddress) -> Result<()>;

    /// Succeeds if there is none. Sandboxes still inside lose their connection.
    async fn remove(&self, name: &NetworkName) -> Result<()>;

    async fn list(&self) -> Result<BTreeMap<NetworkName, PodAddress>>;
}

/// The address of a pod and the bridge it is reached over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodAddress {
    pub address: Ipv4Addr,
    /// Bits of the network, for the pod as for the bridge.
    pub prefix: u8,
    /// The bridge's own address and the pod's default route.
    pub gateway: Ipv4Addr,
    /// A link name of at most 15 bytes.
    pub bridge: String,
}
