//! Absolute `http` and `https` URLs (RFC 3986), as strict as a security decision needs them.
//!
//! Not the `url` crate: it follows the WHATWG rules, which repair what is written (`127.1`, `\`, blanks), and it drags IDNA tables into the wasm.
//! A [`Url`] keeps its text byte for byte, because issuers are compared that way. There is exactly one reading of what is accepted: a host is a name
//! of letters, digits, hyphens and underscores (punycode as it is), a dotted quad, or an IPv6 literal without zone. Names that end in a dot are refused:
//! no certificate is issued for them, and they would be a second spelling of `localhost`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest accepted URL, in bytes.
const MAX_LENGTH: usize = 2048;

/// An absolute URL.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    text: String,
    scheme: Scheme,
    host: Host,
    port: u16,
    /// Where the authority ends in `text`.
    authority_end: usize,
    /// Path and query; starts with `/`.
    target: String,
}

/// The scheme of a [`Url`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain text: SPEC C-4 says where.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// In lower case, without a colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Of URLs that name none.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// The host of a [`Url`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// In lower case.
    Name(String),
    /// A dotted quad.
    Ipv4(Ipv4Addr),
    /// Written in brackets.
    Ipv6(Ipv6Addr),
}

impl Host {
    /// `localhost`, 127.0.0.0/8 or `::1`: where SPEC C-4 allows plain http.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost",
            Self::Ipv4(address) => address.is_loopback(),
            Self::Ipv6(address) => *address == Ipv6Addr::LOCALHOST,
        }
    }
}

impl fmt::Display for Host {
    /// As in an authority: IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ipv4(address) => address.fmt(f),
            Self::Ipv6(address) => write!(f, "[{address}]"),
        }
    }
}

impl Url {
    /// Reads an absolute URL.
    ///
    /// # Errors
    /// What the text is instead; see [`UrlError`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(UrlError::TooLong);
        }
        if let Some(byte) = text.bytes().find(|byte| !byte.is_ascii_graphic() || *byte == b'\\') {
            return Err(UrlError::InvalidByte(byte));
        }
        let (scheme, rest) = split_scheme(text)?;
        let authority_length = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(authority_length).ok_or(UrlError::InvalidHost)?;
        let (host, port) = parse_authority(authority)?;
        check_target(target)?;
        Ok(Self {
            scheme,
            host,
            port: port.unwrap_or(scheme.default_port()),
            authority_end: text.len() - target.len(),
            target: if target.starts_with('/') { target.to_owned() } else { format!("/{target}") },
            text: text.to_owned(),
        })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `http` or `https`.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether TLS protects requests to it.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The host, in one form only.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The host as resolvers and certificates want it: IPv6 without brackets.
    pub fn host_str(&self) -> String {
        match &self.host {
            Host::Ipv6(address) => address.to_string(),
            host => host.to_string(),
        }
    }

    /// The port that is connected to.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// For `Host` and `:authority`: without the scheme's default port.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// RFC 6454 §6.2: scheme, host and, if not the default, port.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.authority())
    }

    /// At least `/`.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Without the `?`.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// Origin and path, for logs: queries may hold secrets.
    pub fn without_query(&self) -> String {
        format!("{}{}", self.origin(), self.path())
    }

    /// The request target (RFC 9112 §3.2.1).
    pub fn path_and_query(&self) -> &str {
        &self.target
    }

    /// RFC 9728 §3.1: `/.well-known/{name}` between host and path; a path that is only `/` is dropped, a query stays.
    #[must_use]
    pub fn join_well_known(&self, name: &str) -> Self {
        let rest = self.target.strip_prefix('/').unwrap_or_default();
        let slash = if rest.is_empty() || rest.starts_with('?') { "" } else { "/" };
        self.with_target(format!("/.well-known/{name}{slash}{rest}"))
    }

    /// RFC 8414 §3.1: as [`Self::join_well_known`], for an issuer, whose terminating `/` and query are dropped.
    #[must_use]
    pub fn authorization_server_metadata(&self) -> Self {
        let path = without_terminating_slash(self.path());
        self.with_target(format!("/.well-known/oauth-authorization-server{path}"))
    }

    /// OpenID Connect Discovery 1.0 §4: after the issuer, whose terminating `/` is dropped.
    #[must_use]
    pub fn openid_configuration(&self) -> Self {
        let path = without_terminating_slash(self.path());
        self.with_target(format!("{path}/.well-known/openid-configuration"))
    }

    fn with_target(&self, target: String) -> Self {
        let authority = self.text.get(..self.authority_end).unwrap_or_default();
        Self { text: format!("{authority}{target}"), target, ..self.clone() }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({:?})", self.text)
    }
}

