//! Documents and what becomes of them (SPEC C).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::time::Duration;

use registry_auth::address::AddressRule;
use registry_auth::config::{
    self, ConfigError, Environment, FileKind, WarningKind, auth_and_filter, load_filter,
};
use registry_auth::policy::{
    CorsPolicy, FilterPolicy, HttpRule, IntrospectionCachePolicy, JwksPolicy, OauthPolicy, Policy, Purpose,
    RequiredScopes,
};
use registry_auth::signature::Algorithm;
use serde_json::{Value, json};

const SECURE: Environment = Environment { insecure_http: false };
const INSECURE: Environment = Environment { insecure_http: true };

/// The seed's basic document.
fn basic() -> Value {
    json!({"auth": {"mode": "oauth", "oauth": {
        "resourceUrl": "https://registry.example.com",
        "providers": [{
            "name": "keycloak",
            "issuerUrl": "https://keycloak.example.com/realms/mcp",
            "audience": "registry-api",
        }],
    }}})
}

/// The basic document with the value at a JSON pointer set, or inserted.
fn with(pointer: &str, value: Value) -> Value {
    let mut document = basic();
    set(&mut document, pointer, value);
    document
}

fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap_or_else(|| panic!("{parent}")) {
        Value::Object(map) => drop(map.insert(key.to_owned(), value)),
        Value::Array(list) => list.push(value),
        other => panic!("{other}"),
    }
}

fn in_provider(key: &str, value: Value) -> Value {
    with(&format!("/auth/oauth/providers/0/{key}"), value)
}

fn in_oauth(key: &str, value: Value) -> Value {
    with(&format!("/auth/oauth/{key}"), value)
}

#[track_caller]
fn oauth(document: &Value) -> OauthPolicy {
    match Policy::from_document(document, &SECURE) {
        Ok(loaded) => match loaded.policy {
            Policy::Oauth(policy) => *policy,
            Policy::Anonymous => panic!("anonymous"),
        },
        Err(errors) => panic!("{errors}"),
    }
}

#[track_caller]
fn errors(document: &Value) -> Vec<ConfigError> {
    match load_filter(document, &SECURE) {
        Ok(_) => panic!("accepted: {document}"),
        Err(errors) => errors.iter().cloned().collect(),
    }
}

/// The only error of a document: its path and all of it.
#[track_caller]
fn error(document: &Value) -> (String, String) {
    let errors = errors(document);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    (errors[0].path.clone(), errors[0].to_string())
}

#[track_caller]
fn refused_at(document: &Value, path: &str, part: &str) {
    let (at, text) = error(document);
    assert_eq!(at, path, "{text}");
    assert!(text.contains(part), "{text:?} does not contain {part:?}");
    assert!(!text.contains('\n'), "{text:?}");
}

fn warnings(document: &Value) -> Vec<(String, WarningKind)> {
    let loaded = Policy::from_document(document, &SECURE).unwrap();
    loaded.warnings.into_iter().map(|warning| (warning.path, warning.kind)).collect()
}

#[test]
fn defaults_are_the_missions() {
    let policy = oauth(&basic());
    assert_eq!(policy.resource.url.as_str(), "https://registry.example.com");
    assert_eq!(policy.resource.realm, "mcp-registry");
    assert_eq!(policy.resource.scopes_supported, ["mcp-registry:read", "mcp-registry:write"]);
    assert!(
        policy.resource.documentation.is_none() && policy.public_paths.is_empty() && policy.cors.is_none()
    );
    assert!(policy.forward_token);
    assert_eq!(policy.required_scopes, RequiredScopes::None);
    assert_eq!(policy.token_cache_size, 10_000);
    assert_eq!(policy.introspection_cache, IntrospectionCachePolicy::default());
    let provider = &policy.providers[0];
    assert_eq!(provider.issuer, "https://keycloak.example.com/realms/mcp");
    assert_eq!((provider.name.as_str(), provider.audience.as_str()), ("keycloak", "registry-api"));
    assert_eq!(provider.addresses, AddressRule::PublicOnly);
    assert_eq!(provider.allow_http, HttpRule::Loopback);
    assert_eq!(provider.allowed_algorithms, Algorithm::ALL);
    assert_eq!(provider.clock_skew, Duration::from_secs(10));
    assert_eq!(provider.jwks, JwksPolicy::default());
    assert!(provider.claims_to_headers.is_empty());
    assert!(warnings(&basic()).is_empty());
}

