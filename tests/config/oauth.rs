//! `auth.oauth` beside its providers.

use super::{error, errors, in_oauth, in_provider, oauth, refused_at, set, warnings, with};
use registry_auth::config::WarningKind;
use registry_auth::policy::RequiredScopes;
use serde_json::json;
use std::time::Duration;

#[test]
fn public_paths_are_in_one_place() {
    let document = with("/auth/publicPaths", json!(["/health"]));
    assert!(oauth(&document).public_paths.matches(b"/health"));
    let mut both = document;
    set(&mut both, "/auth/oauth/publicPaths", json!(["/health"]));
    refused_at(&both, "auth.publicPaths", "one place only");
    for (path, part) in [
        ("health", "starts with /"),
        ("", "starts with /"),
        ("/health/*/x", "glob"),
        ("/health?x", "glob"),
        ("/a//b", "canonical"),
        ("/a/../b", "canonical"),
        ("/%68ealth", "canonical"),
    ] {
        refused_at(&in_oauth("publicPaths", json!(["/ok", path])), "auth.oauth.publicPaths[1]", part);
    }
    let found = warnings(&in_oauth("publicPaths", json!(["/"])));
    assert_eq!(found, [("auth.oauth.publicPaths".to_owned(), WarningKind::EverythingIsPublic)]);
}

#[test]
fn several_introspecting_providers_warn() {
    let mut document = in_provider("introspectionUrl", json!("https://a.example/i"));
    assert!(warnings(&document).is_empty());
    set(
        &mut document,
        "/auth/oauth/providers/1",
        json!({"name": "b", "issuerUrl": "https://b.example", "audience": "b", "introspectionUrl": "https://b.example/i", "clientId": "x"}),
    );
    let expected = [
        ("auth.oauth.providers[1]".to_owned(), WarningKind::HalfAClient),
        ("auth.oauth.providers".to_owned(), WarningKind::SeveralIntrospectingProviders),
    ];
    assert_eq!(warnings(&document), expected);
}

#[test]
fn required_scopes_are_a_list_or_rules() {
    let all = oauth(&in_oauth("requiredScopes", json!(["a", "b"]))).required_scopes;
    assert_eq!(all, RequiredScopes::All(vec!["a".to_owned(), "b".to_owned()]));
    let at = |rest: &str| format!("auth.oauth.requiredScopes{rest}");
    for (value, path, part) in [
        (json!("a"), at(""), "a list"),
        (json!({"scopes": ["a"]}), at(""), "a list"),
        (json!(["a", {"scopes": ["b"]}]), at(""), "either scopes or rules"),
        (json!(["a", "a"]), at("[1]"), "once"),
        (json!(["a b"]), at("[0]"), "one scope"),
        (json!(["a\\b"]), at("[0]"), "one scope"),
        (json!(["a\"b"]), at("[0]"), "one scope"),
        (json!(["\u{fc}"]), at("[0]"), "one scope"),
        (json!([{"methods": ["GET"]}]), at("[0].scopes"), "nothing"),
        (json!([{"methods": ["GET"], "scopes": null}]), at("[0].scopes"), "nothing"),
        (json!([{"methods": ["get"], "scopes": []}]), at("[0].methods[0]"), "upper case"),
        (json!([{"methods": ["GET", "GET"], "scopes": []}]), at("[0].methods[1]"), "once"),
        (json!([{"methods": [], "scopes": []}]), at("[0].methods"), "at least one"),
        (json!([{"methods": null, "scopes": []}]), at("[0].methods"), "a list"),
        (json!([{"paths": [], "scopes": []}]), at("[0].paths"), "at least one"),
        (json!([{"paths": null, "scopes": []}]), at("[0].paths"), "a list"),
        (json!([{"paths": ["v1"], "scopes": []}]), at("[0].paths[0]"), "starts with /"),
        (json!([{"paths": ["/v1/*/x"], "scopes": []}]), at("[0].paths[0]"), "glob"),
    ] {
        refused_at(&in_oauth("requiredScopes", value), &path, part);
    }
}

#[test]
fn cors_origins_are_serialised_origins() {
    let cors = oauth(&in_oauth("cors", json!({"allowOrigins": ["*"]}))).cors.unwrap();
    assert_eq!(cors.allow_methods, ["GET", "HEAD", "OPTIONS"]);
    assert_eq!(cors.allow_headers, ["Authorization", "Content-Type", "MCP-Protocol-Version"]);
    assert_eq!(cors.max_age, Duration::from_secs(600));
    refused_at(&in_oauth("cors", json!({})), "auth.oauth.cors.allowOrigins", "nothing");
    refused_at(
        &in_oauth("cors", json!({"allowOrigins": []})),
        "auth.oauth.cors.allowOrigins",
        "at least one",
    );
    for origin in [
        "https://app.example.com/",
        "https://app.example.com:443",
        "https://APP.example.com",
        "https://app.example.com/x",
        "https://*.example.com",
        "http://app.example.com",
        "app.example.com",
        "null",
        "*",
        "",
    ] {
        let document = in_oauth("cors", json!({"allowOrigins": ["https://a.example", origin]}));
        assert_eq!(error(&document).0, "auth.oauth.cors.allowOrigins[1]", "{origin}");
    }
    let document = in_oauth("cors", json!({"allowOrigins": ["*"], "allowHeaders": ["a\r\nb"]}));
    assert_eq!(error(&document).0, "auth.oauth.cors.allowHeaders[0]");
}

#[test]
fn scopes_and_realm_fit_a_challenge() {
    for value in ["a\u{fc}", "a\nb", ""] {
        assert_eq!(error(&in_oauth("realm", json!(value))).0, "auth.oauth.realm");
    }
    assert_eq!(oauth(&in_oauth("realm", json!("a \"b\" \\"))).resource.realm, "a \"b\" \\");
    assert_eq!(error(&in_oauth("scopesSupported", json!(["a b"]))).0, "auth.oauth.scopesSupported[0]");
    assert!(oauth(&in_oauth("scopesSupported", json!([]))).resource.scopes_supported.is_empty());
}

#[test]
fn one_clients_share_of_signatures_is_half_of_what_is_given_and_never_more_than_all() {
    let limits = |value| {
        let limits = oauth(&in_oauth("signatureLimits", value)).signature_limits;
        (limits.per_second, limits.per_client)
    };
    assert_eq!(limits(json!({})), (500, 250));
    assert_eq!(limits(json!({"perSecond": 1})), (1, 1));
    assert_eq!(limits(json!({"perSecond": 9, "perClient": null})), (9, 5));
    assert_eq!(limits(json!({"perClient": 500})), (500, 500));
    assert_eq!(limits(json!({"perSecond": 1_000_000})), (1_000_000, 500_000));
    let document = in_oauth("signatureLimits", json!({"perSecond": 10, "perClient": 11}));
    refused_at(&document, "auth.oauth.signatureLimits.perClient", "from 1 to 10, found 11");
    let both = in_oauth("signatureLimits", json!({"perSecond": 0, "perClient": 0}));
    assert_eq!(errors(&both).len(), 2);
}
