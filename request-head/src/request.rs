//! What the authenticator sees of a request, read in one pass over its headers.

use std::fmt;
use std::net::IpAddr;

use crate::bearer::Authorization;
use crate::names;

/// The head of a request. Header names may be in any case; pseudo-headers among them are ignored.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// Upper case, as received.
    pub method: &'a [u8],
    /// Path and query, as received; `None` for CONNECT without one.
    pub path: Option<&'a [u8]>,
    /// All headers with duplicates, in order.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// Whether a body follows, or may.
    pub has_body: bool,
    /// Where it comes from; asked only before a signature is verified, or before the request waits.
    pub client: Client<'a>,
}

/// Tells the address of a request's client, where the shell knows it.
#[derive(Clone, Copy)]
pub struct Client<'a>(&'a Tell<'a>);

/// Goes along with a request, whatever thread handles that.
type Tell<'a> = dyn Fn() -> Option<IpAddr> + Sync + 'a;

impl<'a> Client<'a> {
    /// The shell does not know.
    pub const UNKNOWN: Client<'static> = Client(&|| None);

    /// `tell` is called at most once a request: hosts take their time.
    pub const fn new(tell: &'a Tell<'a>) -> Self {
        Self(tell)
    }

    /// Asks.
    pub fn address(self) -> Option<IpAddr> {
        self.0()
    }
}

impl fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// Headers that no client may set: ours, and those that would undo decisions made on method and path (SPEC P-4, I-1).
#[derive(Debug)]
pub struct ReservedHeaders {
    names: Vec<String>,
    /// Bit n: some name has n bytes (63: 63 or more).
    lengths: u64,
    /// Bit n: n is what the low five bits of some name's first byte are, folded as in comparisons.
    initials: u32,
}

impl ReservedHeaders {
    /// The identity's headers, lower case, and the overrides.
    pub fn new<'a>(identity: impl Iterator<Item = &'a str>) -> Self {
        let names: Vec<String> = identity.chain(names::OVERRIDE_HEADERS).map(str::to_owned).collect();
        let lengths = names.iter().fold(0, |lengths, name| lengths | length_bit(name.len()));
        let initials = names.iter().fold(0, |initials, name| initials | initial_bit(name.as_bytes()));
        Self { names, lengths, initials }
    }

    /// Whether a header or trailer of this name is ours, in any case, `_` and `-` being the same.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.position(name).is_some()
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        if self.lengths & length_bit(name.len()) == 0 || self.initials & initial_bit(name) == 0 {
            return None;
        }
        self.names.iter().position(|reserved| names::same_name(reserved.as_bytes(), name))
    }
}

const fn length_bit(length: usize) -> u64 {
    1 << if length < 63 { length } else { 63 }
}

fn initial_bit(name: &[u8]) -> u32 {
    name.first().map_or(0, |initial| 1 << (names::fold(*initial) & 0x1f))
}

/// What the headers of one request say.
#[derive(Default)]
pub struct Scan<'a> {
    /// The credentials.
    pub authorization: Authorization<'a>,
    /// Reserved headers, as the client spelled them.
    pub reserved: Vec<String>,
    /// A reserved header stands there more than once: hosts exist that can only fix the first.
    pub has_duplicate: bool,
    /// `Origin`.
    pub origin: Option<&'a [u8]>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a [u8]>,
    /// `Access-Control-Request-Method` is there.
    pub requests_method: bool,
}

impl<'a> Scan<'a> {
    /// Reads all headers once.
    pub fn new(headers: &[(&'a [u8], &'a [u8])], reserved: &ReservedHeaders) -> Self {
        let mut scan = Self::default();
        let mut seen: Vec<usize> = Vec::new();
        for &(name, value) in headers {
            match name.len() {
                13 if name.eq_ignore_ascii_case(b"authorization") => scan.authorization.add(value),
                6 if name.eq_ignore_ascii_case(b"origin") => scan.origin = Some(value),
                13 if name.eq_ignore_ascii_case(b"if-none-match") => scan.if_none_match = Some(value),
                29 if name.eq_ignore_ascii_case(b"access-control-request-method") => {
                    scan.requests_method = true
                }
                _ => {}
            }
            if let Some(position) = reserved.position(name) {
                scan.has_duplicate |= seen.contains(&position);
                seen.push(position);
                scan.reserved.push(String::from_utf8_lossy(name).into_owned());
            }
        }
        scan
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn reserved() -> ReservedHeaders {
        ReservedHeaders::new(["x-auth-user", "x-auth-subject"].into_iter())
    }

    #[test]
    fn reserved_names_are_found_in_any_spelling() {
        for name in [
            "x-auth-user",
            "X-Auth-User",
            "x_auth_user",
            "X-AUTH_user",
            "x-original-url",
            "X_HTTP_Method-Override",
        ] {
            assert!(reserved().contains(name.as_bytes()), "{name}");
        }
        for name in ["x-auth-users", "x-auth-use", "authorization", "", "x.auth.user"] {
            assert!(!reserved().contains(name.as_bytes()), "{name}");
        }
        let odd = ReservedHeaders::new(["-odd"].into_iter());
        assert!(["-odd", "_odd", "_ODD"].iter().all(|name| odd.contains(name.as_bytes())));
    }

    #[test]
    fn two_spellings_of_one_name_are_a_duplicate() {
        let scan = |headers: &[(&'static [u8], &'static [u8])]| {
            let scan = Scan::new(headers, &reserved());
            (scan.reserved, scan.has_duplicate)
        };
        assert_eq!(
            scan(&[(b"x-auth-user", b"a"), (b"x-auth-subject", b"b")]),
            (vec!["x-auth-user".into(), "x-auth-subject".into()], false)
        );
        assert!(scan(&[(b"x-auth-user", b"a"), (b"X_Auth-User", b"a")]).1);
        assert_eq!(scan(&[(b"\xff\xfe", b"\xff"), (b"", b"")]), (vec![], false));
    }
}