/// Why a text is not a [`Url`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// Nothing is there.
    Empty,
    /// More than 2048 bytes.
    TooLong,
    /// A blank, a control character, a byte outside ASCII, a backslash, or a character RFC 3986 wants escaped.
    InvalidByte(u8),
    /// Neither `http://` nor `https://` comes first.
    NotAbsolute,
    /// `user@` or `user:password@`.
    UserInfo,
    /// `#`.
    Fragment,
    /// Nothing between `//` and the path.
    EmptyHost,
    /// Neither a name, nor a dotted quad, nor an IPv6 literal.
    InvalidHost,
    /// The last label is a number, and the whole is no dotted quad.
    InvalidIpv4,
    /// `[…]` without an IPv6 address.
    InvalidIpv6,
    /// `[fe80::1%eth0]`.
    ZoneId,
    /// The name ends in a dot.
    TrailingDot,
    /// Empty, zero, more than 65535, or not a decimal number.
    InvalidPort,
    /// `%` without two hexadecimal digits.
    InvalidEscape,
}

impl fmt::Display for UrlError {
    /// What was expected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an absolute URL, not an empty one"),
            Self::TooLong => write!(f, "a URL of at most {MAX_LENGTH} bytes"),
            Self::InvalidByte(byte) => {
                write!(f, "a URL without the character '{}'", byte.escape_ascii())
            }
            Self::NotAbsolute => f.write_str("an absolute URL that starts with https://"),
            Self::UserInfo => f.write_str("a URL without user name and password"),
            Self::Fragment => f.write_str("a URL without a fragment (#)"),
            Self::EmptyHost => f.write_str("a URL with a host"),
            Self::InvalidHost => f.write_str("a host of letters, digits, hyphens and dots"),
            Self::InvalidIpv4 => f.write_str("an IPv4 address of four decimal numbers"),
            Self::InvalidIpv6 => f.write_str("an IPv6 address in brackets"),
            Self::ZoneId => f.write_str("an IPv6 address without a zone"),
            Self::TrailingDot => f.write_str("a host that does not end in a dot"),
            Self::InvalidPort => f.write_str("a port from 1 to 65535"),
            Self::InvalidEscape => f.write_str("two hexadecimal digits after each %"),
        }
    }
}

impl std::error::Error for UrlError {}

fn split_scheme(text: &str) -> Result<(Scheme, &str), UrlError> {
    let (name, rest) = text.split_once("://").ok_or(UrlError::NotAbsolute)?;
    [Scheme::Https, Scheme::Http]
        .into_iter()
        .find(|scheme| scheme.as_str().eq_ignore_ascii_case(name))
        .map(|scheme| (scheme, rest))
        .ok_or(UrlError::NotAbsolute)
}

fn parse_authority(authority: &str) -> Result<(Host, Option<u16>), UrlError> {
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    if let Some(literal) = authority.strip_prefix('[') {
        let (address, rest) = literal.split_once(']').ok_or(UrlError::InvalidIpv6)?;
        if address.contains('%') {
            return Err(UrlError::ZoneId);
        }
        let host = Host::Ipv6(address.parse().map_err(|_| UrlError::InvalidIpv6)?);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(parse_port(port)?))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(UrlError::InvalidHost),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Ok((parse_host(host)?, Some(parse_port(port)?))),
        None => Ok((parse_host(authority)?, None)),
    }
}

fn parse_host(host: &str) -> Result<Host, UrlError> {
    if host.is_empty() {
        return Err(UrlError::EmptyHost);
    }
    if host.ends_with('.') {
        return Err(UrlError::TrailingDot);
    }
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err(UrlError::InvalidHost);
    }
    // Resolvers read `127.1`, `0x7f.0.0.1` and `2130706433` as addresses: whatever they might is one in its only plain form, or nothing.
    if host.rsplit('.').next().is_some_and(is_number) {
        return host.parse().map(Host::Ipv4).map_err(|_| UrlError::InvalidIpv4);
    }
    Ok(Host::Name(host.to_ascii_lowercase()))
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn parse_port(port: &str) -> Result<u16, UrlError> {
    if port.starts_with('0') || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UrlError::InvalidPort);
    }
    port.parse().map_err(|_| UrlError::InvalidPort)
}