#[test]
fn every_key_arrives() {
    let document = json!({"auth": {"oauth": {
        "resourceUrl": "https://registry.example.com/mcp",
        "realm": "my realm",
        "scopesSupported": ["a"],
        "resourceDocumentation": "https://docs.example.com/registry?x=y",
        "publicPaths": ["/metrics"],
        "forwardToken": false,
        "requiredScopes": [
            {"methods": ["GET", "HEAD"], "scopes": ["a"]},
            {"paths": ["/v1/*"], "scopes": ["a", "b"]},
            {"scopes": []},
        ],
        "cors": {"allowOrigins": ["https://app.example.com", "http://localhost:5173"], "maxAge": "1h", "allowMethods": ["POST"], "allowHeaders": ["X-A"]},
        "tokenCache": {"size": 7},
        "introspectionCache": {"ttl": "30s", "negativeTtl": "0s", "size": 9},
        "providers": [{
            "name": "a.b-c_D1",
            "issuerUrl": "https://Tenant.eu.auth0.com/",
            "audience": "https://api",
            "jwksUrl": "https://keys.example.com/jwks?p=1",
            "introspectionUrl": "https://idp.example.com/introspect",
            "clientId": "me",
            "clientSecretFile": "/secret",
            "caCertPath": "ca.pem",
            "authTokenFile": "/token",
            "allowPrivateIP": true,
            "allowedAlgorithms": ["RS256", "EdDSA"],
            "clockSkew": "5m",
            "jwks": {"minRefresh": "1s", "maxAge": "2s", "maxStale": "3s", "unknownKidBurst": 4, "unknownKidInterval": "500ms"},
            "claimsToHeaders": [
                {"claim": "realm_access.roles", "header": "X-Roles"},
                {"claim": ["kubernetes.io", "namespace"], "header": "x-namespace"},
            ],
        }],
    }}});
    let policy = oauth(&document);
    assert_eq!(policy.resource.realm, "my realm");
    assert_eq!(policy.resource.documentation.unwrap().as_str(), "https://docs.example.com/registry?x=y");
    assert!(policy.public_paths.matches(b"/metrics/a") && !policy.forward_token);
    let RequiredScopes::Rules(rules) = policy.required_scopes else { panic!() };
    assert_eq!(rules[0].methods, ["GET", "HEAD"]);
    assert!(
        rules[0].paths.is_empty() && rules[1].methods.is_empty() && rules[1].paths.matches(b"/v1/entries")
    );
    assert_eq!((rules[1].scopes.len(), rules[2].scopes.len()), (2, 0));
    let cors = policy.cors.unwrap();
    assert_eq!(
        cors,
        CorsPolicy {
            allow_origins: vec!["https://app.example.com".to_owned(), "http://localhost:5173".to_owned()],
            allow_methods: vec!["POST".to_owned()],
            allow_headers: vec!["X-A".to_owned()],
            max_age: Duration::from_secs(3600),
        }
    );
    assert_eq!(policy.token_cache_size, 7);
    let cache =
        IntrospectionCachePolicy { ttl: Duration::from_secs(30), negative_ttl: Duration::ZERO, size: 9 };
    assert_eq!(policy.introspection_cache, cache);
    let provider = &policy.providers[0];
    assert_eq!(provider.issuer, "https://Tenant.eu.auth0.com/");
    assert_eq!(provider.jwks_url.as_ref().unwrap().as_str(), "https://keys.example.com/jwks?p=1");
    assert_eq!(provider.introspection_url.as_ref().unwrap().path(), "/introspect");
    assert_eq!(provider.client_id.as_deref(), Some("me"));
    assert_eq!(provider.addresses, AddressRule::Private);
    assert_eq!(provider.allowed_algorithms, [Algorithm::RS256, Algorithm::EdDSA]);
    assert_eq!(provider.clock_skew, Duration::from_secs(300));
    assert_eq!(provider.jwks.unknown_kid_interval, Duration::from_millis(500));
    assert_eq!((provider.jwks.unknown_kid_burst, provider.jwks.max_stale), (4, Duration::from_secs(3)));
    let claims: Vec<(Vec<&str>, &str)> = provider
        .claims_to_headers
        .iter()
        .map(|header| (header.claim.iter().map(String::as_str).collect(), header.header.as_str()))
        .collect();
    let expected =
        [(vec!["realm_access", "roles"], "x-roles"), (vec!["kubernetes.io", "namespace"], "x-namespace")];
    assert_eq!(claims, expected);
    let policy = Policy::from_document(&document, &SECURE).unwrap().policy;
    let files: Vec<_> =
        config::files(&policy).into_iter().map(|file| (file.path, file.file, file.kind)).collect();
    let path = |key: &str| format!("auth.oauth.providers[0].{key}");
    assert_eq!(
        files,
        [
            (path("clientSecretFile"), "/secret", FileKind::ClientSecret),
            (path("caCertPath"), "ca.pem", FileKind::CaCertificate),
            (path("authTokenFile"), "/token", FileKind::AuthToken),
        ]
    );
}

