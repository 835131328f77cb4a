//! The authenticator over time: key rotation, outages, recognised tokens. What a single request shows is in the table of cases (`envoy-test`).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::base64url;
use crate::config;
use crate::fetch::{Document, FetchError, FetchRequest, FetchResponse, FetchResult};
use crate::keys::Advance;
use crate::request::Client;

const ISSUER: &str = "https://idp.example.com/realms/a";
const T0: UnixTime = UnixTime::from_secs(1_800_000_000);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An identity provider whose keys and faults the test sets.
#[derive(Default)]
struct Idp {
    published: Vec<u8>,
    cache_control: Option<&'static str>,
    fault: Option<FetchResult>,
    asked: Vec<(Document, String)>,
    /// What is answered to introspection, by provider.
    answers: Vec<(usize, FetchResult)>,
}

impl Idp {
    fn with_keys(published: &[u8]) -> Self {
        Self { published: published.to_vec(), ..Self::default() }
    }

    fn answer(&mut self, request: &FetchRequest) -> FetchResult {
        self.asked.push((request.document, request.url.as_str().to_owned()));
        if let Some(fault) = &self.fault {
            return fault.clone();
        }
        let body = match request.document {
            Document::Introspection => {
                let answer = self.answers.iter().find(|(provider, _)| *provider == request.provider);
                return answer.map_or_else(|| response(500, None, ""), |(_, answer)| answer.clone());
            }
            Document::JwkSet => {
                json!({"keys": self.published.iter().map(|&seed| jwk(seed)).collect::<Vec<_>>()})
            }
            _ => json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/certs")}),
        };
        response(200, self.cache_control, &body.to_string())
    }

    fn key_sets(&self) -> usize {
        self.count(Document::JwkSet)
    }

    fn count(&self, wanted: Document) -> usize {
        self.asked.iter().filter(|(document, _)| *document == wanted).count()
    }
}

fn response(status: u16, cache_control: Option<&str>, body: &str) -> FetchResult {
    let cache_control = cache_control.map(str::to_owned);
    FetchResult::Response(FetchResponse { status, cache_control, body: body.as_bytes().to_vec() })
}

/// Seeds that differ by 100 are different keys under one kid.
fn kid(seed: u8) -> String {
    format!("kid-{}", seed % 100)
}

fn jwk(seed: u8) -> Value {
    let public = SigningKey::from_bytes(&[seed; 32]).verifying_key();
    json!({"kty": "OKP", "crv": "Ed25519", "kid": kid(seed), "use": "sig", "alg": "EdDSA", "x": base64url::encode(public.as_bytes())})
}

fn claims(now: UnixTime) -> Value {
    json!({"iss": ISSUER, "aud": "registry-api", "sub": "ada", "exp": now.as_secs() + 300, "scope": "mcp-registry:read"})
}

fn sign(seed: u8, claims: &Value) -> String {
    let header = json!({"alg": "EdDSA", "kid": kid(seed), "typ": "at+jwt"}).to_string();
    let input = format!(
        "{}.{}",
        base64url::encode(header.as_bytes()),
        base64url::encode(claims.to_string().as_bytes())
    );
    let signature = SigningKey::from_bytes(&[seed; 32]).sign(input.as_bytes());
    format!("{input}.{}", base64url::encode(&signature.to_bytes()))
}

fn token(seed: u8, now: UnixTime) -> String {
    sign(seed, &claims(now))
}

fn authenticator(change: impl FnOnce(&mut Value)) -> Authenticator {
    let mut oauth = json!({
        "resourceUrl": "https://registry.example.com",
        "providers": [{"name": "a", "issuerUrl": ISSUER, "audience": "registry-api"}],
    });
    change(&mut oauth);
    let document = json!({"auth": {"mode": "oauth", "oauth": oauth}});
    let loaded = Policy::from_document(&document, &config::Environment::default()).unwrap();
    Authenticator::new(loaded.policy, Environment::new([7; 16]))
}

fn start(authenticator: &Authenticator, method: &str, token: &str, now: UnixTime) -> Step {
    start_from(Client::UNKNOWN, authenticator, method, token, now)
}

fn start_from(
    client: Client<'_>,
    authenticator: &Authenticator,
    method: &str,
    token: &str,
    now: UnixTime,
) -> Step {
    let value = format!("Bearer {token}");
    let headers: [(&[u8], &[u8]); 1] = [(b"authorization", value.as_bytes())];
    let path: &[u8] = b"/registry/default/v0.1/servers";
    let head = RequestHead {
        method: method.as_bytes(),
        path: Some(path),
        headers: &headers,
        has_body: false,
        client,
    };
    authenticator.start(&head, now)
}

/// A request with a token, and its decision; the provider answers at once.
fn ask(
    authenticator: &Authenticator,
    idp: &mut Idp,
    token: &str,
    now: UnixTime,
) -> Result<Forward, LocalResponse> {
    settle(authenticator, idp, start(authenticator, "GET", token, now), now)
}

fn settle(
    authenticator: &Authenticator,
    idp: &mut Idp,
    mut step: Step,
    now: UnixTime,
) -> Result<Forward, LocalResponse> {
    loop {
        match step {
            Step::Decide(Decision::Forward(forward)) => return Ok(forward),
            Step::Decide(Decision::Respond(response)) => return Err(response),
            Step::Fetch(pending) => {
                match pending.need().clone() {
                    Need::Keys { provider, cause } => {
                        refresh(authenticator, idp, provider, cause, now);
                    }
                    Need::Introspection { .. } => introspect(authenticator, idp, &pending, now),
                }
                step = authenticator.resume(pending, now);
            }
        }
    }
}

