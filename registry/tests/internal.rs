//! The internal listener, and what keeps the two apart.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use serde_json::json;
use support::{get, send, start_large};

#[tokio::test]
async fn each_path_has_its_document() {
    let running = start_large().await;
    assert_eq!(get(running.internal, "/health").await.json(), json!({"status": "healthy"}));
    assert_eq!(get(running.internal, "/readiness").await.json(), json!({"status": "ready"}));
    assert_eq!(
        get(running.internal, "/version").await.json(),
        json!({"name": "registry", "version": registry::VERSION})
    );
    get(running.public, "/registry/default/v0.1/servers").await;
    let metrics = get(running.internal, "/metrics").await;
    assert!(metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = String::from_utf8(metrics.body).unwrap();
    for line in [
        "registry_http_requests_total{route=\"list\",method=\"GET\",status=\"200\"} 1",
        "registry_http_request_duration_seconds_count{route=\"list\"} 1",
        "registry_source_entries{source=\"catalog\"} 293",
        "registry_source_loads_total{source=\"catalog\",result=\"success\"} 1",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[tokio::test]
async fn the_api_is_not_on_the_internal_listener() {
    let running = start_large().await;
    for target in [
        "/",
        "/openapi.json",
        "/registry/default/openapi.yaml",
        "/registry/default/v0.1/servers",
        "/registry/default/v0/servers",
        "/v1/me",
        "/health/",
        "//health",
        "/health/check",
        "/HEALTH",
    ] {
        let response = get(running.internal, target).await;
        assert_eq!(response.status, 404, "{target}");
        response.error();
    }
}

#[tokio::test]
async fn the_internal_paths_are_not_on_the_public_listener() {
    let running = start_large().await;
    for target in ["/health", "/readiness", "/version", "/metrics"] {
        assert_eq!(get(running.public, target).await.status, 404, "{target}");
    }
}

#[tokio::test]
async fn only_get_and_head_are_answered() {
    let running = start_large().await;
    for target in ["/health", "/readiness", "/version", "/metrics"] {
        let post = send(running.internal, "POST", target, &[("content-length", "0")]).await;
        assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")), "{target}");
        let head = send(running.internal, "HEAD", target, &[]).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{target}");
    }
}

#[tokio::test]
async fn clients_cannot_grow_the_metrics() {
    let running = start_large().await;
    for n in 0..5 {
        send(running.public, &format!("M{n}"), &format!("/x{n}"), &[]).await;
    }
    let text = String::from_utf8(get(running.internal, "/metrics").await.body).unwrap();
    assert!(
        text.contains("registry_http_requests_total{route=\"unknown\",method=\"other\",status=\"404\"} 5"),
        "{text}"
    );
}
