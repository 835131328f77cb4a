//! Names become addresses, and only those that a provider's rule permits (SPEC C-5).
//!
//! The HTTP client connects to what comes out here: the address that was checked is the one that is connected to, and nothing is resolved twice.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use registry_auth::address::{AddressError, AddressKind, AddressRule};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The addresses of a name. A port of 0 stands for the URL's; so does any other where the URL names one.
pub type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks names up.
pub trait Lookup: Send + Sync + 'static {
    /// All addresses of `name`, in order of preference.
    fn lookup(&self, name: &str) -> Found;
}

/// As the system does: hosts file, then DNS.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> Found {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    }
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// It has no address.
    #[error("lookup {name}: no such host ({cause})")]
    NoSuchHost {
        /// The name.
        name: String,
        /// The system's answer.
        cause: String,
    },
    /// None of its addresses is permitted.
    #[error("{name} resolves to {address}: expected {error}")]
    Refused {
        /// The name.
        name: String,
        /// The first of them.
        address: IpAddr,
        /// What is wrong with it.
        error: AddressError,
    },
}

/// The permitted addresses of names.
pub(super) struct PermittedAddresses {
    pub(super) rule: AddressRule,
    pub(super) lookup: Arc<dyn Lookup>,
}

impl Resolve for PermittedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.lookup.lookup(name.as_str());
        let rule = self.rule;
        Box::pin(async move {
            let addresses: Addrs = Box::new(permitted(rule, name.as_str(), found.await)?.into_iter());
            Ok(addresses)
        })
    }
}

fn permitted(
    rule: AddressRule,
    name: &str,
    found: io::Result<Vec<SocketAddr>>,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let no_such_host = |cause: String| ResolveError::NoSuchHost { name: name.to_owned(), cause };
    let found = found.map_err(|error| no_such_host(error.to_string()))?;
    let permitted: Vec<SocketAddr> =
        found.iter().copied().filter(|address| rule.permits(address.ip())).collect();
    match found.first().map(SocketAddr::ip) {
        None => Err(no_such_host("it has no address".to_owned())),
        Some(address) if permitted.is_empty() => Err(ResolveError::Refused {
            name: name.to_owned(),
            address,
            error: AddressError { kind: AddressKind::of(address) },
        }),
        Some(_) => Ok(permitted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(rule: AddressRule, addresses: &[&str]) -> Result<Vec<String>, String> {
        let found = addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect();
        permitted(rule, "idp.example.com", Ok(found))
            .map(|addresses| addresses.iter().map(|address| address.ip().to_string()).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn only_permitted_addresses_of_a_name_are_connected_to() {
        let mixed = ["10.0.0.1", "8.8.8.8", "169.254.169.254", "::1", "2606:4700::1111", "::ffff:127.0.0.1"];
        let of = |rule| resolve(rule, &mixed).unwrap();
        assert_eq!(of(AddressRule::PublicOnly), ["8.8.8.8", "2606:4700::1111"]);
        assert_eq!(
            of(AddressRule::Private),
            ["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1111", "::ffff:127.0.0.1"]
        );
        assert_eq!(
            of(AddressRule::LoopbackOnlyPlusPublic),
            ["8.8.8.8", "::1", "2606:4700::1111", "::ffff:127.0.0.1"]
        );
    }

    #[test]
    fn a_name_without_a_permitted_address_says_what_it_resolves_to() {
        for address in ["127.0.0.1", "10.1.2.3", "::1", "::ffff:10.0.0.1", "169.254.169.254", "fd00::1"] {
            let error = resolve(AddressRule::PublicOnly, &[address]).unwrap_err();
            assert!(error.starts_with("idp.example.com resolves to "), "{error}");
        }
        assert!(resolve(AddressRule::Private, &["169.254.169.254", "0.0.0.0", "fe80::1"]).is_err());
    }

    #[test]
    fn a_name_without_addresses_is_no_such_host() {
        assert!(resolve(AddressRule::Private, &[]).unwrap_err().contains("no such host"));
        let failed = permitted(AddressRule::Private, "idp.example.com", Err(io::Error::other("NXDOMAIN")));
        assert_eq!(failed.unwrap_err().to_string(), "lookup idp.example.com: no such host (NXDOMAIN)");
    }
}
