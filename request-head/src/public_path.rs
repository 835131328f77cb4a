//! Paths that need no token (SPEC P-1 to P-4).
//!
//! A path is public only where every server behind us reads it as we do. [`classify`] finds out, on the bytes as they came and without allocating;
//! [`is_builtin`] and [`PublicPaths::matches`] are asked about [`PathClass::Canonical`] paths only.

use std::fmt;

/// How a request target may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathClass<'a> {
    /// No path, one that does not start with `/`, or one with `#`: 400.
    Rejected,
    /// The path up to the query: its own canonical form, which may be public.
    Canonical(&'a [u8]),
    /// The path up to the query: canonical but for `%2F` within segments, and without dot or empty segments also if that is decoded early.
    /// Never public; rules by path (`requiredScopes`) may look at it.
    EscapedSlash(&'a [u8]),
    /// The path up to the query, of which servers have several readings: never public, and no rule by path may let it through with less.
    NotCanonical(&'a [u8]),
}

/// Judges a request target (`:path`): SPEC P-2.
pub fn classify(target: &[u8]) -> PathClass<'_> {
    if target.first() != Some(&b'/') || target.contains(&b'#') {
        return PathClass::Rejected;
    }
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let mut escaped_slash = false;
    // Of the segment being read: its length so far, and whether it is nothing but dots.
    let mut length = 0_usize;
    let mut dots = true;
    let mut bytes = path.iter().copied().skip(1);
    while let Some(byte) = bytes.next() {
        let separator = match byte {
            b'/' => true,
            b'%' => match unescape(bytes.next(), bytes.next()) {
                Some(b'/') => {
                    escaped_slash = true;
                    true
                }
                Some(0x80..) => false,
                Some(byte) if !byte.is_ascii_control() && byte != b'\\' && !is_unreserved(byte) => false,
                _ => return PathClass::NotCanonical(path),
            },
            _ if is_plain(byte) => false,
            _ => return PathClass::NotCanonical(path),
        };
        if separator {
            if is_dot_or_empty(length, dots) {
                return PathClass::NotCanonical(path);
            }
            length = 0;
            dots = true;
        } else {
            length += 1;
            dots &= byte == b'.';
        }
    }
    // A last empty segment is a trailing slash.
    if length > 0 && is_dot_or_empty(length, dots) {
        PathClass::NotCanonical(path)
    } else if escaped_slash {
        PathClass::EscapedSlash(path)
    } else {
        PathClass::Canonical(path)
    }
}

/// SPEC P-1: `/openapi.json` and everything under `/.well-known/`, for GET, HEAD and OPTIONS. `path` is canonical.
pub fn is_builtin(method: &[u8], path: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS")
        && (path == b"/openapi.json" || path.starts_with(b"/.well-known/"))
}

/// Path prefixes, matched by whole segments (SPEC P-3).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PublicPaths {
    /// Without a trailing slash: `/` is the empty string.
    prefixes: Vec<String>,
}

impl PublicPaths {
    /// Adds a prefix: `/health`, `/health/` and `/health/*` are one.
    ///
    /// # Errors
    /// For what could never match as meant; see [`PublicPathError`].
    pub fn push(&mut self, path: &str) -> Result<(), PublicPathError> {
        if !path.starts_with('/') {
            return Err(PublicPathError::NotAbsolute);
        }
        let prefix = path.strip_suffix("/*").or_else(|| path.strip_suffix('/')).unwrap_or(path);
        if prefix.contains(['*', '?', '[', ']', '{', '}']) {
            return Err(PublicPathError::Glob);
        }
        if !prefix.is_empty()
            && (prefix.ends_with('/')
                || classify(prefix.as_bytes()) != PathClass::Canonical(prefix.as_bytes()))
        {
            return Err(PublicPathError::NotCanonical);
        }
        if !self.prefixes.iter().any(|known| known == prefix) {
            self.prefixes.push(prefix.to_owned());
        }
        Ok(())
    }

