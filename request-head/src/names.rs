//! Names of headers that no client may set, and how names are compared.

/// The headers of SPEC I-1 every forwarded identity has. A client's own are removed from every request.
pub const IDENTITY_HEADERS: [&str; 4] = ["x-auth-provider", "x-auth-subject", "x-auth-user", "x-auth-scopes"];

/// SPEC P-4: would undo decisions made on method and path, and are removed from every request.
pub const OVERRIDE_HEADERS: [&str; 4] =
    ["x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"];

/// Whether two names are one to some server behind us: letters in any case, `_` and `-` alike (CGI and its heirs see no difference).
pub fn same_name(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| fold(*a) == fold(*b))
}

pub(crate) const fn fold(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}
