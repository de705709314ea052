//! The networks that are no place for a webhook, with their names.
//!
//! From the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its
//! updates) and the multicast and reserved ranges of the address space registries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// What it is for, in words.
    pub name: &'static str,
    /// Its first address.
    pub first: IpAddr,
    /// How many leading bits its addresses share.
    pub prefix: u8,
    /// Where an IPv4 address stands inside, for forms that stand for one.
    embedded: Option<Embedded>,
}

/// Where an IPv6 address holds an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Embedded {
    /// In the last 32 bits.
    Last,
    /// In the 32 bits behind the first 16 (6to4, RFC 3056).
    Second,
    /// In the last 32 bits, each of them turned over (Teredo, RFC 4380).
    LastTurned,
}

impl Network {
    /// Returns whether the address is inside.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.prefix);
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.prefix);
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }

    /// Returns the IPv4 address that an address inside stands for; `None` when it stands for
    /// itself alone.
    pub(super) fn embedded(&self, address: IpAddr) -> Option<Ipv4Addr> {
        let (kind, IpAddr::V6(address)) = (self.embedded?, address) else { return None };
        let bits = address.to_bits();
        Some(Ipv4Addr::from_bits(match kind {
            Embedded::Last => bits as u32,
            Embedded::Second => (bits >> 80) as u32,
            Embedded::LastTurned => !(bits as u32),
        }))
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

const fn v4(name: &'static str, (a, b, c, d): (u8, u8, u8, u8), prefix: u8) -> Network {
    Network { name, first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix, embedded: None }
}

const fn v6(name: &'static str, first: u128, prefix: u8) -> Network {
    Network { name, first: IpAddr::V6(Ipv6Addr::from_bits(first)), prefix, embedded: None }
}

const fn holding(network: Network, embedded: Embedded) -> Network {
    Network { embedded: Some(embedded), ..network }
}

/// Every forbidden network; of those inside of another the narrower one comes first, because
/// the first that holds an address gives the reason.
pub const FORBIDDEN: &[Network] = &[
    v4("this network", (0, 0, 0, 0), 8),
    v4("private", (10, 0, 0, 0), 8),
    v4("shared by a carrier (CGNAT)", (100, 64, 0, 0), 10),
    v4("loopback", (127, 0, 0, 0), 8),
    v4("link-local", (169, 254, 0, 0), 16),
    v4("private", (172, 16, 0, 0), 12),
    v4("protocol assignments", (192, 0, 0, 0), 24),
    v4("documentation (TEST-NET-1)", (192, 0, 2, 0), 24),
    v4("name service sink (AS112)", (192, 31, 196, 0), 24),
    v4("multicast tunnel (AMT)", (192, 52, 193, 0), 24),
    v4("6to4 relay", (192, 88, 99, 0), 24),
    v4("private", (192, 168, 0, 0), 16),
    v4("name service sink (AS112)", (192, 175, 48, 0), 24),
    v4("benchmarking", (198, 18, 0, 0), 15),
    v4("documentation (TEST-NET-2)", (198, 51, 100, 0), 24),
    v4("documentation (TEST-NET-3)", (203, 0, 113, 0), 24),
    v4("multicast", (224, 0, 0, 0), 4),
    v4("broadcast", (255, 255, 255, 255), 32),
    v4("reserved (class E)", (240, 0, 0, 0), 4),
    v6("unspecified", 0, 128),
    v6("loopback", 1, 128),
    holding(v6("IPv4-mapped", 0xffff << 32, 96), Embedded::Last),
    holding(v6("IPv4-translated (SIIT)", 0xffff << 48, 96), Embedded::Last),
    holding(v6("IPv4-compatible", 0, 96), Embedded::Last),
    holding(v6("IPv4 translated (NAT64)", 0x0064_ff9b << 96, 96), Embedded::Last),
    // Where the IPv4 address stands in it is each network's own choice (RFC 8215).
    v6("IPv4 translated locally (NAT64)", 0x0064_ff9b_0001 << 80, 48),
    v6("discard", 0x0100 << 112, 64),
    v6("dummy", (0x0100 << 112) | (1 << 64), 64),
    holding(v6("Teredo", 0x2001 << 112, 32), Embedded::LastTurned),
    v6("port control anycast", (0x2001_0001 << 96) | 1, 128),
    v6("relay anycast (TURN)", (0x2001_0001 << 96) | 2, 128),
    v6("service discovery anycast", (0x2001_0001 << 96) | 3, 128),
    v6("benchmarking", 0x2001_0002 << 96, 48),
    v6("multicast tunnel (AMT)", 0x2001_0003 << 96, 32),
    v6("name service sink (AS112)", 0x2001_0004_0112 << 80, 48),
    v6("identifiers, withdrawn (ORCHID)", 0x2001_0010 << 96, 28),
    v6("identifiers (ORCHIDv2)", 0x2001_0020 << 96, 28),
    v6("drone identifiers", 0x2001_0030 << 96, 28),
    v6("protocol assignments", 0x2001 << 112, 23),
    v6("documentation", 0x2001_0db8 << 96, 32),
    holding(v6("6to4", 0x2002 << 112, 16), Embedded::Second),
    v6("name service sink (AS112)", 0x2620_004f_8000 << 80, 48),
    v6("documentation", 0x3fff << 112, 20),
    v6("segment routing (SRv6)", 0x5f00 << 112, 16),
    v6("unique local", 0xfc00 << 112, 7),
    v6("link-local", 0xfe80 << 112, 10),
    v6("site-local", 0xfec0 << 112, 10),
    v6("multicast", 0xff00 << 112, 8),
];

/// Returns the forbidden network that an address is in; `None` when it is in none.
#[must_use]
pub fn forbidden(address: IpAddr) -> Option<&'static Network> {
    FORBIDDEN.iter().find(|network| network.contains(address))
}
