//! Decides every request (STYLE: the one idea). Performs no I/O and reads no clock; shared by reference.
//!
//! The way of a request, always forward: metadata path → public path → bearer token → recognised token → JWT → scopes → forward or respond.
//! A shell is a loop: [`Authenticator::start`]; while the step needs something, get it and [`Authenticator::resume`]; then act on the decision.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::bearer::{BearerError, BearerToken, BorrowedToken, Credentials};
use crate::cache::{Digest, Digester, VerifiedToken, VerifiedTokens};
use crate::challenge::Challenges;
use crate::claims::{self, VerifiedClaims};
use crate::cors;
use crate::decision::{Decision, Forward, LocalResponse};
use crate::fetch::{FetchError, FetchResult};
use crate::header::IDENTITY_HEADERS;
use crate::identity::Identity;
use crate::jwt::{self, Format, UntrustedJwt};
use crate::keys::{Advance, Lookup, ProviderKeys, Refresh, RefreshCause, TrustedKey};
use crate::metrics::{Event, Metrics, Outcome};
use crate::policy::{OauthPolicy, Policy, Provider};
use crate::public_path::{self, PathClass};
use crate::rejection::{Cause, Rejection, quote};
use crate::request::{RequestHead, ReservedHeaders, Scan};
use crate::resource_metadata::ResourceMetadata;
use crate::scopes::{RequirementId, Requirements};
use crate::shared_keys;
use crate::time::UnixTime;

/// A request waits for at most so many refreshes of keys.
const MAX_REFRESHES: u8 = 3;

/// What a shell gives the authenticator besides the policy.
#[derive(Clone, Copy)]
pub struct Environment {
    /// Random, and this worker's own.
    pub digest_key: [u8; 16],
}

/// What a request's shell has to do next.
#[must_use]
#[derive(Debug)]
pub enum Step {
    /// Act.
    Decide(Decision),
    /// Get what [`Pending::need`] names, then [`Authenticator::resume`].
    Fetch(Pending),
}

/// A request that waits. It owns all of its unfinished work: dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Pending {
    need: Need,
    request: Request,
    remove: Vec<String>,
}

impl Pending {
    /// What it waits for.
    pub const fn need(&self) -> &Need {
        &self.need
    }

    /// Headers that hosts clean before the first callout; the decision will not name them again.
    pub fn take_removed_headers(&mut self) -> Vec<String> {
        std::mem::take(&mut self.remove)
    }
}

/// What a request waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// New keys of a provider. Requests that need the same provider's wait for one refresh; whoever begins it calls [`Authenticator::begin_refresh`].
    Keys {
        /// The provider's place in the configuration.
        provider: usize,
        /// Why.
        cause: RefreshCause,
    },
}

/// Authenticates requests under one policy.
pub struct Authenticator {
    mode: Mode,
    reserved: ReservedHeaders,
    metrics: Metrics,
}

enum Mode {
    Anonymous,
    Oauth(Box<Oauth>),
}

struct Oauth {
    policy: OauthPolicy,
    metadata: ResourceMetadata,
    challenges: Challenges,
    requirements: Requirements,
    keys: Vec<ProviderKeys>,
    digester: Digester,
    verified: VerifiedTokens,
    refreshes_in_background: AtomicBool,
}

/// The part of a request that outlives its head.
#[derive(Debug)]
struct Request {
    token: BearerToken,
    arrived: UnixTime,
    context: Context,
    refreshes: u8,
}

/// What responses and scopes depend on.
#[derive(Clone, Debug)]
struct Context {
    requirement: RequirementId,
    with_body: bool,
    allow_origin: Option<String>,
}

/// What was found out about a token.
enum Verdict {
    Verified(VerifiedToken),
    Needs(Need),
    Refused(Rejection),
}

impl Authenticator {
    /// Starts with no keys and no tokens.
    pub fn new(policy: Policy, environment: Environment) -> Self {
        match policy {
            Policy::Anonymous => Self {
                mode: Mode::Anonymous,
                reserved: ReservedHeaders::new(IDENTITY_HEADERS.into_iter()),
                metrics: Metrics::new(0),
            },
            Policy::Oauth(policy) => {
                let claims = policy
                    .providers
                    .iter()
                    .flat_map(|provider| &provider.claims_to_headers)
                    .map(|rule| rule.header.as_str());
                let reserved = ReservedHeaders::new(IDENTITY_HEADERS.into_iter().chain(claims));
                let metrics = Metrics::new(policy.providers.len());
                Self { mode: Mode::Oauth(Box::new(Oauth::new(*policy, environment))), reserved, metrics }
            }
        }
    }

