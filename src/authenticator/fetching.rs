//! What shells fetch on the authenticator's behalf.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Authenticator, Introspection, Mode, Need, Pending};
use crate::fetch::{FetchError, FetchResult};
use crate::identity::Identity;
use crate::introspection::{self, Answer, Limiter, Verdict};
use crate::keys::{Advance, ProviderKeys, Refresh, RefreshCause};
use crate::metrics::Event;
use crate::policy::Provider;
use crate::shared_keys;
use crate::time::UnixTime;

/// Refreshing keys. A shell sees to it that a provider has one refresh at a time, and that whoever waits for it is woken.
impl Authenticator {
    /// The shell refreshes keys by itself from now on: requests no longer wait for a refresh of keys that they have.
    pub fn set_refreshes_in_background(&self) {
        if let Mode::Oauth(oauth) = &self.mode {
            oauth.refreshes_in_background.store(true, Ordering::Relaxed);
        }
    }

    /// The first provider from `from` on whose keys should be refreshed in the background.
    pub fn due_refresh(&self, from: usize, now: UnixTime) -> Option<usize> {
        let Mode::Oauth(oauth) = &self.mode else {
            return None;
        };
        oauth.keys.iter().enumerate().skip(from).find(|(_, keys)| keys.is_due(now)).map(|(number, _)| number)
    }

    /// Begins a refresh whose first request goes out now. `None`: too many kids were unknown lately, and waiting requests are to be given up.
    pub fn begin_refresh(&self, provider: usize, cause: RefreshCause, now: UnixTime) -> Option<Refresh> {
        let (policy, keys) = self.provider(provider)?;
        let refresh = keys.begin(policy, cause, now)?;
        self.metrics.happened(provider, Event::Fetch);
        Some(refresh)
    }

    /// Takes the result of [`Refresh::request`]. After anything but [`Advance::Next`], waiting requests are to be resumed.
    pub fn advance_refresh(&self, refresh: Refresh, result: FetchResult, now: UnixTime) -> Advance {
        let number = refresh.request().provider;
        let Some((policy, keys)) = self.provider(number) else {
            return Advance::Failed;
        };
        let advance = keys.advance(policy, refresh, result, now);
        match advance {
            Advance::Next(_) => self.metrics.happened(number, Event::Fetch),
            Advance::Failed => self.metrics.happened(number, Event::FetchFailure),
            Advance::Renewed(_) => {}
        }
        advance
    }

    /// Forgets a refresh that cannot be finished: its owner is gone.
    pub fn abandon_refresh(&self, provider: usize) {
        if let Some((_, keys)) = self.provider(provider) {
            keys.abandon();
        }
    }

    /// Keys as other workers may import them; `body` is what [`Advance::Renewed`] gave.
    pub fn export_keys(&self, provider: usize, body: &[u8]) -> Option<Vec<u8>> {
        self.provider(provider)?.1.export(body, |shared| shared.encode())
    }

    /// Takes keys that another worker exported, as untrusted bytes. True: they are in force now.
    pub fn import_keys(&self, provider: usize, bytes: &[u8], now: UnixTime) -> Result<bool, FetchError> {
        let Some((policy, keys)) = self.provider(provider) else {
            return Ok(false);
        };
        let shared = shared_keys::decode(bytes)
            .ok_or_else(|| FetchError::Invalid("not keys of this version".to_owned()))?;
        keys.import(policy, &shared, now)
    }

    /// When the request for the keys in force went out; `None` where there are none.
    pub fn keys_requested_at(&self, provider: usize, now: UnixTime) -> Option<UnixTime> {
        self.provider(provider)?.1.current(now).map(|set| set.requested_at)
    }

    /// When fetching a provider's keys may be tried again after a failure; the epoch when there was none.
    pub fn retry_at(&self, provider: usize) -> UnixTime {
        self.provider(provider).map_or(UnixTime::EPOCH, |(_, keys)| keys.retry_at())
    }

    /// Another worker failed to fetch a provider's keys: requests that have none are answered at once until `retry_at`.
    pub fn back_off_until(&self, provider: usize, retry_at: UnixTime, now: UnixTime) {
        if let Some((_, keys)) = self.provider(provider) {
            keys.back_off_until(retry_at, now);
        }
    }

    fn provider(&self, number: usize) -> Option<(&Provider, &ProviderKeys)> {
        match &self.mode {
            Mode::Oauth(oauth) => oauth.policy.providers.get(number).zip(oauth.keys.get(number)),
            Mode::Anonymous => None,
        }
    }
}

/// Introspecting tokens. A shell sees to it that a token is asked about once at a time, and that whoever waits for the answer is woken.
impl Authenticator {
    /// Begins to ask about the token of a waiting request; the question goes out now. `None`: it is known by now, the provider fails, or is asked too much, and waiting
    /// requests are to be resumed.
    pub fn begin_introspection(&self, pending: &Pending, now: UnixTime) -> Option<Introspection> {
        let Need::Introspection { provider, digest } = pending.need else { return None };
        let (policy, limiter) = self.introspector(provider)?;
        let url = policy.introspection_url.as_ref()?;
        // It may have been answered since this request asked.
        let Mode::Oauth(oauth) = &self.mode else { return None };
        if oauth.answers.get(provider, digest, now).is_some()
            || !limiter.begin(oauth.answers.standing(provider, digest, now), now)
        {
            return None;
        }
        self.metrics.happened(provider, Event::Fetch);
        let request = introspection::request(provider, url, pending.request.token.reveal());
        Some(Introspection { request, digest })
    }

    /// Takes the answer. Waiting requests are to be resumed.
    pub fn end_introspection(&self, introspection: Introspection, result: FetchResult, now: UnixTime) {
        let Introspection { request, digest } = introspection;
        let number = request.provider;
        let Some((provider, limiter)) = self.introspector(number) else { return };
        let verdict = match &result {
            FetchResult::Response(response) => introspection::process_response(provider, response, now),
            FetchResult::Failed(error) => Err(error.clone()),
        };
        match verdict {
            Ok(verdict) => {
                if limiter.succeed() {
                    log::warn!("provider {}: introspection answers again", provider.name);
                }
                self.remember(number, provider, digest, verdict, now);
            }
            Err(error) => {
                self.metrics.happened(number, Event::FetchFailure);
                let level = if limiter.fail(now) { log::Level::Warn } else { log::Level::Debug };
                log::log!(
                    level,
                    "provider {}: failed to introspect: {}: {error}",
                    provider.name,
                    request.url.without_query()
                );
            }
        }
    }

    /// Forgets a question that cannot be finished: its owner is gone.
    pub fn abandon_introspection(&self, provider: usize) {
        if let Some((_, limiter)) = self.introspector(provider) {
            limiter.abandon();
        }
    }

    fn remember(
        &self,
        number: usize,
        provider: &Provider,
        digest: u128,
        verdict: Verdict<'_>,
        now: UnixTime,
    ) {
        let Mode::Oauth(oauth) = &self.mode else { return };
        let answer = match verdict {
            Verdict::Active(claims) => {
                let identity = Identity::new(&provider.name, &claims, &provider.claims_to_headers);
                Answer::Active(Arc::new(identity), claims.validity())
            }
            Verdict::Refused(rejection) => Answer::Refused(rejection),
        };
        oauth.answers.insert(number, digest, answer, now);
    }

    fn introspector(&self, number: usize) -> Option<(&Provider, &Limiter)> {
        match &self.mode {
            Mode::Oauth(oauth) => oauth.policy.providers.get(number).zip(oauth.limiters.get(number)),
            Mode::Anonymous => None,
        }
    }
}
