//! Bearer tokens: how one is extracted from a request (RFC 6750 §2.1, SPEC B-1).
//!
//! Only the `Authorization` header is read. A request that carries credentials in a form that two parties could read differently is refused
//! rather than interpreted.

use std::fmt;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// A bearer token: at least one `b64token` character, at most [`MAX_TOKEN_LENGTH`]. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(Box<[u8]>);

impl BearerToken {
    /// The token's characters, all of them ASCII, for verification and introspection only.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BearerToken({} bytes)", self.0.len())
    }
}

impl From<BorrowedToken<'_>> for BearerToken {
    fn from(token: BorrowedToken<'_>) -> Self {
        Self(token.0.into())
    }
}

/// A bearer token where it stands in the request: the path of recognised tokens copies nothing.
#[derive(Clone, Copy)]
pub struct BorrowedToken<'a>(&'a [u8]);

impl<'a> BorrowedToken<'a> {
    /// The token's characters, all of them ASCII, for verification and introspection only.
    pub fn reveal(self) -> &'a [u8] {
        self.0
    }
}

impl<'a> From<&'a BearerToken> for BorrowedToken<'a> {
    fn from(token: &'a BearerToken) -> Self {
        Self(&token.0)
    }
}

/// What the `Authorization` headers of one request hold.
#[derive(Clone, Copy)]
pub enum Credentials<'a> {
    /// No header, or another scheme than Bearer.
    None,
    /// One token in the right form. It may still be anything.
    Token(BorrowedToken<'a>),
}

/// Why the `Authorization` headers cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerError {
    /// More than one header, or a list in one.
    Several,
    /// Scheme Bearer, but not one space and one `b64token`.
    Malformed,
    /// Longer than [`MAX_TOKEN_LENGTH`].
    TooLong,
}

/// Collects the values of the `Authorization` headers of one request.
#[derive(Clone, Copy, Default)]
pub struct Authorization<'a> {
    value: Option<&'a [u8]>,
    several: bool,
}

impl<'a> Authorization<'a> {
    /// Takes one header's value; empty ones are ignored.
    pub fn add(&mut self, value: &'a [u8]) {
        if value.iter().all(|byte| is_whitespace(*byte)) {
            return;
        }
        self.several |= self.value.replace(value).is_some();
    }

    /// What stands where a token belongs, in whatever form: for looking up what was accepted before, and for nothing else. Where [`extract`](Self::extract)
    /// finds a token, it is this.
    pub fn presented(self) -> Option<&'a [u8]> {
        let (scheme, token) = self.value.filter(|_| !self.several)?.split_first_chunk::<7>()?;
        (scheme.eq_ignore_ascii_case(b"bearer ") && token.len() <= MAX_TOKEN_LENGTH).then_some(token)
    }

    /// Extracts the one token.
    pub fn extract(self) -> Result<Credentials<'a>, BearerError> {
        // A token has no comma: where there is one, nothing was joined to it.
        if let Some(token) = self.presented().filter(|token| is_b64token(token)) {
            return Ok(Credentials::Token(BorrowedToken(token)));
        }
        let Some(value) = self.value else {
            return Ok(Credentials::None);
        };
        if self.several || value.len() <= MAX_TOKEN_LENGTH && is_joined(value) {
            return Err(BearerError::Several);
        }
        let end = value.iter().position(|byte| is_whitespace(*byte)).unwrap_or(value.len());
        let (scheme, rest) = value.split_at_checked(end).ok_or(BearerError::Malformed)?;
        if !scheme.eq_ignore_ascii_case(b"bearer") {
            return Ok(Credentials::None);
        }
        match rest.strip_prefix(b" ") {
            Some(token) if token.len() > MAX_TOKEN_LENGTH => Err(BearerError::TooLong),
            _ => Err(BearerError::Malformed),
        }
    }
}

/// Whether a proxy joined several headers into one list. Other schemes have commas of their own (`Digest`), which is why a second scheme is looked for.
fn is_joined(value: &[u8]) -> bool {
    // Nearly never; and this search is fast.
    if !value.contains(&b',') {
        return false;
    }
    let mut parts = value.split(|byte| *byte == b',');
    let first_is_bearer = parts.next().is_some_and(starts_with_bearer);
    parts.any(|part| first_is_bearer || starts_with_bearer(part))
}

fn starts_with_bearer(part: &[u8]) -> bool {
    let part = part.trim_ascii_start();
    part.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
        && part.get(6).is_none_or(|byte| is_whitespace(*byte))
}

/// RFC 6750 §2.1: `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_b64token(token: &[u8]) -> bool {
    let body = token.iter().rposition(|byte| *byte != b'=').and_then(|last| token.get(..=last));
    body.is_some_and(all_b64token)
}

/// Many at a time are looked up, and only then is there something to decide.
fn all_b64token(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<32>();
    chunks.iter().all(|chunk| all_in_table(chunk)) && all_in_table(rest)
}

