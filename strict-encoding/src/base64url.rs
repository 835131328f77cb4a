//! Base64url without padding, as JOSE writes it (RFC 7515 §2).
//!
//! [`decode`] accepts exactly one spelling of each byte string. A second spelling would let one signature, key or token pass under several
//! names, so padding, the other alphabet, white space and left-over bits (RFC 4648 §3.5) are errors.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};

/// Why bytes are not canonical base64url. Offsets are in bytes of the encoded input; the input itself is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base64Error {
    /// A byte outside `A-Z a-z 0-9 - _`, white space included.
    InvalidByte {
        /// Where it is.
        offset: usize,
    },
    /// Padding: JOSE has none (RFC 7515 §2).
    Padded,
    /// No byte string has an encoding of this length.
    InvalidLength,
    /// The last character carries bits that no byte uses (RFC 4648 §3.5).
    TrailingBits,
}

impl fmt::Display for Base64Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidByte { offset } => {
                write!(f, "not a base64url character at offset {offset}")
            }
            Self::Padded => f.write_str("base64url with padding"),
            Self::InvalidLength => f.write_str("not a possible length of base64url"),
            Self::TrailingBits => {
                f.write_str("not canonical base64url: bits are left over in the last character")
            }
        }
    }
}

impl std::error::Error for Base64Error {}

impl From<base64::DecodeError> for Base64Error {
    fn from(error: base64::DecodeError) -> Self {
        match error {
            base64::DecodeError::InvalidByte(offset, _) => Self::InvalidByte { offset },
            base64::DecodeError::InvalidLastSymbol { .. } => Self::TrailingBits,
            base64::DecodeError::InvalidPadding => Self::Padded,
            base64::DecodeError::InvalidLength(_) => Self::InvalidLength,
        }
    }
}

/// What the processor decodes fastest.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn decoder() -> &'static impl Engine {
    use std::sync::LazyLock;

    use base64::engine::Simd;
    use base64::engine::general_purpose::NO_PAD;

    static DECODER: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(NO_PAD));
    &*DECODER
}

/// What runs everywhere.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn decoder() -> &'static impl Engine {
    &URL_SAFE_NO_PAD
}

/// Decodes canonical base64url without padding.
pub fn decode(encoded: &[u8]) -> Result<Vec<u8>, Base64Error> {
    decoder().decode(encoded).map_err(Base64Error::from)
}

/// Decodes what some encoder may have meant: either alphabet, with or without padding, whatever the left-over bits.
///
/// For classification only (is this a broken JWT, or something else?). What it returns is never trusted.
pub fn decode_lenient(encoded: &[u8]) -> Result<Vec<u8>, Base64Error> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::URL_SAFE,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone),
    );
    let end = encoded.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let unified: Vec<u8> = encoded
        .iter()
        .take(end)
        .map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        })
        .collect();
    LENIENT.decode(unified).map_err(Base64Error::from)
}

/// Encodes as JOSE does: the one spelling that [`decode`] accepts.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn rfc_4648_vectors_decode_without_padding() {
        for (encoded, bytes) in [
            ("", ""),
            ("Zg", "f"),
            ("Zm8", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg", "foob"),
            ("Zm9vYmE", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(encoded.as_bytes()).unwrap(), bytes.as_bytes());
            assert_eq!(encode(bytes.as_bytes()), encoded);
        }
        assert_eq!(decode(b"-_-_").unwrap(), [0xfb, 0xff, 0xbf]);
    }

    #[test]
    fn every_other_spelling_is_refused() {
        assert_eq!(decode(b"Zg=="), Err(Base64Error::Padded));
        assert_eq!(decode(b"+/+/"), Err(Base64Error::InvalidByte { offset: 0 }));
        assert_eq!(decode(b"Zm9v\n"), Err(Base64Error::InvalidByte { offset: 4 }));
        assert_eq!(decode(b" Zm9v"), Err(Base64Error::InvalidByte { offset: 0 }));
        assert_eq!(decode(b"Zm\09"), Err(Base64Error::InvalidByte { offset: 2 }));
        assert_eq!(decode(b"Zh"), Err(Base64Error::TrailingBits));
        assert_eq!(decode(b"Zm9"), Err(Base64Error::TrailingBits));
        assert_eq!(decode(b"Z"), Err(Base64Error::InvalidLength));
        assert_eq!(decode(b"Zm9vY"), Err(Base64Error::InvalidLength));
        assert!(decode(b"Zm9v=").is_err());
        assert!(decode("Zm9é".as_bytes()).is_err());
    }

    #[test]
    fn long_texts_are_judged_as_short_ones() {
        // Longer than what is decoded many at a time, and with every remainder.
        for length in 60..200_usize {
            let bytes: Vec<u8> = (0..length).map(|place| u8::try_from(place * 37 % 251).unwrap()).collect();
            let encoded = encode(&bytes);
            assert_eq!(decode(encoded.as_bytes()).unwrap(), bytes);
            for (place, byte) in (0..encoded.len())
                .flat_map(|place| [b'+', b'/', b'.', b' ', 0, 0x80, 0xff].map(|byte| (place, byte)))
            {
                let mut broken = encoded.clone().into_bytes();
                broken[place] = byte;
                assert_eq!(
                    decode(&broken),
                    Err(Base64Error::InvalidByte { offset: place }),
                    "{byte:#x} at {place} of {length}"
                );
            }
        }
    }

    #[test]
    fn the_lenient_form_is_only_as_lenient_as_encoders_are() {
        for encoded in [&b"Zg"[..], b"Zg==", b"Zg=", b"Zh", b"Zh=="] {
            assert_eq!(decode_lenient(encoded).unwrap(), b"f");
        }
        assert_eq!(decode_lenient(b"+/-_").unwrap(), [0xfb, 0xff, 0xbf]);
        assert_eq!(decode_lenient(b"==").unwrap(), b"");
        assert!(decode_lenient(b"Z").is_err());
        assert!(decode_lenient(b"Zg=a").is_err());
        assert!(decode_lenient(b"Z g").is_err());
        assert!(decode_lenient(b"ya29.a").is_err());
    }
}
