//! The vendors themselves: that they have the quirks that the documents of `examples/` are tested against.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use envoy_test::project;
use envoy_test::provider::vendor::{Auth0, Entra, Google, Keycloak, Kubernetes, Okta, Vendor};
use envoy_test::{RawRequest, RawResponse};
use serde_json::{Value, json};

fn get(vendor: &dyn Vendor, host: &str, target: &str) -> RawResponse {
    vendor.answer(host, &RawRequest::get(target))
}

fn keys(vendor: &dyn Vendor, host: &str, target: &str) -> Vec<Value> {
    let response = get(vendor, host, target);
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()["keys"].as_array().unwrap().clone()
}

fn has(key: &Value, member: &str) -> bool {
    key.get(member).is_some()
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn keycloak_publishes_keys_that_are_not_for_signatures_or_not_known() {
    let keycloak = Keycloak::new();
    let keys = keys(keycloak.as_ref(), "keycloak.example.com", "/realms/mcp/protocol/openid-connect/certs");
    let of = |member: &str| keys.iter().map(|key| key[member].clone()).collect::<Vec<_>>();
    assert_eq!(of("use"), ["enc", "sig", "sig", "sig", "sig", "sig"]);
    assert_eq!(of("kty"), ["RSA", "AKP", "RSA", "OKP", "OKP", "RSA"]);
    assert_eq!(of("alg"), ["RSA-OAEP", "ML-DSA-65", "RS256", "EdDSA", "EdDSA", "RS256"]);
    assert_eq!([&keys[3]["crv"], &keys[4]["crv"]], ["Ed448", "Ed25519"]);
    for key in keys.iter().filter(|key| key["kty"] == "RSA") {
        assert!(has(key, "x5c") && has(key, "x5t") && has(key, "x5t#S256"), "{key}");
        assert_eq!(key["kid"].as_str().unwrap().len(), 43);
    }
    let header = part(&keycloak.token().mint(), 0);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("JWT"), &json!("RS256")));
}

#[test]
fn keycloak_tells_its_own_clients_only_and_little_of_what_is_inactive() {
    let keycloak = Keycloak::new();
    let token = keycloak.known(keycloak.token(), &json!({}));
    let path = "/realms/mcp/protocol/openid-connect/token/introspect";
    let ask = |token: &str, authorization: &str| {
        let request = RawRequest::new("POST", path)
            .header("Authorization", authorization)
            .body(format!("token={token}"));
        keycloak.answer("keycloak.example.com", &request)
    };
    // registry-client:Kc7-s3cr3t%2Fwith%3Aodd+characters
    let ours = "Basic cmVnaXN0cnktY2xpZW50OktjNy1zM2NyM3QlMkZ3aXRoJTNBb2RkK2NoYXJhY3RlcnM=";
    for wrong in ["", "Basic cmVnaXN0cnktY2xpZW50Og==", "Bearer x"] {
        assert_eq!(ask(&token, wrong).status, 401, "{wrong}");
    }
    let answer = ask(&token, ours).json();
    for (member, value) in
        [("active", json!(true)), ("client_id", json!("mcp-client")), ("username", json!("alice"))]
    {
        assert_eq!(answer[member], value);
    }
    assert_eq!(answer["realm_access"], part(&token, 1)["realm_access"], "all claims");
    assert_eq!(ask("unknown", ours).json(), json!({ "active": false }));
}

#[test]
fn auth0_has_one_slash_at_the_end_of_its_issuer() {
    let (auth0, host) = (Auth0::new(), "example-tenant.eu.auth0.com");
    let metadata = get(auth0.as_ref(), host, "/.well-known/openid-configuration").json();
    assert_eq!(metadata["issuer"], format!("https://{host}/"));
    assert_eq!(metadata["jwks_uri"], format!("https://{host}/.well-known/jwks.json"));
    assert!(!has(&metadata, "introspection_endpoint"));
    assert_eq!(get(auth0.as_ref(), host, "//.well-known/openid-configuration").status, 404);
    assert!(keys(auth0.as_ref(), host, "/.well-known/jwks.json").len() >= 2);
    assert!(part(&auth0.token().mint(), 1)["aud"].is_array());
    assert!(part(&auth0.machine_token().mint(), 1)["aud"].is_string());
    let encrypted = auth0.encrypted_token();
    assert_eq!(encrypted.split('.').count(), 5);
    assert_eq!(part(&encrypted, 0)["alg"], "dir");
}

#[test]
fn okta_leaves_typ_out_and_publishes_ahead() {
    let okta = Okta::new();
    let keys = keys(okta.as_ref(), "example.okta.com", "/oauth2/default/v1/keys");
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|key| !has(key, "x5c") && key["alg"] == "RS256"));
    assert_eq!(keys[1]["kid"], okta.next().kid());
    let token = okta.token().mint();
    assert!(!has(&part(&token, 0), "typ"));
    let claims = part(&token, 1);
    assert!(claims["scp"].is_array() && claims["aud"].is_string() && !has(&claims, "scope"), "{claims}");
}

