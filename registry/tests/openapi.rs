//! The API's description, and what is served held against it and against the official one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::fs;
use std::path::Path;

use registry::config::yaml;
use serde_json::{Value, json};
use support::{data, get, one_file, start, start_large};

fn document(path: &Path) -> Value {
    yaml::parse(&fs::read_to_string(path).unwrap()).unwrap()
}

fn ours() -> Value {
    document(&Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/openapi.yaml"))
}

/// A validator of one schema of an OpenAPI document.
fn validator(document: &Value, schema: &str) -> jsonschema::Validator {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{schema}"),
        "components": {"schemas": document["components"]["schemas"]},
    });
    jsonschema::validator_for(&schema).unwrap()
}

fn assert_valid(validator: &jsonschema::Validator, body: &Value, what: &str) {
    let errors: Vec<String> = validator
        .iter_errors(body)
        .take(5)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}");
}

#[test]
fn the_json_is_the_yaml() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/openapi.json");
    let generated = format!("{:#}\n", ours());
    if std::env::var_os("REGISTRY_BLESS").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), generated, "run with REGISTRY_BLESS=1 to rewrite it");
}

#[tokio::test]
async fn other_registries_recognise_the_document() {
    let running = start_large().await;
    let json = get(running.public, "/openapi.json").await.json();
    let response = get(running.public, "/registry/default/openapi.yaml").await;
    assert_eq!(response.header("content-type"), Some("application/yaml"));
    let parsed = yaml::parse(std::str::from_utf8(&response.body).unwrap()).unwrap();
    assert_eq!(parsed, json);
    assert_eq!(json["info"]["version"], "1.0.0");
    assert!(
        json["info"]["description"].as_str().unwrap().contains("github.com/modelcontextprotocol/registry")
    );
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = ours();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn every_described_path_is_served() {
    let running = start_large().await;
    let document = ours();
    for (path, item) in document["paths"].as_object().unwrap() {
        let base = if item.get("servers").is_some() { "" } else { "/registry/default" };
        let path =
            path.replace("{serverName}", "io.github.21st-dev%2Fmagic-mcp").replace("{version}", "latest");
        assert_eq!(get(running.public, &format!("{base}{path}")).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn bodies_are_what_both_documents_describe() {
    let official = document(&data("openapi-official.yaml"));
    let ours = ours();
    for file in ["catalog-large.json", "upstream-registry.json", "seed-official.json"] {
        let running = start(&one_file(&data(file)), Path::new("")).await;
        for (document, name) in [(&official, "official"), (&ours, "ours")] {
            let list = validator(document, "ServerList");
            let one = validator(document, "ServerResponse");
            let mut target = "/registry/default/v0.1/servers?limit=100".to_owned();
            loop {
                let json = get(running.public, &target).await.json();
                assert_valid(&list, &json, &format!("{name}, {target} of {file}"));
                let Some(cursor) = json["metadata"].get("nextCursor") else {
                    break;
                };
                target =
                    format!("/registry/default/v0.1/servers?limit=100&cursor={}", cursor.as_str().unwrap());
            }
            let first = get(running.public, "/registry/default/v0.1/servers?limit=1").await.names();
            let base = format!("/registry/default/v0.1/servers/{}/versions", first[0].replace('/', "%2F"));
            assert_valid(&list, &get(running.public, &base).await.json(), name);
            assert_valid(&one, &get(running.public, &format!("{base}/latest")).await.json(), name);
        }
    }
}

#[tokio::test]
async fn errors_are_what_our_document_describes() {
    let running = start_large().await;
    let error = validator(&ours(), "Error");
    for target in
        ["/x", "/registry/default/v0.1/servers?limit=0", "/registry/default/v0.1/servers/a%2Fb/versions"]
    {
        assert_valid(&error, &get(running.public, target).await.json(), target);
    }
}