#[test]
fn secure_by_default() {
    for document in [
        json!({}),
        json!({"auth": null}),
        json!({"auth": {}}),
        json!({"auth": {"mode": null}}),
        json!({"auth": {"mode": "oauth"}}),
        json!({"auth": {"oauth": null}}),
        json!({"auth": {"publicPaths": ["/"]}}),
    ] {
        refused_at(&document, "auth.oauth", "resourceUrl and providers");
    }
    let found: Vec<String> =
        errors(&json!({"auth": {"oauth": {}}})).into_iter().map(|error| error.path).collect();
    assert_eq!(found, ["auth.oauth.resourceUrl", "auth.oauth.providers"]);
    refused_at(&in_oauth("providers", json!([])), "auth.oauth.providers", "at least one");
    refused_at(&in_oauth("providers", json!(null)), "auth.oauth.providers", "at least one");
    refused_at(
        &in_oauth("providers", json!({"name": "a"})),
        "auth.oauth.providers",
        "a list, found a mapping",
    );
}

#[test]
fn anonymous_is_spelled_out_in_lower_case() {
    let anonymous = |document: Value| {
        matches!(Policy::from_document(&document, &SECURE).unwrap().policy, Policy::Anonymous)
    };
    assert!(anonymous(json!({"auth": {"mode": "anonymous"}})));
    let mut document = basic();
    set(&mut document, "/auth/mode", json!("anonymous"));
    assert!(anonymous(document.clone()));
    assert_eq!(warnings(&document), [("auth.oauth".to_owned(), WarningKind::IgnoredInAnonymousMode)]);
    for (mode, nearest) in
        [("Anonymous", "anonymous"), ("OAUTH", "oauth"), ("anonymos", "anonymous"), ("oauth2", "oauth")]
    {
        let (path, text) = error(&json!({"auth": {"mode": mode}}));
        assert_eq!(path, "auth.mode");
        assert!(text.contains(&format!("found \"{mode}\"; did you mean {nearest}?")), "{text}");
    }
    for mode in [
        json!("none"),
        json!(""),
        json!(" anonymous"),
        json!(true),
        json!(false),
        json!(0),
        json!([]),
        json!({}),
    ] {
        assert_eq!(error(&json!({"auth": {"mode": mode}})).0, "auth.mode");
    }
    let far = &errors(&json!({"auth": {"mode": "none"}}))[0];
    assert_eq!(far.nearest, None);
}

#[test]
fn kinds_are_not_converted() {
    for document in [json!(null), json!([]), json!("auth"), json!(1)] {
        refused_at(&document, "", "a mapping with the key auth");
    }
    refused_at(&json!({"auth": "oauth"}), "auth", "found \"oauth\"");
    refused_at(&json!({"auth": []}), "auth", "found a list");
    refused_at(
        &in_oauth("resourceUrl", json!(["https://r.example"])),
        "auth.oauth.resourceUrl",
        "found a list",
    );
    refused_at(&in_oauth("realm", json!(7)), "auth.oauth.realm", "a realm (in quotes), found 7");
    refused_at(
        &in_oauth("forwardToken", json!("false")),
        "auth.oauth.forwardToken",
        "true or false, without quotes",
    );
    refused_at(&in_oauth("forwardToken", json!(0)), "auth.oauth.forwardToken", "found 0");
    refused_at(
        &in_oauth("publicPaths", json!("/health")),
        "auth.oauth.publicPaths",
        "a list, found \"/health\"",
    );
    refused_at(&in_oauth("publicPaths", json!([null])), "auth.oauth.publicPaths[0]", "found nothing");
    refused_at(&in_oauth("scopesSupported", json!("a b")), "auth.oauth.scopesSupported", "a list");
    refused_at(&in_oauth("tokenCache", json!(10)), "auth.oauth.tokenCache", "the keys size");
    refused_at(&with("/auth/oauth/providers/1", json!("keycloak")), "auth.oauth.providers[1]", "a mapping");
    let provider = |key: &str| format!("auth.oauth.providers[0].{key}");
    for (key, value) in [
        ("allowPrivateIP", json!("yes")),
        ("allowPrivateIP", json!("true")),
        ("allowPrivateIP", json!(1)),
        ("audience", json!(42)),
        ("audience", json!(["registry-api"])),
        ("issuerUrl", json!(true)),
        ("name", json!(1)),
        ("clockSkew", json!(10)),
        ("clockSkew", json!("10")),
        ("allowedAlgorithms", json!("RS256")),
        ("claimsToHeaders", json!({"claim": "a", "header": "b"})),
        ("jwks", json!("https://keys.example")),
    ] {
        assert_eq!(error(&in_provider(key, value)).0, provider(key));
    }
}

