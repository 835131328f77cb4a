//! URLs, and where they may lead (SPEC C-3 to C-5).

use super::{INSECURE, SECURE, error, in_oauth, in_provider, oauth, refused_at, set, warnings};
use registry_auth::address::AddressRule;
use registry_auth::config::WarningKind;
use registry_auth::policy::{HttpRule, Policy};
use serde_json::json;

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
