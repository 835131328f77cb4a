//! What providers answered lately (SPEC O-4). Positive and negative answers are kept apart, so that a flood of garbage evicts no good token; each
//! side holds at most the configured number. Keys are digests of the whole token; the token itself is not kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;

use crate::cache::DigestHasher;
use crate::claims::Validity;
use crate::digest::Digest;
use crate::identity::Identity;
use crate::introspection::Standing;
use crate::policy::IntrospectionCachePolicy;
use crate::rejection::Rejection;
use crate::time::UnixTime;

/// Whoever asked, and everybody who waited with them, reads the answer from here: it lives at least so long.
const SHORTEST: Duration = Duration::from_secs(1);

/// An answer that is still fresh.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Good until then.
    Active(Arc<Identity>, Validity),
    /// Not good, and why, with what the log says about it. That is one short text, and none for tokens that are nobody's.
    Refused(Rejection),
}

/// Recent answers of one worker.
pub struct Answers {
    policy: IntrospectionCachePolicy,
    sides: Mutex<Sides>,
}

struct Sides {
    active: LruCache<Digest, (Arc<Identity>, Validity, UnixTime), DigestHasher>,
    refused: LruCache<Digest, (Rejection, UnixTime), DigestHasher>,
}

impl Answers {
    /// Empty.
    pub fn new(policy: IntrospectionCachePolicy) -> Self {
        let sides = Sides {
            active: LruCache::unbounded_with_hasher(DigestHasher),
            refused: LruCache::unbounded_with_hasher(DigestHasher),
        };
        Self { policy, sides: Mutex::new(sides) }
    }

    /// What `provider` said of a token, if that is fresh.
    pub fn get(&self, provider: usize, token: Digest, now: UnixTime) -> Option<Answer> {
        let key = key(provider, token);
        let mut sides = self.sides();
        match sides.active.get(&key) {
            Some((_, validity, _)) if validity.check(now).is_err() => {
                sides.active.pop(&key);
            }
            Some((identity, validity, until)) if now < *until => {
                return Some(Answer::Active(Arc::clone(identity), *validity));
            }
            // Kept, to be known as one that was good.
            Some(_) | None => {}
        }
        match sides.refused.get(&key) {
            Some((rejection, until)) if now < *until => Some(Answer::Refused(rejection.clone())),
            Some(_) => {
                sides.refused.pop(&key);
                None
            }
            None => None,
        }
    }

    /// What is known of a token whose answer is no longer fresh.
    pub fn standing(&self, provider: usize, token: Digest, now: UnixTime) -> Standing {
        match self.sides().active.peek(&key(provider, token)) {
            Some((_, validity, _)) if validity.check(now).is_ok() => Standing::WasActive,
            _ => Standing::Unknown,
        }
    }

    /// Remembers an answer: a good one until the token's `exp` and at most the policy's `ttl`, the other for its `negativeTtl`.
    pub fn insert(&self, provider: usize, token: Digest, answer: Answer, now: UnixTime) {
        let key = key(provider, token);
        let size = self.policy.size.max(1);
        let mut sides = self.sides();
        match answer {
            Answer::Active(identity, validity) => {
                sides.refused.pop(&key);
                sides.active.put(key, (identity, validity, now.plus(self.policy.ttl.max(SHORTEST))));
                while sides.active.len() > size {
                    sides.active.pop_lru();
                }
            }
            Answer::Refused(rejection) => {
                sides.active.pop(&key);
                sides.refused.put(key, (rejection, now.plus(self.policy.negative_ttl.max(SHORTEST))));
                while sides.refused.len() > size {
                    sides.refused.pop_lru();
                }
            }
        }
    }

