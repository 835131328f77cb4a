//! Which addresses a provider's requests may go to (SPEC C-5).
//!
//! The core judges addresses; resolving names is the shells' business. A shell that resolves connects to the very address it asked
//! [`AddressRule::permits`] about. Without a resolver, [`AddressRule::permits_url`] still refuses literals and the names of the local host.

mod block;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::url::{Host, Url};
pub use block::{AddressBlock, AddressBlocks};

/// Where a provider's requests may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AddressRule {
    /// `allowPrivateIP: false`: public addresses.
    #[default]
    PublicOnly,
    /// `allowPrivateIP: true`: loopback, private, unique-local and CGNAT addresses too.
    Private,
    /// The issuer is on a loopback host: public addresses and, of the others, loopback only.
    LoopbackOnlyPlusPublic,
}

impl AddressRule {
    /// Whether a connection to `address` is allowed.
    pub fn permits(self, address: IpAddr) -> bool {
        self.permits_kind(AddressKind::of(address))
    }

    /// Whether the host as written is allowed. Of names, only `localhost` and those under it are known to be loopback.
    ///
    /// # Errors
    /// What the host is, where that is refused.
    pub fn permits_url(self, url: &Url) -> Result<(), AddressError> {
        let kind = match url.host() {
            Host::Name(name) if name == "localhost" || name.ends_with(".localhost") => AddressKind::Loopback,
            Host::Name(_) => return Ok(()),
            Host::Ipv4(address) => AddressKind::of(IpAddr::V4(*address)),
            Host::Ipv6(address) => AddressKind::of(IpAddr::V6(*address)),
        };
        if self.permits_kind(kind) { Ok(()) } else { Err(AddressError { kind }) }
    }

    fn permits_kind(self, kind: AddressKind) -> bool {
        match kind {
            AddressKind::Public => true,
            AddressKind::Loopback => self != Self::PublicOnly,
            AddressKind::Private => self == Self::Private,
            AddressKind::LinkLocal
            | AddressKind::Metadata
            | AddressKind::Multicast
            | AddressKind::Unspecified
            | AddressKind::Reserved => false,
        }
    }
}

/// What an address is for, as the IANA special-purpose registries say (RFC 6890).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressKind {
    /// Globally reachable.
    Public,
    /// 127.0.0.0/8, `::1`.
    Loopback,
    /// RFC 1918, CGNAT (RFC 6598), unique-local (RFC 4193).
    Private,
    /// 169.254.0.0/16, `fe80::/10`: cloud metadata services answer there.
    LinkLocal,
    /// Metadata services of clouds outside the link-local blocks.
    Metadata,
    /// 224.0.0.0/4, `ff00::/8`.
    Multicast,
    /// 0.0.0.0, `::`.
    Unspecified,
    /// Everything else no identity provider can have: documentation, benchmarks, protocol assignments, discard, future use.
    Reserved,
}

impl AddressKind {
    /// Judges an address; one that embeds an IPv4 address is what that is.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_ipv4(address),
            IpAddr::V6(address) => of_ipv6(address),
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "a public",
            Self::Loopback => "a loopback",
            Self::Private => "a private",
            Self::LinkLocal => "a link-local",
            Self::Metadata => "a cloud metadata",
            Self::Multicast => "a multicast",
            Self::Unspecified => "an unspecified",
            Self::Reserved => "a reserved",
        }
    }
}

/// A host that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// What it is.
    pub kind: AddressKind,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = match self.kind {
            AddressKind::Loopback | AddressKind::Private => " without allowPrivateIP: true",
            _ => "",
        };
        write!(f, "a host that is not {} address{hint}", self.kind.as_str())
    }
}

impl std::error::Error for AddressError {}

fn of_ipv4(address: Ipv4Addr) -> AddressKind {
    block::kind(block::SPECIAL_IPV4, IpAddr::V4(address)).unwrap_or(AddressKind::Public)
}