fn introspect(authenticator: &Authenticator, idp: &mut Idp, pending: &Pending, now: UnixTime) {
    let introspection = authenticator.begin_introspection(pending, now).unwrap();
    let result = idp.answer(introspection.request());
    authenticator.end_introspection(introspection, result, now);
}

/// A whole refresh; gives the JWK Set if there is a new one.
fn refresh(
    authenticator: &Authenticator,
    idp: &mut Idp,
    provider: usize,
    cause: RefreshCause,
    now: UnixTime,
) -> Option<Vec<u8>> {
    let mut refresh = authenticator.begin_refresh(provider, cause, now).unwrap();
    loop {
        let result = idp.answer(refresh.request());
        match authenticator.advance_refresh(refresh, result, now) {
            Advance::Next(next) => refresh = next,
            Advance::Renewed(body) => return Some(body),
            Advance::Failed => return None,
        }
    }
}

fn status(result: &Result<Forward, LocalResponse>) -> u16 {
    result.as_ref().map_or_else(|response| response.status, |_| 200)
}

fn description(result: Result<Forward, LocalResponse>) -> String {
    let body: Value = serde_json::from_slice(&result.unwrap_err().body).unwrap();
    body["error_description"].as_str().unwrap().to_owned()
}

fn count(authenticator: &Authenticator, name: &str) -> u64 {
    authenticator
        .metrics()
        .counters()
        .filter(|counter| counter.name == name)
        .map(|counter| counter.value)
        .sum()
}

#[test]
fn a_valid_token_passes_with_its_identity() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::with_keys(&[1]);
    let identity = ask(&authenticator, &mut idp, &token(1, T0), T0).unwrap().identity.unwrap();
    let headers: Vec<(&str, &str)> = authenticator.identity_headers(&identity).collect();
    let expected = [
        ("x-auth-provider", "a"),
        ("x-auth-subject", "ada"),
        ("x-auth-user", ""),
        ("x-auth-scopes", "mcp-registry:read"),
    ];
    assert_eq!(headers, expected);
    assert_eq!(
        idp.asked[0],
        (Document::OpenidConfiguration, format!("{ISSUER}/.well-known/openid-configuration"))
    );
    assert_eq!(idp.asked[1], (Document::JwkSet, format!("{ISSUER}/certs")));
}

#[test]
fn a_recognised_token_is_not_verified_again() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::with_keys(&[1]);
    let token = token(1, T0);
    for _ in 0..3 {
        assert_eq!(status(&ask(&authenticator, &mut idp, &token, T0)), 200);
    }
    assert_eq!(count(&authenticator, "signature_verifications_total"), 1);
    assert_eq!(count(&authenticator, "token_cache_hits_total"), 2);
}

#[test]
fn a_recognised_token_still_expires() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::with_keys(&[1]);
    let token = token(1, T0);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token, T0)), 200);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token, T0.plus(secs(309)))), 200, "within the skew");
    for seconds in [310, 311] {
        assert_eq!(
            description(ask(&authenticator, &mut idp, &token, T0.plus(secs(seconds)))),
            "token expired"
        );
    }
}

#[test]
fn scopes_are_decided_on_every_request() {
    let rules =
        json!([{"methods": ["POST"], "scopes": ["mcp-registry:write"]}, {"scopes": ["mcp-registry:read"]}]);
    let authenticator = authenticator(|oauth| oauth["requiredScopes"] = rules);
    let mut idp = Idp::with_keys(&[1]);
    let token = token(1, T0);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token, T0)), 200);
    let Step::Decide(Decision::Respond(refused)) = start(&authenticator, "POST", &token, T0) else {
        panic!("refused")
    };
    assert_eq!(refused.status, 403);
    let (_, challenge) = refused.headers.iter().find(|(name, _)| *name == "www-authenticate").unwrap();
    assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
    assert!(challenge.contains(r#"scope="mcp-registry:write""#), "{challenge}");
}

#[test]
fn an_unknown_kid_refetches_and_a_new_key_is_found() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::with_keys(&[1]);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0)), 200);
    idp.published = vec![1, 2];
    let later = T0.plus(secs(1));
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(2, later), later)), 200);
    assert_eq!(idp.key_sets(), 2);
    assert_eq!(idp.asked.len(), 3, "what discovery said is remembered");
}

#[test]
fn unknown_kids_refetch_under_a_bucket_and_once_a_minute_each() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::with_keys(&[1]);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0)), 200);
    // (seconds, key asked for, key sets fetched by then): three at once, one more every 20 s, each kid once a minute.
    let steps = [
        (1, 2, 2),
        (2, 2, 2),
        (3, 3, 3),
        (4, 4, 4),
        (5, 5, 4),
        (21, 5, 5),
        (22, 6, 5),
        (41, 2, 5),
        (61, 2, 6),
        (62, 2, 6),
    ];
    for (seconds, seed, key_sets) in steps {
        let now = T0.plus(secs(seconds));
        let refused = ask(&authenticator, &mut idp, &token(seed, now), now);
        assert_eq!(description(refused), "token signing key unknown", "after {seconds} s");
        assert_eq!(idp.key_sets(), key_sets, "after {seconds} s");
    }
}

#[test]
fn a_kid_is_not_called_unknown_on_an_old_set() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::with_keys(&[1]);
    authenticator.set_refreshes_in_background();
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0)), 200);
    idp.fault = Some(response(500, None, ""));
    let later = T0.plus(secs(600));
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(2, later), later)), 503);
    assert_eq!(
        status(&ask(&authenticator, &mut idp, &token(1, later), later)),
        200,
        "known keys go on working"
    );
}

