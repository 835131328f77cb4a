//! Tokens that were verified before (SPEC V-1).
//!
//! Found by the [digest](crate::digest) of the whole token; the token itself is not kept. Bounded twice: by the
//! configured number of tokens, and by [`BYTES_PER_TOKEN`] times that number; the least recently used goes first. An entry ends with its token's `exp`.

use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::claims::Validity;
use crate::digest::Digest;
use crate::identity::Identity;

/// Memory for one token, bookkeeping included; larger identities take the room of several.
pub const BYTES_PER_TOKEN: usize = 300;

/// What an entry takes beside its identity's text.
const ENTRY_OVERHEAD: usize = 120;

/// What is remembered of a verified token.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    /// The provider's place in the configuration.
    pub provider: u32,
    /// The key that verified it, as [`crate::keys::KeySet::holds`] knows it.
    pub key: u32,
    /// When its claims hold.
    pub validity: Validity,
    /// Who it speaks for.
    pub identity: Arc<Identity>,
}

/// Verified tokens of one worker.
pub struct VerifiedTokens {
    entries: Mutex<Entries>,
}

struct Entries {
    tokens: LruCache<Digest, VerifiedToken, DigestHasher>,
    capacity: usize,
    bytes: usize,
}

impl VerifiedTokens {
    /// Remembers up to `capacity` tokens; zero remembers none.
    pub fn new(capacity: usize) -> Self {
        // The map grows with its use: a bound that is never reached costs nothing.
        let tokens = LruCache::unbounded_with_hasher(DigestHasher);
        Self { entries: Mutex::new(Entries { tokens, capacity, bytes: 0 }) }
    }

    /// Finds a token and marks it as used.
    pub fn get(&self, digest: Digest) -> Option<VerifiedToken> {
        self.entries().tokens.get(&digest).cloned()
    }

    /// Remembers a token that was verified just now.
    pub fn insert(&self, digest: Digest, token: VerifiedToken) {
        let mut entries = self.entries();
        entries.bytes += size(&token);
        if let Some(before) = entries.tokens.put(digest, token) {
            entries.bytes -= size(&before);
        }
        entries.shrink();
    }

    /// Forgets a token: it expired, or its key is gone.
    pub fn remove(&self, digest: Digest) {
        let mut entries = self.entries();
        if let Some(before) = entries.tokens.pop(&digest) {
            entries.bytes -= size(&before);
        }
    }

    /// Tokens remembered now.
    pub fn len(&self) -> usize {
        self.entries().tokens.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn shrink(&mut self) {
        while self.tokens.len() > self.capacity || self.bytes > self.capacity.saturating_mul(BYTES_PER_TOKEN)
        {
            match self.tokens.pop_lru() {
                Some((_, token)) => self.bytes -= size(&token),
                None => return,
            }
        }
    }
}

fn size(token: &VerifiedToken) -> usize {
    ENTRY_OVERHEAD + token.identity.size()
}

/// Digests are uniform already: half of one is the hash.
#[derive(Clone, Copy, Default)]
pub(crate) struct DigestHasher;

impl BuildHasher for DigestHasher {
    type Hasher = Half;

    fn build_hasher(&self) -> Half {
        Half(0)
    }
}

pub(crate) struct Half(u64);

impl Hasher for Half {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            self.0 ^= chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
    }

    #[allow(clippy::cast_possible_truncation)] // The low half is meant.
    fn write_u128(&mut self, digest: u128) {
        self.0 = digest as u64;
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use serde_json::json;

    use super::*;
    use crate::claims::VerifiedClaims;
    use crate::json::Value;
    use crate::time::UnixTime;

    fn token(subject: &str) -> VerifiedToken {
        let validity = Validity { not_before: UnixTime::EPOCH, expires: UnixTime::EPOCH };
        let Value::Object(claims) = json!({"sub": subject}).into() else { panic!("an object") };
        VerifiedToken {
            provider: 0,
            key: 1,
            validity,
            identity: Arc::new(Identity::new("p", &VerifiedClaims::new(claims, validity), &[])),
        }
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let tokens = VerifiedTokens::new(2);
        tokens.insert(1, token("a"));
        tokens.insert(2, token("b"));
        assert!(tokens.get(1).is_some());
        tokens.insert(3, token("c"));
        assert!(tokens.get(1).is_some() && tokens.get(2).is_none() && tokens.get(3).is_some());
        assert_eq!(tokens.len(), 2);
    }

    #[test]
    fn memory_is_bounded_whatever_identities_say() {
        let tokens = VerifiedTokens::new(100);
        for number in 0..100 {
            tokens.insert(number, token(&"x".repeat(3000)));
        }
        assert!((5..=10).contains(&tokens.len()), "{}", tokens.len());
        tokens.insert(1000, token(&"x".repeat(100 * BYTES_PER_TOKEN)));
        assert!(tokens.is_empty(), "an identity larger than the whole cache is not kept");
        assert_eq!(tokens.entries().bytes, 0);
    }

    #[test]
    fn a_replaced_or_removed_token_gives_its_room_back() {
        let tokens = VerifiedTokens::new(10);
        tokens.insert(1, token("a"));
        tokens.insert(1, token("b"));
        assert_eq!(tokens.entries().bytes, size(&token("b")));
        tokens.remove(1);
        assert_eq!(tokens.entries().bytes, 0);
    }

    #[test]
    fn a_cache_of_no_size_remembers_nothing() {
        let tokens = VerifiedTokens::new(0);
        tokens.insert(1, token("a"));
        assert!(tokens.is_empty());
    }
}
