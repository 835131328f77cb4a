//! Where a listener listens.

use std::fmt;
use std::net::IpAddr;

/// `:8080`, or `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `:PORT`: every interface, IPv6 and IPv4.
    AllInterfaces(u16),
    /// `HOST:PORT`, where the host is a name, an IPv4 address, or an IPv6 address in brackets.
    Host {
        /// Without brackets.
        host: String,
        /// 0 lets the system choose.
        port: u16,
    },
}

/// The text is neither `:PORT` nor `HOST:PORT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`:PORT` for all interfaces, or `HOST:PORT` (an IPv6 address in brackets)")]
pub struct AddressError;

impl Address {
    /// Parses `:PORT` or `HOST:PORT`.
    ///
    /// # Errors
    /// For anything else.
    pub fn from_text(text: &str) -> Result<Self, AddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError)?;
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AddressError);
        }
        let port = port.parse().map_err(|_| AddressError)?;
        if host.is_empty() {
            return Ok(Self::AllInterfaces(port));
        }
        let is_name =
            |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        let host = match host.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .filter(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
                .ok_or(AddressError)?,
            // An IPv6 address without brackets leaves open where the port begins.
            None if !is_name(host) => return Err(AddressError),
            None => host,
        };
        Ok(Self::Host { host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllInterfaces(port) => write!(f, ":{port}"),
            Self::Host { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Host { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// Whether only this machine or a private network reaches `ip` (RFC 1918, RFC 4193).
pub(crate) fn is_loopback_or_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_means_all_interfaces() {
        assert_eq!(Address::from_text(":8080"), Ok(Address::AllInterfaces(8080)));
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for text in ["127.0.0.1:0", "localhost:8080", "[::1]:8081", "registry.example:1"] {
            let address = Address::from_text(text).unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "8080",
            ":",
            ":x",
            ":+1",
            ":65536",
            "a b:1",
            "::1:80",
            "[::1]",
            "[::1]80",
            "[x]:1",
            "http://localhost:1",
            "[127.0.0.1]:1",
        ] {
            assert_eq!(Address::from_text(text), Err(AddressError), "{text}");
        }
    }

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for ip in ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "fd00::1", "::ffff:10.0.0.1"] {
            assert!(is_loopback_or_private(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["0.0.0.0", "::", "203.0.113.1", "169.254.1.1", "2001:db8::1", "100.64.0.1"] {
            assert!(!is_loopback_or_private(ip.parse().unwrap()), "{ip}");
        }
    }
}