#[test]
fn a_kid_is_not_called_unknown_while_keys_cannot_be_had() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::with_keys(&[1]);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0)), 200);
    let (fails, retries) = (T0.plus(secs(5)), T0.plus(secs(7)));
    idp.fault = Some(response(503, None, ""));
    assert!(refresh(&authenticator, &mut idp, 0, RefreshCause::Due, fails).is_none());
    (idp.fault, idp.published) = (None, vec![1, 2]);
    assert_eq!(
        status(&ask(&authenticator, &mut idp, &token(2, fails), fails)),
        503,
        "not 401: it may be good"
    );
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(2, retries), retries)), 200);
}

#[test]
fn a_set_requested_before_the_token_came_does_not_settle_its_kid() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::with_keys(&[1]);
    authenticator.set_refreshes_in_background();
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0)), 200);
    // A scheduled refresh is on its way, and its answer was made before the rotation.
    let (sent, arrived, answered) = (T0.plus(secs(3000)), T0.plus(secs(3001)), T0.plus(secs(3002)));
    let scheduled = authenticator.begin_refresh(0, RefreshCause::Due, sent).unwrap();
    let stale = idp.answer(scheduled.request());
    idp.published = vec![1, 2];
    let Step::Fetch(pending) = start(&authenticator, "GET", &token(2, arrived), arrived) else {
        panic!("it waits")
    };
    assert!(matches!(authenticator.advance_refresh(scheduled, stale, answered), Advance::Renewed(_)));
    let Step::Fetch(pending) = authenticator.resume(pending, answered) else {
        panic!("it waits for a set that was requested later")
    };
    refresh(&authenticator, &mut idp, 0, RefreshCause::UnknownKid(kid(2)), answered).unwrap();
    assert!(matches!(authenticator.resume(pending, answered), Step::Decide(Decision::Forward(_))));
}

#[test]
fn requests_with_one_unknown_kid_wait_for_the_refresh_that_the_first_began() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::with_keys(&[1]);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0)), 200);
    idp.published = vec![1, 2];
    let token = token(2, T0);
    let Step::Fetch(first) = start(&authenticator, "GET", &token, T0.plus(secs(1))) else {
        panic!("it waits")
    };
    let Need::Keys { provider, cause } = first.need().clone() else { panic!("keys") };
    let under_way = authenticator.begin_refresh(provider, cause, T0.plus(secs(1))).unwrap();
    let Step::Fetch(second) = start(&authenticator, "GET", &token, T0.plus(secs(2))) else {
        panic!("it waits, too")
    };
    let result = idp.answer(under_way.request());
    assert!(matches!(
        authenticator.advance_refresh(under_way, result, T0.plus(secs(3))),
        Advance::Renewed(_)
    ));
    for pending in [first, second] {
        let step = authenticator.resume(pending, T0.plus(secs(3)));
        assert!(matches!(step, Step::Decide(Decision::Forward(_))));
    }
}

#[test]
fn shells_that_cannot_wait_for_each_other_are_bounded_by_the_bucket_too() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::with_keys(&[1]);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0)), 200);
    let begun =
        (0..10).filter_map(|_| authenticator.begin_refresh(0, RefreshCause::UnknownKid(kid(2)), T0)).count();
    assert_eq!(begun, 3);
}

#[test]
fn a_key_that_disappears_or_is_replaced_takes_its_recognised_tokens_along() {
    for replaced_by in [vec![2], vec![101, 2]] {
        let authenticator = authenticator(|_| {});
        let mut idp = Idp::with_keys(&[1, 2]);
        let (first, second) = (token(1, T0), token(2, T0));
        assert_eq!(status(&ask(&authenticator, &mut idp, &first, T0)), 200);
        assert_eq!(status(&ask(&authenticator, &mut idp, &second, T0)), 200);
        idp.published = replaced_by;
        refresh(&authenticator, &mut idp, 0, RefreshCause::Due, T0.plus(secs(1))).unwrap();
        let later = T0.plus(secs(2));
        assert_eq!(status(&ask(&authenticator, &mut idp, &first, later)), 401);
        let before = count(&authenticator, "signature_verifications_total");
        assert_eq!(status(&ask(&authenticator, &mut idp, &second, later)), 200);
        let after = count(&authenticator, "signature_verifications_total");
        assert_eq!(before, after, "a key that stays keeps its tokens");
    }
}

#[test]
fn an_outage_is_503_and_never_401() {
    let metadata = |jwks_uri: &str| format!(r#"{{"issuer": "{ISSUER}", "jwks_uri": "{jwks_uri}"}}"#);
    let faults = [
        response(500, None, ""),
        response(404, None, ""),
        response(302, None, ""),
        response(200, None, "<html>"),
        response(200, None, "[]"),
        response(
            200,
            None,
            r#"{"issuer": "https://evil.example.com", "jwks_uri": "https://evil.example.com/jwks"}"#,
        ),
        response(200, None, &metadata("https://169.254.169.254/jwks")),
        response(200, None, &metadata("http://idp.example.com/jwks")),
        response(200, None, &metadata("https://user@idp.example.com/jwks")),
        FetchResult::Failed(FetchError::TimedOut),
    ];
    for fault in faults {
        let authenticator = authenticator(|_| {});
        let mut idp = Idp { fault: Some(fault.clone()), ..Idp::with_keys(&[1]) };
        let refused = ask(&authenticator, &mut idp, &token(1, T0), T0).unwrap_err();
        assert_eq!(refused.status, 503, "{fault:?}");
        assert!(refused.headers.contains(&("retry-after", "5".into())));
        assert!(refused.headers.iter().all(|(name, _)| *name != "www-authenticate"));
        let asked = idp.asked.len();
        assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0)), 503);
        assert_eq!(idp.asked.len(), asked, "not asked again during the back-off");
        idp.fault = None;
        let later = T0.plus(secs(1));
        assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, later), later)), 200, "{fault:?}");
    }
}

