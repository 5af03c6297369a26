//! Links, addresses and routes through the kernel's own interface, synchronously and without other programs.

mod message;
mod query;

use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
    str::FromStr,
};

use message::{Builder, attribute, family};
pub use query::{Link, Route};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// An IPv4 network, `10.96.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    pub address: Ipv4Addr,
    pub prefix: u8,
}

/// Why a text is no [`Cidr`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an IPv4 network such as `10.96.0.0/16`, found `{0}`")]
pub struct ParseCidrError(String);

impl Cidr {
    /// The network that an address with so many bits of network lies in.
    pub fn of(address: Ipv4Addr, prefix: u8) -> Self {
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
        Self { address: Ipv4Addr::from(u32::from(address) & mask), prefix: prefix.min(32) }
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        Self::of(address, self.prefix) == Self::of(self.address, self.prefix)
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = ParseCidrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let (address, prefix) = (address.parse().ok()?, prefix.parse().ok()?);
            (prefix <= 32).then_some(Self { address, prefix })
        };
        parse().ok_or_else(|| ParseCidrError(text.to_owned()))
    }
}

/// Makes a bridge with this address, or finishes one that is there.
pub fn ensure_bridge(name: &str, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
    let netlink = Netlink::open()?;
    netlink.add_bridge(name)?;
    netlink.add_address(name, address, prefix)?;
    netlink.set_up(name)
}

/// Succeeds if there is no such link.
pub fn delete_link(name: &str) -> io::Result<()> {
    Netlink::open()?.delete_link(name)
}

/// Makes every address of `cidr` this machine's own, so that one can listen on them.
pub fn add_local_route(cidr: Cidr) -> io::Result<()> {
    Netlink::open()?.local_route(cidr, Change::Add)
}

/// Succeeds if there is no such route.
pub fn delete_local_route(cidr: Cidr) -> io::Result<()> {
    Netlink::open()?.local_route(cidr, Change::Delete)
}

/// All IPv4 routes of this machine, those to its own addresses included.
pub fn routes() -> io::Result<Vec<Route>> {
    Netlink::open()?.routes()
}

/// All links of this machine.
pub fn links() -> io::Result<Vec<Link>> {
    Netlink::open()?.links()
}

/// The protocol that speaks of links and routes is number zero, which `rustix` writes as none.
const ROUTE: Option<rustix::net::Protocol> = None;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Add,
    Delete,
}