#[test]
fn keys_without_a_value_are_absent_unless_that_would_allow_more() {
    let mut document = basic();
    for key in [
        "realm",
        "scopesSupported",
        "publicPaths",
        "resourceDocumentation",
        "forwardToken",
        "cors",
        "tokenCache",
        "introspectionCache",
    ] {
        set(&mut document, &format!("/auth/oauth/{key}"), json!(null));
    }
    for key in [
        "jwksUrl",
        "introspectionUrl",
        "clientId",
        "clientSecretFile",
        "caCertPath",
        "authTokenFile",
        "allowPrivateIP",
        "clockSkew",
        "jwks",
        "claimsToHeaders",
    ] {
        set(&mut document, &format!("/auth/oauth/providers/0/{key}"), json!(null));
    }
    set(&mut document, "/filter", json!(null));
    assert_eq!(oauth(&document).providers[0].addresses, AddressRule::PublicOnly);
    assert_eq!(load_filter(&document, &SECURE).unwrap().filter, FilterPolicy::default());
    refused_at(&in_oauth("requiredScopes", json!(null)), "auth.oauth.requiredScopes", "found nothing");
    refused_at(&in_oauth("requiredScopes", json!([])), "auth.oauth.requiredScopes", "at least one");
    let algorithms = "auth.oauth.providers[0].allowedAlgorithms";
    refused_at(&in_provider("allowedAlgorithms", json!(null)), algorithms, "found nothing");
    refused_at(&in_provider("allowedAlgorithms", json!([])), algorithms, "at least one");
    for key in ["name", "issuerUrl", "audience"] {
        let path = format!("auth.oauth.providers[0].{key}");
        refused_at(&in_provider(key, json!(null)), &path, "found nothing");
        let mut document = basic();
        document.pointer_mut("/auth/oauth/providers/0").unwrap().as_object_mut().unwrap().remove(key);
        refused_at(&document, &path, "found nothing");
        for blank in ["", " ", "\t", "a b\n", " a"] {
            assert_eq!(error(&in_provider(key, json!(blank))).0, path, "{blank:?}");
        }
    }
    refused_at(&in_oauth("resourceUrl", json!("")), "auth.oauth.resourceUrl", "found \"\"");
}

#[test]
fn unknown_keys_name_the_nearest() {
    for (pointer, path, nearest) in [
        ("/auth/oauht", "auth.oauht", Some("oauth")),
        ("/auth/Mode", "auth.Mode", Some("mode")),
        ("/auth/providers", "auth.providers", Some("auth.oauth.providers")),
        ("/auth/xyzzy", "auth.xyzzy", None),
        ("/auth/oauth/resourceURL", "auth.oauth.resourceURL", Some("resourceUrl")),
        ("/auth/oauth/public_paths", "auth.oauth.public_paths", Some("publicPaths")),
        ("/auth/oauth/issuerUrl", "auth.oauth.issuerUrl", Some("auth.oauth.providers[].issuerUrl")),
        (
            "/auth/oauth/allowedAlgorithms",
            "auth.oauth.allowedAlgorithms",
            Some("auth.oauth.providers[].allowedAlgorithms"),
        ),
        ("/auth/oauth/providers/0/issuer", "auth.oauth.providers[0].issuer", Some("issuerUrl")),
        (
            "/auth/oauth/providers/0/clientSecret",
            "auth.oauth.providers[0].clientSecret",
            Some("clientSecretFile"),
        ),
        (
            "/auth/oauth/providers/0/allowPrivateIp",
            "auth.oauth.providers[0].allowPrivateIp",
            Some("allowPrivateIP"),
        ),
        ("/auth/oauth/providers/0/realm", "auth.oauth.providers[0].realm", Some("auth.oauth.realm")),
        ("/auth/oauth/providers/0/", "auth.oauth.providers[0].", None),
    ] {
        let errors = errors(&with(pointer, json!("hunter2")));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!((errors[0].path.as_str(), errors[0].nearest.as_deref()), (path, nearest));
        assert!(!errors[0].to_string().contains("hunter2"), "{}", errors[0]);
    }
    for (pointer, value, path) in [
        ("/auth/oauth/tokenCache", json!({"sise": 1}), "auth.oauth.tokenCache.sise"),
        (
            "/auth/oauth/introspectionCache",
            json!({"negativeTTL": "1s"}),
            "auth.oauth.introspectionCache.negativeTTL",
        ),
        ("/auth/oauth/cors", json!({"allowOrigins": ["*"], "origins": []}), "auth.oauth.cors.origins"),
        (
            "/auth/oauth/requiredScopes",
            json!([{"scopes": [], "method": "GET"}]),
            "auth.oauth.requiredScopes[0].method",
        ),
        ("/auth/oauth/providers/0/jwks", json!({"maxage": "1h"}), "auth.oauth.providers[0].jwks.maxage"),
        (
            "/auth/oauth/providers/0/claimsToHeaders",
            json!([{"claim": "a", "header": "b", "x": 1}]),
            "auth.oauth.providers[0].claimsToHeaders[0].x",
        ),
        ("/filter", json!({"shareData": true}), "filter.shareData"),
        ("/filter", json!({"upstreams": {"tempate": "x"}}), "filter.upstreams.tempate"),
    ] {
        assert_eq!(error(&with(pointer, value)).0, path);
    }
    let misspelled = &errors(&json!({"Auth": basic()["auth"]}))[0];
    assert_eq!(
        (misspelled.path.as_str(), misspelled.nearest.as_deref()),
        ("auth.oauth", Some("auth instead of Auth"))
    );
}

