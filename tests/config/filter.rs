//! The `filter` object (SPEC C-8).

use super::{SECURE, error, with};
use registry_auth::config::load_filter;
use registry_auth::policy::{Policy, Purpose};
use serde_json::json;
use std::time::Duration;

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
