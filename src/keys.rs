//! A provider's keys over time (SPEC J-8): fetched ahead, kept fresh, kept as last-known-good through outages, and asked for anew when a token names
//! a key that is not there.
//!
//! One *refresh* is up to three fetches: discovery, its second form, the JWK Set. It belongs to whoever began it; the shells see to it that one
//! provider has one at a time (SPEC J-10).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crate::back_off::BackOff;
use crate::discovery::{self, Discovered};
use crate::fetch::{Document, FetchError, FetchRequest, FetchResult, max_age};
use crate::jwk::{self, Jwk, JwkSet};
use crate::policy::Provider;
use crate::signature::{Algorithm, Backend};
use crate::time::UnixTime;
use crate::url::Url;

/// How long one unknown kid is not asked for again, and how old a set may be to call a kid unknown.
const UNKNOWN_KID_MEMORY: Duration = Duration::from_secs(60);
/// How many unknown kids are remembered for that.
const UNKNOWN_KIDS: usize = 64;
/// A refresh that began longer ago has been lost by its shell.
const LOST_AFTER: Duration = Duration::from_secs(60);
/// A set from further in the future shows a clock that was set back.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// A key that verifies tokens now. Its number identifies it by thumbprint, kid and algorithm as long as it stays in the provider's sets.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// The key.
    pub jwk: Arc<Jwk>,
    /// Never used again for another key of this provider.
    pub number: u32,
}

/// The keys of one provider at one time.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<TrustedKey>,
    set: JwkSet,
    /// When the JWK Set's request went out: it holds all that was published by then.
    pub requested_at: UnixTime,
    /// When it is to be refreshed, jitter included.
    pub refresh_at: UnixTime,
    /// When it is no longer fresh.
    pub fresh_until: UnixTime,
    /// When it is no longer trusted.
    pub stale_until: UnixTime,
}

impl KeySet {
    /// Whether the key of this number is among them.
    pub fn holds(&self, number: u32) -> bool {
        self.keys.iter().any(|key| key.number == number)
    }

    fn is_trusted(&self, now: UnixTime) -> bool {
        now < self.stale_until && self.requested_at <= now.plus(CLOCK_TOLERANCE)
    }

    fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<TrustedKey> {
        jwk::select(self.keys.iter(), |key| &key.jwk, kid, algorithm).cloned().collect()
    }
}

/// What a token's key is.
#[derive(Debug)]
pub enum Lookup {
    /// To be tried, in order; not empty.
    Candidates(Vec<TrustedKey>),
    /// A refresh has to be waited for.
    Refresh(RefreshCause),
    /// A set that is recent enough lacks it.
    Unknown,
    /// Keys cannot be had now.
    Unavailable,
}

/// Why keys are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshCause {
    /// The set comes of age, or is not there.
    Due,
    /// A token names this kid; empty for a token without one.
    UnknownKid(String),
}

/// A refresh under way. Dropped unfinished, it is forgotten after a minute, or by [`ProviderKeys::abandon`] at once.
#[derive(Debug)]
pub struct Refresh {
    stage: Box<FetchRequest>,
    /// When the current fetch went out.
    requested_at: UnixTime,
    discovered: Option<Url>,
}

impl Refresh {
    /// What to fetch now.
    pub fn request(&self) -> &FetchRequest {
        &self.stage
    }
}

/// What follows a fetch of a refresh.
#[derive(Debug)]
pub enum Advance {
    /// Another fetch.
    Next(Refresh),
    /// The refresh is over and new keys are in force; with the JWK Set's body.
    Renewed(Vec<u8>),
    /// The refresh is over and nothing was gained.
    Failed,
}

/// The keys of one provider.
#[derive(Debug)]
pub struct ProviderKeys {
    number: usize,
    backend: Backend,
    jitter: u64,
    set: RwLock<Option<Arc<KeySet>>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next_number: u32,
    jwks_uri: Option<(Url, UnixTime)>,
    back_off: BackOff,
    refreshing_since: Option<UnixTime>,
    bucket: Bucket,
    unknown_kids: Vec<(String, UnixTime)>,
}

impl ProviderKeys {
    /// Of the provider with this number; `seed` spreads refreshes of several processes, and `backend` will verify.
    pub fn new(number: usize, seed: u64, backend: Backend) -> Self {
        let state = State {
            next_number: 0,
            jwks_uri: None,
            back_off: BackOff::default(),
            refreshing_since: None,
            bucket: Bucket { available: None, refilled_at: UnixTime::EPOCH },
            unknown_kids: Vec::new(),
        };
        Self {
            number,
            backend,
            jitter: seed.rotate_left(u32::try_from(number % 64).unwrap_or(0)),
            set: RwLock::new(None),
            state: Mutex::new(state),
        }
    }