    fn sides(&self) -> MutexGuard<'_, Sides> {
        self.sides.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One token may be known to several providers. The digest is keyed and uniform: adding a small number keeps it so.
fn key(provider: usize, token: Digest) -> Digest {
    token.wrapping_add(provider as u128)
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::claims::VerifiedClaims;
    use crate::rejection::Cause;

    const T0: UnixTime = UnixTime::from_secs(1_800_000_000);

    fn active(expires_after: u64) -> Answer {
        let validity =
            Validity { not_before: UnixTime::EPOCH, expires: T0.plus(Duration::from_secs(expires_after)) };
        Answer::Active(
            Arc::new(Identity::new("p", &VerifiedClaims::new(Default::default(), validity), &[])),
            validity,
        )
    }

    fn get(answers: &Answers, provider: usize, token: Digest, seconds: u64) -> Option<bool> {
        let answer = answers.get(provider, token, T0.plus(Duration::from_secs(seconds)));
        answer.map(|answer| matches!(answer, Answer::Active(..)))
    }

    #[test]
    fn good_answers_live_until_exp_and_at_most_the_ttl_bad_ones_for_theirs() {
        let answers = Answers::new(IntrospectionCachePolicy::default());
        answers.insert(0, 1, active(1000), T0);
        answers.insert(0, 2, active(30), T0);
        answers.insert(0, 3, Answer::Refused(Cause::Inactive.into()), T0);
        assert_eq!([1, 2, 3].map(|token| get(&answers, 0, token, 9)), [Some(true), Some(true), Some(false)]);
        assert_eq!([1, 2, 3].map(|token| get(&answers, 0, token, 30)), [Some(true), None, None]);
        assert_eq!(get(&answers, 0, 1, 60), None);
    }

    #[test]
    fn a_token_that_was_good_is_known_as_such_until_it_expires_or_is_refused() {
        let answers =
            Answers::new(IntrospectionCachePolicy { size: 2, ..IntrospectionCachePolicy::default() });
        let standing = |token, seconds| answers.standing(0, token, T0.plus(Duration::from_secs(seconds)));
        answers.insert(0, 1, active(1000), T0);
        assert_eq!((get(&answers, 0, 1, 60), standing(1, 60)), (None, Standing::WasActive));
        assert_eq!((standing(1, 1000), standing(2, 0)), (Standing::Unknown, Standing::Unknown));
        assert_eq!(answers.standing(1, 1, T0), Standing::Unknown, "to another provider");
        answers.insert(0, 1, Answer::Refused(Cause::Inactive.into()), T0);
        assert_eq!(standing(1, 60), Standing::Unknown);
        for token in 1..=3 {
            answers.insert(0, token, active(1000), T0);
        }
        assert_eq!(standing(1, 0), Standing::Unknown, "the oldest is forgotten");
        assert_eq!((get(&answers, 0, 2, 1000), answers.sides().active.len()), (None, 1));
    }

    #[test]
    fn answers_belong_to_a_provider() {
        let answers = Answers::new(IntrospectionCachePolicy::default());
        answers.insert(0, 7, Answer::Refused(Cause::Inactive.into()), T0);
        answers.insert(1, 7, active(60), T0);
        assert_eq!(
            (get(&answers, 0, 7, 0), get(&answers, 1, 7, 0), get(&answers, 2, 7, 0)),
            (Some(false), Some(true), None)
        );
    }

    #[test]
    fn garbage_evicts_garbage_only() {
        let answers =
            Answers::new(IntrospectionCachePolicy { size: 10, ..IntrospectionCachePolicy::default() });
        answers.insert(0, 1, active(60), T0);
        for token in 100..1000 {
            answers.insert(0, token, Answer::Refused(Cause::Inactive.into()), T0);
        }
        assert_eq!(get(&answers, 0, 1, 0), Some(true));
        assert_eq!((get(&answers, 0, 100, 0), get(&answers, 0, 999, 0)), (None, Some(false)));
        assert_eq!(answers.sides().refused.len(), 10);
    }

    #[test]
    fn a_later_answer_replaces_the_earlier_one() {
        let answers = Answers::new(IntrospectionCachePolicy::default());
        answers.insert(0, 1, active(60), T0);
        answers.insert(0, 1, Answer::Refused(Cause::Inactive.into()), T0);
        assert_eq!(get(&answers, 0, 1, 0), Some(false));
        answers.insert(0, 1, active(60), T0);
        assert_eq!(get(&answers, 0, 1, 0), Some(true));
    }
}
