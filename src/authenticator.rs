//! Decides every request (STYLE: the one idea). Performs no I/O and reads no clock; shared by reference.
//!
//! The way of a request, always forward: metadata path → public path → bearer token → recognised token → JWT or introspection → scopes → forward or
//! respond.
//! A shell is a loop: [`Authenticator::start`]; while the step needs something, get it and [`Authenticator::resume`]; then act on the decision.

mod fetching;
mod judging;
mod recognised;

use std::sync::atomic::AtomicBool;

use crate::bearer::{BearerError, BearerToken, BorrowedToken, Credentials};
use crate::cache::VerifiedToken;
use crate::challenge::Challenges;
use crate::client::{ClientNetwork, Origin};
use crate::cors::{self, Sharing};
use crate::decision::{Decision, Forward, LocalResponse};
use crate::digest::{Digest, Digester};
use crate::fetch::FetchRequest;
use crate::header::IDENTITY_HEADERS;
use crate::identity::Identity;
use crate::introspection::{Answers, Limiter};
use crate::keys::{ProviderKeys, RefreshCause};
use crate::metrics::{Metrics, Outcome};
use crate::policy::{OauthPolicy, Policy, Provider};
use crate::public_path::{self, PathClass};
use crate::rejection::{Cause, Rejection, quote};
use crate::request::{RequestHead, ReservedHeaders, Scan};
use crate::resource_metadata::ResourceMetadata;
use crate::scopes::{RequirementId, Requirements};
use crate::signature::Backend;
use crate::signature_limiter::SignatureLimiter;
use crate::time::UnixTime;
use judging::{Circumstances, Verdict};
use recognised::RecognisedTokens;

/// A request waits for at most so many refreshes of keys, and once more for each provider that introspects.
const MAX_REFRESHES: usize = 3;

/// What a shell gives the authenticator besides the policy.
#[derive(Clone, Copy)]
pub struct Environment {
    /// Random, and this worker's own.
    pub digest_key: [u8; 16],
    /// Verifies signatures.
    pub backend: Backend,
    /// How many threads will share this authenticator, about; it only decides how they get out of each other's way.
    pub threads: usize,
}

impl Environment {
    /// What runs everywhere: the default backend, for one thread.
    pub const fn new(digest_key: [u8; 16]) -> Self {
        Self { digest_key, backend: Backend::RustCrypto, threads: 1 }
    }
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
    /// What a provider says of this token. Requests with the same token wait for one answer; whoever asks calls
    /// [`Authenticator::begin_introspection`].
    Introspection {
        /// The provider's place in the configuration.
        provider: usize,
        /// The token's.
        digest: Digest,
    },
}

impl Need {
    /// The provider that is asked.
    pub const fn provider(&self) -> usize {
        match self {
            Self::Keys { provider, .. } | Self::Introspection { provider, .. } => *provider,
        }
    }

    /// What the request gets that cannot have it: 503, because its token may be good (SPEC J-9).
    fn unmet(&self, why: &str) -> Rejection {
        let cause = match self {
            Self::Keys { .. } => Cause::KeysUnavailable,
            Self::Introspection { .. } => Cause::IntrospectionUnavailable,
        };
        Rejection::with(cause, why.to_owned()).of(self.provider())
    }
}

/// A question about one token, under way. Dropped unfinished, it counts as in flight until [`Authenticator::abandon_introspection`].
#[derive(Debug)]
pub struct Introspection {
    request: FetchRequest,
    digest: Digest,
}

impl Introspection {
    /// What to send, with the provider's credentials.
    pub const fn request(&self) -> &FetchRequest {
        &self.request
    }

    /// The token's.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
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
    /// Of each provider.
    identity_headers: Vec<IdentityHeaders>,
    metadata: ResourceMetadata,
    challenges: Challenges,
    requirements: Requirements,
    keys: Vec<ProviderKeys>,
    digester: Digester,
    verified: RecognisedTokens,
    answers: Answers,
    /// Of each provider.
    limiters: Vec<Limiter>,
    signatures: SignatureLimiter,
    refreshes_in_background: AtomicBool,
}

/// What one provider's identities are told in.
struct IdentityHeaders {
    provider: String,
    /// As many as an identity has values.
    names: Vec<String>,
}

/// The part of a request that outlives its head.
#[derive(Debug)]
struct Request {
    token: BearerToken,
    arrived: UnixTime,
    /// Hosts tell it only while they handle this request: it is asked for before it waits.
    client: Option<ClientNetwork>,
    context: Context,
    waits: usize,
}