    /// The providers, in the order of the configuration; none in anonymous mode.
    pub fn providers(&self) -> &[Provider] {
        match &self.mode {
            Mode::Anonymous => &[],
            Mode::Oauth(oauth) => &oauth.policy.providers,
        }
    }

    /// Whether clients may not set a header or trailer of this name (SPEC I-1, P-4).
    pub fn is_reserved(&self, name: &[u8]) -> bool {
        self.reserved.contains(name)
    }

    /// The headers that tell an identity, in order; values are empty where there is nothing to tell.
    pub fn identity_headers<'a>(
        &'a self,
        identity: &'a Identity,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut values = identity.values();
        let provider = values.next().unwrap_or_default();
        let rules = self
            .providers()
            .iter()
            .find(|known| known.name == provider)
            .map_or(&[][..], |known| &known.claims_to_headers);
        let names = IDENTITY_HEADERS.into_iter().chain(rules.iter().map(|rule| rule.header.as_str()));
        names.zip(identity.values())
    }

    /// What was counted.
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The age of each provider's keys; `None` where there are none.
    pub fn key_ages(&self, now: UnixTime) -> impl Iterator<Item = Option<std::time::Duration>> + '_ {
        let keys = match &self.mode {
            Mode::Anonymous => &[][..],
            Mode::Oauth(oauth) => &oauth.keys,
        };
        keys.iter().map(move |keys| keys.age(now))
    }

    /// Begins with a request.
    pub fn start(&self, head: &RequestHead<'_>, now: UnixTime) -> Step {
        let scan = Scan::new(head.headers, &self.reserved);
        let Mode::Oauth(oauth) = &self.mode else {
            if scan.has_duplicate {
                return self.decide_response(
                    Rejection::with(Cause::MalformedRequest, duplicate(&scan)),
                    oauthless_refusal(head),
                );
            }
            return self.forward(
                None,
                Outcome::Public,
                Forward { remove: scan.reserved, ..Forward::default() },
            );
        };
        let class = public_path::classify(head.path.unwrap_or_default());
        let context = Context {
            requirement: oauth.requirements.select(head.method, class),
            with_body: head.method != b"HEAD",
            allow_origin: oauth
                .policy
                .cors
                .as_ref()
                .and_then(|policy| cors::allow_origin(policy, scan.origin))
                .map(str::to_owned),
        };
        if class == PathClass::Rejected {
            return self.refuse(
                oauth,
                &context,
                Rejection::with(
                    Cause::MalformedRequest,
                    "the path is missing, relative, or has a fragment".to_owned(),
                ),
            );
        }
        if scan.has_duplicate {
            return self.refuse(oauth, &context, Rejection::with(Cause::MalformedRequest, duplicate(&scan)));
        }
        if let PathClass::Canonical(path) = class {
            if oauth.metadata.is_at(path) {
                self.metrics.decided(None, Outcome::Metadata);
                return Step::Decide(Decision::Respond(
                    oauth.metadata.respond(head.method, scan.if_none_match),
                ));
            }
            if public_path::is_builtin(head.method, path) || oauth.policy.public_paths.matches(path) {
                let remove_authorization = !oauth.policy.forward_token;
                return self.forward(
                    None,
                    Outcome::Public,
                    Forward { remove: scan.reserved, remove_authorization, identity: None },
                );
            }
        }
        if head.method == b"OPTIONS" && scan.origin.is_some() && scan.requests_method && !head.has_body {
            return match &oauth.policy.cors {
                Some(policy) => Step::Decide(Decision::Respond(cors::preflight(policy, scan.origin))),
                // Browsers send no token with a preflight (Fetch §4.8).
                None => self.forward(
                    None,
                    Outcome::Public,
                    Forward { remove: scan.reserved, remove_authorization: true, identity: None },
                ),
            };
        }
        let token = match scan.authorization.extract() {
            Ok(Credentials::Token(token)) => token,
            Ok(Credentials::None) => {
                return self.refuse(oauth, &context, Cause::NoCredentials.into());
            }
            Err(error) => return self.refuse(oauth, &context, error.into()),
        };
        self.authenticate(oauth, token, None, context, scan.reserved, now)
    }

    /// Goes on with a request whose need was met, or could not be: the authenticator knows by itself.
    pub fn resume(&self, pending: Pending, now: UnixTime) -> Step {
        let Pending { request, remove, .. } = pending;
        match &self.mode {
            Mode::Oauth(oauth) => {
                let Request { token, arrived, context, refreshes } = request;
                self.authenticate(
                    oauth,
                    BorrowedToken::from(&token),
                    Some((arrived, refreshes)),
                    context,
                    remove,
                    now,
                )
            }
            Mode::Anonymous => self.forward(None, Outcome::Public, Forward { remove, ..Forward::default() }),
        }
    }

    fn authenticate(
        &self,
        oauth: &Oauth,
        token: BorrowedToken<'_>,
        waited: Option<(UnixTime, u8)>,
        context: Context,
        remove: Vec<String>,
        now: UnixTime,
    ) -> Step {
        let (arrived, refreshes) = waited.unwrap_or((now, 0));
        let digest = oauth.digester.digest(token.reveal());
        let verdict = match self.recognise(oauth, digest, now) {
            Some(verdict) => verdict,
            None => match jwt::classify(token.reveal()) {
                Format::Jwt(Ok(jwt)) => self.verify(oauth, &jwt, digest, arrived, now),
                Format::Jwt(Err(rejection)) => Verdict::Refused(rejection),
                Format::Opaque => Verdict::Refused(oauth.refuse_opaque()),
            },
        };
        match verdict {
            Verdict::Verified(token) => self.accept(oauth, token, &context, remove),
            Verdict::Refused(rejection) => self.refuse(oauth, &context, rejection),
            Verdict::Needs(Need::Keys { provider, .. }) if refreshes >= MAX_REFRESHES => {
                self.refuse(oauth, &context, Rejection::new(Cause::KeysUnavailable).of(provider))
            }
            Verdict::Needs(need) => Step::Fetch(Pending {
                need,
                request: Request { token: token.into(), arrived, context, refreshes: refreshes + 1 },
                remove,
            }),
        }
    }

    /// SPEC V-1: a token that was verified before, while its key is still trusted.
    fn recognise(&self, oauth: &Oauth, digest: Digest, now: UnixTime) -> Option<Verdict> {
        let token = oauth.verified.get(digest)?;
        let provider = usize::try_from(token.provider).ok()?;
        let keys = oauth.keys.get(provider)?;
        let set = keys.current(now).filter(|set| set.holds(token.key));
        let Some(set) = set else {
            oauth.verified.remove(digest);
            return None;
        };
        if let Err(cause) = token.validity.check(now) {
            oauth.verified.remove(digest);
            return Some(Verdict::Refused(Rejection::new(cause).of(provider)));
        }
        if !oauth.refreshes_in_background.load(Ordering::Relaxed) && keys.is_overdue(&set, now) {
            return Some(Verdict::Needs(Need::Keys { provider, cause: RefreshCause::Due }));
        }
        self.metrics.happened(provider, Event::CacheHit);
        Some(Verdict::Verified(token))
    }

    /// SPEC J-3 to J-5. Providers that share an issuer are tried in order; good news wins, then an outage: good tokens must not be thrown away.
    fn verify(
        &self,
        oauth: &Oauth,
        jwt: &UntrustedJwt<'_>,
        digest: Digest,
        arrived: UnixTime,
        now: UnixTime,
    ) -> Verdict {
        let issuer = jwt.claims.get("iss").and_then(serde_json::Value::as_str);
        let mut refusal: Option<Rejection> = None;
        for (number, provider) in oauth
            .policy
            .providers
            .iter()
            .enumerate()
            .filter(|(_, provider)| Some(provider.issuer.as_str()) == issuer)
        {
            match self.verify_for(oauth, number, provider, jwt, arrived, now) {
                Ok(Verified::Token(token)) => {
                    oauth.verified.insert(digest, token.clone());
                    return Verdict::Verified(token);
                }
                Ok(Verified::Needs(need)) => return Verdict::Needs(need),
                Err(rejection) => {
                    let rejection = rejection.of(number);
                    if refusal.as_ref().is_none_or(|before| rank(rejection.cause) > rank(before.cause)) {
                        refusal = Some(rejection);
                    }
                }
            }
        }
        Verdict::Refused(refusal.unwrap_or_else(|| oauth.unknown_issuer(issuer)))
    }

    fn verify_for(
        &self,
        oauth: &Oauth,
        number: usize,
        provider: &Provider,
        jwt: &UntrustedJwt<'_>,
        arrived: UnixTime,
        now: UnixTime,
    ) -> Result<Verified, Rejection> {
        if !claims::has_audience(&jwt.claims, &provider.audience) {
            let detail = format!(
                "aud {}, expected {}",
                claims::describe_audience(&jwt.claims),
                quote(&provider.audience)
            );
            return Err(Rejection::with(Cause::Audience, detail));
        }
        if !provider.allowed_algorithms.contains(&jwt.algorithm) {
            return Err(Rejection::with(
                Cause::Algorithm,
                format!("alg {} is not among allowedAlgorithms", jwt.algorithm.as_str()),
            ));
        }
        let validity = claims::validate(&jwt.claims, provider, now)?;
        let keys = oauth.keys.get(number).ok_or_else(|| Rejection::new(Cause::KeysUnavailable))?;
        let kid = || jwt.kid.as_deref().map_or_else(|| "absent".to_owned(), quote);
        let candidates = match keys.lookup(provider, jwt.kid.as_deref(), jwt.algorithm, arrived, now) {
            Lookup::Candidates(candidates) => candidates,
            Lookup::Refresh(cause) => {
                return Ok(Verified::Needs(Need::Keys { provider: number, cause }));
            }
            Lookup::Unknown => {
                return Err(Rejection::with(
                    Cause::UnknownKey,
                    format!("kid {}, alg {}", kid(), jwt.algorithm.as_str()),
                ));
            }
            Lookup::Unavailable => {
                return Err(Rejection::with(Cause::KeysUnavailable, format!("kid {}", kid())));
            }
        };
        if !oauth.refreshes_in_background.load(Ordering::Relaxed)
            && keys.current(now).is_some_and(|set| keys.is_overdue(&set, now))
        {
            return Ok(Verified::Needs(Need::Keys { provider: number, cause: RefreshCause::Due }));
        }
        let key = self.verified_by(number, &candidates, jwt).ok_or_else(|| {
            Rejection::with(
                Cause::Signature,
                format!("kid {}, alg {}, {} keys tried", kid(), jwt.algorithm.as_str(), candidates.len()),
            )
        })?;
        // From here on the claims are the provider's.
        let claims = VerifiedClaims::new(jwt.claims.clone(), validity);
        let identity = Arc::new(Identity::new(&provider.name, &claims, &provider.claims_to_headers));
        let provider = u32::try_from(number).map_err(|_| Rejection::new(Cause::KeysUnavailable))?;
        Ok(Verified::Token(VerifiedToken { provider, key, validity: claims.validity(), identity }))
    }

    fn verified_by(&self, provider: usize, candidates: &[TrustedKey], jwt: &UntrustedJwt<'_>) -> Option<u32> {
        let verifies = |key: &&TrustedKey| {
            self.metrics.happened(provider, Event::Verification);
            key.jwk.key().verify(jwt.algorithm, jwt.signing_input, &jwt.signature).is_ok()
        };
        candidates.iter().find(verifies).map(|key| key.number)
    }

    /// Scopes are decided on every request, recognised token or not.
    fn accept(&self, oauth: &Oauth, token: VerifiedToken, context: &Context, remove: Vec<String>) -> Step {
        let provider = usize::try_from(token.provider).ok();
        let requirement = oauth.requirements.get(context.requirement);
        if !requirement.is_met_by(&token.identity) {
            let rejection = Rejection {
                cause: Cause::InsufficientScope,
                provider,
                detail: format!("expected {}", requirement.scopes.join(" ")),
            };
            return self.refuse(oauth, context, rejection);
        }
        let remove_authorization = !oauth.policy.forward_token;
        self.forward(
            provider,
            Outcome::Authenticated,
            Forward { remove, remove_authorization, identity: Some(token.identity) },
        )
    }

    fn forward(&self, provider: Option<usize>, outcome: Outcome, forward: Forward) -> Step {
        self.metrics.decided(provider, outcome);
        Step::Decide(Decision::Forward(forward))
    }

    fn refuse(&self, oauth: &Oauth, context: &Context, rejection: Rejection) -> Step {
        let mut response = oauth.challenges.refuse(
            rejection.cause,
            &oauth.requirements.get(context.requirement).scopes,
            context.with_body,
        );
        if let Some(origin) = &context.allow_origin {
            cors::expose(&mut response, origin);
        }
        self.decide_response(rejection, response)
    }

    fn decide_response(&self, rejection: Rejection, response: LocalResponse) -> Step {
        self.metrics.decided(rejection.provider, Outcome::Refused(rejection.cause));
        match rejection.provider.and_then(|number| self.providers().get(number)) {
            Some(provider) => log::info!("{} (provider {}): {rejection}", response.status, provider.name),
            None => log::info!("{}: {rejection}", response.status),
        }
        Step::Decide(Decision::Respond(response))
    }
}

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

    /// Answers a request whose need cannot be met in time.
    pub fn give_up(&self, pending: Pending) -> Step {
        let Mode::Oauth(oauth) = &self.mode else {
            return self.resume(pending, UnixTime::EPOCH);
        };
        let Need::Keys { provider, .. } = pending.need;
        self.refuse(
            oauth,
            &pending.request.context,
            Rejection::with(Cause::KeysUnavailable, "timed out".to_owned()).of(provider),
        )
    }

    fn provider(&self, number: usize) -> Option<(&Provider, &ProviderKeys)> {
        match &self.mode {
            Mode::Oauth(oauth) => oauth.policy.providers.get(number).zip(oauth.keys.get(number)),
            Mode::Anonymous => None,
        }
    }
}