#[test]
fn a_broken_jwk_set_does_not_displace_keys_that_work() {
    for body in ["<html>", "{}", r#"{"keys": []}"#, r#"{"keys": [{"kty": "oct", "k": "AA"}]}"#] {
        let authenticator =
            authenticator(|oauth| oauth["providers"][0]["jwksUrl"] = json!("https://idp.example.com/jwks"));
        let mut idp = Idp::with_keys(&[1]);
        assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0)), 200);
        idp.fault = Some(response(200, None, body));
        assert!(
            refresh(&authenticator, &mut idp, 0, RefreshCause::Due, T0.plus(secs(1))).is_none(),
            "{body}"
        );
        let later = T0.plus(secs(2));
        assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, later), later)), 200, "{body}");
    }
}

#[test]
fn back_off_grows_to_a_minute() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp { fault: Some(response(500, None, "")), ..Idp::default() };
    let mut now = T0;
    for nominal in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0] {
        assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, now), now)), 503);
        let retry_at = authenticator.retry_at(0);
        let wait = retry_at.since(now).as_secs_f64();
        assert!(wait >= nominal * 0.8 && wait <= nominal, "{wait} s, nominally {nominal}");
        now = retry_at;
    }
    assert_eq!(idp.asked.len(), 9);
}

#[test]
fn known_keys_outlive_an_outage_until_max_stale() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::with_keys(&[1]);
    let claims = json!({"iss": ISSUER, "aud": "registry-api", "exp": T0.as_secs() + 200_000});
    let token = sign(1, &claims);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token, T0)), 200);
    idp.fault = Some(FetchResult::Failed(FetchError::TimedOut));
    assert_eq!(status(&ask(&authenticator, &mut idp, &token, T0.plus(secs(24 * 3600 - 1)))), 200);
    let later = T0.plus(secs(24 * 3600 + 120));
    assert_eq!(status(&ask(&authenticator, &mut idp, &token, later)), 503, "recognised or not");
}

#[test]
fn without_a_background_a_request_refreshes_keys_that_came_of_age() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp { cache_control: Some("max-age=120"), ..Idp::with_keys(&[1]) };
    for (seconds, key_sets) in [(0, 1), (119, 1), (120, 2), (121, 2)] {
        let now = T0.plus(secs(seconds));
        let token = token(1, now);
        assert_eq!(status(&ask(&authenticator, &mut idp, &token, now)), 200);
        assert_eq!(status(&ask(&authenticator, &mut idp, &token, now)), 200);
        assert_eq!(idp.key_sets(), key_sets, "after {seconds} s");
    }
}

#[test]
fn max_age_is_clamped_and_refreshes_are_due_before_it_ends() {
    let cases = [
        (Some("max-age=1"), 60),
        (Some("no-store"), 60),
        (Some("max-age=120"), 120),
        (Some("max-age=86400"), 3600),
        (None, 3600),
    ];
    for (cache_control, fresh_for) in cases {
        let authenticator = authenticator(|_| {});
        let mut idp = Idp { cache_control, ..Idp::with_keys(&[1]) };
        assert_eq!(authenticator.due_refresh(0, T0), Some(0));
        refresh(&authenticator, &mut idp, 0, RefreshCause::Due, T0).unwrap();
        assert_eq!(
            authenticator.due_refresh(0, T0.plus(secs(fresh_for * 79 / 100))),
            None,
            "{cache_control:?}"
        );
        assert_eq!(
            authenticator.due_refresh(0, T0.plus(secs(fresh_for * 96 / 100))),
            Some(0),
            "{cache_control:?}"
        );
    }
}

#[test]
fn a_refresh_under_way_is_not_begun_twice_unless_it_is_abandoned() {
    let authenticator = authenticator(|_| {});
    let lost = authenticator.begin_refresh(0, RefreshCause::Due, T0);
    assert_eq!(authenticator.due_refresh(0, T0.plus(secs(1))), None);
    drop(lost);
    authenticator.abandon_refresh(0);
    assert_eq!(authenticator.due_refresh(0, T0.plus(secs(1))), Some(0));
}

#[test]
fn one_providers_outage_leaves_the_others_alone() {
    let other = "https://other.example.com";
    let providers = json!([
        {"name": "dead", "issuerUrl": other, "audience": "registry-api"},
        {"name": "a", "issuerUrl": ISSUER, "audience": "registry-api"},
    ]);
    let authenticator = authenticator(|oauth| oauth["providers"] = providers);
    let mut idp = Idp::with_keys(&[1]);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0)), 200);
    idp.fault = Some(FetchResult::Failed(FetchError::TimedOut));
    let mut claims = claims(T0);
    claims["iss"] = json!(other);
    assert_eq!(status(&ask(&authenticator, &mut idp, &sign(1, &claims), T0)), 503);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0)), 200);
}

