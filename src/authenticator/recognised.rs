//! Verified tokens of all threads: the cache in parts, found by the half of a digest that the parts do not hash by.

use crate::cache::{VerifiedToken, VerifiedTokens};
use crate::digest::Digest;
use crate::shards::Shards;

/// A part holds at least so many: enough for the largest identity, and for the parts to fill evenly.
const TOKENS_PER_SHARD: usize = 256;

/// Holds up to the configured number of tokens in all, and about that many once they are in use: parts fill unevenly, by a few in a hundred. The least
/// recently used of a part goes first.
pub(super) struct RecognisedTokens(Shards<VerifiedTokens>);

impl RecognisedTokens {
    /// For about so many threads.
    pub(super) fn new(capacity: usize, threads: usize) -> Self {
        Self(Shards::new(threads, capacity / TOKENS_PER_SHARD, |share| {
            VerifiedTokens::new(share.of(capacity))
        }))
    }

    pub(super) fn get(&self, digest: Digest) -> Option<VerifiedToken> {
        self.shard(digest).get(digest)
    }

    pub(super) fn insert(&self, digest: Digest, token: VerifiedToken) {
        self.shard(digest).insert(digest, token);
    }

    pub(super) fn remove(&self, digest: Digest) {
        self.shard(digest).remove(digest);
    }

    #[allow(clippy::cast_possible_truncation)] // The high half is meant.
    fn shard(&self, digest: Digest) -> &VerifiedTokens {
        self.0.of((digest >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use std::sync::Arc;

    use super::*;
    use crate::claims::{Validity, VerifiedClaims};
    use crate::digest::Digester;
    use crate::identity::Identity;
    use crate::time::UnixTime;

    fn token() -> VerifiedToken {
        let validity = Validity { not_before: UnixTime::EPOCH, expires: UnixTime::EPOCH };
        let identity = Identity::new("p", &VerifiedClaims::new(Default::default(), validity), &[]);
        VerifiedToken { provider: 0, key: 1, validity, identity: Arc::new(identity) }
    }

    fn filled(capacity: usize, threads: usize) -> usize {
        let (tokens, digester) = (RecognisedTokens::new(capacity, threads), Digester::new(&[3; 16]));
        for number in 0..4 * capacity {
            tokens.insert(digester.digest(number.to_string().as_bytes()), token());
        }
        tokens.0.iter().map(VerifiedTokens::len).sum()
    }

    #[test]
    fn the_bound_is_that_of_all_parts_together() {
        for (capacity, threads) in [(10_000, 1), (10_000, 8), (1_000, 64), (300, 64), (7, 2), (1, 2), (0, 2)]
        {
            assert_eq!(filled(capacity, threads), capacity, "{threads} threads");
        }
    }

    #[test]
    fn a_token_is_found_and_forgotten_where_it_was_remembered() {
        let (tokens, digester) = (RecognisedTokens::new(10_000, 8), Digester::new(&[3; 16]));
        let digests: Vec<Digest> =
            (0..1_000).map(|number| digester.digest(number.to_string().as_bytes())).collect();
        digests.iter().for_each(|digest| tokens.insert(*digest, token()));
        assert!(digests.iter().all(|digest| tokens.get(*digest).is_some()));
        digests.iter().for_each(|digest| tokens.remove(*digest));
        assert!(digests.iter().all(|digest| tokens.get(*digest).is_none()));
        assert_eq!(tokens.0.iter().map(VerifiedTokens::len).sum::<usize>(), 0);
    }
}
