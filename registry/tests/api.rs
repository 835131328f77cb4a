//! The public API over a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use support::{data, get, send, start, start_large, start_with};

const LIST: &str = "/registry/default/v0.1/servers";

fn catalog_names() -> Vec<String> {
    let text = std::fs::read_to_string(data("catalog-large.json")).unwrap();
    let catalog: Value = serde_json::from_str(&text).unwrap();
    let mut names: Vec<String> = catalog["data"]["servers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|server| server["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn every_walk_shows_every_server_once_in_order() {
    let running = start_large().await;
    let expected = catalog_names();
    assert_eq!(expected.len(), 293);
    for limit in [1, 7, 30, 97, 100] {
        let mut seen = Vec::new();
        let mut target = format!("{LIST}?limit={limit}");
        loop {
            let page = get(running.public, &target).await;
            assert_eq!(page.status, 200);
            let json = page.json();
            let names = page.names();
            assert_eq!(json["metadata"]["count"], names.len());
            seen.extend(names);
            let Some(cursor) = json["metadata"].get("nextCursor") else {
                break;
            };
            assert_eq!(json["metadata"]["count"], limit);
            target = format!("{LIST}?limit={limit}&cursor={}", cursor.as_str().unwrap());
        }
        assert_eq!(seen, expected, "limit {limit}");
    }
    running.stop().await;
}

#[tokio::test]
async fn thirty_are_shown_by_default_and_the_last_page_has_no_cursor() {
    let running = start_large().await;
    let first = get(running.public, LIST).await.json();
    assert_eq!(first["metadata"]["count"], 30);
    let body = get(running.public, &format!("{LIST}?search=zzz-no-such-server")).await.json();
    assert_eq!(body, json!({"servers": [], "metadata": {"count": 0}}));
}

#[tokio::test]
async fn the_older_prefix_answers_identically() {
    let running = start_large().await;
    for rest in [
        "servers?limit=3",
        "servers/io.github.21st-dev%2Fmagic-mcp/versions",
        "servers/x/versions",
        "servers/io.github.21st-dev%2Fmagic-mcp/versions/latest",
    ] {
        let new = get(running.public, &format!("/registry/default/v0.1/{rest}")).await;
        let old = get(running.public, &format!("/registry/default/v0/{rest}")).await;
        assert_eq!((new.status, &new.body), (old.status, &old.body), "{rest}");
        assert_eq!(new.header("etag"), old.header("etag"));
    }
}

#[tokio::test]
async fn a_server_is_found_by_its_encoded_name() {
    let running = start_large().await;
    for name in [
        "io.github.21st-dev%2Fmagic-mcp",
        "io.github.21st-dev%2fmagic-mcp",
        "io%2Egithub.21st-dev%2F%6Dagic-mcp",
    ] {
        for rest in ["", "/latest", "/0.0.1-seed", "/0.0.1%2Dseed", "/%6Catest"] {
            let target = format!("{LIST}/{name}/versions{rest}");
            let response = get(running.public, &target).await;
            assert_eq!(response.status, 200, "{target}");
            let json = response.json();
            let entry = if rest.is_empty() { &json["servers"][0] } else { &json };
            assert_eq!(entry["server"]["name"], "io.github.21st-dev/magic-mcp");
            assert_eq!(entry["_meta"]["io.modelcontextprotocol.registry/official"]["isLatest"], true);
        }
    }
}

#[tokio::test]
async fn versions_are_decoded_once() {
    let server = |version: &str| json!({"name": "a/b", "version": version, "description": "d"});
    let (running, _directory) =
        start_with(&json!([server("1.0.0+a/b"), server("1.0.0+%2F"), server("ü 1")])).await;
    for (encoded, version) in [
        ("1.0.0+a%2Fb", "1.0.0+a/b"),
        ("1.0.0%2Ba%2Fb", "1.0.0+a/b"),
        ("1.0.0+%252F", "1.0.0+%2F"),
        ("%C3%BC%201", "ü 1"),
    ] {
        let response = get(running.public, &format!("{LIST}/a%2Fb/versions/{encoded}")).await;
        assert_eq!(response.json()["server"]["version"], version, "{encoded}");
    }
}

#[tokio::test]
async fn each_error_has_its_status_and_a_text() {
    let running = start_large().await;
    let known = "io.github.21st-dev%2Fmagic-mcp";
    let mut table: Vec<(u16, String)> = vec![
        (404, "/".into()),
        (404, "/health".into()),
        (404, "/metrics".into()),
        (404, "/registry/default/v0.1/servers/".into()),
        (404, "/registry/default/v0.2/servers".into()),
        (404, "/registry/other/v0.1/servers".into()),
        (404, "/registry/%64efault/v0.1/servers".into()),
        (404, "/registry/other/openapi.yaml".into()),
        (404, format!("/registry/other/v0.1/servers/{known}/versions")),
        (404, "/registry/default/v0.1/servers/io.github.21st-dev/magic-mcp/versions".into()),
        (501, "/v1/registries".into()),
    ];
    for (status, rest) in [
        (404, "a%2Fb/versions"),
        (404, "a%2Fb/versions/latest"),
        (404, "io.github.21st-dev%2Fmagic-mcp/versions/9.9.9"),
        (404, "IO.github.21st-dev%2Fmagic-mcp/versions"),
        (400, "ab/versions"),
        (400, "a%252Fb/versions"),
        (400, "a%2Fb%2Fc/versions"),
        (400, "%2Fb/versions"),
        (400, "a%2F/versions"),
        (400, ".a%2Fb/versions"),
        (400, "a%2Fb-/versions"),
        (400, "a%2Fb%00/versions"),
        (400, "a%2Fb%20/versions"),
        (400, "a%2Fb%FF/versions"),
        (400, "a%2/versions"),
        (400, "..%2F../versions"),
        (400, "io.github.21st-dev%2Fmagic-mcp/versions/%zz"),
        (400, "io.github.21st-dev%2Fmagic-mcp/versions/%FF"),
        (400, "io.github.21st-dev%2Fmagic-mcp/versions?include_deleted=maybe"),
        (400, "io.github.21st-dev%2Fmagic-mcp/versions/latest?include_deleted=true&include_deleted=true"),
    ] {
        table.push((status, format!("{LIST}/{rest}")));
    }
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=ten",
        "limit=",
        "limit=30&limit=30",
        "cursor=!",
        "cursor=abc",
        "cursor=YS9i",
        "updated_since=2025-01-01",
        "updated_since=",
        "include_deleted=1",
        "search=%",
        "search=%FF",
        "search=a&search=b",
        "version=latest&version=latest",
    ] {
        table.push((400, format!("{LIST}?{query}")));
    }
    for (status, target) in table {
        let response = get(running.public, &target).await;
        assert_eq!(response.status, status, "{target}");
        assert!(!response.error().is_empty(), "{target}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{target}");
        assert_eq!(response.header("cross-origin-resource-policy"), Some("same-origin"), "{target}");
        let head = send(running.public, "HEAD", &target, &[]).await;
        assert_eq!((head.status, head.body.len()), (status, 0), "{target}");
    }
}

#[tokio::test]
async fn what_is_asked_wrongly_is_not_repeated_in_the_error() {
    let running = start_large().await;
    let target = format!("{LIST}?limit=<script>&cursor=secret");
    let response = get(running.public, &target.replace('<', "%3C").replace('>', "%3E")).await;
    assert!(!response.error().contains("script"));
}

#[tokio::test]
async fn other_methods_are_told_which_are_allowed() {
    let running = start_large().await;
    for target in [
        LIST,
        "/openapi.json",
        "/registry/default/openapi.yaml",
        &format!("{LIST}/a%2Fb/versions"),
        &format!("{LIST}/a%2Fb/versions/1"),
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO", "get"] {
            let response = send(running.public, method, target, &[("content-length", "0")]).await;
            assert_eq!(response.status, 405, "{method} {target}");
            assert_eq!(response.header("allow"), Some("GET, HEAD"));
            response.error();
        }
    }
}