#[test]
fn what_can_be_refused_without_keys_is() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::default();
    let change = |name: &str, value: Value| {
        let mut changed = claims(T0);
        changed[name] = value;
        sign(1, &changed)
    };
    for (token, expected) in [
        (change("iss", json!("https://idp.example.com/realms/a/")), "token issuer not accepted"),
        (change("iss", json!(["https://idp.example.com/realms/a"])), "token issuer not accepted"),
        (change("aud", json!("registry-api-2")), "token audience not accepted"),
        (change("aud", json!(["registry-api", 1])), "token audience not accepted"),
        (change("exp", json!(T0.as_secs() - 10)), "token expired"),
        (change("exp", json!("1900000000")), "token is malformed"),
        (change("exp", json!(-1)), "token expired"),
        (change("nbf", json!(T0.as_secs() + 11)), "token not yet valid"),
        (change("iat", json!(T0.as_secs() + 11)), "token not yet valid"),
        (change("cnf", json!({})), "token type not accepted"),
        (change("at_hash", json!("x")), "token type not accepted"),
        (change("typ", json!("Refresh")), "token type not accepted"),
        (change("sub", json!(7)), "token is malformed"),
        ("opaque".to_owned(), "token is malformed"),
    ] {
        assert_eq!(description(ask(&authenticator, &mut idp, &token, T0)), expected);
    }
    assert!(idp.asked.is_empty());
}

#[test]
fn keys_of_another_worker_are_taken_if_newer_and_sound() {
    let (first, second) = (authenticator(|_| {}), authenticator(|_| {}));
    let mut idp = Idp { cache_control: Some("max-age=300"), ..Idp::with_keys(&[1]) };
    let body = refresh(&first, &mut idp, 0, RefreshCause::Due, T0).unwrap();
    let shared = first.export_keys(0, &body).unwrap();
    let asked = idp.asked.len();
    assert!(second.import_keys(0, &shared, T0).unwrap());
    assert!(!second.import_keys(0, &shared, T0).unwrap(), "the same again is not newer");
    assert_eq!(status(&ask(&second, &mut idp, &token(1, T0), T0)), 200);
    assert_eq!(idp.asked.len(), asked, "nothing was fetched here");
    assert_eq!(second.due_refresh(0, T0.plus(secs(290))), Some(0), "the freshness came along");
    let newer = |mut bytes: Vec<u8>| {
        bytes[..8].copy_from_slice(&T0.plus(secs(1)).as_nanos().to_le_bytes());
        bytes
    };
    let elsewhere =
        String::from_utf8_lossy(&newer(shared.clone())[20..]).replace("idp.example.com", "169.254.169.254");
    for broken in [
        Vec::new(),
        b"garbage".to_vec(),
        newer(shared[..shared.len() - 3].to_vec()),
        newer(shared[..30].to_vec()),
        [&newer(shared.clone())[..20], elsewhere.as_bytes()].concat(),
    ] {
        assert!(second.import_keys(0, &broken, T0.plus(secs(2))).is_err());
    }
    let mut future = shared.clone();
    future[..8].copy_from_slice(&T0.plus(secs(60)).as_nanos().to_le_bytes());
    assert!(second.import_keys(0, &future, T0).is_err());
    assert_eq!(status(&ask(&second, &mut idp, &token(1, T0), T0)), 200, "what was in force stays");
}

#[test]
fn a_clock_that_was_set_back_does_not_keep_keys_for_ever() {
    let authenticator = authenticator(|_| {});
    let mut idp = Idp::with_keys(&[1]);
    refresh(&authenticator, &mut idp, 0, RefreshCause::Due, T0).unwrap();
    let earlier = T0.minus(secs(7200));
    assert_eq!(authenticator.due_refresh(0, earlier), Some(0));
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, earlier), earlier)), 200);
    assert_eq!(idp.key_sets(), 2);
}

#[test]
fn a_request_does_not_wait_for_ever() {
    let authenticator = authenticator(|_| {});
    let mut step = start(&authenticator, "GET", &token(1, T0), T0);
    for _ in 0..=MAX_REFRESHES {
        let Step::Fetch(pending) = step else { panic!("it waits") };
        step = authenticator.resume(pending, T0);
    }
    assert!(matches!(step, Step::Decide(Decision::Respond(LocalResponse { status: 503, .. }))));
}

const OPAQUE: &str = "2YotnFZFEjr1zCsicMWpAA";

/// Three providers: the second and the third introspect.
fn introspecting() -> Authenticator {
    let provider = |name: &str, introspects: bool| {
        let issuer = format!("https://{name}.example.com");
        let mut provider = json!({"name": name, "issuerUrl": issuer, "audience": "registry-api"});
        if introspects {
            provider["introspectionUrl"] = json!(format!("{issuer}/introspect"));
        }
        provider
    };
    let providers = json!([provider("a", false), provider("b", true), provider("c", true)]);
    authenticator(|oauth| oauth["providers"] = providers)
}

fn active(subject: &str) -> FetchResult {
    response(200, None, &json!({"active": true, "aud": "registry-api", "sub": subject}).to_string())
}