#[test]
fn other_top_level_keys_are_the_registrys() {
    let mut document = basic();
    set(&mut document, "/database", json!({"url": "postgres://user:hunter2@db.example/x"}));
    set(&mut document, "/sources", json!([{"name": 1}]));
    set(&mut document, "/filter", json!({"sharedData": true}));
    assert!(load_filter(&document, &SECURE).unwrap().filter.shared_data);
    let rendered = auth_and_filter(&document);
    assert_eq!(rendered, json!({"auth": basic()["auth"], "filter": {"sharedData": true}}));
    assert_eq!(auth_and_filter(&basic()), basic());
    assert_eq!(auth_and_filter(&json!([1])), json!({}));
}

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
fn urls_are_absolute_https_and_plain() {
    for (value, part) in [
        ("keycloak.example.com", "absolute"),
        ("/realms/mcp", "absolute"),
        ("ftp://keycloak.example.com", "absolute"),
        ("http://keycloak.example.com", "an https URL"),
        ("http://localhost.example.com", "an https URL"),
        ("http://a.localhost", "an https URL"),
        ("http://10.0.0.1", "an https URL"),
        ("http://128.0.0.1", "an https URL"),
        ("https://keycloak.example.com/#x", "fragment"),
        ("https://127.1", "four decimal numbers"),
        ("https://keycloak.example.com/{realm}", "'{'"),
        ("https://localhost./", "end in a dot"),
    ] {
        for key in ["issuerUrl", "jwksUrl", "introspectionUrl"] {
            refused_at(&in_provider(key, json!(value)), &format!("auth.oauth.providers[0].{key}"), part);
        }
        for key in ["resourceUrl", "resourceDocumentation"] {
            refused_at(&in_oauth(key, json!(value)), &format!("auth.oauth.{key}"), part);
        }
    }
    let query = in_provider("issuerUrl", json!("https://i.example/?secret=hunter2"));
    refused_at(&query, "auth.oauth.providers[0].issuerUrl", "without a query");
    assert!(!error(&query).1.contains("hunter2"));
}

#[test]
fn passwords_in_urls_are_not_shown() {
    for url in [
        "https://user:hunter2@i.example/x",
        "https://hunter2@i.example",
        "https://u:hunter2/@x@i.example",
        "https:/u:hunter2@i.example",
    ] {
        let (path, text) = error(&in_provider("issuerUrl", json!(url)));
        assert_eq!(path, "auth.oauth.providers[0].issuerUrl");
        assert!(!text.contains("hunter2") && text.contains("i.example"), "{text}");
    }
    for key in ["clientSecretFile", "authTokenFile", "caCertPath"] {
        for value in [json!(12345), json!(["12345"]), json!(" 12345"), json!("12345\n")] {
            let (path, text) = error(&in_provider(key, value));
            assert_eq!(path, format!("auth.oauth.providers[0].{key}"));
            assert!(!text.contains("12345"), "{text}");
        }
    }
}

#[test]
fn shown_values_are_short_and_on_one_line() {
    let long = format!("https://{}", "x\n\u{1b}[31m".repeat(1000));
    let (_, text) = error(&in_provider("issuerUrl", json!(long)));
    assert!(text.len() < 1000 && !text.contains(['\n', '\u{1b}']), "{text}");
    let (path, _) = error(&in_provider(&"k\n".repeat(500), json!(1)));
    assert!(path.len() < 600 && !path.contains('\n'), "{path}");
}

