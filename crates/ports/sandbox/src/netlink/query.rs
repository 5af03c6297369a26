//! Asks the kernel for links and routes.

use std::{io, net::Ipv4Addr};

use super::{
    Cidr, Netlink, check_name, family,
    message::{Builder, attributes, split},
};

/// A network link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub index: i32,
    pub name: String,
}

/// An IPv4 route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub destination: Cidr,
    pub gateway: Option<Ipv4Addr>,
    /// The index of the [`Link`] it leads over.
    pub link: Option<i32>,
    /// 254 is the main table, 255 that of the machine's own addresses.
    pub table: u32,
}

impl Netlink {
    /// The number of a link; `ENODEV` if there is none of this name.
    pub(super) fn index(&self, link: &str) -> io::Result<i32> {
        let mut message = Builder::new(libc::RTM_GETLINK, 0);
        message.link_header(0, 0, 0);
        message.text(libc::IFLA_IFNAME, check_name(link)?);
        let request = message.finish(libc::NLM_F_REQUEST | libc::NLM_F_ACK);
        rustix::net::send(&self.socket, &request, rustix::net::SendFlags::empty())?;
        let mut index = None;
        self.answers(|kind, body| {
            if kind == libc::RTM_NEWLINK {
                index = index.or(link_of(body).map(|link| link.index));
            }
            Ok(())
        })?;
        index.ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))
    }

    pub fn links(&self) -> io::Result<Vec<Link>> {
        let mut message = Builder::new(libc::RTM_GETLINK, 0);
        message.link_header(0, 0, 0);
        let mut links = Vec::new();
        self.dump(message, |kind, body| {
            if kind == libc::RTM_NEWLINK {
                links.extend(link_of(body));
            }
        })?;
        Ok(links)
    }

    pub fn routes(&self) -> io::Result<Vec<Route>> {
        let mut message = Builder::new(libc::RTM_GETROUTE, 0);
        message.bytes(&[family::IPV4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut routes = Vec::new();
        self.dump(message, |kind, body| {
            if kind == libc::RTM_NEWROUTE {
                routes.extend(route_of(body));
            }
        })?;
        Ok(routes)
    }

    fn dump(&self, message: Builder, mut take: impl FnMut(u16, &[u8])) -> io::Result<()> {
        let request = message.finish(libc::NLM_F_REQUEST | libc::NLM_F_DUMP);
        rustix::net::send(&self.socket, &request, rustix::net::SendFlags::empty())?;
        self.answers(|kind, body| {
            take(kind, body);
            Ok(())
        })
    }

    /// Reads messages up to the verdict.
    pub(super) fn answers(&self, mut take: impl FnMut(u16, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let (received, _) = rustix::net::recv(&self.socket, &mut *buffer, rustix::net::RecvFlags::empty())?;
            let mut rest = &buffer[..received];
            while let Some(length) = rest.first_chunk() {
                let length = u32::from_ne_bytes(*length) as usize;
                let Some((message, after)) = split(rest, length.max(16)) else { break };
                rest = after;
                let kind = u16::from_ne_bytes([message[4], message[5]]);
                let body = &message[16..];
                match i32::from(kind) {
                    libc::NLMSG_ERROR => {
                        let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                        return if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) };
                    }
                    libc::NLMSG_DONE => return Ok(()),
                    _ => take(kind, body)?,
                }
            }
        }
    }
}

fn link_of(body: &[u8]) -> Option<Link> {
    let index = i32::from_ne_bytes(body.get(4..8)?.try_into().ok()?);
    let name = attributes(body.get(16..)?).find(|(kind, _)| *kind == libc::IFLA_IFNAME)?.1;
    let name = name.strip_suffix(&[0]).unwrap_or(name);
    Some(Link { index, name: String::from_utf8_lossy(name).into_owned() })
}

fn route_of(body: &[u8]) -> Option<Route> {
    let (prefix, table) = (*body.get(1)?, *body.get(4)?);
    let mut route = Route {
        destination: Cidr { address: Ipv4Addr::UNSPECIFIED, prefix },
        gateway: None,
        link: None,
        table: table.into(),
    };
    for (kind, value) in attributes(body.get(12..)?) {
        let Ok(value) = <[u8; 4]>::try_from(value) else { continue };
        match kind {
            libc::RTA_DST => route.destination.address = value.into(),
            libc::RTA_GATEWAY => route.gateway = Some(value.into()),
            libc::RTA_OIF => route.link = Some(i32::from_ne_bytes(value)),
            libc::RTA_TABLE => route.table = u32::from_ne_bytes(value),
            _ => {}
        }
    }
    Some(route)
}
