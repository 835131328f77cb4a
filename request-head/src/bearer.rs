//! Bearer tokens: how one is extracted from a request (RFC 6750 §2.1, SPEC B-1).
//!
//! Only the `Authorization` header is read. A request that carries credentials in a form that two parties could read differently is refused
//! rather than interpreted.

use std::fmt;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// A bearer token: at least one `b64token` character, at most [`MAX_TOKEN_LENGTH`]. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken {
    text: Box<[u8]>,
    dots: Dots,
}

impl BearerToken {
    /// The token's characters, all of them ASCII, for verification and introspection only.
    pub fn reveal(&self) -> &[u8] {
        &self.text
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BearerToken({} bytes)", self.text.len())
    }
}

impl From<BorrowedToken<'_>> for BearerToken {
    fn from(token: BorrowedToken<'_>) -> Self {
        Self { text: token.text.into(), dots: token.dots }
    }
}

/// A bearer token where it stands in the request: the path of recognised tokens copies nothing.
#[derive(Clone, Copy)]
pub struct BorrowedToken<'a> {
    text: &'a [u8],
    dots: Dots,
}

impl<'a> BorrowedToken<'a> {
    /// RFC 6750 §2.1: `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`. `None`: it is none, or longer than [`MAX_TOKEN_LENGTH`].
    pub fn new(text: &'a [u8]) -> Option<Self> {
        if text.len() > MAX_TOKEN_LENGTH {
            return None;
        }
        let last = text.iter().rposition(|byte| *byte != b'=')?;
        let dots = Dots::of(text.get(..=last)?)?;
        Some(Self { text, dots })
    }

    /// The token's characters, all of them ASCII, for verification and introspection only.
    pub const fn reveal(self) -> &'a [u8] {
        self.text
    }

    /// What stands between the dots, where there are exactly two of them, as in a JWS in compact serialization (RFC 7515 §7.1).
    pub fn three_parts(self) -> Option<[&'a [u8]; 3]> {
        let Dots { places: [first, second], number: 2 } = self.dots else { return None };
        Some([self.text.get(..first)?, self.text.get(first + 1..second)?, self.text.get(second + 1..)?])
    }
}

impl<'a> From<&'a BearerToken> for BorrowedToken<'a> {
    fn from(token: &'a BearerToken) -> Self {
        Self { text: &token.text, dots: token.dots }
    }
}

/// Where the dots of a token are: the first two of them, and how many there are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Dots {
    places: [usize; 2],
    number: usize,
}

impl Dots {
    /// Looks at every character once. `None`: not all of them are a token's.
    #[inline(never)]
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut dots = Self::default();
        let (chunks, rest) = bytes.as_chunks::<16>();
        for (number, chunk) in chunks.iter().enumerate() {
            dots.look(chunk, number * 16)?;
        }
        dots.look(rest, bytes.len() - rest.len())?;
        Some(dots)
    }

    /// Looks all characters up, and only then is there something to decide.
    fn look(&mut self, bytes: &[u8], start: usize) -> Option<()> {
        let kind = |byte: &u8| KINDS.get(usize::from(*byte)).copied().unwrap_or(NO_TOKEN);
        match bytes.iter().fold(0, |kinds, byte| kinds | kind(byte)) {
            0 => {}
            DOT => {
                for (place, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'.') {
                    if let Some(slot) = self.places.get_mut(self.number) {
                        *slot = start + place;
                    }
                    self.number += 1;
                }
            }
            _ => return None,
        }
        Some(())
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
        if let Some(token) = self.presented().and_then(BorrowedToken::new) {
            return Ok(Credentials::Token(token));
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

/// A kind of character: none of a token's body.
const NO_TOKEN: u8 = 1;
/// A kind of character.
const DOT: u8 = 2;

/// The kind of every byte; 0: a token's, and nothing else about it.
static KINDS: [u8; 256] = {
    let mut kinds = [NO_TOKEN; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, clippy::indexing_slicing)]
        // Evaluated at compile time, where both would fail the build.
        {
            let character = byte as u8;
            kinds[byte] = match character {
                b'.' => DOT,
                b'-' | b'_' | b'~' | b'+' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => 0,
                _ => NO_TOKEN,
            };
        }
        byte += 1;
    }
    kinds
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
                    assert_eq!(Dots::of(&bytes).is_some(), expected, "{byte:#x} of {length}");
                }
            }
        }
    }

    #[test]
    fn two_dots_make_three_parts() {
        let parts = |token: &'static [u8]| BorrowedToken::new(token).unwrap().three_parts();
        assert_eq!(parts(b"a.b.c"), Some([&b"a"[..], b"b", b"c"]));
        assert_eq!(parts(b".."), Some([&b""[..], b"", b""]));
        assert_eq!(parts(b"a..=="), Some([&b"a"[..], b"", b"=="]));
        for token in [&b"a"[..], b".", b"a.b", b"...", b"a.b.c.d", b"abcdefghijklmnopqrstuvwxyz"] {
            assert_eq!(parts(token), None);
        }
    }

    #[test]
    fn dots_are_found_wherever_they_are() {
        for length in [2, 3, 31, 32, 33, 64, 70] {
            for (one, other) in (0..length).flat_map(|one| (one + 1..length).map(move |other| (one, other))) {
                let mut text = vec![b'-'; length];
                text[one] = b'.';
                text[other] = b'.';
                let expected = [&text[..one], &text[one + 1..other], &text[other + 1..]];
                let token = BorrowedToken::new(&text).unwrap();
                assert_eq!(token.three_parts(), Some(expected), "{one} {other} {length}");
                let kept = BearerToken::from(token);
                assert_eq!(
                    BorrowedToken::from(&kept).three_parts(),
                    Some(expected),
                    "{one} {other} {length}"
                );
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
