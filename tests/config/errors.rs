//! What errors say, and do not say.

use super::{SECURE, basic, error, errors, in_oauth, in_provider, oauth, refused_at, set, with};
use registry_auth::address::AddressRule;
use registry_auth::config::load_filter;
use registry_auth::policy::FilterPolicy;
use serde_json::json;

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
        "signatureLimits",
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
fn passwords_in_urls_are_not_shown() {
    for url in [
        "https://user:hunter2@i.example/x",
        "https://hunter2@i.example",
        "https://u:hunter2/@x@i.example",
        "https:/u:hunter2@i.example",
        "u:hunter2@i.example",
        "//u:hunter2@i.example",
        "u://hunter2?@i.example",
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
