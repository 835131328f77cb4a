//! Opaque tokens: asking a provider what it knows of one (RFC 7662, and Google's tokeninfo; SPEC O). One pair of functions, [`request`] and
//! [`process_response`].

mod answers;
mod limiter;

use serde_json::Number;

pub use answers::{Answer, Answers};
pub use limiter::{Limiter, Standing};

use crate::claims::{self, Validity, VerifiedClaims};
use crate::fetch::{Document, FetchError, FetchRequest, FetchResponse, MAX_INTROSPECTION_LENGTH};
use crate::form;
use crate::json::{self, Object, Value};
use crate::policy::{Provider, Purpose};
use crate::rejection::{Cause, Rejection, quote};
use crate::time::UnixTime;
use crate::url::Url;

/// What a provider says of a token.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// It is good, here and now.
    Active(VerifiedClaims<'a>),
    /// It is not: inactive, or not for us.
    Refused(Rejection),
}

/// Asks `provider` at `url` about a token.
pub fn request(number: usize, url: &Url, token: &[u8]) -> FetchRequest {
    let parameter = if is_tokeninfo(url) { "access_token" } else { "token" };
    let form = format!("{parameter}={}", form::encode(token));
    let (url, form) = if is_tokeninfo(url) {
        let separator = if url.query().is_some() { '&' } else { '?' };
        // Tokens have no character that a URL could not hold once encoded; should one be found, the plain endpoint answers 400.
        (Url::parse(&format!("{}{separator}{form}", url.as_str())).unwrap_or_else(|_| url.clone()), None)
    } else {
        (url.clone(), Some(format!("{form}&token_type_hint=access_token")))
    };
    let (purpose, document) = (Purpose::Introspection, Document::Introspection);
    FetchRequest {
        provider: number,
        purpose,
        document,
        url,
        accept: "application/json",
        form,
        max_body: MAX_INTROSPECTION_LENGTH,
    }
}

/// Reads the answer. `Err`: the provider could not tell, which is no verdict on the token.
pub fn process_response<'a>(
    provider: &Provider,
    response: &'a FetchResponse,
    now: UnixTime,
) -> Result<Verdict<'a>, FetchError> {
    let is_tokeninfo = provider.introspection_url.as_ref().is_some_and(is_tokeninfo);
    match response.status {
        200 => {}
        400 if says_the_token_is_bad(&response.body) => return Ok(Verdict::Refused(Cause::Inactive.into())),
        status => return Err(FetchError::Status(status)),
    }
    let invalid = |error: json::JsonError| FetchError::Invalid(format!("not a JSON object: {error}"));
    let mut answer = json::parse_object(&response.body, json::MAX_DEPTH).map_err(invalid)?;
    if is_tokeninfo {
        read_numbers(&mut answer);
    } else {
        match answer.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Ok(Verdict::Refused(Cause::Inactive.into())),
            _ => return Err(FetchError::Invalid("active is not a boolean".to_owned())),
        }
    }
    Ok(match validate(provider, &answer, now) {
        Ok(validity) => Verdict::Active(VerifiedClaims::new(answer, validity)),
        Err(rejection) => Verdict::Refused(rejection),
    })
}

/// SPEC O-3. RFC 7662 makes the audience optional; without it anybody's token would be ours.
fn validate(provider: &Provider, answer: &Object<'_>, now: UnixTime) -> Result<Validity, Rejection> {
    claims::check_kind(answer)?;
    // RFC 9449 §6.2
    if answer.get("token_type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("DPoP"))
    {
        return Err(Rejection::with(Cause::TokenType, "bound to its sender (token_type DPoP)".to_owned()));
    }
    if let Some(issuer) = answer.get("iss").filter(|issuer| issuer.as_str() != Some(&provider.issuer)) {
        let found = issuer.as_str().map_or_else(|| issuer.to_string(), str::to_owned);
        let detail = format!("iss {}, expected {}", quote(&found), quote(&provider.issuer));
        return Err(Rejection::with(Cause::Issuer, detail));
    }
    if !claims::has_audience(answer, &provider.audience) {
        let detail =
            format!("aud {}, expected {}", claims::describe_audience(answer), quote(&provider.audience));
        return Err(Rejection::with(Cause::Audience, detail));
    }
    let expires = claims::numeric_date(answer, "exp")?.unwrap_or(UnixTime::from_nanos(u64::MAX));
    let not_before = claims::numeric_date(answer, "nbf")?.unwrap_or(UnixTime::EPOCH);
    let validity = Validity {
        not_before: not_before.minus(provider.clock_skew),
        expires: expires.plus(provider.clock_skew),
    };
    validity.check(now).map_err(|cause| {
        let (limit, word) = if cause == Cause::Expired { (expires, "exp") } else { (not_before, "nbf") };
        Rejection::with(cause, format!("{word} {}, now {}", limit.as_secs(), now.as_secs()))
    })?;
    Ok(validity)
}

/// Google's endpoint: GET, numbers as text, neither `iss` nor `active`. On a loopback host it is a stand-in for it.
fn is_tokeninfo(url: &Url) -> bool {
    url.path().ends_with("/tokeninfo")
        && (url.host_str().ends_with(".googleapis.com") || url.host().is_loopback())
}

/// A refusal of the token, not of us (RFC 6750 §3.1, RFC 7009 §2.2.1).
fn says_the_token_is_bad(body: &[u8]) -> bool {
    let error = json::parse_object(body, json::MAX_DEPTH).ok();
    let error = error.as_ref().and_then(|error| error.get("error")).and_then(Value::as_str);
    matches!(error, Some("invalid_token" | "unsupported_token_type"))
}

fn read_numbers(answer: &mut Object<'_>) {
    for name in ["exp", "nbf", "iat", "expires_in"] {
        if let Some(value) = answer.get_mut(name)
            && let Some(number) = value.as_str().and_then(|text| text.parse::<u64>().ok())
        {
            *value = Value::Number(Number::from(number));
        }
    }
}

#[cfg(test)]
mod tests;