    /// The set in force, if it can still be trusted.
    pub fn current(&self, now: UnixTime) -> Option<Arc<KeySet>> {
        self.set
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .filter(|set| set.is_trusted(now))
            .cloned()
    }

    /// The age of the keys, for metrics.
    pub fn age(&self, now: UnixTime) -> Option<Duration> {
        self.current(now).map(|set| now.since(set.requested_at))
    }

    /// Finds the keys for a token that arrived at `arrived`.
    pub fn lookup(
        &self,
        provider: &Provider,
        kid: Option<&str>,
        algorithm: Algorithm,
        arrived: UnixTime,
        now: UnixTime,
    ) -> Lookup {
        let mut state = self.state();
        let backing_off = state.back_off.holds(now);
        let Some(set) = self.current(now) else {
            return if backing_off { Lookup::Unavailable } else { Lookup::Refresh(RefreshCause::Due) };
        };
        let candidates = set.select(kid, algorithm);
        if !candidates.is_empty() {
            return Lookup::Candidates(candidates);
        }
        let recent = now.since(set.requested_at) < UNKNOWN_KID_MEMORY;
        let kid = kid.unwrap_or_default();
        let settled = set.requested_at >= arrived || set.set.contains_kid(kid) && recent;
        // What is under way may bring it; a new refresh has to be allowed.
        let may_come = state.is_refreshing(now)
            || !backing_off && !state.asked_recently(kid, now) && state.bucket.holds_one(provider, now);
        if !settled && may_come {
            return Lookup::Refresh(RefreshCause::UnknownKid(kid.to_owned()));
        }
        // While keys cannot be had, what is missing may have been published meanwhile: good tokens must not be thrown away.
        if settled || recent && !backing_off { Lookup::Unknown } else { Lookup::Unavailable }
    }

    /// Whether a refresh should begin in the background: nothing is there, or what is there comes of age.
    pub fn is_due(&self, now: UnixTime) -> bool {
        let state = self.state();
        !state.back_off.holds(now)
            && !state.is_refreshing(now)
            && self.current(now).is_none_or(|set| now >= set.refresh_at)
    }

    /// Whether a request should begin one although it has keys: only where nothing else did in time (hosts without ticks).
    pub fn is_overdue(&self, set: &KeySet, now: UnixTime) -> bool {
        if now < set.fresh_until {
            return false;
        }
        let state = self.state();
        !state.back_off.holds(now) && !state.is_refreshing(now)
    }

    /// When fetching may be tried again after a failure.
    pub fn retry_at(&self) -> UnixTime {
        self.state().back_off.retry_at()
    }

    /// Another worker's failure: this one does not try either before `retry_at`.
    pub fn back_off_until(&self, retry_at: UnixTime, now: UnixTime) {
        self.state().back_off.extend(retry_at, now);
    }

    /// Begins a refresh: the first request goes out now. `None`: too many kids were unknown lately.
    pub fn begin(&self, provider: &Provider, cause: RefreshCause, now: UnixTime) -> Option<Refresh> {
        let mut state = self.state();
        if let RefreshCause::UnknownKid(kid) = &cause {
            if !state.bucket.take_one(provider, now) {
                return None;
            }
            state.remember_kid(kid, now);
        }
        state.refreshing_since = Some(now);
        let discovered = || {
            state
                .jwks_uri
                .as_ref()
                .filter(|(_, found_at)| now.since(*found_at) < provider.jwks.max_age)
                .map(|(url, _)| url.clone())
        };
        let stage = match provider.jwks_url.clone().or_else(discovered) {
            Some(url) => discovery::jwk_set_request(self.number, url),
            None => discovery::metadata_request(self.number, provider, Document::OpenidConfiguration),
        };
        Some(Refresh { stage: Box::new(stage), requested_at: now, discovered: None })
    }

    /// Takes the result of a refresh's fetch.
    pub fn advance(
        &self,
        provider: &Provider,
        refresh: Refresh,
        result: FetchResult,
        now: UnixTime,
    ) -> Advance {
        let url = refresh.stage.url.clone();
        match self.process(provider, refresh, result, now) {
            Ok(advance) => advance,
            Err(error) => {
                self.fail(provider, &url, &error, now);
                Advance::Failed
            }
        }
    }

    /// The shell cannot finish a refresh: whoever it belonged to is gone.
    pub fn abandon(&self) {
        self.state().refreshing_since = None;
    }