enum Verified {
    Token(VerifiedToken),
    Needs(Need),
}

impl Oauth {
    fn new(policy: OauthPolicy, environment: Environment) -> Self {
        let metadata = ResourceMetadata::new(&policy);
        let [a, b, c, d, e, f, g, h, ..] = environment.digest_key;
        let jitter = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        Self {
            challenges: Challenges::new(&policy.resource.realm, metadata.url()),
            metadata,
            requirements: Requirements::new(&policy.required_scopes),
            keys: (0..policy.providers.len()).map(|number| ProviderKeys::new(number, jitter)).collect(),
            digester: Digester::new(&environment.digest_key),
            verified: VerifiedTokens::new(policy.token_cache_size),
            refreshes_in_background: AtomicBool::new(false),
            policy,
        }
    }

    fn refuse_opaque(&self) -> Rejection {
        if self.policy.providers.iter().any(|provider| provider.introspection_url.is_some()) {
            Rejection::with(
                Cause::IntrospectionUnavailable,
                "opaque tokens are not introspected by this version".to_owned(),
            )
        } else {
            Rejection::with(
                Cause::MalformedToken,
                "not a JWT, and no provider has an introspectionUrl".to_owned(),
            )
        }
    }

    fn unknown_issuer(&self, issuer: Option<&str>) -> Rejection {
        let Some(issuer) = issuer else {
            return Rejection::with(Cause::Issuer, "iss is absent or not a string".to_owned());
        };
        let expected: Vec<String> =
            self.policy.providers.iter().map(|provider| quote(&provider.issuer)).collect();
        let mut detail = format!("iss {}, expected {}", quote(issuer), expected.join(" or "));
        if self
            .policy
            .providers
            .iter()
            .any(|provider| provider.issuer.trim_end_matches('/') == issuer.trim_end_matches('/'))
        {
            detail.push_str(" (they differ in the trailing slash)");
        } else if issuer.starts_with("https://sts.windows.net/") {
            detail.push_str(" (an Entra ID v1 token: set requestedAccessTokenVersion to 2 in the API's manifest, or configure this issuer)");
        }
        Rejection::with(Cause::Issuer, detail)
    }
}

impl From<BearerError> for Rejection {
    fn from(error: BearerError) -> Self {
        match error {
            BearerError::Several => Self::new(Cause::SeveralCredentials),
            BearerError::Malformed => Self::new(Cause::MalformedAuthorization),
            BearerError::TooLong => Self::with(
                Cause::MalformedToken,
                format!("longer than {} bytes", crate::bearer::MAX_TOKEN_LENGTH),
            ),
        }
    }
}

/// Which of several providers' refusals is told: an outage first, else the one that came furthest.
const fn rank(cause: Cause) -> u8 {
    match cause {
        Cause::KeysUnavailable => 3,
        Cause::Audience => 1,
        _ => 2,
    }
}

fn duplicate(scan: &Scan<'_>) -> String {
    format!("identity or override headers more than once: {}", quote(&scan.reserved.join(", ")))
}

/// Anonymous mode has no realm to challenge for; this cause is not challenged.
fn oauthless_refusal(head: &RequestHead<'_>) -> LocalResponse {
    Challenges::new("", "").refuse(Cause::MalformedRequest, &[], head.method != b"HEAD")
}

#[cfg(test)]
mod tests;
