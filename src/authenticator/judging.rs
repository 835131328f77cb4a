//! What a token is worth: recognised, verified with a provider's keys, introspected, or refused.

use std::fmt::{self, Display as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Authenticator, Need, Oauth};
use crate::bearer::BorrowedToken;
use crate::cache::VerifiedToken;
use crate::claims::{self, VerifiedClaims};
use crate::client::Origin;
use crate::digest::Digest;
use crate::identity::Identity;
use crate::introspection::Answer;
use crate::json::Value;
use crate::jwt::{self, Decoded, Format, UntrustedJwt};
use crate::keys::{Lookup, RefreshCause, TrustedKey};
use crate::metrics::Event;
use crate::policy::Provider;
use crate::rejection::{Cause, Rejection, quote};
use crate::time::UnixTime;

/// What a verdict depends on beside the token.
pub(super) struct Circumstances<'a> {
    pub(super) arrived: UnixTime,
    pub(super) now: UnixTime,
    pub(super) origin: Origin<'a>,
}

/// What was found out about a token.
pub(super) enum Verdict {
    Verified(VerifiedToken),
    Needs(Need),
    Refused(Rejection),
}

enum Verified {
    Token(VerifiedToken),
    Needs(Need),
}

impl Authenticator {
    /// Of a token that is not recognised. JWT first, introspection as the fall-back (SPEC O-1).
    pub(super) fn judge(
        &self,
        oauth: &Oauth,
        token: BorrowedToken<'_>,
        digest: Digest,
        circumstances: &Circumstances<'_>,
    ) -> Verdict {
        let mut decoded = Decoded::default();
        match jwt::classify(token, &mut decoded) {
            Format::Jwt(Ok(jwt)) => self.verify(oauth, jwt, digest, circumstances),
            Format::Jwt(Err(rejection)) => Verdict::Refused(rejection),
            Format::Opaque => self.introspect(oauth, digest, circumstances.now),
        }
    }

    /// SPEC V-1: a token that was verified before, while its key is still trusted.
    pub(super) fn recognise(&self, oauth: &Oauth, digest: Digest, now: UnixTime) -> Option<Verdict> {
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
        mut jwt: UntrustedJwt<'_>,
        digest: Digest,
        circumstances: &Circumstances<'_>,
    ) -> Verdict {
        let mut refusal: Option<Rejection> = None;
        for (number, provider) in oauth.policy.providers.iter().enumerate() {
            if issuer(&jwt) != Some(provider.issuer.as_str()) {
                continue;
            }
            match self.verify_for(oauth, number, provider, &mut jwt, circumstances) {
                Ok(Verified::Token(token)) => {
                    oauth.verified.insert(digest, token.clone());
                    return Verdict::Verified(token);
                }
                Ok(Verified::Needs(need)) => return Verdict::Needs(need),
                // No keys to be had: this provider may still know the token.
                Err(rejection)
                    if rejection.cause == Cause::KeysUnavailable && provider.introspection_url.is_some() =>
                {
                    match self.introspect_at(oauth, number, digest, circumstances.now) {
                        Verdict::Refused(rejection) => prefer(&mut refusal, rejection),
                        verdict => return verdict,
                    }
                }
                Err(rejection) => prefer(&mut refusal, rejection.of(number)),
            }
        }
        Verdict::Refused(refusal.unwrap_or_else(|| oauth.unknown_issuer(issuer(&jwt))))
    }

    /// Takes the claims of a token that it verifies.
    fn verify_for(
        &self,
        oauth: &Oauth,
        number: usize,
        provider: &Provider,
        jwt: &mut UntrustedJwt<'_>,
        circumstances: &Circumstances<'_>,
    ) -> Result<Verified, Rejection> {
        let (arrived, now) = (circumstances.arrived, circumstances.now);
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
        let kid = fmt::from_fn(|f| match jwt.kid.as_deref() {
            Some(kid) => quote(kid).fmt(f),
            None => f.write_str("absent"),
        });
        // Nobody waits for keys with what no key could verify.
        let wait = |cause| jwt.signature().map(|_| Verified::Needs(Need::Keys { provider: number, cause }));
        let candidates = match keys.lookup(provider, jwt.kid.as_deref(), jwt.algorithm, arrived, now) {
            Lookup::Candidates(candidates) => candidates,
            Lookup::Refresh(cause) => return wait(cause),
            Lookup::Unknown => {
                return Err(Rejection::with(
                    Cause::UnknownKey,
                    format!("kid {}, alg {}", kid, jwt.algorithm.as_str()),
                ));
            }
            Lookup::Unavailable => {
                jwt.signature()?;
                return Err(Rejection::with(Cause::KeysUnavailable, format!("kid {kid}")));
            }
        };
        if !oauth.refreshes_in_background.load(Ordering::Relaxed)
            && keys.current(now).is_some_and(|set| keys.is_overdue(&set, now))
        {
            return wait(RefreshCause::Due);
        }
        let verified = self.verified_by(oauth, number, &candidates, jwt, circumstances)?;
        let key = verified.ok_or_else(|| {
            Rejection::with(
                Cause::Signature,
                format!("kid {}, alg {}, {} keys tried", kid, jwt.algorithm.as_str(), candidates.len()),
            )
        })?;
        // From here on the claims are the provider's.
        let claims = VerifiedClaims::new(std::mem::take(&mut jwt.claims), validity);
        let identity = Arc::new(Identity::new(&provider.name, &claims, &provider.claims_to_headers));
        let provider = u32::try_from(number).map_err(|_| Rejection::new(Cause::KeysUnavailable))?;
        Ok(Verified::Token(VerifiedToken { provider, key, validity: claims.validity(), identity }))
    }

