use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::config::Environment;
use crate::policy::Policy;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
const RFC_7662: &str = "https://idp.example.com/introspect";
const GOOGLE: &str = "https://oauth2.googleapis.com/tokeninfo";

fn provider(url: &str) -> Provider {
    let provider = json!({"name": "p", "issuerUrl": "https://idp.example.com", "audience": "registry-api", "introspectionUrl": url});
    let document =
        json!({"auth": {"oauth": {"resourceUrl": "https://registry.example.com", "providers": [provider]}}});
    match Policy::from_document(&document, &Environment::default()).unwrap().policy {
        Policy::Oauth(policy) => policy.providers[0].clone(),
        Policy::Anonymous => panic!("oauth"),
    }
}

/// Verdicts borrow from the response, which is not freed.
fn respond(url: &str, status: u16, body: &str) -> Result<Verdict<'static>, FetchError> {
    let response = FetchResponse { status, cache_control: None, body: body.as_bytes().to_vec() };
    process_response(&provider(url), Box::leak(Box::new(response)), NOW)
}

fn good() -> Value {
    json!({"active": true, "sub": "ada", "aud": "registry-api", "exp": 1_700_000_300, "scope": "a b", "extra": {"kept": 1}})
}

fn changed(name: &str, value: Value) -> Value {
    let mut answer = good();
    answer[name] = value;
    answer
}

fn cause(answer: &Value) -> Option<Cause> {
    match respond(RFC_7662, 200, &answer.to_string()).unwrap() {
        Verdict::Active(_) => None,
        Verdict::Refused(rejection) => Some(rejection.cause),
    }
}

#[test]
fn the_question_is_rfc_7662s() {
    let request = request(3, &Url::parse(RFC_7662).unwrap(), b"a+b/c=~");
    assert_eq!((request.provider, request.url.as_str(), request.accept), (3, RFC_7662, "application/json"));
    assert_eq!(request.form.as_deref(), Some("token=a%2Bb%2Fc%3D%7E&token_type_hint=access_token"));
    assert!(!format!("{request:?}").contains("a%2Bb"), "no token in logs");
}

#[test]
fn google_is_asked_by_get() {
    let request = request(0, &Url::parse(GOOGLE).unwrap(), b"ya29.a0/b");
    assert_eq!(request.url.as_str(), "https://oauth2.googleapis.com/tokeninfo?access_token=ya29.a0%2Fb");
    assert_eq!(request.form, None);
    assert!(!format!("{request:?}").contains("ya29"), "no token in logs");
}

#[test]
fn an_active_token_keeps_all_of_its_claims() {
    let Verdict::Active(claims) = respond(RFC_7662, 200, &good().to_string()).unwrap() else {
        panic!("active")
    };
    assert_eq!(claims.all().get("extra"), Some(&json!({"kept": 1}).into()));
    assert_eq!(claims.validity().expires, UnixTime::from_secs(1_700_000_310));
}

#[test]
fn what_is_good_stays_good_in_every_form() {
    for answer in [
        changed("aud", json!(["x", "registry-api"])),
        changed("iss", json!("https://idp.example.com")),
        changed("token_type", json!("Bearer")),
        changed("nbf", json!(1_700_000_010)),
        json!({"active": true, "aud": "registry-api"}),
    ] {
        assert_eq!(cause(&answer), None, "{answer}");
    }
}

#[test]
fn what_is_not_for_us_is_refused() {
    for (answer, expected) in [
        (json!({"active": false}), Cause::Inactive),
        (json!({"active": false, "aud": "registry-api"}), Cause::Inactive),
        (changed("aud", json!("other")), Cause::Audience),
        (changed("aud", json!(["registry-api", 1])), Cause::Audience),
        (changed("aud", Value::Null), Cause::Audience),
        (changed("iss", json!("https://idp.example.com/")), Cause::Issuer),
        (changed("iss", Value::Null), Cause::Issuer),
        (changed("exp", json!(1_699_999_990)), Cause::Expired),
        (changed("exp", json!("1700000300")), Cause::MalformedToken),
        (changed("nbf", json!(1_700_000_011)), Cause::NotYetValid),
        (changed("cnf", json!({"jkt": "x"})), Cause::TokenType),
        (changed("token_type", json!("DPoP")), Cause::TokenType),
        (changed("token_type", json!("dpop")), Cause::TokenType),
        (changed("typ", json!("Refresh")), Cause::TokenType),
    ] {
        assert_eq!(cause(&answer), Some(expected), "{answer}");
    }
}

#[test]
fn only_the_boolean_true_is_active() {
    for active in [json!("true"), json!(1), json!(null), json!([true])] {
        assert!(respond(RFC_7662, 200, &changed("active", active.clone()).to_string()).is_err(), "{active}");
    }
    assert!(respond(RFC_7662, 200, r#"{"aud":"registry-api"}"#).is_err());
    assert!(respond(RFC_7662, 200, r#"{"active":false,"active":true,"aud":"registry-api"}"#).is_err());
}

#[test]
fn a_refusal_of_the_token_is_told_from_a_refusal_of_us() {
    for body in [r#"{"error":"invalid_token"}"#, r#"{"error":"unsupported_token_type"}"#] {
        assert!(matches!(
            respond(RFC_7662, 400, body),
            Ok(Verdict::Refused(Rejection { cause: Cause::Inactive, .. }))
        ));
    }
    for (status, body) in [
        (400, r#"{"error":"invalid_client"}"#),
        (400, "invalid_token"),
        (401, r#"{"error":"invalid_token"}"#),
        (403, ""),
        (404, ""),
        (429, ""),
        (500, r#"{"error":"invalid_token"}"#),
        (302, ""),
        (204, ""),
    ] {
        assert_eq!(
            respond(RFC_7662, status, body).unwrap_err(),
            FetchError::Status(status),
            "{status} {body}"
        );
    }
    for body in ["", "<html>", "[]", "true", "{"] {
        assert!(matches!(respond(RFC_7662, 200, body), Err(FetchError::Invalid(_))), "{body}");
    }
}

#[test]
fn googles_answer_is_read_as_it_is() {
    let answer = |exp: &str, aud: &str| {
        json!({"azp": "x", "aud": aud, "sub": "1", "scope": "email", "exp": exp, "expires_in": "3599", "email": "a@b.example", "email_verified": "true"})
            .to_string()
    };
    let Ok(Verdict::Active(claims)) = respond(GOOGLE, 200, &answer("1700000300", "registry-api")) else {
        panic!("active")
    };
    assert_eq!(claims.validity().expires, UnixTime::from_secs(1_700_000_310));
    for (body, expected) in [
        (answer("1700000300", "somebody-else"), Cause::Audience),
        (answer("1699999000", "registry-api"), Cause::Expired),
        (answer("soon", "registry-api"), Cause::MalformedToken),
    ] {
        assert!(
            matches!(respond(GOOGLE, 200, &body), Ok(Verdict::Refused(rejection)) if rejection.cause == expected),
            "{body}"
        );
    }
    assert!(matches!(respond(GOOGLE, 400, r#"{"error":"invalid_token"}"#), Ok(Verdict::Refused(_))));
    assert!(
        respond(RFC_7662, 200, &answer("1700000300", "registry-api")).is_err(),
        "elsewhere, active is required"
    );
}