#[test]
fn plain_http_is_for_loopback_or_for_the_environment() {
    for host in ["localhost", "LOCALHOST:9000", "127.0.0.1:9000", "127.255.0.1", "[::1]:9000"] {
        let document = in_provider("issuerUrl", json!(format!("http://{host}/realms/mcp")));
        let provider = &oauth(&document).providers[0];
        assert_eq!(provider.addresses, AddressRule::LoopbackOnlyPlusPublic, "{host}");
        assert_eq!(provider.allow_http, HttpRule::Loopback);
        let expected = ("auth.oauth.providers[0].issuerUrl".to_owned(), WarningKind::LoopbackIssuer);
        assert_eq!(warnings(&document), [expected]);
    }
    let document = in_provider("issuerUrl", json!("http://keycloak.example.com"));
    let loaded = Policy::from_document(&document, &INSECURE).unwrap();
    let Policy::Oauth(policy) = loaded.policy else { panic!() };
    assert_eq!(policy.providers[0].allow_http, HttpRule::Anywhere);
    assert_eq!(policy.providers[0].addresses, AddressRule::PublicOnly);
    assert_eq!(loaded.warnings[0].kind, WarningKind::PlainHttp);
    assert!(Policy::from_document(&in_oauth("resourceUrl", json!("http://localhost:8080")), &SECURE).is_ok());
    for (key, value) in [
        ("issuerUrl", "http://10.0.0.1"),
        ("issuerUrl", "ftp://i.example"),
        ("jwksUrl", "http://localhost/keys"),
    ] {
        assert!(Policy::from_document(&in_provider(key, json!(value)), &INSECURE).is_err(), "{value}");
    }
}

#[test]
fn address_rules_hold_for_what_is_written() {
    for (issuer, key, url, allow, accepted) in [
        ("https://i.example", "jwksUrl", "https://10.0.0.1/keys", false, false),
        ("https://i.example", "jwksUrl", "https://10.0.0.1/keys", true, true),
        ("https://i.example", "jwksUrl", "https://localhost/keys", false, false),
        ("https://i.example", "jwksUrl", "http://localhost/keys", true, true),
        ("https://i.example", "jwksUrl", "https://x.localhost/keys", false, false),
        ("https://i.example", "introspectionUrl", "https://[fd00::1]/i", false, false),
        ("https://i.example", "introspectionUrl", "https://[fd00::1]/i", true, true),
        ("https://i.example", "introspectionUrl", "https://[::ffff:10.0.0.1]/i", false, false),
        ("https://i.example", "jwksUrl", "https://169.254.169.254/keys", true, false),
        ("https://i.example", "jwksUrl", "https://[64:ff9b::169.254.169.254]/keys", true, false),
        ("https://i.example", "jwksUrl", "https://0.0.0.0/keys", true, false),
        ("https://i.example", "jwksUrl", "https://8.8.8.8/keys", false, true),
        ("http://localhost:9000", "jwksUrl", "http://127.0.0.1:9000/keys", false, true),
        ("http://localhost:9000", "jwksUrl", "https://10.0.0.1/keys", false, false),
        ("http://localhost:9000", "jwksUrl", "https://10.0.0.1/keys", true, true),
        ("http://localhost:9000", "jwksUrl", "https://keys.example/keys", false, true),
    ] {
        let mut document = in_provider("issuerUrl", json!(issuer));
        set(&mut document, &format!("/auth/oauth/providers/0/{key}"), json!(url));
        set(&mut document, "/auth/oauth/providers/0/allowPrivateIP", json!(allow));
        if accepted {
            oauth(&document);
        } else {
            refused_at(&document, &format!("auth.oauth.providers[0].{key}"), "address");
        }
    }
    refused_at(
        &in_provider("issuerUrl", json!("https://192.168.0.1")),
        "auth.oauth.providers[0].issuerUrl",
        "allowPrivateIP",
    );
    refused_at(
        &in_provider("issuerUrl", json!("https://x.localhost")),
        "auth.oauth.providers[0].issuerUrl",
        "loopback",
    );
    let expected = ("auth.oauth.providers[0].allowPrivateIP".to_owned(), WarningKind::PrivateAddresses);
    assert_eq!(warnings(&in_provider("allowPrivateIP", json!(true))), [expected]);
}

