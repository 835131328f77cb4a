//! `auth.oauth.providers[]`.

use super::{error, errors, in_oauth, in_provider, oauth, refused_at, with};
use serde_json::{Value, json};
use std::time::Duration;

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
        ("signatureLimits", json!({"perSecond": 0}), "perSecond"),
        ("signatureLimits", json!({"perSecond": 1_000_001, "perClient": 1_000_000}), "perSecond"),
        ("signatureLimits", json!({"perSecond": "500"}), "perSecond"),
        ("signatureLimits", json!({"perClient": 0}), "perClient"),
        ("signatureLimits", json!({"perClient": 501}), "perClient"),
        ("signatureLimits", json!({"perSecond": 10, "perClient": 11}), "perClient"),
        ("signatureLimits", json!({"perClients": 10}), "perClients"),
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