    /// Whether some prefix covers this canonical path, which is given without its query.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.prefixes.iter().any(|prefix| {
            path.strip_prefix(prefix.as_bytes())
                .is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'))
        })
    }

    /// Whether nothing matches.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// Whether everything matches: `/` is among them.
    pub fn covers_all(&self) -> bool {
        self.prefixes.iter().any(String::is_empty)
    }
}

/// Why a text cannot be a public path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicPathError {
    /// It does not start with `/`.
    NotAbsolute,
    /// A glob character other than in a trailing `/*`; a query is one too.
    Glob,
    /// It is not its own canonical form: no request could match it.
    NotCanonical,
}

impl fmt::Display for PublicPathError {
    /// What was expected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "a path that starts with /",
            Self::Glob => "a path prefix without glob characters, except a trailing /*",
            Self::NotCanonical => {
                "a path in canonical form: no empty or dot segments, blanks, \\ or ;, and no escapes but of characters that need one"
            }
        })
    }
}

impl std::error::Error for PublicPathError {}

/// RFC 3986 §3.3: `pchar` without escapes, and without `;`, which some servers cut off with what follows.
const fn is_plain(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}

/// RFC 3986 §2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

const fn is_dot_or_empty(length: usize, dots: bool) -> bool {
    length == 0 || dots && length <= 2
}