    /// The key that verifies the signature, if one does; an error where there is none to verify, or where not all could be tried, because the token may be
    /// good.
    fn verified_by(
        &self,
        oauth: &Oauth,
        provider: usize,
        candidates: &[TrustedKey],
        jwt: &UntrustedJwt<'_>,
        circumstances: &Circumstances<'_>,
    ) -> Result<Option<u32>, Rejection> {
        let signature = jwt.signature()?;
        let (client, now) = (circumstances.origin.network(), circumstances.now);
        for TrustedKey { jwk, number } in candidates {
            let admitted = oauth.signatures.admit(client, jwk.key().cost(), now);
            admitted.map_err(|exceeded| Rejection::with(Cause::Busy, exceeded.to_string()))?;
            self.metrics.happened(provider, Event::Verification);
            if jwk.key().verify(jwt.algorithm, jwt.signing_input, &signature).is_ok() {
                oauth.signatures.learn(client, true, now);
                return Ok(Some(*number));
            }
        }
        oauth.signatures.learn(client, false, now);
        Ok(None)
    }

    /// An opaque token goes to every provider that introspects, in order; the first that knows it wins.
    fn introspect(&self, oauth: &Oauth, digest: Digest, now: UnixTime) -> Verdict {
        let mut refusal: Option<Rejection> = None;
        for (number, provider) in oauth.policy.providers.iter().enumerate() {
            if provider.introspection_url.is_none() {
                continue;
            }
            match self.introspect_at(oauth, number, digest, now) {
                Verdict::Refused(rejection) => prefer(&mut refusal, rejection),
                verdict => return verdict,
            }
        }
        Verdict::Refused(refusal.unwrap_or_else(|| {
            Rejection::with(
                Cause::MalformedToken,
                "not a JWT, and no provider has an introspectionUrl".to_owned(),
            )
        }))
    }

    /// What one provider says of a token: from its recent answers, or to be asked.
    fn introspect_at(&self, oauth: &Oauth, number: usize, digest: Digest, now: UnixTime) -> Verdict {
        match oauth.answers.get(number, digest, now) {
            Some(Answer::Active(identity, validity)) => {
                self.metrics.happened(number, Event::CacheHit);
                let provider = u32::try_from(number).unwrap_or(u32::MAX);
                Verdict::Verified(VerifiedToken { provider, key: 0, validity, identity })
            }
            Some(Answer::Refused(rejection)) => Verdict::Refused(rejection.of(number)),
            None if oauth.may_introspect(number, digest, now) => {
                Verdict::Needs(Need::Introspection { provider: number, digest })
            }
            None => {
                let why = "the provider fails, or is asked too much".to_owned();
                Verdict::Refused(Rejection::with(Cause::IntrospectionUnavailable, why).of(number))
            }
        }
    }
}

impl Oauth {
    fn unknown_issuer(&self, issuer: Option<&str>) -> Rejection {
        let Some(issuer) = issuer else {
            return Rejection::with(Cause::Issuer, "iss is absent or not a string".to_owned());
        };
        let mut detail = format!("iss {}, expected ", quote(issuer));
        for (number, provider) in self.policy.providers.iter().enumerate() {
            let _ = write!(detail, "{}{}", if number > 0 { " or " } else { "" }, quote(&provider.issuer));
        }
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

fn issuer<'a>(jwt: &'a UntrustedJwt<'_>) -> Option<&'a str> {
    jwt.claims.get("iss").and_then(Value::as_str)
}

/// Which of several providers' refusals is told: an outage first, else the one that came furthest.
const fn rank(cause: Cause) -> u8 {
    match cause {
        Cause::KeysUnavailable | Cause::IntrospectionUnavailable | Cause::Busy => 3,
        Cause::Audience | Cause::Inactive => 1,
        _ => 2,
    }
}

/// Keeps the refusal that says more.
fn prefer(kept: &mut Option<Rejection>, other: Rejection) {
    if kept.as_ref().is_none_or(|kept| rank(other.cause) > rank(kept.cause)) {
        *kept = Some(other);
    }
}
