//! Whole documents.

use super::{SECURE, basic, error, errors, in_oauth, oauth, refused_at, set, warnings, with};
use registry_auth::address::AddressRule;
use registry_auth::config::{FileKind, WarningKind, auth_and_filter, files, load_filter};
use registry_auth::policy::{
    CorsPolicy, HttpRule, IntrospectionCachePolicy, JwksPolicy, Policy, RequiredScopes, SignatureLimits,
};
use registry_auth::signature::Algorithm;
use serde_json::{Value, json};
use std::time::Duration;

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
    assert_eq!(policy.signature_limits, SignatureLimits { per_second: 500, per_client: 250 });
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
        "signatureLimits": {"perSecond": 30, "perClient": 3},
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
    assert_eq!(policy.signature_limits, SignatureLimits { per_second: 30, per_client: 3 });
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
    let files: Vec<_> = files(&policy).into_iter().map(|file| (file.path, file.file, file.kind)).collect();
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
fn junk_anywhere_is_an_error_or_the_absence_of_a_value() {
    let mut document =
        with("/filter", json!({"upstreams": {"template": "{host}", "overrides": [{"name": "x"}]}}));
    set(&mut document, "/auth/oauth/cors", json!({"allowOrigins": ["*"], "maxAge": "1h"}));
    set(&mut document, "/auth/oauth/publicPaths", json!(["/a"]));
    set(
        &mut document,
        "/auth/oauth/requiredScopes",
        json!([{"methods": ["GET"], "paths": ["/a"], "scopes": ["a"]}]),
    );
    set(&mut document, "/auth/oauth/providers/0/claimsToHeaders", json!([{"claim": ["a"], "header": "b"}]));
    set(&mut document, "/auth/oauth/providers/0/jwks", json!({"maxAge": "1h", "unknownKidBurst": 3}));
    load_filter(&document, &SECURE).unwrap();
    let mut pointers = Vec::new();
    collect_pointers(&document, String::new(), &mut pointers);
    assert!(pointers.len() > 30);
    let junk = [
        json!(true),
        json!(-7),
        json!(1e300),
        json!(""),
        json!("\u{0}"),
        json!("\u{fc}{"),
        json!([[]]),
        json!({"": null}),
    ];
    for pointer in pointers {
        for junk in &junk {
            let mut document = document.clone();
            *document.pointer_mut(&pointer).unwrap() = junk.clone();
            let errors = load_filter(&document, &SECURE).map(|_| ()).expect_err(&format!("{pointer} {junk}"));
            assert!(errors.iter().count() > 0 && !errors.to_string().contains('\u{0}'));
        }
        let mut document = document.clone();
        *document.pointer_mut(&pointer).unwrap() = Value::Null;
        let _ = load_filter(&document, &SECURE);
    }
}

/// Of every value but those whose junk may be right: the mode's and texts that may be anything.
fn collect_pointers(value: &Value, pointer: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| collect_pointers(value, format!("{pointer}/{key}"), pointers))
        }
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(index, value)| collect_pointers(value, format!("{pointer}/{index}"), pointers));
        }
        _ => {}
    }
    let free = ["/audience", "/name", "/claim", "/claim/0"].iter().any(|end| pointer.ends_with(end));
    if !free {
        pointers.push(pointer);
    }
}
