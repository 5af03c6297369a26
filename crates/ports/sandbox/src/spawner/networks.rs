//! Pod networks: a network namespace held open, a pair of links, a bridge, and address translation for what leaves.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Error, NetworkName, PodAddress, Result,
    netlink::{self, Cidr, Netlink},
    sys,
};

/// The networks of one spawner. They live as long as it does: nothing of them is left when it dies.
pub struct Networks {
    state: PathBuf,
    own: OwnedFd,
    made: BTreeMap<NetworkName, (PodAddress, OwnedFd)>,
    /// Bridges known to be ready.
    bridges: Vec<(String, Cidr)>,
}

impl Networks {
    pub fn new(state: &Path) -> io::Result<Self> {
        let own = open_own()?;
        Ok(Self { state: state.to_owned(), own, made: BTreeMap::new(), bridges: Vec::new() })
    }

    pub fn create(&mut self, name: &NetworkName, address: &PodAddress) -> Result<()> {
        if let Some((known, _)) = self.made.get(name) {
            if known == address {
                return Ok(());
            }
            self.remove(name)?;
        }
        self.ensure_bridge(address)?;
        let (namespace, inside) = self.new_namespace().map_err(Error::machine("making a network namespace"))?;
        let link = self.link_name(name);
        let connect = || -> io::Result<()> {
            let host = Netlink::open()?;
            host.delete_link(&link)?;
            host.add_pair(&link, &address.bridge, namespace.as_fd())?;
            inside.set_up("lo")?;
            inside.add_address("eth0", address.address, address.prefix)?;
            inside.set_up("eth0")?;
            inside.add_default_route(address.gateway)
        };
        connect().map_err(Error::machine(format!("connecting network `{name}` to bridge `{}`", address.bridge)))?;
        self.made.insert(name.clone(), (address.clone(), namespace));
        Ok(())
    }

    pub fn remove(&mut self, name: &NetworkName) -> Result<()> {
        if self.made.remove(name).is_none() {
            return Ok(());
        }
        // Processes may still hold the namespace; without its link it is an island.
        netlink::delete_link(&self.link_name(name)).map_err(Error::machine(format!("removing the link of network `{name}`")))
    }

    pub fn get(&self, name: &NetworkName) -> Option<BorrowedFd<'_>> {
        self.made.get(name).map(|(_, namespace)| namespace.as_fd())
    }

    pub fn list(&self) -> BTreeMap<NetworkName, PodAddress> {
        self.made.iter().map(|(name, (address, _))| (name.clone(), address.clone())).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    pub fn remove_all(&mut self) {
        for name in self.made.keys().cloned().collect::<Vec<_>>() {
            let _ = self.remove(&name);
        }
    }

    fn ensure_bridge(&mut self, address: &PodAddress) -> Result<()> {
        let cidr = Cidr::of(address.gateway, address.prefix);
        let key = (address.bridge.clone(), cidr);
        let there = netlink::links().is_ok_and(|links| links.iter().any(|link| link.name == address.bridge));
        if there && self.bridges.contains(&key) {
            return Ok(());
        }
        netlink::ensure_bridge(&address.bridge, address.gateway, address.prefix)
            .map_err(Error::machine(format!("making bridge `{}`", address.bridge)))?;
        if let Err(error) = fs::write("/proc/sys/net/ipv4/ip_forward", "1") {
            eprintln!("spawner: pods reach nothing outside: setting ip_forward: {error}");
        }
        if let Err(error) = translate(&address.bridge, cidr) {
            eprintln!("spawner: pods reach nothing outside: {error}");
        }
        self.bridges.push(key);
        Ok(())
    }

    /// A new namespace and a connection into it. Only this thread moves, and comes back at once.
    fn new_namespace(&self) -> io::Result<(OwnedFd, Netlink)> {
        sys::unshare(libc::CLONE_NEWNET)?;
        let made = open_own().and_then(|namespace| Ok((namespace, Netlink::open()?)));
        if let Err(error) = sys::setns(self.own.as_fd(), libc::CLONE_NEWNET) {
            // In the wrong network everything that follows would be wrong.
            eprintln!("spawner: cannot return to the host's network: {error}");
            sys::exit_now(1);
        }
        made
    }

    /// Link names have 15 bytes, names of networks more.
    fn link_name(&self, name: &NetworkName) -> String {
        let key = [self.state.as_os_str().as_bytes(), b"/", name.as_str().as_bytes()].concat();
        format!("lf{:012x}", super::hash(&key) & 0xffff_ffff_ffff)
    }
}

fn open_own() -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    Ok(rustix::fs::open("/proc/self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// The program that can give pods an address of this machine when they reach out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Nat {
    Nft,
    Iptables,
}

/// Which of them is installed.
pub fn nat() -> Option<Nat> {
    let installed = |name: &str| {
        std::env::split_paths(PROGRAMS).any(|folder| folder.join(name).exists())
    };
    match (installed("nft"), installed("iptables")) {
        (true, _) => Some(Nat::Nft),
        (false, true) => Some(Nat::Iptables),
        (false, false) => None,
    }
}

/// Where administrators' programs are, whatever path the server was given.
const PROGRAMS: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";

fn translate(bridge: &str, cidr: Cidr) -> io::Result<()> {
    match nat() {
        Some(Nat::Nft) => {
            let table = table_name(bridge);
            nft(&format!(
                "add table ip {table}\n\
                 delete table ip {table}\n\
                 table ip {table} {{\n\
                   chain leave {{\n\
                     type nat hook postrouting priority srcnat; policy accept;\n\
                     ip saddr {cidr} oifname != \"{bridge}\" masquerade\n\
                   }}\n\
                 }}\n"
            ))
        }
        Some(Nat::Iptables) => {
            let cidr = cidr.to_string();
            let rule = ["-s", &cidr, "!", "-o", bridge, "-j", "MASQUERADE"];
            let call = |change: &str| Command::new("iptables").env("PATH", PROGRAMS).args(["-w", "-t", "nat", change, "POSTROUTING"]).args(rule).output();
            if call("-C")?.status.success() {
                return Ok(());
            }
            told(&call("-A")?)
        }
        None => Err(io::Error::other("neither nft nor iptables is installed")),
    }
}

/// Removes a bridge and the address translation for its pods. Succeeds if there is none.
pub fn remove_bridge(bridge: &str) -> io::Result<()> {
    netlink::delete_link(bridge)?;
    if nat() == Some(Nat::Nft) {
        let table = table_name(bridge);
        nft(&format!("add table ip {table}\ndelete table ip {table}\n"))?;
    }
    Ok(())
}

fn table_name(bridge: &str) -> String {
    let plain: String = bridge.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect();
    format!("landfall_{plain}")
}

fn nft(rules: &str) -> io::Result<()> {
    let mut child = Command::new("nft")
        .env("PATH", PROGRAMS)
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(rules.as_bytes())?;
    }
    told(&child.wait_with_output()?)
}

fn told(output: &std::process::Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
