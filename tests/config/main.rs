//! Documents and what becomes of them (SPEC C).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod documents;
mod errors;
mod filter;
mod oauth;
mod providers;
mod urls;

use registry_auth::config::{ConfigError, Environment, WarningKind, load_filter};
use registry_auth::policy::{OauthPolicy, Policy};
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
