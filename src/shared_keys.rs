//! How keys are written into memory that workers share, and read back as untrusted bytes.

use std::time::Duration;

use crate::fetch::MAX_DOCUMENT_LENGTH;
use crate::keys::SharedKeys;
use crate::time::UnixTime;

/// The longest URL in it.
const MAX_URL_LENGTH: usize = 4096;

impl SharedKeys<'_> {
    /// Times (nanoseconds, little endian), the URL's length and the URL, the document.
    pub fn encode(&self) -> Vec<u8> {
        let url = self.jwks_uri.unwrap_or_default().as_bytes();
        let mut bytes = Vec::with_capacity(20 + url.len() + self.body.len());
        bytes.extend_from_slice(&self.requested_at.as_nanos().to_le_bytes());
        bytes.extend_from_slice(&u64::try_from(self.fresh_for.as_nanos()).unwrap_or(u64::MAX).to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(url.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(url);
        bytes.extend_from_slice(self.body);
        bytes
    }
}

/// Reads what [`SharedKeys::encode`] wrote; `None` for anything else. The document is judged by whoever uses it.
pub fn decode(bytes: &[u8]) -> Option<SharedKeys<'_>> {
    let (requested_at, rest) = bytes.split_first_chunk::<8>()?;
    let (fresh_for, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (url, body) = rest.split_at_checked(length)?;
    if url.len() > MAX_URL_LENGTH || body.len() > MAX_DOCUMENT_LENGTH {
        return None;
    }
    let url = std::str::from_utf8(url).ok()?;
    Some(SharedKeys {
        requested_at: UnixTime::from_nanos(u64::from_le_bytes(*requested_at)),
        fresh_for: Duration::from_nanos(u64::from_le_bytes(*fresh_for)),
        jwks_uri: (!url.is_empty()).then_some(url),
        body,
    })
}

/// When the shared keys were requested, from the first bytes alone.
pub fn requested_at(bytes: &[u8]) -> Option<UnixTime> {
    bytes.first_chunk::<8>().map(|nanos| UnixTime::from_nanos(u64::from_le_bytes(*nanos)))
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        for jwks_uri in [None, Some("https://idp.example/jwks")] {
            let shared = SharedKeys {
                requested_at: UnixTime::from_secs(7),
                fresh_for: Duration::from_secs(60),
                jwks_uri,
                body: b"{}",
            };
            let bytes = shared.encode();
            let read = decode(&bytes).unwrap();
            assert_eq!(
                (read.requested_at, read.fresh_for, read.jwks_uri, read.body),
                (shared.requested_at, shared.fresh_for, jwks_uri, &b"{}"[..])
            );
            assert_eq!(requested_at(&bytes), Some(UnixTime::from_secs(7)));
        }
    }

    #[test]
    fn anything_else_is_nothing() {
        let good = SharedKeys {
            requested_at: UnixTime::EPOCH,
            fresh_for: Duration::ZERO,
            jwks_uri: Some("https://a"),
            body: b"",
        }
        .encode();
        for end in 0..good.len() {
            assert!(decode(&good[..end]).is_none(), "{end}");
        }
        let mut long = good.clone();
        long[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(decode(&long).is_none());
        let mut large = good;
        large.resize(MAX_DOCUMENT_LENGTH + 100, 0);
        assert!(decode(&large).is_none());
    }
}