#[test]
fn provider_names_are_unique_and_plain() {
    let second = |name: &str| {
        let provider = json!({"name": name, "issuerUrl": "https://other.example", "audience": "a"});
        with("/auth/oauth/providers/1", provider)
    };
    assert_eq!(oauth(&second("Keycloak")).providers.len(), 2);
    refused_at(&second("keycloak"), "auth.oauth.providers[1].name", "no other provider");
    for name in ["a b", "a/b", "a=b", "\u{fc}", "a\"", "a,b", &"a".repeat(65)] {
        refused_at(&second(name), "auth.oauth.providers[1].name", "letters, digits");
    }
    assert!(oauth(&second(&"a".repeat(64))).providers[1].name.len() == 64);
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
fn bounds_of_durations_and_numbers() {
    for (pointer, value) in [
        ("/auth/oauth/providers/0/clockSkew", json!("301s")),
        ("/auth/oauth/providers/0/clockSkew", json!("6m")),
        ("/auth/oauth/providers/0/clockSkew", json!("-1s")),
        ("/auth/oauth/providers/0/clockSkew", json!("1.5s")),
        ("/auth/oauth/providers/0/clockSkew", json!("1d")),
    ] {
        refused_at(
            &with(pointer, value),
            "auth.oauth.providers[0].clockSkew",
            "a duration such as 500ms, 10s, 5m or 1h, from 0ms to 5m",
        );
    }
    for (key, value, path) in [
        ("tokenCache", json!({"size": 0}), "size"),
        ("tokenCache", json!({"size": -1}), "size"),
        ("tokenCache", json!({"size": 1.5}), "size"),
        ("tokenCache", json!({"size": "10"}), "size"),
        ("tokenCache", json!({"size": 1_000_001}), "size"),
        ("tokenCache", json!({"size": 18_446_744_073_709_551_615_u64}), "size"),
        ("introspectionCache", json!({"size": 0}), "size"),
        ("introspectionCache", json!({"ttl": "2h"}), "ttl"),
        ("introspectionCache", json!({"negativeTtl": 10}), "negativeTtl"),
    ] {
        assert_eq!(error(&in_oauth(key, value)).0, format!("auth.oauth.{key}.{path}"));
    }
    let jwks = "auth.oauth.providers[0].jwks";
    for (value, path) in [
        (json!({"minRefresh": "2h"}), jwks.to_owned()),
        (json!({"maxAge": "30s"}), jwks.to_owned()),
        (json!({"maxStale": "30m"}), jwks.to_owned()),
        (json!({"minRefresh": "0s"}), format!("{jwks}.minRefresh")),
        (json!({"maxAge": "169h"}), format!("{jwks}.maxAge")),
        (json!({"maxStale": "721h"}), format!("{jwks}.maxStale")),
        (json!({"unknownKidBurst": 0}), format!("{jwks}.unknownKidBurst")),
        (json!({"unknownKidInterval": "0ms"}), format!("{jwks}.unknownKidInterval")),
    ] {
        assert_eq!(error(&in_provider("jwks", value.clone())).0, path, "{value}");
    }
    assert_eq!(oauth(&in_provider("clockSkew", json!("0s"))).providers[0].clock_skew, Duration::ZERO);
}

#[test]
fn algorithms_are_known_and_named_once() {
    for (name, nearest) in [
        ("rs256", Some("RS256")),
        ("HS256", Some("RS256")),
        ("ES256K", Some("ES256")),
        ("none", None),
        ("Ed25519", None),
    ] {
        let found = &errors(&in_provider("allowedAlgorithms", json!(["ES512", name])))[0];
        assert_eq!(found.path, "auth.oauth.providers[0].allowedAlgorithms[1]");
        assert_eq!(found.nearest.as_deref(), nearest, "{name}");
    }
    refused_at(
        &in_provider("allowedAlgorithms", json!(["RS256", "RS256"])),
        "auth.oauth.providers[0].allowedAlgorithms[1]",
        "once",
    );
}

#[test]
fn claims_go_into_headers_of_their_own() {
    let entry = |claim: Value, header: &str| json!([{"claim": "a", "header": "X-Team"}, {"claim": claim, "header": header}]);
    for (header, part) in [
        ("x-team", "each header once"),
        ("X_Team", "each header once"),
        ("Host", "not hop-by-hop"),
        ("content-type", "not hop-by-hop"),
        ("x-forwarded-user", "not hop-by-hop"),
        ("X-Auth-User", "authentication itself"),
        ("x-http-method-override", "authentication itself"),
        (":path", "a token"),
        ("a b", "a token"),
    ] {
        let document = in_provider("claimsToHeaders", entry(json!("b"), header));
        refused_at(&document, "auth.oauth.providers[0].claimsToHeaders[1].header", part);
    }
    for claim in
        [json!(""), json!("."), json!("a."), json!(".a"), json!("a..b"), json!([]), json!(7), json!({"a": 1})]
    {
        let document = in_provider("claimsToHeaders", entry(claim, "x-b"));
        refused_at(&document, "auth.oauth.providers[0].claimsToHeaders[1].claim", "a claim");
    }
    let document = in_provider("claimsToHeaders", entry(json!(["a", ""]), "x-b"));
    refused_at(&document, "auth.oauth.providers[0].claimsToHeaders[1].claim[1]", "member name");
    let document = in_provider("claimsToHeaders", json!([{}]));
    let found: Vec<String> = errors(&document).into_iter().map(|error| error.path).collect();
    assert_eq!(
        found,
        [
            "auth.oauth.providers[0].claimsToHeaders[0].claim",
            "auth.oauth.providers[0].claimsToHeaders[0].header"
        ]
    );
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
fn the_filter_object_is_read_for_proxies_only() {
    let document = with(
        "/filter",
        json!({
            "upstreams": {
                "template": "outbound|{port}||{host}",
                "overrides": [
                    {"provider": "keycloak", "purpose": "keys", "name": "keycloak-keys"},
                    {"origin": "https://keys.example:8443", "name": "k"},
                ],
            },
            "sharedData": true,
            "calloutTimeout": "500ms",
        }),
    );
    let filter = load_filter(&document, &SECURE).unwrap().filter;
    assert_eq!(filter.upstream_template, "outbound|{port}||{host}");
    assert_eq!(filter.upstream_overrides[0].purpose, Some(Purpose::Keys));
    assert_eq!(filter.upstream_overrides[1].origin.as_ref().unwrap().origin(), "https://keys.example:8443");
    assert!(filter.shared_data);
    assert_eq!(filter.callout_timeout, Duration::from_millis(500));
    assert!(Policy::from_document(&with("/filter", json!(7)), &SECURE).is_ok());
    for (value, path) in [
        (json!(7), "filter"),
        (json!({"sharedData": "true"}), "filter.sharedData"),
        (json!({"calloutTimeout": "0s"}), "filter.calloutTimeout"),
        (json!({"calloutTimeout": "61s"}), "filter.calloutTimeout"),
        (json!({"upstreams": {"template": ""}}), "filter.upstreams.template"),
        (json!({"upstreams": {"template": "{hots}"}}), "filter.upstreams.template"),
        (json!({"upstreams": {"template": "{host"}}), "filter.upstreams.template"),
        (json!({"upstreams": {"template": "{{host}}"}}), "filter.upstreams.template"),
        (
            json!({"upstreams": {"overrides": [{"provider": "keycloak"}]}}),
            "filter.upstreams.overrides[0].name",
        ),
        (
            json!({"upstreams": {"overrides": [{"name": "a", "provider": "keyclock"}]}}),
            "filter.upstreams.overrides[0].provider",
        ),
        (
            json!({"upstreams": {"overrides": [{"name": "a", "purpose": "key"}]}}),
            "filter.upstreams.overrides[0].purpose",
        ),
        (
            json!({"upstreams": {"overrides": [{"name": "a", "origin": "https://a.example/x"}]}}),
            "filter.upstreams.overrides[0].origin",
        ),
        (
            json!({"upstreams": {"overrides": [{"name": "a", "origin": "http://a.example"}]}}),
            "filter.upstreams.overrides[0].origin",
        ),
    ] {
        assert_eq!(error(&with("/filter", value.clone())).0, path, "{value}");
    }
}

#[test]
fn all_errors_come_at_once_one_a_line() {
    let document = json!({
        "auth": {
            "mdoe": "oauth",
            "oauth": {
                "resourceUrl": "registry.example.com",
                "realm": "",
                "publicPaths": ["health"],
                "providers": [
                    {"name": "a", "issuerUrl": "http://a.example", "audience": "x"},
                    {"name": "a", "issuerUrl": "https://b.example?x=1", "jwksURL": "https://b.example/keys"},
                ],
            },
        },
        "filter": {"calloutTimeout": "never"},
    });
    let text = load_filter(&document, &SECURE).unwrap_err().to_string();
    let expected = [
        "auth.mdoe: expected one of the keys mode, oauth, publicPaths; did you mean mode?",
        "auth.oauth.resourceUrl: expected an absolute URL that starts with https://, found \"registry.example.com\"",
        "auth.oauth.realm: expected a realm, found \"\"",
        "auth.oauth.publicPaths[0]: expected a path that starts with /, found \"health\"",
        "auth.oauth.providers[0].issuerUrl: expected an https URL (http is for loopback hosts), found \"http://a.example\"",
        "auth.oauth.providers[1].jwksURL: expected one of the keys name, issuerUrl, audience, jwksUrl, introspectionUrl, clientId, \
         clientSecretFile, caCertPath, authTokenFile, allowPrivateIP, allowedAlgorithms, clockSkew, jwks, claimsToHeaders; did you mean jwksUrl?",
        "auth.oauth.providers[1].name: expected a name no other provider has, found \"a\"",
        "auth.oauth.providers[1].issuerUrl: expected an issuer without a query (?), found \"https://b.example?\u{2026}\"",
        "auth.oauth.providers[1].audience: expected the audience tokens are issued for, found nothing",
        "filter.calloutTimeout: expected a duration such as 500ms, 10s, 5m or 1h, from 100ms to 1m, found \"never\"",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}