    /// Takes keys that another worker of this host fetched. `Ok(false)`: not newer than those in force.
    pub fn import(
        &self,
        provider: &Provider,
        shared: &SharedKeys<'_>,
        now: UnixTime,
    ) -> Result<bool, FetchError> {
        if shared.requested_at > now.plus(CLOCK_TOLERANCE) {
            return Err(FetchError::Invalid("from the future".to_owned()));
        }
        let newest =
            self.set.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|set| set.requested_at);
        if newest.is_some_and(|newest| shared.requested_at <= newest && newest <= now.plus(CLOCK_TOLERANCE)) {
            return Ok(false);
        }
        let jwks_uri = match shared.jwks_uri {
            Some(text) if provider.jwks_url.is_none() => Some(discovery::check_jwks_uri(provider, text)?),
            _ => None,
        };
        let set = discovery::parse_jwk_set(self.backend, shared.body)?;
        self.install(
            provider,
            set,
            shared.requested_at,
            clamp(provider, shared.fresh_for),
            jwks_uri.map(|url| (url, shared.requested_at)),
        );
        Ok(true)
    }

    /// The provider's keys as [`ProviderKeys::import`] takes them; `body` is what [`Advance::Renewed`] gave.
    pub fn export<'a>(
        &self,
        body: &'a [u8],
        write: impl FnOnce(&SharedKeys<'_>) -> Vec<u8>,
    ) -> Option<Vec<u8>>
    where
        Self: 'a,
    {
        let set = self.set.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let jwks_uri = self.state().jwks_uri.as_ref().map(|(url, _)| url.as_str().to_owned());
        let fresh_for = set.fresh_until.since(set.requested_at);
        Some(write(&SharedKeys {
            requested_at: set.requested_at,
            fresh_for,
            jwks_uri: jwks_uri.as_deref(),
            body,
        }))
    }

    fn process(
        &self,
        provider: &Provider,
        refresh: Refresh,
        result: FetchResult,
        now: UnixTime,
    ) -> Result<Advance, FetchError> {
        let response = match result {
            FetchResult::Response(response) => response,
            FetchResult::Failed(error) => return Err(error),
        };
        if refresh.stage.document == Document::JwkSet {
            let set = discovery::process_jwk_set(self.backend, &response)?;
            let fresh_for = response.cache_control.as_deref().and_then(max_age).map(Duration::from_secs);
            let fresh_for = clamp(provider, fresh_for.unwrap_or(provider.jwks.max_age));
            self.install(
                provider,
                set,
                refresh.requested_at,
                fresh_for,
                refresh.discovered.map(|url| (url, now)),
            );
            return Ok(Advance::Renewed(response.body));
        }
        let (stage, discovered) =
            match discovery::process_metadata(provider, refresh.stage.document, &response)? {
                Discovered::JwksUri(url) => (discovery::jwk_set_request(self.number, url.clone()), Some(url)),
                Discovered::TryAuthorizationServerMetadata => (
                    discovery::metadata_request(self.number, provider, Document::AuthorizationServerMetadata),
                    None,
                ),
            };
        Ok(Advance::Next(Refresh { stage: Box::new(stage), requested_at: now, discovered }))
    }

    fn install(
        &self,
        provider: &Provider,
        set: JwkSet,
        requested_at: UnixTime,
        fresh_for: Duration,
        jwks_uri: Option<(Url, UnixTime)>,
    ) {
        for skipped in set.skipped() {
            log::debug!("provider {}: JWKS key {} skipped: {}", provider.name, skipped.index, skipped.reason);
        }
        if let Some(count) = set.truncated() {
            log::warn!(
                "provider {}: the JWKS has {count} keys, only the first {} are used",
                provider.name,
                crate::jwk::MAX_KEYS
            );
        }
        let mut state = self.state();
        let mut guard = self.set.write().unwrap_or_else(PoisonError::into_inner);
        let keys = set
            .keys()
            .iter()
            .map(|jwk| TrustedKey { jwk: Arc::clone(jwk), number: state.number_of(guard.as_deref(), jwk) })
            .collect();
        let (fresh_until, refresh_at) = (
            requested_at.plus(fresh_for),
            requested_at.plus(spread(fresh_for, self.jitter ^ requested_at.as_nanos())),
        );
        *guard = Some(Arc::new(KeySet {
            keys,
            set,
            requested_at,
            refresh_at,
            fresh_until,
            stale_until: requested_at.plus(provider.jwks.max_stale.max(fresh_for)),
        }));
        drop(guard);
        if state.back_off.succeed() {
            log::warn!("provider {}: JWKS fetched again", provider.name);
        }
        if jwks_uri.is_some() {
            state.jwks_uri = jwks_uri;
        }
        state.refreshing_since = None;
    }

    fn fail(&self, provider: &Provider, url: &Url, error: &FetchError, now: UnixTime) {
        let first = self.state().fail(self.jitter, now);
        let level = if first { log::Level::Warn } else { log::Level::Debug };
        log::log!(
            level,
            "provider {}: failed to fetch JWKS: {}: {error}",
            provider.name,
            url.without_query()
        );
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a failure; true for the first since the last success.
    fn fail(&mut self, jitter: u64, now: UnixTime) -> bool {
        self.refreshing_since = None;
        self.jwks_uri = None;
        self.back_off.fail(now, |wait, failures| spread(wait, jitter ^ u64::from(failures)))
    }

    fn is_refreshing(&self, now: UnixTime) -> bool {
        self.refreshing_since.is_some_and(|since| now.since(since) < LOST_AFTER)
    }

    /// The number a key had in the set before, or a new one.
    fn number_of(&mut self, before: Option<&KeySet>, jwk: &Jwk) -> u32 {
        let same = |key: &&TrustedKey| {
            key.jwk.thumbprint() == jwk.thumbprint()
                && key.jwk.kid() == jwk.kid()
                && key.jwk.algorithm() == jwk.algorithm()
        };
        if let Some(key) = before.and_then(|set| set.keys.iter().find(same)) {
            return key.number;
        }
        self.next_number = self.next_number.wrapping_add(1);
        self.next_number
    }

    fn asked_recently(&self, kid: &str, now: UnixTime) -> bool {
        self.unknown_kids.iter().any(|(asked, at)| asked == kid && now.since(*at) < UNKNOWN_KID_MEMORY)
    }

    fn remember_kid(&mut self, kid: &str, now: UnixTime) {
        self.unknown_kids.retain(|(asked, at)| asked != kid && now.since(*at) < UNKNOWN_KID_MEMORY);
        if self.unknown_kids.len() >= UNKNOWN_KIDS {
            self.unknown_kids.remove(0);
        }
        self.unknown_kids.push((kid.to_owned(), now));
    }
}