#[tokio::test]
async fn what_comes_later_says_what_there_is() {
    let running = start_large().await;
    for (method, target) in [
        ("POST", "/v1/entries".to_owned()),
        ("GET", "/v1/me".to_owned()),
        ("POST", "/registry/default/v0.1/publish".to_owned()),
        ("PATCH", format!("{LIST}/a%2Fb/versions/1/status")),
        ("PATCH", format!("{LIST}/a%2Fb/status")),
    ] {
        let response = send(running.public, method, &target, &[("content-length", "0")]).await;
        assert_eq!(response.status, 501, "{method} {target}");
        assert!(response.error().contains("supported are GET of servers, versions and openapi.json"));
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let running = start_large().await;
    for target in [
        LIST,
        &format!("{LIST}/io.github.21st-dev%2Fmagic-mcp/versions"),
        &format!("{LIST}/io.github.21st-dev%2Fmagic-mcp/versions/latest"),
        "/openapi.json",
        "/registry/default/openapi.yaml",
    ] {
        let full = get(running.public, target).await;
        let head = send(running.public, "HEAD", target, &[]).await;
        assert_eq!((full.status, head.status), (200, 200), "{target}");
        assert!(head.body.is_empty());
        assert_eq!(full.header("content-length"), Some(full.body.len().to_string().as_str()));
        let without_date = |headers: &[(String, String)]| -> BTreeSet<(String, String)> {
            headers.iter().filter(|(name, _)| name != "date").cloned().collect()
        };
        assert_eq!(without_date(&full.headers), without_date(&head.headers), "{target}");
    }
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let running = start_large().await;
    for target in [
        LIST,
        &format!("{LIST}?limit=2"),
        &format!("{LIST}/io.github.21st-dev%2Fmagic-mcp/versions/latest"),
        "/openapi.json",
    ] {
        let full = get(running.public, target).await;
        let tag = full.header("etag").unwrap().to_owned();
        for (method, known) in [
            ("GET", tag.clone()),
            ("HEAD", tag.clone()),
            ("GET", format!("\"x\", W/{tag}")),
            ("GET", "*".to_owned()),
        ] {
            let response = send(running.public, method, target, &[("if-none-match", &known)]).await;
            assert_eq!((response.status, response.body.len()), (304, 0), "{method} {target} {known}");
            assert_eq!(response.header("etag"), Some(tag.as_str()));
            assert_eq!(response.header("cache-control"), Some("no-cache"));
            assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        }
        let other = send(running.public, "GET", target, &[("if-none-match", "\"other\"")]).await;
        assert_eq!((other.status, other.body), (200, full.body));
    }
}

#[tokio::test]
async fn different_pages_have_different_tags() {
    let running = start_large().await;
    let mut tags = BTreeSet::new();
    let queries = ["", "?limit=1", "?limit=2", "?search=deepseek&limit=2", "?search=zzz-none"];
    for query in queries {
        let response = get(running.public, &format!("{LIST}{query}")).await;
        tags.insert(response.header("etag").unwrap().to_owned());
    }
    assert_eq!(tags.len(), queries.len());
}

#[tokio::test]
async fn filters_combine() {
    let official = |updated: &str, status: &str| json!({"io.modelcontextprotocol.registry/official": {"publishedAt": "2025-01-01T00:00:00Z", "updatedAt": updated, "status": status}});
    let server = |name: &str, version: &str| json!({"name": name, "version": version, "title": "Weather Ä", "description": "100% sun"});
    let (running, _directory) = start_with(&json!({"servers": [
        {"server": server("a/b", "1.0.0"), "_meta": official("2025-01-01T00:00:00Z", "active")},
        {"server": server("a/b", "1.1.0"), "_meta": official("2025-02-01T00:00:00Z", "active")},
        {"server": server("c/d", "1.0.0"), "_meta": official("2025-03-01T00:00:00Z", "deleted")},
    ]}))
    .await;
    for (query, count) in [
        ("", 2),
        ("include_deleted=true", 3),
        ("include_deleted=false", 2),
        ("version=latest", 1),
        ("version=1.0.0", 1),
        ("version=1.0.0&include_deleted=true", 2),
        ("version=1.0", 0),
        ("search=WEATHER+%C3%A4", 2),
        ("search=100%25", 2),
        ("search=A%2Fb", 2),
        ("search=1.0.0", 0),
        ("updated_since=2025-01-01T00:00:00Z", 2),
        ("updated_since=2025-01-31T23:59:59Z&version=latest", 2),
        ("updated_since=2025-02-01T01:00:00%2B01:00", 1),
        ("updated_since=2025-03-01T00:00:00Z", 0),
        ("unknown=x&unknown=y", 2),
        ("cursor=&search=&version=", 2),
    ] {
        let json = get(running.public, &format!("{LIST}?{query}")).await.json();
        assert_eq!(json["metadata"]["count"], count, "{query}");
    }
    for (rest, status) in [
        ("versions", 404),
        ("versions?include_deleted=true", 200),
        ("versions/latest", 404),
        ("versions/1.0.0?include_deleted=true", 200),
    ] {
        assert_eq!(get(running.public, &format!("{LIST}/c%2Fd/{rest}")).await.status, status, "{rest}");
    }
}

#[tokio::test]
async fn registries_see_their_own_sources_in_their_own_order() {
    let directory = tempfile::tempdir().unwrap();
    for (file, version) in [("one.json", "1.0.0"), ("two.json", "2.0.0")] {
        let catalog = json!([{"name": "a/b", "version": version, "description": "d"}, {"name": format!("only/{version}"), "version": "1", "description": "d"}]);
        std::fs::write(directory.path().join(file), catalog.to_string()).unwrap();
    }
    let running = start(
        "
sources:
  - {name: one, file: {path: one.json}}
  - {name: two, file: {path: two.json}, filter: {names: {exclude: ['only/*']}}}
registries:
  - {name: first, sources: [one, two]}
  - {name: second, sources: [two, one]}
  - {name: just-two, sources: [two]}
",
        directory.path(),
    )
    .await;
    for (registry, version, names) in
        [("first", "1.0.0", 2), ("second", "2.0.0", 2), ("just-two", "2.0.0", 1)]
    {
        let list = get(running.public, &format!("/registry/{registry}/v0.1/servers")).await;
        assert_eq!(list.json()["servers"][0]["server"]["version"], version, "{registry}");
        assert_eq!(list.names().len(), names, "{registry}");
    }
}

#[tokio::test]
async fn the_whole_router_is_behind_what_protects_it() {
    use registry::server::{Protection, start};
    let config = support::config(&support::one_file(&data("catalog-large.json")), Path::new(""));
    let refuse = axum::middleware::from_fn(|_: axum::extract::Request, _: axum::middleware::Next| async {
        axum::http::StatusCode::UNAUTHORIZED
    });
    let protection = Protection::Layer(Box::new(move |router| router.layer(refuse)));
    let running = start(config, protection, support::tuning()).await.unwrap();
    for target in [LIST, "/", "/v1/me", "/openapi.json", "/registry/default/openapi.yaml", "/unknown"] {
        let response = get(running.public, target).await;
        assert_eq!(response.status, 401, "{target}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(get(running.internal, "/health").await.status, 200);
}