fn all_in_table(bytes: &[u8]) -> bool {
    let allowed = |byte: &u8| B64TOKEN.get(usize::from(*byte)).copied().unwrap_or(false);
    bytes.iter().fold(true, |all, byte| all & allowed(byte))
}

static B64TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, clippy::indexing_slicing)]
        // Evaluated at compile time, where both would fail the build.
        {
            let character = byte as u8;
            table[byte] = character.is_ascii_alphanumeric()
                || matches!(character, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
        }
        byte += 1;
    }
    table
};

const fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn extract(values: &[&[u8]]) -> Result<Option<String>, BearerError> {
        let mut authorization = Authorization::default();
        values.iter().for_each(|value| authorization.add(value));
        authorization.extract().map(|credentials| match credentials {
            Credentials::None => None,
            Credentials::Token(token) => Some(String::from_utf8(token.reveal().to_vec()).unwrap()),
        })
    }

    #[test]
    fn one_token_in_the_right_form_is_extracted() {
        for value in ["Bearer abc", "bearer abc", "BEARER abc", "bEaReR abc"] {
            assert_eq!(extract(&[value.as_bytes()]), Ok(Some("abc".into())), "{value}");
        }
        assert_eq!(extract(&[b"Bearer a-Z0._~+/=="]), Ok(Some("a-Z0._~+/==".into())));
        assert_eq!(
            extract(&[b"", b"Bearer abc", b"  "]),
            Ok(Some("abc".into())),
            "empty duplicates are ignored"
        );
    }

    #[test]
    fn no_header_or_another_scheme_is_no_credentials() {
        let digest: &[u8] = b"Digest username=\"a\", realm=\"b\"";
        for values in [
            vec![],
            vec![b"".as_slice()],
            vec![b"Basic YTpi"],
            vec![b"Bearerabc"],
            vec![digest],
            vec![b"\"Bearer abc\""],
        ] {
            assert_eq!(extract(&values), Ok(None), "{values:?}");
        }
    }

    #[test]
    fn anything_but_one_space_and_one_token_is_malformed() {
        for value in [
            "Bearer",
            "Bearer ",
            "Bearer  abc",
            "Bearer\tabc",
            "Bearer \tabc",
            "Bearer abc ",
            "Bearer abc def",
            "Bearer \"abc\"",
            "Bearer 'abc'",
            "Bearer ab=c",
            "Bearer ==",
            "Bearer abc;x",
            "Bearer a\u{e9}",
            "Bearer a%20b",
            "Bearer token=abc",
        ] {
            assert_eq!(extract(&[value.as_bytes()]), Err(BearerError::Malformed), "{value}");
        }
        assert_eq!(extract(&[b"Bearer \xff\xfe"]), Err(BearerError::Malformed));
    }

    #[test]
    fn every_byte_is_judged_alike_in_every_place() {
        for byte in 0..=u8::MAX {
            for length in [1, 31, 32, 63, 64, 65, 130] {
                for place in [0, length / 2, length - 1] {
                    let mut bytes = vec![b'a'; length];
                    bytes[place] = byte;
                    let expected = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
                    assert_eq!(all_b64token(&bytes), expected, "{byte:#x} of {length}");
                    assert_eq!(all_in_table(&bytes), expected, "{byte:#x} of {length}");
                }
            }
        }
    }

    #[test]
    fn several_headers_or_a_list_are_refused() {
        assert_eq!(extract(&[b"Bearer abc", b"Bearer abc"]), Err(BearerError::Several));
        assert_eq!(extract(&[b"Bearer abc", b"Basic YTpi"]), Err(BearerError::Several));
        for value in [
            "Bearer abc, Bearer def",
            "Bearer abc,Bearer def",
            "Bearer abc,",
            "Basic YTpi, Bearer abc",
            "Basic YTpi,bearer abc",
            "Bearer a,b",
        ] {
            assert_eq!(extract(&[value.as_bytes()]), Err(BearerError::Several), "{value}");
        }
    }

    #[test]
    fn length_is_judged_before_the_characters() {
        let longest = format!("Bearer {}", "a".repeat(MAX_TOKEN_LENGTH));
        assert!(extract(&[longest.as_bytes()]).is_ok_and(|token| token.is_some()));
        let longer = format!("Bearer {}", "\"".repeat(MAX_TOKEN_LENGTH + 1));
        assert_eq!(extract(&[longer.as_bytes()]), Err(BearerError::TooLong));
    }

    #[test]
    fn debug_does_not_show_the_token() {
        let mut authorization = Authorization::default();
        authorization.add(b"Bearer secret");
        let Ok(Credentials::Token(token)) = authorization.extract() else { panic!("one token") };
        assert_eq!(format!("{:?}", BearerToken::from(token)), "BearerToken(6 bytes)");
    }
}