/// What responses and scopes depend on.
#[derive(Clone, Debug)]
struct Context {
    requirement: RequirementId,
    with_body: bool,
    sharing: Option<Sharing>,
}

impl Authenticator {
    /// Starts with no keys and no tokens.
    pub fn new(policy: Policy, environment: Environment) -> Self {
        match policy {
            Policy::Anonymous => Self {
                mode: Mode::Anonymous,
                reserved: ReservedHeaders::new(IDENTITY_HEADERS.into_iter()),
                metrics: Metrics::new(0, environment.threads),
            },
            Policy::Oauth(policy) => {
                let claims = policy
                    .providers
                    .iter()
                    .flat_map(|provider| &provider.claims_to_headers)
                    .map(|rule| rule.header.as_str());
                let reserved = ReservedHeaders::new(IDENTITY_HEADERS.into_iter().chain(claims));
                let metrics = Metrics::new(policy.providers.len(), environment.threads);
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
        let provider = identity.values().next().unwrap_or_default();
        let names = match &self.mode {
            Mode::Anonymous => None,
            Mode::Oauth(oauth) => oauth.identity_headers.iter().find(|headers| headers.provider == provider),
        };
        names.into_iter().flat_map(|headers| &headers.names).map(String::as_str).zip(identity.values())
    }

    /// Headers to add to the upstream's response to a forwarded request.
    pub fn response_headers(&self, sharing: Sharing) -> impl Iterator<Item = (&'static str, &str)> {
        let policy = match &self.mode {
            Mode::Anonymous => None,
            Mode::Oauth(oauth) => oauth.policy.cors.as_ref(),
        };
        policy.into_iter().flat_map(move |policy| cors::headers(policy, sharing))
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
            sharing: oauth.policy.cors.as_ref().map(|policy| Sharing::new(policy, scan.origin)),
        };
        let sharing = context.sharing;
        let is_preflight =
            head.method == b"OPTIONS" && scan.origin.is_some() && scan.requests_method && !head.has_body;
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
        if let PathClass::Canonical(path) = class
            && oauth.metadata.is_at(path)
        {
            self.metrics.decided(None, Outcome::Metadata);
            return Step::Decide(Decision::Respond(oauth.metadata.respond(head.method, scan.if_none_match)));
        }
        if let (true, Some((policy, sharing))) = (is_preflight, oauth.policy.cors.as_ref().zip(sharing)) {
            return Step::Decide(Decision::Respond(cors::preflight(policy, sharing)));
        }
        if let PathClass::Canonical(path) = class
            && (public_path::is_builtin(head.method, path) || oauth.policy.public_paths.matches(path))
        {
            let remove_authorization = !oauth.policy.forward_token;
            return self.forward(
                None,
                Outcome::Public,
                Forward { remove: scan.reserved, remove_authorization, identity: None, sharing },
            );
        }
        if is_preflight {
            // Browsers send no token with a preflight (Fetch §4.8).
            return self.forward(
                None,
                Outcome::Public,
                Forward { remove: scan.reserved, remove_authorization: true, ..Forward::default() },
            );
        }
        // Nearly every request ends here. What is recognised had the form of a token when it was verified.
        let digest = scan.authorization.presented().map(|token| oauth.digester.digest(token));
        let recognised = digest.and_then(|digest| self.recognise(oauth, digest, now));
        if let Some(Verdict::Verified(token)) = recognised {
            return self.accept(oauth, token, &context, scan.reserved);
        }
        let token = match scan.authorization.extract() {
            Ok(Credentials::Token(token)) => token,
            Ok(Credentials::None) => {
                return self.refuse(oauth, &context, Cause::NoCredentials.into());
            }
            Err(error) => return self.refuse(oauth, &context, error.into()),
        };
        let digest = digest.unwrap_or_else(|| oauth.digester.digest(token.reveal()));
        let circumstances = Circumstances { arrived: now, now, origin: Origin::new(head.client) };
        let verdict = recognised.unwrap_or_else(|| self.judge(oauth, token, digest, &circumstances));
        match verdict {
            Verdict::Verified(token) => self.accept(oauth, token, &context, scan.reserved),
            Verdict::Refused(rejection) => self.refuse(oauth, &context, rejection),
            // Only who waits has to keep something.
            Verdict::Needs(need) => {
                let client = circumstances.origin.network();
                let request = Request { token: token.into(), arrived: now, client, context, waits: 1 };
                Step::Fetch(Pending { need, request, remove: scan.reserved })
            }
        }
    }

    /// Goes on with a request whose need was met, or could not be: the authenticator knows by itself.
    pub fn resume(&self, pending: Pending, now: UnixTime) -> Step {
        let Pending { request, remove, .. } = pending;
        match &self.mode {
            Mode::Oauth(oauth) => {
                let token = BorrowedToken::from(&request.token);
                let digest = oauth.digester.digest(token.reveal());
                let origin = Origin::known(request.client);
                let circumstances = Circumstances { arrived: request.arrived, now, origin };
                let verdict = self
                    .recognise(oauth, digest, now)
                    .unwrap_or_else(|| self.judge(oauth, token, digest, &circumstances));
                match verdict {
                    Verdict::Verified(token) => self.accept(oauth, token, &request.context, remove),
                    Verdict::Refused(rejection) => self.refuse(oauth, &request.context, rejection),
                    Verdict::Needs(need) if request.waits >= MAX_REFRESHES + oauth.limiters.len() => {
                        self.refuse(oauth, &request.context, need.unmet("asked too often"))
                    }
                    Verdict::Needs(need) => {
                        let request = Request { waits: request.waits + 1, ..request };
                        Step::Fetch(Pending { need, request, remove })
                    }
                }
            }
            Mode::Anonymous => self.forward(None, Outcome::Public, Forward { remove, ..Forward::default() }),
        }
    }

    /// Answers a request whose need cannot be met in time.
    pub fn give_up(&self, pending: Pending) -> Step {
        match &self.mode {
            Mode::Oauth(oauth) => {
                self.refuse(oauth, &pending.request.context, pending.need.unmet("timed out"))
            }
            Mode::Anonymous => self.resume(pending, UnixTime::EPOCH),
        }
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
            Forward {
                remove,
                remove_authorization,
                identity: Some(token.identity),
                sharing: context.sharing,
            },
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
        if let Some((policy, sharing)) = oauth.policy.cors.as_ref().zip(context.sharing) {
            cors::expose(&mut response, policy, sharing);
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

impl Oauth {
    fn new(policy: OauthPolicy, environment: Environment) -> Self {
        let metadata = ResourceMetadata::new(&policy);
        let [a, b, c, d, e, f, g, h, ..] = environment.digest_key;
        let jitter = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        Self {
            challenges: Challenges::new(&policy.resource.realm, metadata.url()),
            metadata,
            requirements: Requirements::new(&policy.required_scopes),
            keys: (0..policy.providers.len())
                .map(|number| ProviderKeys::new(number, jitter, environment.backend))
                .collect(),
            signatures: SignatureLimiter::new(
                policy.signature_limits,
                Digester::new(&environment.digest_key),
            ),
            digester: Digester::new(&environment.digest_key),
            verified: RecognisedTokens::new(policy.token_cache_size, environment.threads),
            answers: Answers::new(policy.introspection_cache),
            limiters: policy.providers.iter().map(|_| Limiter::new(policy.introspection_limits)).collect(),
            refreshes_in_background: AtomicBool::new(false),
            identity_headers: policy.providers.iter().map(IdentityHeaders::new).collect(),
            policy,
        }
    }

    fn may_introspect(&self, provider: usize, token: Digest, now: UnixTime) -> bool {
        let standing = self.answers.standing(provider, token, now);
        self.limiters.get(provider).is_some_and(|limiter| limiter.may_ask(standing, now))
    }
}

impl IdentityHeaders {
    fn new(provider: &Provider) -> Self {
        let claims = provider.claims_to_headers.iter().map(|rule| rule.header.as_str());
        let names = IDENTITY_HEADERS.into_iter().chain(claims).map(str::to_owned).collect();
        Self { provider: provider.name.clone(), names }
    }
}

const TOO_LONG: &str = "longer than 16 KiB";
const _: () = assert!(crate::bearer::MAX_TOKEN_LENGTH == 16 * 1024, "TOO_LONG says so");

impl From<BearerError> for Rejection {
    fn from(error: BearerError) -> Self {
        match error {
            BearerError::Several => Self::new(Cause::SeveralCredentials),
            BearerError::Malformed => Self::new(Cause::MalformedAuthorization),
            BearerError::TooLong => Self::with(Cause::MalformedToken, TOO_LONG.to_owned()),
        }
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