/// `unknownKidBurst` at once, one more every `unknownKidInterval`. Not yet used, it is full.
#[derive(Debug)]
struct Bucket {
    available: Option<u32>,
    refilled_at: UnixTime,
}

impl Bucket {
    fn holds_one(&mut self, provider: &Provider, now: UnixTime) -> bool {
        self.refill(provider, now) > 0
    }

    fn take_one(&mut self, provider: &Provider, now: UnixTime) -> bool {
        let available = self.refill(provider, now);
        self.available = Some(available.saturating_sub(1));
        available > 0
    }

    fn refill(&mut self, provider: &Provider, now: UnixTime) -> u32 {
        let burst = provider.jwks.unknown_kid_burst;
        let available = self.available.unwrap_or(burst);
        let interval = provider.jwks.unknown_kid_interval.as_nanos().max(1);
        let gained = u32::try_from(now.since(self.refilled_at).as_nanos() / interval).unwrap_or(u32::MAX);
        let refilled = available.saturating_add(gained).min(burst);
        // A full bucket gains nothing while it waits; otherwise the part of an interval that has passed is kept.
        self.refilled_at = if refilled == burst {
            now
        } else {
            self.refilled_at
                .plus(Duration::from_nanos(u64::try_from(interval * u128::from(gained)).unwrap_or(u64::MAX)))
        };
        self.available = Some(refilled);
        refilled
    }
}

/// Keys as workers share them. Only public documents are in it.
#[derive(Debug)]
pub struct SharedKeys<'a> {
    /// When the JWK Set's request went out.
    pub requested_at: UnixTime,
    /// How long it is fresh from then.
    pub fresh_for: Duration,
    /// Where it was found, if by discovery.
    pub jwks_uri: Option<&'a str>,
    /// The JWK Set as fetched.
    pub body: &'a [u8],
}

/// Provider and worker may ask for anything; the configuration's bounds hold.
fn clamp(provider: &Provider, fresh_for: Duration) -> Duration {
    fresh_for.clamp(provider.jwks.min_refresh, provider.jwks.max_age.max(provider.jwks.min_refresh))
}

/// 80–95 % of `duration`, by `noise`: what is planned at the same time in many places does not happen at the same time.
fn spread(duration: Duration, noise: u64) -> Duration {
    let per_mille = 800 + (noise.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 150;
    duration.mul_f64(f64::from(u32::try_from(per_mille).unwrap_or(900)) / 1000.0)
}
