//! Claims: what a provider's tokens must say (RFC 7519 §4.1, RFC 9068 §4; SPEC J-5), and the proof that they said it.

use std::fmt::{self, Display as _};

use crate::json::{Object, Value};
use crate::policy::Provider;
use crate::rejection::{Cause, Rejection, quote};
use crate::time::UnixTime;

/// Claims whose signature was verified, or that came from introspection, and that were validated. Built nowhere else.
#[derive(Debug)]
pub struct VerifiedClaims<'a> {
    claims: Object<'a>,
    validity: Validity,
}

impl<'a> VerifiedClaims<'a> {
    /// To be called after the signature over `claims` was verified with a key of the provider that `validity` was found for.
    pub(crate) const fn new(claims: Object<'a>, validity: Validity) -> Self {
        Self { claims, validity }
    }

    /// All members.
    pub const fn all(&self) -> &Object<'a> {
        &self.claims
    }

    /// When they hold.
    pub const fn validity(&self) -> Validity {
        self.validity
    }
}

/// When claims hold, the provider's skew already added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From here on, the latest of `nbf` and `iat` less the skew.
    pub not_before: UnixTime,
    /// Until before here: `exp` and the skew.
    pub expires: UnixTime,
}

impl Validity {
    /// Whether they hold now.
    pub fn check(self, now: UnixTime) -> Result<(), Cause> {
        if now >= self.expires {
            Err(Cause::Expired)
        } else if now < self.not_before {
            Err(Cause::NotYetValid)
        } else {
            Ok(())
        }
    }
}

/// Whether `aud` contains the provider's audience: a string, or an array of strings (RFC 7519 §4.1.3).
pub fn has_audience(claims: &Object<'_>, audience: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(only)) => only == audience,
        Some(Value::Array(list)) => {
            list.iter().all(Value::is_string) && list.iter().any(|item| item.as_str() == Some(audience))
        }
        _ => false,
    }
}

/// Everything but the issuer and the audience: kind of token, binding, and times.
pub fn validate(claims: &Object<'_>, provider: &Provider, now: UnixTime) -> Result<Validity, Rejection> {
    check_kind(claims)?;
    if claims.get("sub").is_some_and(|sub| !sub.is_string()) {
        return Err(Rejection::with(Cause::MalformedToken, "sub is not a string".to_owned()));
    }
    let expires = numeric_date(claims, "exp")?
        .ok_or_else(|| Rejection::with(Cause::MalformedToken, "exp is missing".to_owned()))?;
    let not_before = numeric_date(claims, "nbf")?
        .into_iter()
        .chain(numeric_date(claims, "iat")?)
        .max()
        .unwrap_or(UnixTime::EPOCH);
    let validity = Validity {
        not_before: not_before.minus(provider.clock_skew),
        expires: expires.plus(provider.clock_skew),
    };
    validity.check(now).map_err(|cause| {
        let (limit, word) =
            if cause == Cause::Expired { (expires, "exp") } else { (not_before, "nbf or iat") };
        Rejection::with(cause, format!("{word} {}, now {}", limit.as_secs(), now.as_secs()))
    })?;
    Ok(validity)
}

/// Refuses what is not an access token, or is bound to a sender and was presented as a plain bearer token.
pub(crate) fn check_kind(claims: &Object<'_>) -> Result<(), Rejection> {
    let refuse = |detail: &str| Err(Rejection::with(Cause::TokenType, detail.to_owned()));
    if claims.contains_key("cnf") {
        return refuse("bound to its sender (cnf)"); // RFC 7800 §3.1
    }
    // Keycloak tells its kinds of token apart by a claim.
    if let Some("ID" | "Refresh" | "Offline" | "Logout") = claims.get("typ").and_then(Value::as_str) {
        return refuse("claim typ is not an access token's");
    }
    // OpenID Connect Core 1.0 §3.1.3.6, §3.3.2.11: in ID tokens only.
    if claims.contains_key("at_hash") || claims.contains_key("c_hash") {
        return refuse("an ID token (at_hash or c_hash)");
    }
    Ok(())
}

/// A NumericDate (RFC 7519 §2): seconds, possibly with a fraction.
pub(crate) fn numeric_date(claims: &Object<'_>, name: &str) -> Result<Option<UnixTime>, Rejection> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let wrong = || Rejection::with(Cause::MalformedToken, format!("{name} is not a number"));
    let number = value.as_number().ok_or_else(wrong)?;
    if let Some(seconds) = number.as_u64() {
        return Ok(Some(UnixTime::from_secs(seconds)));
    }
    let seconds = number.as_f64().ok_or_else(wrong)?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // Float casts saturate, and NumericDate before 1970 is 1970 to us.
    Ok(Some(UnixTime::from_nanos((seconds * 1e9) as u64)))
}

/// Of several audiences in a line of the log.
const AUDIENCES_SHOWN: usize = 4;

/// The `aud` claim for the log.
pub fn describe_audience(claims: &Object<'_>) -> impl fmt::Display {
    fmt::from_fn(move |f| match claims.get("aud") {
        None => f.write_str("absent"),
        Some(Value::String(only)) => quote(only).fmt(f),
        Some(Value::Array(several)) if several.iter().all(Value::is_string) => {
            f.write_str("[")?;
            for (place, one) in several.iter().take(AUDIENCES_SHOWN).filter_map(Value::as_str).enumerate() {
                write!(f, "{}{}", if place > 0 { ", " } else { "" }, quote(one))?;
            }
            f.write_str(if several.len() > AUDIENCES_SHOWN { ", …]" } else { "]" })
        }
        Some(other) => quote(&other.to_string()).fmt(f),
    })
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::describe_audience;
    use crate::json::{MAX_DEPTH, parse_object};

    #[test]
    fn audiences_are_told_as_they_stand_and_in_bounds() {
        let told = |claims: &str| {
            describe_audience(&parse_object(claims.as_bytes(), MAX_DEPTH).unwrap()).to_string()
        };
        assert_eq!(told("{}"), "absent");
        assert_eq!(told(r#"{"aud":"a"}"#), r#""a""#);
        assert_eq!(told(r#"{"aud":["a","b\n\"c"]}"#), r#"["a", "b\n\"c"]"#);
        assert_eq!(told(r#"{"aud":[]}"#), "[]");
        assert_eq!(told(r#"{"aud":["1","2","3","4","5"]}"#), r#"["1", "2", "3", "4", …]"#);
        assert_eq!(told(r#"{"aud":["a",1]}"#), r#""[\"a\",1]""#);
        assert!(told(&format!(r#"{{"aud":["{}"]}}"#, "x".repeat(9000))).len() < 300);
    }
}