/// A connection to the network namespace that the thread was in when it was opened; it stays there.
pub struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    pub fn open() -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, ROUTE)?;
        Ok(Self { socket })
    }

    pub fn set_up(&self, link: &str) -> io::Result<()> {
        let mut message = Builder::new(libc::RTM_NEWLINK, 0);
        message.link_header(self.index(link)?, libc::IFF_UP as u32, libc::IFF_UP as u32);
        self.change(message)
    }

    pub fn add_bridge(&self, name: &str) -> io::Result<()> {
        let mut message = Builder::new(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL);
        message.link_header(0, 0, 0);
        message.text(libc::IFLA_IFNAME, check_name(name)?);
        message.nested(libc::IFLA_LINKINFO, |info| info.text(attribute::INFO_KIND, "bridge"));
        ignore(self.change(message), libc::EEXIST)
    }

    /// Makes a pair of links: `host` here on the bridge, `eth0` in the network namespace `other`.
    pub fn add_pair(&self, host: &str, bridge: &str, other: BorrowedFd<'_>) -> io::Result<()> {
        let bridge = self.index(bridge)?;
        let mut message = Builder::new(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL);
        message.link_header(0, libc::IFF_UP as u32, libc::IFF_UP as u32);
        message.text(libc::IFLA_IFNAME, check_name(host)?);
        message.number(libc::IFLA_MASTER, bridge as u32);
        message.nested(libc::IFLA_LINKINFO, |info| {
            info.text(attribute::INFO_KIND, "veth");
            info.nested(attribute::INFO_DATA, |data| {
                data.nested(attribute::VETH_PEER, |peer| {
                    peer.link_header(0, 0, 0);
                    peer.text(libc::IFLA_IFNAME, "eth0");
                    peer.number(libc::IFLA_NET_NS_FD, other.as_raw_fd() as u32);
                });
            });
        });
        self.change(message)
    }

    pub fn delete_link(&self, name: &str) -> io::Result<()> {
        let index = match self.index(name) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(()),
            other => other?,
        };
        let mut message = Builder::new(libc::RTM_DELLINK, 0);
        message.link_header(index, 0, 0);
        ignore(self.change(message), libc::ENODEV)
    }

    pub fn add_address(&self, link: &str, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
        let mut message = Builder::new(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL);
        message.bytes(&[family::IPV4, prefix, 0, 0]);
        message.bytes(&self.index(link)?.to_ne_bytes());
        message.address(libc::IFA_LOCAL, address);
        message.address(libc::IFA_ADDRESS, address);
        let broadcast = u32::from(address) | u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
        message.address(libc::IFA_BROADCAST, Ipv4Addr::from(broadcast));
        ignore(self.change(message), libc::EEXIST)
    }

    pub fn add_default_route(&self, gateway: Ipv4Addr) -> io::Result<()> {
        let mut message = Builder::new(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL);
        message.route_header(0, libc::RT_TABLE_MAIN, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST);
        message.address(libc::RTA_GATEWAY, gateway);
        ignore(self.change(message), libc::EEXIST)
    }

    fn local_route(&self, cidr: Cidr, change: Change) -> io::Result<()> {
        let (kind, flags) = match change {
            Change::Add => (libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL),
            Change::Delete => (libc::RTM_DELROUTE, 0),
        };
        let mut message = Builder::new(kind, flags);
        message.route_header(cidr.prefix, libc::RT_TABLE_LOCAL, libc::RT_SCOPE_HOST, libc::RTN_LOCAL);
        message.address(libc::RTA_DST, Cidr::of(cidr.address, cidr.prefix).address);
        message.number(libc::RTA_OIF, self.index("lo")? as u32);
        let accepted = if change == Change::Add { libc::EEXIST } else { libc::ESRCH };
        ignore(self.change(message), accepted)
    }

    /// Sends a change and reads the kernel's verdict.
    fn change(&self, message: Builder) -> io::Result<()> {
        let request = message.finish(libc::NLM_F_REQUEST | libc::NLM_F_ACK);
        rustix::net::send(&self.socket, &request, rustix::net::SendFlags::empty())?;
        self.answers(|_, _| Ok(()))
    }
}

/// Link names of the kernel have 15 bytes.
fn check_name(name: &str) -> io::Result<&str> {
    let good = !name.is_empty() && name.len() <= 15 && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    if good { Ok(name) } else { Err(io::Error::other(format!("`{name}` is no name of a link"))) }
}

fn ignore(result: io::Result<()>, code: i32) -> io::Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(code) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_compared() {
        let cidr: Cidr = "10.96.0.0/16".parse().expect("a network");
        assert!(cidr.contains(Ipv4Addr::new(10, 96, 200, 1)) && !cidr.contains(Ipv4Addr::new(10, 97, 0, 1)));
        assert_eq!(Cidr::of(Ipv4Addr::new(10, 251, 3, 9), 24).to_string(), "10.251.3.0/24");
        assert_eq!(Cidr::of(Ipv4Addr::new(10, 251, 3, 9), 0).to_string(), "0.0.0.0/0");
        for wrong in ["10.0.0.0", "10.0.0.0/33", "x/8"] {
            assert!(wrong.parse::<Cidr>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn routes_and_links_of_this_machine_are_listed() {
        assert!(links().expect("links").iter().any(|link| link.name == "lo"));
        routes().expect("routes");
    }
}