fn unescape(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn canonical_paths() {
        for path in [
            "/",
            "/health",
            "/health/",
            "/health/check",
            "/.well-known/oauth-protected-resource",
            "/.well-known",
            "/a/...",
            "/.a/..b/a./b..",
            "/a:b@c!$&'()*+,=",
            "/a-._~Z9",
            "/caf%c3%a9",
            "/caf%C3%A9",
            "/a%20b",
            "/a%3bb",
            "/a%3Fb",
            "/a%23b",
            "/100%25",
        ] {
            assert_eq!(classify(path.as_bytes()), PathClass::Canonical(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn the_query_is_not_judged() {
        for (target, path) in [
            ("/health?", "/health"),
            ("/health?a=//../%2e;\\%zz", "/health"),
            ("/?x", "/"),
            ("/a/?b?c", "/a/"),
        ] {
            assert_eq!(classify(target.as_bytes()), PathClass::Canonical(path.as_bytes()), "{target}");
        }
    }

    #[test]
    fn what_has_a_second_reading_is_not_canonical() {
        for path in [
            "//",
            "//health",
            "/health//",
            "/health//check",
            "/.",
            "/..",
            "/./",
            "/../",
            "/./health",
            "/health/.",
            "/health/..",
            "/health/./check",
            "/health/../admin",
            "/.well-known/../admin",
            "/.well-known/..",
            "/health%2e",
            "/health%2E",
            "/%2e%2e/admin",
            "/.well-known/%2e%2e/admin",
            "/.well-known/.%2e/admin",
            "/%68ealth",
            "/%48ealth",
            "/a%30",
            "/a%7E",
            "/a%7e",
            "/a%2D",
            "/a%5F",
            "/a%5f",
            "/a%5Cb",
            "/a%5cb",
            "/a\\b",
            "/\\health",
            "/.well-known/..\\admin",
            "/a%00",
            "/a%0a",
            "/a%0D",
            "/a%1f",
            "/a%7f",
            "/a;b",
            "/health;jsessionid=1",
            "/..;/admin",
            "/;/",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%2g",
            "/a%u002e",
            "/a b",
            "/a\tb",
            "/a\u{fc}",
            "/a\u{7f}",
            "/a\"",
            "/a<b>",
            "/a|b",
            "/{a}",
            "/a^b",
            "/a`b",
            "/[a]",
            "/..%2fadmin",
            "/a%2f..%2fadmin",
            "/a%2F%2Fb",
            "/a/%2F",
            "/%2F",
            "/%2fhealth",
            "/a%2f/b",
            "/a/.%2f",
            "/a%2f.",
        ] {
            assert_eq!(classify(path.as_bytes()), PathClass::NotCanonical(path.as_bytes()), "{path}");
        }
        assert_eq!(classify(b"/\xff"), PathClass::NotCanonical(b"/\xff"));
        assert_eq!(classify(b"/a\0?b"), PathClass::NotCanonical(b"/a\0"));
    }

    #[test]
    fn escaped_slashes_are_never_public_but_plain_to_rules() {
        for path in ["/servers/io.github.x%2Fy", "/servers/io.github.x%2fy/versions/1", "/a%2F", "/a%2Fb%2Fc"]
        {
            assert_eq!(classify(path.as_bytes()), PathClass::EscapedSlash(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn no_path_at_all_is_rejected() {
        for target in [
            "",
            "*",
            "health",
            "?",
            "?/health",
            "http://example.com/health",
            "example.com:443",
            "/a#b",
            "/a?b#c",
            "#",
            " /",
        ] {
            assert_eq!(classify(target.as_bytes()), PathClass::Rejected, "{target}");
        }
    }

    #[test]
    fn builtin_paths_are_for_reading() {
        for (method, path, public) in [
            ("GET", "/openapi.json", true),
            ("HEAD", "/openapi.json", true),
            ("OPTIONS", "/openapi.json", true),
            ("POST", "/openapi.json", false),
            ("get", "/openapi.json", false),
            ("", "/openapi.json", false),
            ("GET", "/openapi.json/", false),
            ("GET", "/openapi.json/x", false),
            ("GET", "/openapi.jsonx", false),
            ("GET", "/OpenAPI.json", false),
            ("GET", "/registry/openapi.json", false),
            ("GET", "/.well-known/", true),
            ("GET", "/.well-known/a/b", true),
            ("DELETE", "/.well-known/a", false),
            ("GET", "/.well-known", false),
            ("GET", "/.well-knownx/a", false),
            ("GET", "/.Well-Known/a", false),
        ] {
            assert_eq!(is_builtin(method.as_bytes(), path.as_bytes()), public, "{method} {path}");
        }
    }

    #[test]
    fn prefixes_match_whole_segments() {
        for prefix in ["/health", "/health/", "/health/*"] {
            let mut paths = PublicPaths::default();
            paths.push(prefix).unwrap();
            assert!(!paths.covers_all());
            for (path, public) in [
                ("/health", true),
                ("/health/", true),
                ("/health/check", true),
                ("/healthcheck", false),
                ("/health.txt", false),
                ("/Health", false),
                ("/", false),
                ("/a/health", false),
                ("", false),
            ] {
                assert_eq!(paths.matches(path.as_bytes()), public, "{prefix} {path}");
            }
        }
    }

    #[test]
    fn a_slash_covers_all_and_nothing_covers_nothing() {
        for prefix in ["/", "/*"] {
            let mut paths = PublicPaths::default();
            assert!(paths.is_empty() && !paths.matches(b"/") && !paths.matches(b""));
            paths.push("/health").unwrap();
            paths.push(prefix).unwrap();
            assert!(paths.covers_all() && paths.matches(b"/") && paths.matches(b"/a/b"), "{prefix}");
        }
    }

    #[test]
    fn prefixes_that_no_request_could_match_are_refused() {
        use PublicPathError::*;
        for (path, error) in [
            ("", NotAbsolute),
            ("health", NotAbsolute),
            ("*", NotAbsolute),
            ("https://example.com/health", NotAbsolute),
            (" /health", NotAbsolute),
            ("/health*", Glob),
            ("/*/health", Glob),
            ("/health/**", Glob),
            ("/health/*/", Glob),
            ("/heal?h", Glob),
            ("/health?full", Glob),
            ("/[a-z]", Glob),
            ("/{name}", Glob),
            ("/health ", NotCanonical),
            ("//", NotCanonical),
            ("//*", NotCanonical),
            ("/health//", NotCanonical),
            ("/a/../b", NotCanonical),
            ("/.", NotCanonical),
            ("/..", NotCanonical),
            ("/a/./", NotCanonical),
            ("/a;b", NotCanonical),
            ("/a\\b", NotCanonical),
            ("/a#b", NotCanonical),
            ("/%68ealth", NotCanonical),
            ("/a%2Fb", NotCanonical),
            ("/a%zz", NotCanonical),
            ("/\u{fc}", NotCanonical),
        ] {
            assert_eq!(PublicPaths::default().push(path), Err(error), "{path}");
        }
    }
}
