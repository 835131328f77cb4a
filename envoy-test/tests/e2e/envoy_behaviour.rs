//! The filter in a real Envoy, where one request does not show it: bodies, trailers, waiting, workers, rotation.

use std::time::Duration;

use envoy_test::client::{self, RawConnection};
use envoy_test::gateway::BootstrapEdit;
use envoy_test::provider::{Document, RealmOptions};
use envoy_test::upstream::CASE_HEADER;
use envoy_test::{Algorithm, Envoy, EnvoyOptions, Gateway, GatewayOptions, Provider, RawRequest};
use serde_json::{Value, json};

const REALM: &str = "production";
const SERVERS: &str = "/registry/default/v0.1/servers";

fn provider() -> Provider {
    Provider::builder()
        .realm(RealmOptions::new(REALM, "registry-api").algorithms(&[Algorithm::Es256]))
        .start()
        .unwrap()
}

fn configuration(provider: &Provider) -> Value {
    let keycloak =
        json!({ "name": "keycloak", "issuerUrl": provider.issuer(REALM), "audience": "registry-api" });
    json!({ "auth": { "mode": "oauth", "oauth": { "resourceUrl": "https://registry.example.com", "providers": [keycloak] } } })
}

fn workers(concurrency: u32) -> GatewayOptions {
    GatewayOptions {
        envoy: EnvoyOptions { concurrency, ..EnvoyOptions::default() },
        ..GatewayOptions::default()
    }
}

/// Envoy's other way of pausing: with it, a filter that lets a body pass lets the request pass (HOSTS rule 4).
fn stop_at_headers_only() -> BootstrapEdit {
    BootstrapEdit::new(|bootstrap| {
        let filter = bootstrap
            .pointer_mut("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config")
            .unwrap();
        assert_eq!(filter["failure_policy"], "FAIL_RELOAD");
        filter["allow_on_headers_stop_iteration"] = json!(true);
    })
}

#[tokio::test]
async fn a_body_is_not_delivered_before_the_decision() {
    a_body_waits(None).await;
}

#[tokio::test]
async fn a_body_is_not_delivered_before_the_decision_where_only_headers_stop() {
    a_body_waits(Some(stop_at_headers_only())).await;
}

async fn a_body_waits(edit: Option<BootstrapEdit>) {
    let provider = provider();
    let gate = provider.hold(REALM, Document::Jwks);
    let gateway = Gateway::start(&configuration(&provider), &GatewayOptions { edit, ..workers(1) }).await;
    let mut connection = RawConnection::connect(gateway.address()).await.unwrap();
    let head = RawRequest::new("POST", SERVERS)
        .bearer(&provider.token(REALM).mint())
        .header("Transfer-Encoding", "chunked");
    connection.send(&client::encode(&head, "registry")).await.unwrap();
    connection.send_chunk(b"first").await.unwrap();
    provider.wait_until(REALM, Document::Jwks, |count| count.in_flight > 0).await;
    connection.send_chunk(b"second").await.unwrap();
    assert!(!connection.answers_within(Duration::from_millis(200)).await);
    assert!(
        gateway.upstream().arrivals().is_empty(),
        "nothing reaches the upstream while the keys are awaited"
    );
    gate.open();
    gateway.upstream().wait_until(|arrivals| arrivals.len() == 1).await;
    connection.end_chunks(&[]).await.unwrap();
    assert_eq!(connection.response("POST").await.unwrap().status, 200);
    assert_eq!(gateway.upstream().arrivals()[0].request.body, b"firstsecond");
}

#[tokio::test]
async fn a_refused_body_never_arrives() {
    a_body_is_refused(None).await;
}

#[tokio::test]
async fn a_refused_body_never_arrives_where_only_headers_stop() {
    a_body_is_refused(Some(stop_at_headers_only())).await;
}