fn inactive() -> FetchResult {
    response(200, None, r#"{"active":false}"#)
}

fn subject(authenticator: &Authenticator, result: Result<Forward, LocalResponse>) -> (String, String) {
    let identity = result.unwrap().identity.unwrap();
    let values: Vec<&str> = authenticator.identity_headers(&identity).map(|(_, value)| value).collect();
    (values[0].to_owned(), values[1].to_owned())
}

#[test]
fn an_opaque_token_goes_to_each_introspecting_provider_until_one_knows_it() {
    let authenticator = introspecting();
    let mut idp = Idp { answers: vec![(1, inactive()), (2, active("ada"))], ..Idp::default() };
    let result = ask(&authenticator, &mut idp, OPAQUE, T0);
    assert_eq!(subject(&authenticator, result), ("c".to_owned(), "ada".to_owned()));
    let asked: Vec<&str> = idp.asked.iter().map(|(_, url)| url.as_str()).collect();
    assert_eq!(asked, ["https://b.example.com/introspect", "https://c.example.com/introspect"]);
    assert_eq!(status(&ask(&authenticator, &mut idp, OPAQUE, T0.plus(secs(9)))), 200);
    assert_eq!(idp.asked.len(), 2, "both answers are remembered");
    assert_eq!(status(&ask(&authenticator, &mut idp, OPAQUE, T0.plus(secs(61)))), 200);
    assert_eq!(idp.asked.len(), 4);
}

#[test]
fn inactive_everywhere_is_401_and_remembered_shortly() {
    let authenticator = introspecting();
    let mut idp = Idp { answers: vec![(1, inactive()), (2, inactive())], ..Idp::default() };
    for seconds in [0, 9] {
        let refused = ask(&authenticator, &mut idp, OPAQUE, T0.plus(secs(seconds)));
        assert_eq!(description(refused), "token is not active");
        assert_eq!(idp.asked.len(), 2);
    }
    idp.answers = vec![(1, active("ada"))];
    assert_eq!(status(&ask(&authenticator, &mut idp, OPAQUE, T0.plus(secs(10)))), 200);
}

#[test]
fn an_answer_that_is_missing_is_503_and_not_remembered() {
    for fault in [
        response(500, None, ""),
        response(401, None, ""),
        response(200, None, "<html>"),
        FetchResult::Failed(FetchError::TimedOut),
    ] {
        let authenticator = introspecting();
        let mut idp = Idp { answers: vec![(1, fault.clone()), (2, inactive())], ..Idp::default() };
        let refused = ask(&authenticator, &mut idp, OPAQUE, T0).unwrap_err();
        assert_eq!(refused.status, 503, "{fault:?}");
        assert!(refused.headers.contains(&("retry-after", "5".into())));
        assert_eq!(status(&ask(&authenticator, &mut idp, OPAQUE, T0)), 503);
        assert_eq!(idp.asked.len(), 2, "the failing provider is left alone during its back-off");
        idp.answers[0].1 = active("ada");
        assert_eq!(status(&ask(&authenticator, &mut idp, OPAQUE, T0.plus(secs(1)))), 200, "{fault:?}");
    }
}

#[test]
fn one_failing_provider_does_not_hide_another_ones_token() {
    let authenticator = introspecting();
    let mut idp = Idp { answers: vec![(1, response(500, None, "")), (2, active("ada"))], ..Idp::default() };
    assert_eq!(status(&ask(&authenticator, &mut idp, OPAQUE, T0)), 200);
}

#[test]
fn garbage_is_bounded_and_leaves_known_tokens_alone() {
    let authenticator = introspecting();
    let mut idp = Idp { answers: vec![(1, inactive()), (2, active("ada"))], ..Idp::default() };
    assert_eq!(status(&ask(&authenticator, &mut idp, OPAQUE, T0)), 200);
    idp.answers = vec![(1, inactive()), (2, inactive())];
    let before = idp.asked.len();
    let statuses: Vec<u16> = (0..1000)
        .map(|number| status(&ask(&authenticator, &mut idp, &format!("garbage{number}"), T0)))
        .collect();
    assert!(idp.asked.len() - before <= 200, "100 a second and provider");
    assert!(statuses.iter().all(|status| [401, 503].contains(status)));
    assert_eq!(statuses.last(), Some(&503));
    assert_eq!(status(&ask(&authenticator, &mut idp, OPAQUE, T0)), 200);

    // Its answer has aged, and the flood goes on: those who were in are asked about all the same.
    let later = T0.plus(secs(60));
    for number in 0..1000 {
        assert_ne!(status(&ask(&authenticator, &mut idp, &format!("more{number}"), later)), 200);
    }
    idp.answers = vec![(1, inactive()), (2, active("ada"))];
    assert_eq!(status(&ask(&authenticator, &mut idp, "new", later)), 503, "this may be more garbage");
    assert_eq!(status(&ask(&authenticator, &mut idp, OPAQUE, later)), 200);
}

#[test]
fn a_jwt_is_introspected_only_where_its_issuers_keys_cannot_be_had() {
    let providers = json!([
        {"name": "other", "issuerUrl": "https://other.example.com", "audience": "registry-api", "introspectionUrl": "https://other.example.com/i"},
        {"name": "a", "issuerUrl": ISSUER, "audience": "registry-api", "introspectionUrl": "https://idp.example.com/i"},
    ]);
    let authenticator = authenticator(|oauth| oauth["providers"] = providers);
    let mut idp =
        Idp { answers: vec![(0, active("wrong")), (1, active("introspected"))], ..Idp::with_keys(&[1]) };
    // Verified, or verified and refused: nobody is asked.
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0)), 200);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(101, T0), T0)), 401);
    let mut stranger = claims(T0);
    stranger["iss"] = json!("https://stranger.example.com");
    assert_eq!(status(&ask(&authenticator, &mut idp, &sign(1, &stranger), T0)), 401);
    assert_eq!(idp.count(Document::Introspection), 0);
}