fn of_ipv6(address: Ipv6Addr) -> AddressKind {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            of_ipv4(embedded(high, low))
        }
        [0x2002, high, low, ..] => of_ipv4(embedded(high, low)),
        // The server, and the client inverted. What either of them may not be, the whole may not.
        [0x2001, 0, server_high, server_low, _, _, high, low] => {
            match of_ipv4(embedded(server_high, server_low)) {
                AddressKind::Public => of_ipv4(embedded(!high, !low)),
                kind => kind,
            }
        }
        _ => block::kind(block::SPECIAL_IPV6, IpAddr::V6(address)).unwrap_or(AddressKind::Reserved),
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn kind(address: &str) -> AddressKind {
        AddressKind::of(address.parse().unwrap())
    }

    #[test]
    fn special_purpose_blocks_from_end_to_end() {
        use AddressKind::*;
        for (expected, addresses) in [
            (
                Public,
                vec![
                    "1.1.1.1",
                    "9.255.255.255",
                    "11.0.0.0",
                    "100.63.255.255",
                    "100.128.0.0",
                    "126.255.255.255",
                    "128.0.0.0",
                ],
            ),
            (
                Public,
                vec![
                    "172.15.255.255",
                    "172.32.0.0",
                    "192.0.1.0",
                    "192.167.255.255",
                    "192.169.0.0",
                    "198.17.0.1",
                    "198.20.0.0",
                    "223.255.255.255",
                ],
            ),
            (Public, vec!["2606:4700::1111", "2a00:1450::1", "2000::1", "2003::", "2001:200::", "3ffe::1"]),
            (Unspecified, vec!["0.0.0.0", "::"]),
            (Loopback, vec!["127.0.0.1", "127.255.255.255", "::1"]),
            (
                Private,
                vec![
                    "10.0.0.0",
                    "10.255.255.255",
                    "172.16.0.0",
                    "172.31.255.255",
                    "192.168.0.0",
                    "192.168.255.255",
                ],
            ),
            (Private, vec!["100.64.0.0", "100.127.255.255", "fc00::", "fdff:ffff::1"]),
            (LinkLocal, vec!["169.254.0.0", "169.254.169.254", "169.254.255.255", "fe80::1", "febf::1"]),
            (Metadata, vec!["100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"]),
            (Multicast, vec!["224.0.0.0", "239.255.255.255", "ff02::1", "ffff::"]),
            (
                Reserved,
                vec![
                    "0.0.0.1",
                    "0.255.255.255",
                    "192.0.0.0",
                    "192.0.0.255",
                    "192.0.2.1",
                    "192.88.99.1",
                    "198.18.0.0",
                    "198.19.255.255",
                ],
            ),
            (Reserved, vec!["198.51.100.7", "203.0.113.7", "240.0.0.0", "255.255.255.255"]),
            (
                Reserved,
                vec![
                    "100::1",
                    "fec0::1",
                    "feff::1",
                    "2001:db8::1",
                    "3fff::1",
                    "3fff:fff::1",
                    "2001:2::1",
                    "2001:20::1",
                    "4000::1",
                    "5f00::1",
                    "fe00::1",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(kind(address), expected, "{address}");
            }
        }
    }

    #[test]
    fn embedded_ipv4_addresses_are_judged_themselves() {
        use AddressKind::*;
        for (address, expected) in [
            ("::ffff:127.0.0.1", Loopback),
            ("::ffff:10.0.0.1", Private),
            ("::ffff:169.254.169.254", LinkLocal),
            ("::ffff:0.0.0.0", Unspecified),
            ("::ffff:8.8.8.8", Public),
            ("64:ff9b::10.0.0.1", Private),
            ("64:ff9b::169.254.169.254", LinkLocal),
            ("64:ff9b::8.8.8.8", Public),
            ("2002:7f00:1::1", Loopback),
            ("2002:a9fe:a9fe::", LinkLocal),
            ("2002:808:808::1", Public),
            ("2001:0:808:808:0:0:80ff:fffe", Loopback),
            ("2001:0:a00:1:0:0:f7f7:f7f7", Private),
            ("2001:0:808:808:0:0:f7f7:f7f7", Public),
            ("::127.0.0.1", Reserved),
            ("::8.8.8.8", Reserved),
            ("64:ff9b:1::10.0.0.1", Reserved),
            ("64:ff9b:1:808:8:800::", Reserved),
            ("64:ff9b:0:1::8.8.8.8", Reserved),
        ] {
            assert_eq!(kind(address), expected, "{address}");
        }
    }

    #[test]
    fn rules_permit_kinds() {
        use AddressRule::*;
        for (address, public_only, private, loopback) in [
            ("8.8.8.8", true, true, true),
            ("127.0.0.1", false, true, true),
            ("::1", false, true, true),
            ("::ffff:127.0.0.1", false, true, true),
            ("10.0.0.1", false, true, false),
            ("100.64.0.1", false, true, false),
            ("fd00::1", false, true, false),
            ("169.254.169.254", false, false, false),
            ("fe80::1", false, false, false),
            ("fd00:ec2::254", false, false, false),
            ("0.0.0.0", false, false, false),
            ("224.0.0.1", false, false, false),
            ("198.18.0.1", false, false, false),
            ("240.0.0.1", false, false, false),
            ("2001:db8::1", false, false, false),
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            let verdicts = [PublicOnly, Private, LoopbackOnlyPlusPublic].map(|rule| rule.permits(parsed));
            assert_eq!(verdicts, [public_only, private, loopback], "{address}");
        }
    }

    #[test]
    fn urls_are_judged_by_what_is_written() {
        use AddressRule::*;
        for (url, public_only, private, loopback) in [
            ("https://idp.example", true, true, true),
            ("https://localhost.example", true, true, true),
            ("https://notlocalhost", true, true, true),
            ("http://LOCALHOST:9000", false, true, true),
            ("https://a.localhost", false, true, true),
            ("https://127.1.2.3", false, true, true),
            ("https://[::1]:1", false, true, true),
            ("https://10.0.0.1", false, true, false),
            ("https://[::ffff:a9fe:a9fe]", false, false, false),
            ("https://169.254.169.254/latest", false, false, false),
        ] {
            let parsed = Url::parse(url).unwrap();
            let verdicts =
                [PublicOnly, Private, LoopbackOnlyPlusPublic].map(|rule| rule.permits_url(&parsed).is_ok());
            assert_eq!(verdicts, [public_only, private, loopback], "{url}");
        }
    }
}
