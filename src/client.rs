//! Where requests come from. A shell is asked for a client's address only before a signature is verified, because hosts take their time to tell.

use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr};

use crate::request::Client;

/// An address as hosts write it: with a port or without, an IPv6 one in brackets or not, with a zone or without. `None`: it is none.
pub fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let host = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        None => text.split_once(':').filter(|(_, port)| !port.contains(':')).map_or(text, |(host, _)| host),
    };
    host.split_once('%').map_or(host, |(address, _)| address).parse().ok()
}

/// What counts as one client: an IPv4 address, or an IPv6 network of 64 bits, of which one client has all addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientNetwork(u64);

impl ClientNetwork {
    /// As bytes, different for different networks.
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

impl From<IpAddr> for ClientNetwork {
    fn from(address: IpAddr) -> Self {
        let of_ipv4 = |address: Ipv4Addr| Self(u64::from(u32::from(address)));
        match address {
            IpAddr::V4(address) => of_ipv4(address),
            IpAddr::V6(address) => match address.segments() {
                // Mapped, and NAT64 (RFC 6052), whose one network is all of IPv4.
                [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                    of_ipv4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
                }
                [a, b, c, d, ..] => {
                    Self([a, b, c, d].iter().fold(0, |network, part| network << 16 | u64::from(*part)))
                }
            },
        }
    }
}

/// A request's origin, asked for when it is first needed.
pub(crate) struct Origin<'a> {
    client: Client<'a>,
    network: OnceCell<Option<ClientNetwork>>,
}

impl<'a> Origin<'a> {
    /// Nobody was asked yet.
    pub(crate) const fn new(client: Client<'a>) -> Self {
        Self { client, network: OnceCell::new() }
    }

    /// The shell was asked already.
    pub(crate) fn known(network: Option<ClientNetwork>) -> Self {
        Self { client: Client::UNKNOWN, network: OnceCell::from(network) }
    }

    /// `None` where the shell does not know.
    pub(crate) fn network(&self) -> Option<ClientNetwork> {
        *self.network.get_or_init(|| self.client.address().map(ClientNetwork::from))
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn network(address: &str) -> ClientNetwork {
        ClientNetwork::from(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn addresses_are_read_however_hosts_write_them() {
        for (text, address) in [
            ("192.0.2.7:49152", "192.0.2.7"),
            ("192.0.2.7:0", "192.0.2.7"),
            ("192.0.2.7", "192.0.2.7"),
            ("[2001:db8::7]:49152", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[fe80::7%eth0]:1", "fe80::7"),
            ("fe80::7%2", "fe80::7"),
            ("[::ffff:192.0.2.7]:1", "::ffff:192.0.2.7"),
            ("::1", "::1"),
        ] {
            assert_eq!(parse_address(text.as_bytes()), Some(address.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_nobody() {
        for text in [
            "",
            ":",
            ":80",
            "[",
            "[]",
            "[]:1",
            "[::1",
            "unix:",
            "/run/envoy.sock",
            "envoy://internal/1",
            "localhost:80",
            "192.0.2.256:1",
            "192.0.2:1",
            "1.2.3.4:5:6",
            "%",
            "2001:db8::g",
        ] {
            assert_eq!(parse_address(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_address(b"192.0.2.7\xff"), None);
    }

    #[test]
    fn one_client_is_an_ipv4_address_or_an_ipv6_network() {
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
        assert_ne!(network("192.0.2.7"), network("192.0.2.8"));
        for same in ["::ffff:192.0.2.7", "64:ff9b::192.0.2.7"] {
            assert_eq!(network(same), network("192.0.2.7"), "{same}");
        }
        assert_ne!(network("64:ff9b::192.0.2.7"), network("64:ff9b::192.0.2.8"));
    }

    #[test]
    fn the_shell_is_asked_once_and_only_when_needed() {
        let asked = AtomicU32::new(0);
        let times = || asked.load(Ordering::Relaxed);
        let tell = || {
            asked.fetch_add(1, Ordering::Relaxed);
            None
        };
        let origin = Origin::new(Client::new(&tell));
        assert_eq!(times(), 0);
        assert_eq!((origin.network(), origin.network(), times()), (None, None, 1));
        let known = network("192.0.2.7");
        assert_eq!(Origin::known(Some(known)).network(), Some(known));
    }
}