#[tokio::test]
async fn envoy_does_not_start_with_a_configuration_that_the_filter_refuses() {
    let provider = provider();
    let gateway = Gateway::start(&configuration(&provider), &workers(1)).await;
    for (good, bad, expected) in [
        (r#""mode": "oauth""#, r#""mode": "OAuth""#, "auth.mode"),
        (r#""audience": "registry-api""#, r#""audience": """#, "auth.oauth.providers[0].audience"),
        (r#""issuerUrl""#, r#""issuerURL""#, "issuerUrl"),
        (r#""sharedData": true"#, r#""sharedData": true, "sharedData": true"#, "sharedData"),
    ] {
        let broken = gateway.bootstrap().replace(good, bad);
        assert_ne!(broken, gateway.bootstrap(), "{good}");
        let refused = Envoy::validate(&broken).expect_err(bad).to_string();
        assert!(refused.contains(expected), "{bad}: {refused}");
    }
    Envoy::validate(gateway.bootstrap()).unwrap();
}

async fn a_body_is_refused(edit: Option<BootstrapEdit>) {
    let provider = provider();
    let gateway = Gateway::start(&configuration(&provider), &GatewayOptions { edit, ..workers(1) }).await;
    let mut connection = RawConnection::connect(gateway.address()).await.unwrap();
    let token = provider.token(REALM).foreign_key().mint();
    let head = RawRequest::new("POST", SERVERS).bearer(&token).header("Transfer-Encoding", "chunked");
    connection.send(&client::encode(&head, "registry")).await.unwrap();
    connection.send_chunk(b"first").await.unwrap();
    assert_eq!(connection.response("POST").await.unwrap().status, 401);
    // The connection may be closed by now: that is as good.
    let _ = connection.send_chunk(b"second").await;
    let _ = connection.end_chunks(&[]).await;
    assert!(gateway.upstream().arrivals().is_empty());
}

#[tokio::test]
async fn an_unknown_kid_is_fetched_once_and_waited_for() {
    let provider = provider();
    let gateway = Gateway::start(&configuration(&provider), &workers(1)).await;
    let send =
        async |token: String| gateway.request(&RawRequest::get(SERVERS).bearer(&token)).await.unwrap().status;
    let before = provider.signing_key(REALM, Algorithm::Es256);
    assert_eq!(send(provider.token(REALM).mint()).await, 200);
    provider.rotate(REALM, Algorithm::Es256);
    assert_eq!(send(provider.token(REALM).mint()).await, 200, "the new key, at once");
    assert_eq!(
        send(provider.token(REALM).key(before.clone()).mint()).await,
        200,
        "the previous key, still published"
    );
    assert_eq!(provider.count(REALM, Document::Jwks).total, 2);
    // A key that disappears is no longer trusted as soon as the new set is in, cached tokens included.
    let old = provider.token(REALM).key(before.clone()).mint();
    assert_eq!(send(old.clone()).await, 200);
    provider.retire(REALM, before.kid());
    provider.rotate(REALM, Algorithm::Es256);
    assert_eq!(send(provider.token(REALM).mint()).await, 200);
    assert_eq!(send(old).await, 401);
}

#[tokio::test]
async fn an_outage_does_not_end_what_worked() {
    let mut provider = provider();
    let gateway = Gateway::start(&configuration(&provider), &workers(1)).await;
    let send =
        async |token: String| gateway.request(&RawRequest::get(SERVERS).bearer(&token)).await.unwrap().status;
    assert_eq!(send(provider.token(REALM).mint()).await, 200);
    provider.stop();
    assert_eq!(send(provider.token(REALM).subject("bob").mint()).await, 200, "last known good keys");
    provider.resume().unwrap();
    assert_eq!(send(provider.token(REALM).subject("carol").mint()).await, 200);
}

#[tokio::test]
async fn callouts_carry_no_credentials_and_name_what_they_accept() {
    let provider = provider();
    let gateway = Gateway::start(&configuration(&provider), &workers(1)).await;
    let request = RawRequest::get(SERVERS)
        .bearer(&provider.token(REALM).mint())
        .header("Cookie", "a=b")
        .header("X-Secret", "s");
    assert_eq!(gateway.request(&request).await.unwrap().status, 200);
    let requests = provider.requests(REALM);
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.method, "GET");
        assert_eq!(request.header("host"), Some(provider.address().to_string().as_str()));
        assert!(request.header("accept").is_some());
        for name in ["authorization", "cookie", "x-secret"] {
            assert_eq!(request.header(name), None, "{name}");
        }
    }
}

#[tokio::test]
async fn identity_trailers_are_removed() {
    let provider = provider();
    let gateway = Gateway::start(&configuration(&provider), &workers(1)).await;
    let forged = |request: RawRequest| {
        request
            .body("x")
            .trailer("X-Auth-User", "forged")
            .trailer("x_auth_subject", "forged")
            .trailer("x-checksum", "1")
    };
    let request = forged(RawRequest::new("POST", SERVERS))
        .bearer(&provider.token(REALM).mint())
        .header(CASE_HEADER, "trailers");
    for response in [
        client::send(gateway.address(), &request).await.unwrap(),
        client::send_http2(gateway.address(), &request).await.unwrap(),
    ] {
        assert_eq!(response.status, 200, "{}", response.text());
    }
    let arrivals = gateway.upstream().arrivals_of("trailers");
    assert_eq!(arrivals.len(), 2);
    for arrival in arrivals {
        let names: Vec<&str> = arrival.request.trailers.iter().map(|(name, _)| name.as_str()).collect();
        assert!(!names.iter().any(|name| name.contains("auth")), "{names:?}");
    }
}

#[tokio::test]
async fn no_token_is_ever_logged() {
    let provider = provider();
    let options = GatewayOptions {
        envoy: EnvoyOptions { component_log_level: "wasm:trace".to_owned(), ..EnvoyOptions::default() },
        ..GatewayOptions::default()
    };
    let gateway = Gateway::start(&configuration(&provider), &options).await;
    let good = provider.token(REALM).mint();
    let bad = provider.token(REALM).expires_in(-60).mint();
    for token in [&good, &bad] {
        gateway.request(&RawRequest::get(SERVERS).bearer(token)).await.unwrap();
    }
    gateway.envoy().wait_for_log("token expired").await;
    let log = gateway.envoy().log();
    for token in [&good, &bad] {
        for part in token.split('.').skip(1) {
            assert!(!log.contains(part), "a part of a token is in the log");
        }
    }
}