#[test]
fn where_keys_cannot_be_had_only_the_introspected_claims_count() {
    let authenticator =
        authenticator(|oauth| oauth["providers"][0]["introspectionUrl"] = json!("https://idp.example.com/i"));
    let mut idp = Idp { answers: vec![(0, active("introspected"))], ..Idp::with_keys(&[1]) };
    let metadata = r#"{"issuer":"https://evil.example.com","jwks_uri":"https://evil.example.com"}"#;
    let refreshed = authenticator.begin_refresh(0, RefreshCause::Due, T0).unwrap();
    assert!(matches!(
        authenticator.advance_refresh(refreshed, response(200, None, metadata), T0),
        Advance::Failed
    ));
    let result = ask(&authenticator, &mut idp, &token(1, T0), T0);
    assert_eq!(subject(&authenticator, result), ("a".to_owned(), "introspected".to_owned()));
    let mut expired = claims(T0);
    expired["exp"] = json!(T0.as_secs() - 60);
    assert_eq!(description(ask(&authenticator, &mut idp, &sign(1, &expired), T0)), "token expired");
    let broken = format!("{}.x.y", base64url::encode(br#"{"alg":"none"}"#));
    assert_eq!(description(ask(&authenticator, &mut idp, &broken, T0)), "token signature invalid");
    assert_eq!(idp.count(Document::Introspection), 1);
}

#[test]
fn requests_with_one_opaque_token_wait_for_one_answer() {
    let authenticator = introspecting();
    let mut idp = Idp { answers: vec![(1, active("ada"))], ..Idp::default() };
    let Step::Fetch(first) = start(&authenticator, "GET", OPAQUE, T0) else { panic!("it waits") };
    let Step::Fetch(second) = start(&authenticator, "GET", OPAQUE, T0) else { panic!("it waits, too") };
    assert_eq!(first.need(), second.need());
    introspect(&authenticator, &mut idp, &first, T0);
    for pending in [first, second] {
        assert!(matches!(authenticator.resume(pending, T0), Step::Decide(Decision::Forward(_))));
    }
    assert_eq!(idp.asked.len(), 1);
}

/// Few signatures, and a provider whose keys are there.
fn limited(per_second: u32, per_client: u32) -> (Authenticator, Idp) {
    let limits = json!({"perSecond": per_second, "perClient": per_client});
    let authenticator = authenticator(|oauth| {
        oauth["signatureLimits"] = limits;
        oauth["publicPaths"] = json!(["/health"]);
    });
    let mut idp = Idp::with_keys(&[1]);
    refresh(&authenticator, &mut idp, 0, RefreshCause::Due, T0).unwrap();
    (authenticator, idp)
}

/// A token of the provider's for somebody, and one that claims to be.
fn token_of(subject: &str) -> String {
    let mut claims = claims(T0);
    claims["sub"] = json!(subject);
    sign(1, &claims)
}

fn forged(subject: &str) -> String {
    let token = token_of(subject);
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", base64url::encode(&[7; 64]))
}

/// Counts how often the shell is asked for the address.
fn telling(address: &str, asked: &AtomicU32) -> impl Fn() -> Option<IpAddr> + Sync {
    let address: Ipv4Addr = address.parse().unwrap();
    move || {
        asked.fetch_add(1, Ordering::Relaxed);
        Some(IpAddr::V4(address))
    }
}

#[test]
fn recognised_tokens_pass_while_no_signature_may_be_verified() {
    let (authenticator, mut idp) = limited(5, 5);
    let known = token_of("ada");
    assert_eq!(status(&ask(&authenticator, &mut idp, &known, T0)), 200);
    let statuses: Vec<u16> = (0..100)
        .map(|number| status(&ask(&authenticator, &mut idp, &forged(&number.to_string()), T0)))
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 4);
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 96);
    assert_eq!(status(&ask(&authenticator, &mut idp, &known, T0)), 200);
    assert_eq!(count(&authenticator, "signature_verifications_total"), 5);
}

#[test]
fn a_good_token_too_many_is_503_and_passes_a_little_later() {
    let (authenticator, mut idp) = limited(1, 1);
    assert_eq!(status(&ask(&authenticator, &mut idp, &forged("eve"), T0)), 401);
    let refused = ask(&authenticator, &mut idp, &token_of("ada"), T0).unwrap_err();
    assert_eq!(refused.status, 503);
    assert!(refused.headers.contains(&("retry-after", "5".into())), "{:?}", refused.headers);
    assert!(refused.headers.contains(&("cache-control", "no-store".into())));
    assert!(!refused.headers.iter().any(|(name, _)| *name == "www-authenticate"));
    let body: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(
        body,
        json!({"error": "temporarily_unavailable", "error_description": "too many tokens to verify"})
    );
    assert_eq!(outcome(&authenticator, "busy"), 1);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token_of("ada"), T0.plus(secs(2)))), 200);
}

fn outcome(authenticator: &Authenticator, outcome: &str) -> u64 {
    let counters = authenticator.metrics().counters();
    counters.filter(|counter| counter.outcome == Some(outcome)).map(|counter| counter.value).sum()
}

