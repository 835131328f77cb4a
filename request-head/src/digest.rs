//! Digests of tokens, under which verified tokens and introspection's answers are remembered (SPEC O-4); the token itself is not kept.
//!
//! SipHash-1-3 with 128 bits under a random key of this worker. What could be won by two tokens with one digest is to be taken for the owner of the other
//! one, so whoever searches would have to meet the digest of a token that he does not know, under a key that he does not know, without ever seeing a digest: one
//! chance in 2^128 for each attempt and token remembered. One compression round is as good as two for that, and a request with a known token spends most of its
//! instructions here.

use siphasher::sip128::SipHasher13;

/// A token's digest: equal digests under a secret key mean equal tokens, but for one chance in 2^128 a pair.
pub type Digest = u128;

/// Makes digests under a secret key.
#[derive(Clone)]
pub struct Digester(SipHasher13);

impl Digester {
    /// `key` is random, and this worker's own.
    pub fn new(key: &[u8; 16]) -> Self {
        Self(SipHasher13::new_with_key(key))
    }

    /// The digest of a token.
    pub fn digest(&self, token: &[u8]) -> Digest {
        self.0.hash(token).as_u128()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn digests_depend_on_token_and_key() {
        let digester = Digester::new(&[1; 16]);
        assert_eq!(digester.digest(b"a"), digester.clone().digest(b"a"));
        assert_ne!(digester.digest(b"a"), digester.digest(b"b"));
        assert_ne!(digester.digest(b"a"), Digester::new(&[2; 16]).digest(b"a"));
    }

    #[test]
    fn every_bit_of_a_token_counts() {
        let (digester, token) = (Digester::new(&[1; 16]), [b'a'; 41]);
        let mut digests = std::collections::BTreeSet::from([digester.digest(&token)]);
        for bit in 0..token.len() * 8 {
            let mut other = token;
            other[bit / 8] ^= 1 << (bit % 8);
            digests.insert(digester.digest(&other));
        }
        digests.extend((0..token.len()).map(|end| digester.digest(&token[..end])));
        assert_eq!(digests.len(), 1 + token.len() * 8 + token.len());
    }
}