/// RFC 3986 §3.3 and §3.4: `pchar`, `/` and `?`.
fn check_target(target: &str) -> Result<(), UrlError> {
    let mut bytes = target.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let escape = [bytes.next(), bytes.next()];
                if !escape.iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit())) {
                    return Err(UrlError::InvalidEscape);
                }
            }
            b'#' => return Err(UrlError::Fragment),
            b'"' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|' | b'}' => {
                return Err(UrlError::InvalidByte(byte));
            }
            _ => {}
        }
    }
    Ok(())
}

fn without_terminating_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn parse(text: &str) -> Url {
        Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn parts_of_a_url() {
        let url = parse("https://Keycloak.Example.com:8443/realms/a%2Fb?x=1?2");
        assert_eq!(url.as_str(), "https://Keycloak.Example.com:8443/realms/a%2Fb?x=1?2");
        assert_eq!(url.host(), &Host::Name("keycloak.example.com".to_owned()));
        assert_eq!(url.authority(), "keycloak.example.com:8443");
        assert_eq!(url.origin(), "https://keycloak.example.com:8443");
        assert_eq!((url.port(), url.is_https()), (8443, true));
        assert_eq!((url.path(), url.query()), ("/realms/a%2Fb", Some("x=1?2")));
        assert_eq!(url.path_and_query(), "/realms/a%2Fb?x=1?2");
    }

    #[test]
    fn path_is_at_least_a_slash() {
        for (text, target, query) in [
            ("https://a.example", "/", None),
            ("https://a.example/", "/", None),
            ("https://a.example?q", "/?q", Some("q")),
        ] {
            let url = parse(text);
            assert_eq!((url.path_and_query(), url.path(), url.query()), (target, "/", query), "{text}");
        }
    }

    #[test]
    fn default_ports_are_dropped() {
        for (text, origin, port) in [
            ("https://a.example:443/", "https://a.example", 443),
            ("http://a.example:80/", "http://a.example", 80),
            ("http://a.example:443/", "http://a.example:443", 443),
            ("HTTPS://a.example/", "https://a.example", 443),
            ("https://[2001:DB8:0::1]:8443", "https://[2001:db8::1]:8443", 8443),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000", 9000),
        ] {
            let url = parse(text);
            assert_eq!((url.origin().as_str(), url.port()), (origin, port), "{text}");
            assert_eq!(url.as_str(), text);
        }
    }

    #[test]
    fn ipv6_has_brackets_in_the_authority_only() {
        let url = parse("https://[::1]/");
        assert_eq!((url.host_str().as_str(), url.authority().as_str()), ("::1", "[::1]"));
    }

    #[test]
    fn punycode_and_underscores_are_names() {
        for text in [
            "https://xn--bcher-kva.example",
            "https://my_service.ns.svc",
            "https://a--b.example",
            "https://1.2.3.4a",
            "https://x",
        ] {
            assert!(matches!(parse(text).host(), Host::Name(_)), "{text}");
        }
    }

    #[test]
    fn everything_with_a_second_reading_is_refused() {
        use UrlError::*;
        for (text, error) in [
            ("", Empty),
            ("example.com", NotAbsolute),
            ("/path", NotAbsolute),
            ("//example.com/", NotAbsolute),
            ("https:example.com", NotAbsolute),
            ("https:/example.com", NotAbsolute),
            ("ftp://example.com", NotAbsolute),
            ("file:///etc/passwd", NotAbsolute),
            ("javascript://example.com", NotAbsolute),
            (" https://example.com", InvalidByte(b' ')),
            ("https://example.com ", InvalidByte(b' ')),
            ("https://example.com/\n", InvalidByte(b'\n')),
            ("https://example.com/\t", InvalidByte(b'\t')),
            ("https://example.com/\0", InvalidByte(0)),
            ("https://b\u{fc}cher.example", InvalidByte(0xc3)),
            ("https://example.com/\u{fc}", InvalidByte(0xc3)),
            ("https://example.com\\@evil.example", InvalidByte(b'\\')),
            ("https://example.com/{tenant}", InvalidByte(b'{')),
            ("https://example.com/\"", InvalidByte(b'"')),
            ("https://user@example.com", UserInfo),
            ("https://user:password@example.com", UserInfo),
            ("https://@example.com", UserInfo),
            ("https://example.com#a", Fragment),
            ("https://example.com/#", Fragment),
            ("https://example.com/?a#", Fragment),
            ("https://", EmptyHost),
            ("https:///path", EmptyHost),
            ("https://?query", EmptyHost),
            ("https://:443", EmptyHost),
            ("https://example.com:", InvalidPort),
            ("https://example.com:0", InvalidPort),
            ("https://example.com:0443", InvalidPort),
            ("https://example.com:65536", InvalidPort),
            ("https://example.com:99999999999", InvalidPort),
            ("https://example.com:+443", InvalidPort),
            ("https://example.com:https", InvalidPort),
            ("https://example.com:1:2", InvalidPort),
            ("https://::1/", EmptyHost),
            ("https://fe80::1/", InvalidPort),
            ("https://[::1", InvalidIpv6),
            ("https://[]", InvalidIpv6),
            ("https://[127.0.0.1]", InvalidIpv6),
            ("https://[::1]a", InvalidHost),
            ("https://[::1]:", InvalidPort),
            ("https://[fe80::1%25eth0]", ZoneId),
            ("https://[fe80::1%eth0]", ZoneId),
            ("https://localhost.", TrailingDot),
            ("https://example.com.:443", TrailingDot),
            ("https://.", TrailingDot),
            ("https://.example.com", InvalidHost),
            ("https://a..example", InvalidHost),
            ("https://-a.example", InvalidHost),
            ("https://a-.example", InvalidHost),
            ("https://ex%61mple.com", InvalidHost),
            ("https://a,b.example", InvalidHost),
            ("https://127.1", InvalidIpv4),
            ("https://0x7f.0.0.1", InvalidIpv4),
            ("https://127.0.0.0x1", InvalidIpv4),
            ("https://0X7F000001", InvalidIpv4),
            ("https://0x", InvalidIpv4),
            ("https://2130706433", InvalidIpv4),
            ("https://0177.0.0.1", InvalidIpv4),
            ("https://127.0.0.01", InvalidIpv4),
            ("https://127.0.0.256", InvalidIpv4),
            ("https://1.2.3.4.5", InvalidIpv4),
            ("https://example.1", InvalidIpv4),
            ("https://example.com/%", InvalidEscape),
            ("https://example.com/%4", InvalidEscape),
            ("https://example.com/%zz", InvalidEscape),
            ("https://example.com/?%g1", InvalidEscape),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(Url::parse(&format!("https://example.com/{}", "a".repeat(2048))), Err(TooLong));
        assert_eq!(Url::parse(&format!("https://{}.example", "a".repeat(64))), Err(InvalidHost));
        assert_eq!(Url::parse(&format!("https://{}example", "a.".repeat(130))), Err(InvalidHost));
    }

    #[test]
    fn protected_resource_metadata_is_inserted_between_host_and_path() {
        let name = "oauth-protected-resource";
        for (resource, metadata) in [
            ("https://r.example", "https://r.example/.well-known/oauth-protected-resource"),
            ("https://r.example/", "https://r.example/.well-known/oauth-protected-resource"),
            ("https://r.example/mcp", "https://r.example/.well-known/oauth-protected-resource/mcp"),
            ("https://r.example:8443/a/b", "https://r.example:8443/.well-known/oauth-protected-resource/a/b"),
            ("https://r.example?k=v", "https://r.example/.well-known/oauth-protected-resource?k=v"),
            ("https://r.example/a?k=v", "https://r.example/.well-known/oauth-protected-resource/a?k=v"),
        ] {
            assert_eq!(parse(resource).join_well_known(name), parse(metadata), "{resource}");
        }
    }

    #[test]
    fn discovery_urls_have_no_double_slash() {
        for (issuer, openid, rfc8414) in [
            (
                "https://i.example",
                "https://i.example/.well-known/openid-configuration",
                "https://i.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://tenant.eu.auth0.com/",
                "https://tenant.eu.auth0.com/.well-known/openid-configuration",
                "https://tenant.eu.auth0.com/.well-known/oauth-authorization-server",
            ),
            (
                "https://i.example/realms/mcp",
                "https://i.example/realms/mcp/.well-known/openid-configuration",
                "https://i.example/.well-known/oauth-authorization-server/realms/mcp",
            ),
            (
                "https://sts.example/tid/",
                "https://sts.example/tid/.well-known/openid-configuration",
                "https://sts.example/.well-known/oauth-authorization-server/tid",
            ),
        ] {
            assert_eq!(parse(issuer).openid_configuration(), parse(openid), "{issuer}");
            assert_eq!(parse(issuer).authorization_server_metadata(), parse(rfc8414), "{issuer}");
        }
    }
}