#[test]
fn what_is_refused_before_the_signature_neither_counts_nor_asks_for_the_address() {
    let (authenticator, mut idp) = limited(1, 1);
    let asked = AtomicU32::new(0);
    let tell = telling("192.0.2.7", &asked);
    let mut send = |method: &str, token: &str, now: UnixTime| {
        let step = start_from(Client::new(&tell), &authenticator, method, token, now);
        settle(&authenticator, &mut idp, step, now)
    };
    let changed = |name: &str, value: Value| {
        let mut claims = claims(T0);
        claims[name] = value;
        sign(1, &claims)
    };
    let cut = token(1, T0);
    for _ in 0..10 {
        for (token, expected) in [
            (changed("exp", json!(1)), "token expired"),
            (changed("nbf", json!(T0.as_secs() + 3600)), "token not yet valid"),
            (changed("aud", json!("other")), "token audience not accepted"),
            (changed("iss", json!("https://other.example.com")), "token issuer not accepted"),
            (changed("cnf", json!({})), "token type not accepted"),
            (cut.chars().take(100).collect(), "token is malformed"),
            ("opaque".to_owned(), "token is malformed"),
            ("a b".to_owned(), "malformed authorization header"),
        ] {
            assert_eq!(description(send("GET", &token, T0)), expected);
        }
        assert_eq!(status(&send("OPTIONS", "", T0)), 401);
    }
    assert_eq!(
        (asked.load(Ordering::Relaxed), count(&authenticator, "signature_verifications_total")),
        (0, 0)
    );
    assert_eq!(status(&send("GET", &token(1, T0), T0)), 200, "all of it is still there");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    for _ in 0..10 {
        assert_eq!(status(&send("GET", &token(1, T0), T0)), 200);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1, "and a recognised token asks for nothing");
    let head = RequestHead {
        method: b"GET",
        path: Some(b"/health"),
        headers: &[(b"authorization", b"Bearer x")],
        has_body: false,
        client: Client::new(&tell),
    };
    assert!(matches!(authenticator.start(&head, T0), Step::Decide(Decision::Forward(_))));
    assert_eq!(asked.load(Ordering::Relaxed), 1, "nor does a public path");
}

#[test]
fn a_token_whose_key_is_unknown_does_not_count() {
    let (authenticator, mut idp) = limited(1, 1);
    for number in 0..10 {
        let refused = ask(&authenticator, &mut idp, &token(20 + number, T0), T0.plus(secs(1)));
        assert_eq!(description(refused), "token signing key unknown");
        if number == 0 {
            assert_eq!(idp.key_sets(), 2);
        }
    }
    assert_eq!(status(&ask(&authenticator, &mut idp, &token(1, T0), T0.plus(secs(1)))), 200);
}

#[test]
fn a_flood_from_one_address_leaves_others_alone() {
    let (authenticator, mut idp) = limited(8, 4);
    let asked = AtomicU32::new(0);
    let (forger, client) = (telling("192.0.2.7", &asked), telling("192.0.2.8", &asked));
    let mut statuses = Vec::new();
    for number in 0..100 {
        let token = forged(&number.to_string());
        let step = start_from(Client::new(&forger), &authenticator, "GET", &token, T0);
        statuses.push(status(&settle(&authenticator, &mut idp, step, T0)));
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 4);
    assert_eq!(asked.load(Ordering::Relaxed), 100, "once a request");
    for subject in ["ada", "bob"] {
        let step = start_from(Client::new(&client), &authenticator, "GET", &token_of(subject), T0);
        assert_eq!(status(&settle(&authenticator, &mut idp, step, T0)), 200, "{subject}");
    }
}

#[test]
fn a_waiting_request_is_asked_for_its_address_before_and_never_again() {
    let limits = json!({"perSecond": 4, "perClient": 1});
    let authenticator = authenticator(|oauth| oauth["signatureLimits"] = limits);
    let mut idp = Idp::with_keys(&[1]);
    let asked = AtomicU32::new(0);
    let tell = telling("192.0.2.7", &asked);
    let mut waiting = Vec::new();
    for subject in ["ada", "bob"] {
        waiting.push(start_from(Client::new(&tell), &authenticator, "GET", &token_of(subject), T0));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    let statuses: Vec<u16> =
        waiting.into_iter().map(|step| status(&settle(&authenticator, &mut idp, step, T0))).collect();
    assert_eq!(statuses, [200, 503], "the same client's");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[test]
fn a_token_without_kid_counts_for_each_key_that_is_tried() {
    let (authenticator, mut idp) = limited(10, 10);
    idp.published = vec![1, 2, 3, 4, 5, 6];
    refresh(&authenticator, &mut idp, 0, RefreshCause::Due, T0).unwrap();
    let header = base64url::encode(br#"{"alg":"EdDSA"}"#);
    let forged = |number: u32| {
        let mut claims = claims(T0);
        claims["sub"] = json!(number.to_string());
        let claims = base64url::encode(claims.to_string().as_bytes());
        format!("{header}.{claims}.{}", base64url::encode(&[7; 64]))
    };
    let statuses: Vec<u16> =
        (0..4).map(|number| status(&ask(&authenticator, &mut idp, &forged(number), T0))).collect();
    assert_eq!(statuses, [401, 401, 503, 503], "not all keys could be tried: it may be good");
    assert_eq!(count(&authenticator, "signature_verifications_total"), 10);
}

#[test]
fn a_503_of_one_provider_is_told_before_a_401_of_another() {
    let providers = json!([
        {"name": "b", "issuerUrl": ISSUER, "audience": "registry-api"},
        {"name": "a", "issuerUrl": ISSUER, "audience": "other-api"},
    ]);
    let authenticator = authenticator(|oauth| {
        oauth["providers"] = providers;
        oauth["signatureLimits"] = json!({"perSecond": 1});
    });
    let mut idp = Idp::with_keys(&[1]);
    assert_eq!(status(&ask(&authenticator, &mut idp, &forged("eve"), T0)), 401);
    assert_eq!(status(&ask(&authenticator, &mut idp, &token_of("ada"), T0)), 503);
    assert_eq!(idp.count(Document::Introspection), 0);
}
