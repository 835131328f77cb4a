//! The registry's YAML, and the mission's own documents in it.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use registry_auth::config::{Environment, Loaded, WarningKind, yaml};
use registry_auth::policy::{OauthPolicy, Policy};
use serde_json::json;

fn load(text: &str) -> Loaded {
    let document = yaml::parse(text).unwrap_or_else(|errors| panic!("{errors}"));
    Policy::from_document(&document, &Environment::default()).unwrap_or_else(|errors| panic!("{errors}"))
}

fn oauth(text: &str) -> OauthPolicy {
    match load(text).policy {
        Policy::Oauth(policy) => *policy,
        Policy::Anonymous => panic!("anonymous"),
    }
}

#[test]
fn every_seed_document_loads() {
    for (text, providers) in [
        (include_str!("seed/basic.yaml"), 1),
        (include_str!("seed/complete.yaml"), 2),
        (include_str!("seed/kubernetes.yaml"), 1),
        (include_str!("seed/opaque.yaml"), 1),
    ] {
        assert_eq!(oauth(text).providers.len(), providers);
    }
    assert!(matches!(load(include_str!("seed/anonymous.yaml")).policy, Policy::Anonymous));
}

#[test]
fn the_complete_example_means_what_it_says() {
    let text = include_str!("seed/complete.yaml");
    assert!(load(text).warnings.is_empty(), "a client without introspectionUrl is no fault");
    let policy = oauth(text);
    assert_eq!(policy.resource.scopes_supported, ["mcp-registry:read", "mcp-registry:write"]);
    assert!(policy.public_paths.matches(b"/custom-health") && policy.public_paths.matches(b"/metrics"));
    let production = &policy.providers[0];
    assert_eq!(production.client_id.as_deref(), Some("registry-client"));
    assert_eq!(production.client_secret_file.as_deref(), Some("/etc/secrets/keycloak-secret"));
    assert_eq!(production.ca_cert_path.as_deref(), Some("/etc/ssl/certs/keycloak-ca.crt"));
    assert_eq!(policy.providers[1].audience, "registry-api-staging");
    let kubernetes = load(include_str!("seed/kubernetes.yaml"));
    assert_eq!(kubernetes.warnings[0].kind, WarningKind::PrivateAddresses);
    let google = oauth(include_str!("seed/opaque.yaml"));
    assert_eq!(google.providers[0].audience, "407408718192.apps.googleusercontent.com");
}

#[test]
fn scalars_are_yaml_1_2() {
    let value =
        yaml::parse("a: yes\nb: true\nc: 0755\nd: 1_000\ne: 12\nf: null\ng: \"true\"\nh: ~\ni:\n").unwrap();
    let expected = json!({"a": "yes", "b": true, "c": "0755", "d": "1_000", "e": 12, "f": null, "g": "true", "h": null, "i": null});
    assert_eq!(value, expected);
}

#[test]
fn json_is_yaml() {
    let text = r#"{"auth": {"mode": "anonymous"}}"#;
    assert!(matches!(load(text).policy, Policy::Anonymous));
}

#[test]
fn anchors_and_merges_are_usable() {
    let value = yaml::parse("a: &a {x: 1}\nb: *a\nc:\n  <<: *a\n  y: 2\n").unwrap();
    assert_eq!(value, json!({"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}));
}

#[test]
fn faults_have_line_and_column() {
    for (text, place) in [
        ("auth:\n  mode: oauth\n  mode: anonymous\n", "line 3, column 3"),
        ("auth: {mode: oauth, mode: anonymous}\n", "line 1, column 21"),
        ("auth:\n  mode: [oauth\n", "line"),
        ("auth:\n\tmode: oauth\n", "line 2"),
        ("auth: *nowhere\n", "line 1, column 7"),
        ("auth: !secret x\n", "line 1"),
        ("auth: \"open\n", "line"),
        ("a: 1\n---\nb: 2\n", "line"),
        ("a: .inf\n", "line 1"),
    ] {
        let errors = yaml::parse(text).expect_err(text).to_string();
        assert!(errors.starts_with(place), "{text:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

#[test]
fn duplicates_and_second_documents_are_named() {
    for (text, expected) in [
        (
            "auth:\n  mode: oauth\n  mode: oauth\n",
            "line 3, column 3: expected each key once, not again: mode",
        ),
        ("auth: {}\n---\nauth: {}\n", "line 3, column 1: expected one document, not a second one"),
        ("auth:\n  - [a\n", "line 2, column 5: expected well-formed YAML (unclosed bracket '[')"),
    ] {
        assert_eq!(yaml::parse(text).expect_err(text).to_string(), expected);
    }
}

#[test]
fn faults_do_not_quote_the_document() {
    for text in [
        "database:\n  password: hunter2\n  password: hunter2\n",
        "database: {password: hunter2\nauth: [",
        "password: *hunter2 hunter2\n",
    ] {
        let errors = yaml::parse(text).expect_err(text).to_string();
        assert!(!errors.contains(": hunter2") && !errors.contains("\"hunter2"), "{errors}");
    }
}

#[test]
fn only_a_mapping_is_a_document() {
    for text in ["", "# nothing\n", "---\n", "null", "[]", "- auth", "auth", "42"] {
        let errors = yaml::parse(text).expect_err(text).to_string();
        assert!(
            errors.contains("a mapping with the key auth") || errors.contains("YAML"),
            "{text:?}: {errors}"
        );
    }
}

#[test]
fn alias_bombs_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let references = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{references}]\n"));
    }
    assert!(yaml::parse(&text).is_err());
    assert!(yaml::parse(&format!("a: {}1{}", "[".repeat(1000), "]".repeat(1000))).is_err());
    assert!(yaml::parse(&format!("a: {}", "x".repeat(2 * 1024 * 1024))).is_err());
}
