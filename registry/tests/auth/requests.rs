//! What passes to the inner service, and what is answered instead.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body::Frame;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use registry::auth::AuthMetrics;
use serde_json::json;

use crate::gateway::{Gateway, PATH, document, entry, get_with, tuning, with_token};
use crate::provider::Provider;

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_reaches_the_inner_service_in_headers_and_as_an_extension() {
    let provider = Provider::start(1).await;
    let gateway = Gateway::of(&[entry("a", &provider)]);
    let token = format!("Bearer {}", provider.token(1));
    let forged = [
        ("authorization", token.as_str()),
        ("x-auth-subject", "root"),
        ("x_auth_provider", "root"),
        ("x-original-url", "/health"),
        ("x-other", "kept"),
    ];
    let seen = gateway.send(get_with(PATH, &forged)).await.json();
    let expected = json!({
        "authorization": token, "x-other": "kept", "x-auth-provider": "a", "x-auth-subject": "ada",
        "x-auth-user": "Ada%20L", "x-auth-scopes": "mcp-registry:read",
    });
    assert_eq!(seen["headers"], expected);
    assert_eq!(seen["identity"], json!(["a", "ada", "Ada%20L", "mcp-registry:read"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_claims_are_no_headers() {
    let provider = Provider::start(1).await;
    let gateway = Gateway::of(&[entry("a", &provider)]);
    let token = provider.token_with(1, json!({"name": "", "scope": ""}));
    let seen = gateway.ask(&token).await.json();
    assert_eq!(
        seen["headers"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["authorization", "x-auth-provider", "x-auth-subject"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_path_needs_no_token_and_strips_forged_identities() {
    let provider = Provider::start(1).await;
    let mut document = document(&[entry("a", &provider)]);
    document["auth"]["oauth"]["publicPaths"] = json!(["/health"]);
    document["auth"]["oauth"]["forwardToken"] = json!(false);
    let gateway = Gateway::new(&document, &tuning());
    let seen =
        gateway.send(get_with("/health", &[("x-auth-subject", "root"), ("X-AUTH-USER", "root")])).await;
    assert_eq!((seen.status, seen.json()), (200, json!({"headers": {}, "identity": null})));
    let seen = gateway.ask(&provider.token(1)).await.json();
    assert_eq!(seen["headers"].get("authorization"), None, "forwardToken is false");
    assert_eq!(seen["identity"][1], "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_not_public_needs_a_token_whether_it_exists_or_not() {
    let provider = Provider::start(1).await;
    let gateway = Gateway::of(&[entry("a", &provider)]);
    for path in [
        PATH,
        "/",
        "/nowhere",
        "/health",
        "/health/../openapi.json",
        "//openapi.json",
        "/%6fpenapi.json",
        "/registry/a%2Fb/v0.1/servers",
    ] {
        for method in
            [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS, Method::TRACE]
        {
            let mut request = get_with(path, &[("x-auth-subject", "root")]);
            *request.method_mut() = method.clone();
            let answer = gateway.send(request).await;
            assert_eq!(answer.status, 401, "{method} {path}");
            let challenge = r#"Bearer realm="mcp-registry", resource_metadata="https://registry.example.com/.well-known/oauth-protected-resource""#;
            assert_eq!(answer.header("www-authenticate"), Some(challenge));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.body.is_empty(), method == Method::HEAD);
        }
    }
    let mut no_path = get_with("/openapi.json", &[]);
    *no_path.uri_mut() = "idp.example.com:443".parse().unwrap();
    *no_path.method_mut() = Method::CONNECT;
    assert_eq!(gateway.send(no_path).await.status, 400);
    assert_eq!(gateway.send(get_with("*", &[])).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_router_lacks_is_found_out_with_a_token_only() {
    let provider = Provider::start(1).await;
    let gateway = Gateway::of(&[entry("a", &provider)]);
    let mut request = with_token(&provider.token(1));
    *request.uri_mut() = "/nowhere".parse().unwrap();
    assert_eq!(gateway.send(request).await.status, 404);
    let mut request = with_token(&provider.token(1));
    *request.method_mut() = Method::DELETE;
    assert_eq!(gateway.send(request).await.status, 405);
    // The built-in public paths are the router's own business.
    assert_eq!(gateway.send(get_with("/openapi.json", &[])).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_tokens_and_several_of_them_are_refused() {
    let provider = Provider::start(1).await;
    let gateway = Gateway::of(&[entry("a", &provider)]);
    let good = provider.token(1);
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    for (token, description) in [
        (provider.token_with(1, json!({"exp": 1})), "token expired"),
        (provider.token_with(1, json!({"aud": "other"})), "token audience not accepted"),
        (provider.token_with(1, json!({"iss": "https://idp.example.com"})), "token issuer not accepted"),
        (format!("{unsigned}.{}", "A".repeat(86)), "token signature invalid"),
        ("opaque".to_owned(), "token is malformed"),
    ] {
        let answer = gateway.ask(&token).await;
        assert_eq!((answer.status, &answer.json()["error_description"]), (401, &json!(description)));
        assert!(answer.header("www-authenticate").unwrap().contains(r#"error="invalid_token""#));
    }
    let both = [("authorization", format!("Bearer {good}")), ("authorization", "Bearer x".to_owned())];
    let both = both.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(gateway.send(get_with(PATH, &both)).await.status, 400);
    let mut raw = with_token(&good);
    raw.headers_mut().insert("authorization", HeaderValue::from_bytes(b"Bearer \xff\xfe").unwrap());
    assert_eq!(gateway.send(raw).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_resources_metadata_is_answered_by_the_layer() {
    let provider = Provider::start(1).await;
    let gateway = Gateway::of(&[entry("a", &provider)]);
    let path = "/.well-known/oauth-protected-resource";
    let answer = gateway.send(get_with(path, &[])).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["resource"], "https://registry.example.com");
    assert_eq!(answer.json()["authorization_servers"], json!([provider.issuer()]));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let tag = answer.header("etag").unwrap();
    assert_eq!(gateway.send(get_with(path, &[("if-none-match", tag)])).await.status, 304);
}

/// Data, then trailers.
struct WithTrailers(Vec<Frame<Bytes>>);

impl http_body::Body for WithTrailers {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.pop().map(Ok))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_identities_are_taken_out_of_trailers() {
    let provider = Provider::start(1).await;
    let gateway = Gateway::of(&[entry("a", &provider)]);
    let mut trailers = HeaderMap::new();
    for name in ["x-auth-subject", "x_auth_user", "x-original-url", "checksum"] {
        trailers.insert(name, HeaderValue::from_static("root"));
    }
    let body = WithTrailers(vec![Frame::trailers(trailers), Frame::data(Bytes::from_static(b"data"))]);
    let token = format!("Bearer {}", provider.token(1));
    let request = Request::post("/trailers").header("authorization", token).body(Body::new(body)).unwrap();
    assert_eq!(gateway.send(request).await.json(), json!(["checksum"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_is_told_under_the_filters_names() {
    let provider = Provider::start(1).await;
    let gateway = Gateway::of(&[entry("a", &provider)]);
    let token = provider.token(1);
    for _ in 0..3 {
        assert_eq!(gateway.ask(&token).await.status, 200);
    }
    assert_eq!(gateway.send(get_with(PATH, &[])).await.status, 401);
    assert_eq!(gateway.ask(&provider.token_with(1, json!({"exp": 1}))).await.status, 401);
    let mut registry = Registry::with_prefix("registry");
    registry.register_collector(Box::new(AuthMetrics::new(gateway.gate.clone())));
    let mut out = String::new();
    text::encode(&mut out, &registry).unwrap();
    for line in [
        "# TYPE registry_auth_decisions counter",
        r#"registry_auth_decisions_total{provider="a",outcome="authenticated"} 3"#,
        r#"registry_auth_decisions_total{provider="none",outcome="no_credentials"} 1"#,
        r#"registry_auth_decisions_total{provider="a",outcome="expired"} 1"#,
        r#"registry_auth_token_cache_hits_total{provider="a"} 2"#,
        r#"registry_auth_fetches_total{provider="a"} 2"#,
        r#"registry_auth_fetch_failures_total{provider="a"} 0"#,
        r#"registry_auth_signature_verifications_total{provider="a"} 1"#,
    ] {
        assert!(out.lines().any(|found| found == line), "{line}\n{out}");
    }
    assert!(
        out.lines().any(|line| line.starts_with(r#"registry_auth_key_age_seconds{provider="a"} 0"#)),
        "{out}"
    );
    assert!(out.ends_with("# EOF\n"));
}