#[test]
fn entra_has_two_issuers_and_keys_that_do_not_say_what_they_are_for() {
    let entra = Entra::new();
    let tenant = "11111111-2222-3333-4444-555555555555";
    let login = "login.microsoftonline.com";
    let v2 = get(entra.as_ref(), login, &format!("/{tenant}/v2.0/.well-known/openid-configuration")).json();
    let v1 =
        get(entra.as_ref(), "sts.windows.net", &format!("/{tenant}/.well-known/openid-configuration")).json();
    assert_eq!(part(&entra.v1_token().mint(), 1)["iss"], v1["issuer"]);
    assert_eq!(part(&entra.v2_token().mint(), 1)["iss"], v2["issuer"]);
    assert!(v1["issuer"].as_str().unwrap().ends_with('/') && !v2["issuer"].as_str().unwrap().ends_with('/'));
    assert_eq!(v1["jwks_uri"], format!("https://{login}/common/discovery/keys"));
    assert_eq!(v2["jwks_uri"], format!("https://{login}/{tenant}/discovery/v2.0/keys"));
    for path in ["/common/discovery/keys".to_owned(), format!("/{tenant}/discovery/v2.0/keys")] {
        let keys = keys(entra.as_ref(), login, &path);
        assert!(keys.len() >= 3);
        for key in keys {
            assert!(!has(&key, "alg") && has(&key, "x5c") && has(&key, "issuer"), "{key}");
            assert_eq!(key["kid"], key["x5t"]);
        }
    }
    assert!(part(&entra.v2_token().mint(), 1)["scp"].is_string());
    let application = part(&entra.application_token().mint(), 1);
    assert!(application["roles"].is_array() && !has(&application, "scp"));
}

#[test]
fn google_says_everything_in_texts() {
    let google = Google::new();
    let info = |token: &str| {
        get(google.as_ref(), "oauth2.googleapis.com", &format!("/tokeninfo?access_token={token}"))
    };
    google.issue("ya29.a.b", &json!({}));
    let answer = info("ya29.a.b").json();
    assert!(answer.as_object().unwrap().values().all(Value::is_string), "{answer}");
    assert!(!has(&answer, "iss") && !has(&answer, "active"));
    let bad = info("ya29.unknown");
    assert_eq!((bad.status, bad.json()["error"].clone()), (400, json!("invalid_token")));
    let metadata = get(google.as_ref(), "accounts.google.com", "/.well-known/openid-configuration").json();
    assert_eq!(metadata["jwks_uri"], "https://www.googleapis.com/oauth2/v3/certs");
    assert_eq!(get(google.as_ref(), "accounts.google.com", "/oauth2/v3/certs").status, 404);
    assert_eq!(keys(google.as_ref(), "www.googleapis.com", "/oauth2/v3/certs").len(), 2);
}

/// The real API server's replies are beside the core's vectors.
#[test]
fn kubernetes_refuses_as_the_real_one_did() {
    let kubernetes = Kubernetes::new();
    let (_, token) = kubernetes.files().pop().unwrap();
    let ours = format!("Bearer {}", token.trim());
    let plain = RawRequest::get("/openid/v1/jwks").header("Accept", "application/json");
    for (captured, request) in [
        ("anon-403", plain.clone()),
        ("garbage-401", plain.clone().header("Authorization", "Bearer garbage")),
        ("accept-json-406", plain.header("Authorization", &ours)),
    ] {
        let file = project::root().join("tests/kubernetes").join(captured).with_extension("http");
        let text = std::fs::read_to_string(file).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        let response = kubernetes.answer("kubernetes.default.svc", &request);
        assert_eq!(head.split(' ').nth(1).unwrap(), response.status.to_string(), "{captured}");
        for member in ["kind", "reason", "message", "code"] {
            assert_eq!(response.json()[member], body[member], "{captured}");
        }
    }
    let fitting = RawRequest::get("/openid/v1/jwks").header("Authorization", &ours);
    let fitting = fitting.header("Accept", "application/jwk-set+json, application/json");
    let response = kubernetes.answer("kubernetes.default.svc", &fitting);
    assert_eq!(
        (response.status, response.header("content-type").unwrap().as_ref()),
        (200, "application/jwk-set+json")
    );
}

#[test]
fn kubernetes_tokens_are_shaped_like_the_captured_ones() {
    let file = project::root().join("tests/kubernetes/client-token-aud-registry-server.jwt");
    let real = std::fs::read_to_string(file).unwrap();
    let ours = Kubernetes::new().token().mint();
    let members = |token: &str, number: usize| {
        part(token, number).as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(members(&real, 0), members(&ours, 0));
    // Kubernetes has added jti since.
    let newer: Vec<String> = members(&ours, 1).into_iter().filter(|name| name != "jti").collect();
    assert_eq!(members(&real, 1), newer);
    for claim in ["aud", "iss", "sub"] {
        assert_eq!(part(&real, 1)[claim], part(&ours, 1)[claim]);
    }
    let legacy = part(&Kubernetes::new().legacy_token().mint(), 1);
    assert!(!has(&legacy, "aud") && !has(&legacy, "exp"));
}
