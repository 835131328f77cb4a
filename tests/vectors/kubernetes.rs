//! A kube-apiserver's own keys and tokens, captured: their signatures, and whole requests at the time of the capture.

use std::sync::Arc;

use registry_auth::authenticator::{Authenticator, Environment, Need, Step};
use registry_auth::config;
use registry_auth::decision::{Decision, Forward, LocalResponse};
use registry_auth::fetch::{FetchResponse, FetchResult};
use registry_auth::identity::Identity;
use registry_auth::jwk::JwkSet;
use registry_auth::keys::Advance;
use registry_auth::policy::Policy;
use registry_auth::request::{Client, RequestHead};
use registry_auth::time::UnixTime;
use serde_json::{Value, json};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use crate::{Compact, Verdict};

const JWKS: &[u8] = include_bytes!("../kubernetes/jwks.json");
const CAPTURED_AT: &str = include_str!("../kubernetes/captured-at-epoch");
const TOKENS: [&str; 2] = [
    include_str!("../kubernetes/client-token-aud-registry-server.jwt"),
    include_str!("../kubernetes/client-token-wrong-aud.jwt"),
];
/// `exp` of the token for us.
const EXPIRES: u64 = 1_795_410_030;

#[test]
fn service_account_tokens_verify_with_the_servers_keys() {
    let set = JwkSet::parse(JWKS).unwrap();
    assert_eq!((set.keys().len(), set.skipped().len(), set.truncated()), (1, 0, None));
    for token in TOKENS {
        let token = Compact::parse(token.trim());
        assert!(set.contains_kid(token.kid.as_deref().unwrap()));
        assert_eq!(token.verify(&set), Verdict::Verified);
    }
}

#[test]
fn one_tokens_signature_is_not_the_others() {
    let set = JwkSet::parse(JWKS).unwrap();
    let [mut one, other] = TOKENS.map(|token| Compact::parse(token.trim()));
    one.signature = other.signature;
    assert_eq!(one.verify(&set), Verdict::Signature);
}

#[test]
fn a_service_account_is_let_in_at_the_time_of_the_capture() {
    let server = Server::new();
    let identity = server.admits(TOKENS[0], captured_at());
    let values: Vec<&str> = identity.values().collect();
    let subject = "system:serviceaccount:default:my-client-sa";
    assert_eq!(values, ["kubernetes", subject, "", "", "default", "my-client-sa"]);
}

#[test]
fn a_token_for_another_audience_is_refused() {
    let refused = Server::new().refuses(TOKENS[1], captured_at());
    assert_eq!(told(&refused), (401, "token audience not accepted".to_owned()));
}

#[test]
fn a_token_holds_until_its_expiry_and_the_skew() {
    let skew = 10;
    let server = Server::new();
    server.admits(TOKENS[0], UnixTime::from_secs(EXPIRES + skew - 1));
    for seconds in [0, 1, 3600] {
        // Recognised or not.
        for server in [&server, &Server::new()] {
            let refused = server.refuses(TOKENS[0], UnixTime::from_secs(EXPIRES + skew + seconds));
            assert_eq!(told(&refused), (401, "token expired".to_owned()));
        }
    }
}

#[test]
fn a_token_of_the_future_is_refused() {
    let issued = EXPIRES - 3600;
    Server::new().admits(TOKENS[0], UnixTime::from_secs(issued - 10));
    let refused = Server::new().refuses(TOKENS[0], UnixTime::from_secs(issued - 11));
    assert_eq!(told(&refused), (401, "token not yet valid".to_owned()));
}

#[test]
fn the_api_servers_refusals_are_an_outage_and_no_verdict_on_the_token() {
    for reply in [
        include_str!("../kubernetes/anon-403.http"),
        include_str!("../kubernetes/garbage-401.http"),
        include_str!("../kubernetes/accept-json-406.http"),
    ] {
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut server = Server::new();
        server.reply = FetchResponse { status, cache_control: None, body: body.as_bytes().to_vec() };
        let refused = server.refuses(TOKENS[0], captured_at());
        assert_eq!(told(&refused), (503, "identity provider unavailable".to_owned()), "{status}");
    }
}

fn captured_at() -> UnixTime {
    UnixTime::from_secs(CAPTURED_AT.trim().parse().unwrap())
}

/// A resource server under the seed's Kubernetes example, and what the API server answers it.
struct Server {
    authenticator: Authenticator,
    reply: FetchResponse,
}

impl Server {
    fn new() -> Self {
        let provider = json!({
            "name": "kubernetes",
            "issuerUrl": "https://kubernetes.default.svc.cluster.local",
            "jwksUrl": "https://kubernetes.default.svc/openid/v1/jwks",
            "audience": "registry-server",
            "allowPrivateIP": true,
            "claimsToHeaders": [
                { "claim": ["kubernetes.io", "namespace"], "header": "X-Kubernetes-Namespace" },
                { "claim": ["kubernetes.io", "serviceaccount", "name"], "header": "X-Kubernetes-Service-Account" },
            ],
        });
        let oauth = json!({ "resourceUrl": "https://registry.example.com", "providers": [provider] });
        let document = json!({ "auth": { "mode": "oauth", "oauth": oauth } });
        let policy = Policy::from_document(&document, &config::Environment::default()).unwrap().policy;
        Self {
            authenticator: Authenticator::new(policy, Environment::new([7; 16])),
            reply: FetchResponse { status: 200, cache_control: None, body: JWKS.to_vec() },
        }
    }

    fn decide(&self, token: &str, now: UnixTime) -> Decision {
        let authorization = format!("Bearer {}", token.trim());
        let head = RequestHead {
            method: b"GET",
            path: Some(b"/registry/default/v0.1/servers"),
            headers: &[(b"authorization", authorization.as_bytes())],
            has_body: false,
            client: Client::UNKNOWN,
        };
        let mut step = self.authenticator.start(&head, now);
        loop {
            let pending = match step {
                Step::Decide(decision) => return decision,
                Step::Fetch(pending) => pending,
            };
            let Need::Keys { provider, cause } = pending.need().clone() else { panic!("keys") };
            let refresh = self.authenticator.begin_refresh(provider, cause, now).unwrap();
            assert_eq!(refresh.request().url.as_str(), "https://kubernetes.default.svc/openid/v1/jwks");
            let result = FetchResult::Response(self.reply.clone());
            let over = self.authenticator.advance_refresh(refresh, result, now);
            assert!(!matches!(over, Advance::Next(_)));
            step = self.authenticator.resume(pending, now);
        }
    }

    fn admits(&self, token: &str, now: UnixTime) -> Arc<Identity> {
        match self.decide(token, now) {
            Decision::Forward(Forward { identity: Some(identity), .. }) => identity,
            other => panic!("{other:?}"),
        }
    }

    fn refuses(&self, token: &str, now: UnixTime) -> LocalResponse {
        match self.decide(token, now) {
            Decision::Respond(response) => response,
            Decision::Forward(forward) => panic!("{forward:?}"),
        }
    }
}

fn told(response: &LocalResponse) -> (u16, String) {
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    (response.status, body["error_description"].as_str().unwrap().to_owned())
}
