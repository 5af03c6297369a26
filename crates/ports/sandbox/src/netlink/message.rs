//! Writes the kernel's network messages: a header, a fixed part, attributes with padding.

use std::net::Ipv4Addr;

/// Numbers of attributes that `libc` does not name.
pub mod attribute {
    pub const INFO_KIND: u16 = 1;
    pub const INFO_DATA: u16 = 2;
    pub const VETH_PEER: u16 = 1;
}

pub mod family {
    pub const IPV4: u8 = 2;
}

const HEADER: usize = 16;

/// One request in the making.
pub struct Builder {
    kind: u16,
    flags: i32,
    body: Vec<u8>,
}

impl Builder {
    pub fn new(kind: u16, flags: i32) -> Self {
        Self { kind, flags, body: Vec::new() }
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.body.extend_from_slice(bytes);
    }

    /// The fixed part of a message about links.
    pub fn link_header(&mut self, index: i32, flags: u32, changed: u32) {
        self.bytes(&[0, 0, 0, 0]);
        self.bytes(&index.to_ne_bytes());
        self.bytes(&flags.to_ne_bytes());
        self.bytes(&changed.to_ne_bytes());
    }

    /// The fixed part of a message about IPv4 routes.
    pub fn route_header(&mut self, prefix: u8, table: u8, scope: u8, kind: u8) {
        self.bytes(&[family::IPV4, prefix, 0, 0, table, libc::RTPROT_BOOT, scope, kind]);
        self.bytes(&[0; 4]);
    }

    pub fn text(&mut self, attribute: u16, text: &str) {
        self.attribute(attribute, |value| {
            value.bytes(text.as_bytes());
            value.bytes(&[0]);
        });
    }

    pub fn number(&mut self, attribute: u16, number: u32) {
        self.attribute(attribute, |value| value.bytes(&number.to_ne_bytes()));
    }

    pub fn address(&mut self, attribute: u16, address: Ipv4Addr) {
        self.attribute(attribute, |value| value.bytes(&address.octets()));
    }

    pub fn nested(&mut self, attribute: u16, fill: impl FnOnce(&mut Self)) {
        self.attribute(attribute | libc::NLA_F_NESTED as u16, fill);
    }

    fn attribute(&mut self, attribute: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.body.len();
        self.bytes(&[0, 0]);
        self.bytes(&attribute.to_ne_bytes());
        fill(self);
        let length = u16::try_from(self.body.len() - start).unwrap_or(u16::MAX);
        self.body[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.body.resize(self.body.len().next_multiple_of(4), 0);
    }

    /// The request as it is sent.
    pub fn finish(self, flags: i32) -> Vec<u8> {
        let length = u32::try_from(HEADER + self.body.len()).unwrap_or(u32::MAX);
        let flags = (self.flags | flags) as u16;
        let mut bytes = Vec::with_capacity(HEADER + self.body.len());
        bytes.extend_from_slice(&length.to_ne_bytes());
        bytes.extend_from_slice(&self.kind.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&1_u32.to_ne_bytes());
        bytes.extend_from_slice(&0_u32.to_ne_bytes());
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// A part cut off the front of received bytes.
pub fn split(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let padded = length.next_multiple_of(4).min(bytes.len());
    Some((bytes.get(..length)?, &bytes[padded..]))
}

/// The attributes of a received message, number and value.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes([*bytes.get(2)?, *bytes.get(3)?]);
        let (attribute, rest) = split(bytes, length.max(4))?;
        bytes = rest;
        Some((kind & 0x3fff, &attribute[4..]))
    })
}
